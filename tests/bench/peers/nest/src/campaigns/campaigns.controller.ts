import { Controller, HttpCode, Param, Post, Query } from '@nestjs/common';
import type { Claims } from '../auth/claims';
import { requireScope } from '../auth/claims';
import { CurrentUser } from '../auth/current-user.decorator';
import { CampaignsService } from './campaigns.service';
import { NextQueryDto } from './next-query.dto';

@Controller('campaigns')
export class CampaignsController {
  constructor(private readonly campaigns: CampaignsService) {}

  @Post(':id/next')
  @HttpCode(200)
  async next(@CurrentUser() user: Claims, @Param('id') id: string, @Query() query: NextQueryDto) {
    requireScope(user, 'campaigns:write');
    return { users: await this.campaigns.next(id, query.count) };
  }
}
