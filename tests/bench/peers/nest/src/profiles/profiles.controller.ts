import { Controller, Get, Param } from '@nestjs/common';
import type { Claims } from '../auth/claims';
import { requireSelfOrScope } from '../auth/claims';
import { CurrentUser } from '../auth/current-user.decorator';
import { ProfilesService } from './profiles.service';

@Controller('profiles')
export class ProfilesController {
  constructor(private readonly profiles: ProfilesService) {}

  @Get(':userId')
  find(@CurrentUser() user: Claims, @Param('userId') userId: string) {
    requireSelfOrScope(user, userId, 'profiles:read');
    return this.profiles.find(userId);
  }
}
