import { Injectable, NotFoundException } from '@nestjs/common';
import { PrismaService } from '../prisma.service';
import { RedisService } from '../redis.service';

const TTL_SECONDS = 3600;

@Injectable()
export class ProfilesService {
  constructor(
    private readonly prisma: PrismaService,
    private readonly redis: RedisService,
  ) {}

  async find(userId: string) {
    const key = `profile:${userId}`;
    const cached = await this.redis.get(key);
    if (cached) {
      return JSON.parse(cached);
    }
    const profile = await this.prisma.profile.findUnique({ where: { userId } });
    if (!profile) {
      throw new NotFoundException();
    }
    await this.redis.set(key, JSON.stringify(profile), 'EX', TTL_SECONDS);
    return profile;
  }
}
