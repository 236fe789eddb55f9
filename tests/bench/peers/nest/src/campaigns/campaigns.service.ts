import { Injectable } from '@nestjs/common';
import { RedisService } from '../redis.service';

export interface CampaignUser {
  userId: string;
  fcmToken?: string;
}

@Injectable()
export class CampaignsService {
  constructor(private readonly redis: RedisService) {}

  async next(id: string, count: number): Promise<CampaignUser[]> {
    const users = (await this.redis.lpop(`campaign:${id}`, count)) ?? [];
    return users.map((user) => JSON.parse(user) as CampaignUser);
  }
}
