import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Prisma } from '../generated/prisma/client';
import { PrismaService } from '../prisma.service';
import { RedisService } from '../redis.service';
import { CreateNotificationDto } from './notifications.dto';

const CHANNEL = 'notifications';
const FEED_MAX = 100;
const FEED_TTL_SECONDS = 30 * 24 * 3600;

const feedKey = (userId: string) => `notifications:${userId}`;

@Injectable()
export class NotificationsService {
  constructor(
    private readonly prisma: PrismaService,
    private readonly redis: RedisService,
  ) {}

  async create(dto: CreateNotificationDto) {
    const notification = await this.prisma.notification.create({
      data: { ...dto, data: dto.data as Prisma.InputJsonObject | undefined },
    });
    const key = feedKey(dto.userId);
    await this.redis
      .multi()
      .lpush(key, JSON.stringify(notification))
      .ltrim(key, 0, FEED_MAX - 1)
      .expire(key, FEED_TTL_SECONDS)
      .exec();
    await this.redis.publish(CHANNEL, JSON.stringify({ notification }));
    return notification;
  }

  async createBatch(dtos: CreateNotificationDto[]) {
    const createdAt = new Date();
    const notifications = dtos.map((dto) => ({
      id: randomUUID(),
      ...dto,
      data: dto.data as Prisma.InputJsonObject | undefined,
      createdAt,
    }));
    await this.prisma.notification.createMany({ data: notifications });

    const byUser = new Map<string, string[]>();
    for (const notification of notifications) {
      const entries = byUser.get(notification.userId) ?? [];
      entries.push(JSON.stringify(notification));
      byUser.set(notification.userId, entries);
    }
    const pipeline = this.redis.pipeline();
    for (const [userId, entries] of byUser) {
      const key = feedKey(userId);
      pipeline.lpush(key, ...entries);
      pipeline.ltrim(key, 0, FEED_MAX - 1);
      pipeline.expire(key, FEED_TTL_SECONDS);
    }
    for (const notification of notifications) {
      pipeline.publish(CHANNEL, JSON.stringify({ notification }));
    }
    await pipeline.exec();
    return notifications;
  }

  async feed(userId: string, limit: number) {
    const entries = await this.redis.lrange(feedKey(userId), 0, limit - 1);
    if (entries.length > 0) {
      return entries.map((entry) => JSON.parse(entry));
    }
    const notifications = await this.prisma.notification.findMany({
      where: { userId },
      orderBy: { createdAt: 'desc' },
      take: FEED_MAX,
    });
    if (notifications.length > 0) {
      const key = feedKey(userId);
      await this.redis
        .multi()
        .rpush(key, ...notifications.map((notification) => JSON.stringify(notification)))
        .expire(key, FEED_TTL_SECONDS)
        .exec();
    }
    return notifications.slice(0, limit);
  }
}
