// The service of a team that Bellwire replaces, as such a team writes it.
//
//   PORT=… REDIS_URL=… DATABASE_URL=… JWT_SECRET=… node dist/main.js
import 'reflect-metadata';
import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module';

async function bootstrap() {
  const app = await NestFactory.create<NestExpressApplication>(AppModule);
  // A batch of 500 has more than the usual 100 kB.
  app.useBodyParser('json', { limit: '4mb' });
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }));
  app.enableShutdownHooks();
  await app.listen(Number(process.env.PORT), '127.0.0.1');
  console.log('listening');
}

void bootstrap();
