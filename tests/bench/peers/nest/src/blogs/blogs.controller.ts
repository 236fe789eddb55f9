import { Controller, Get } from '@nestjs/common';
import { Public } from '../auth/public.decorator';
import { BlogsService } from './blogs.service';

@Controller('blogs')
export class BlogsController {
  constructor(private readonly blogs: BlogsService) {}

  @Public()
  @Get()
  findAll() {
    return this.blogs.findAll();
  }
}
