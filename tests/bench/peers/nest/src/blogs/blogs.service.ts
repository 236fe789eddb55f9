import { Injectable } from '@nestjs/common';
import { PrismaService } from '../prisma.service';
import { RedisService } from '../redis.service';

const KEY = 'all_blogs';
const TTL_SECONDS = 300;

@Injectable()
export class BlogsService {
  constructor(
    private readonly prisma: PrismaService,
    private readonly redis: RedisService,
  ) {}

  async findAll() {
    const cached = await this.redis.get(KEY);
    if (cached) {
      return JSON.parse(cached);
    }
    const blogs = await this.prisma.blog.findMany({ orderBy: { id: 'asc' }, take: 1000 });
    await this.redis.set(KEY, JSON.stringify(blogs), 'EX', TTL_SECONDS);
    return blogs;
  }
}
