import { createParamDecorator, ExecutionContext } from '@nestjs/common';
import type { AuthenticatedRequest, Claims } from './claims';

export const CurrentUser = createParamDecorator(
  (_: unknown, context: ExecutionContext): Claims =>
    context.switchToHttp().getRequest<AuthenticatedRequest>().user,
);
