import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import type { Claims } from '../auth/claims';
import { requireScope, requireSelfOrScope } from '../auth/claims';
import { CurrentUser } from '../auth/current-user.decorator';
import { CreateBatchDto, CreateNotificationDto, FeedQueryDto } from './notifications.dto';
import { NotificationsService } from './notifications.service';

@Controller()
export class NotificationsController {
  constructor(private readonly notifications: NotificationsService) {}

  @Post('notifications')
  create(@CurrentUser() user: Claims, @Body() dto: CreateNotificationDto) {
    requireScope(user, 'notifications:write');
    return this.notifications.create(dto);
  }

  @Post('notifications/batch')
  @HttpCode(200)
  async createBatch(@CurrentUser() user: Claims, @Body() dto: CreateBatchDto) {
    requireScope(user, 'notifications:write');
    return { notifications: await this.notifications.createBatch(dto.notifications) };
  }

  @Get('users/:userId/notifications')
  async feed(
    @CurrentUser() user: Claims,
    @Param('userId') userId: string,
    @Query() query: FeedQueryDto,
  ) {
    requireSelfOrScope(user, userId, 'feed:read');
    return { notifications: await this.notifications.feed(userId, query.limit) };
  }
}
