import { Controller, Get, Param } from '@nestjs/common';
import type { Claims } from '../auth/claims';
import { requireSelfOrScope } from '../auth/claims';
import { CurrentUser } from '../auth/current-user.decorator';
import { PushTokensService } from './push-tokens.service';

@Controller('users/:userId/token')
export class PushTokensController {
  constructor(private readonly tokens: PushTokensService) {}

  @Get()
  async find(@CurrentUser() user: Claims, @Param('userId') userId: string) {
    requireSelfOrScope(user, userId, 'tokens:read');
    return { userId, token: await this.tokens.find(userId) };
  }
}
