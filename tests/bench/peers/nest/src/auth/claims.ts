import { ForbiddenException } from '@nestjs/common';
import type { Request } from 'express';

export interface Claims {
  sub: string;
  scope?: string;
}

export interface AuthenticatedRequest extends Request {
  user: Claims;
}

export function requireScope(user: Claims, scope: string) {
  if (!user.scope?.split(' ').includes(scope)) {
    throw new ForbiddenException(`the scope ${scope} is required`);
  }
}

export function requireSelfOrScope(user: Claims, userId: string, scope: string) {
  if (user.sub !== userId) {
    requireScope(user, scope);
  }
}
