import { Injectable, NotFoundException } from '@nestjs/common';
import { PrismaService } from '../prisma.service';
import { RedisService } from '../redis.service';

const TTL_SECONDS = 270 * 24 * 3600;

@Injectable()
export class PushTokensService {
  constructor(
    private readonly prisma: PrismaService,
    private readonly redis: RedisService,
  ) {}

  async find(userId: string): Promise<string> {
    const key = `user:${userId}:token`;
    const cached = await this.redis.get(key);
    if (cached) {
      return cached;
    }
    const found = await this.prisma.pushToken.findUnique({ where: { userId } });
    if (!found) {
      throw new NotFoundException();
    }
    await this.redis.set(key, found.token, 'EX', TTL_SECONDS);
    return found.token;
  }
}
