import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'sqlite',
  schema: './packages/agent/src/schema.ts',
  out: './packages/agent/drizzle',
});
