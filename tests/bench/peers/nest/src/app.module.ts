import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { JwtAuthGuard } from './auth/jwt-auth.guard';
import { BlogsController } from './blogs/blogs.controller';
import { BlogsService } from './blogs/blogs.service';
import { CampaignsController } from './campaigns/campaigns.controller';
import { CampaignsService } from './campaigns/campaigns.service';
import { NotificationsController } from './notifications/notifications.controller';
import { NotificationsService } from './notifications/notifications.service';
import { PrismaService } from './prisma.service';
import { ProfilesController } from './profiles/profiles.controller';
import { ProfilesService } from './profiles/profiles.service';
import { PushTokensController } from './push-tokens/push-tokens.controller';
import { PushTokensService } from './push-tokens/push-tokens.service';
import { RedisService } from './redis.service';

@Module({
  imports: [
    JwtModule.register({
      global: true,
      secret: process.env.JWT_SECRET,
      verifyOptions: { algorithms: ['HS256'] },
    }),
  ],
  controllers: [
    BlogsController,
    CampaignsController,
    NotificationsController,
    ProfilesController,
    PushTokensController,
  ],
  providers: [
    { provide: APP_GUARD, useClass: JwtAuthGuard },
    BlogsService,
    CampaignsService,
    NotificationsService,
    PrismaService,
    ProfilesService,
    PushTokensService,
    RedisService,
  ],
})
export class AppModule {}
