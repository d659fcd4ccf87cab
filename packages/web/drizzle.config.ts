/** `drizzle-kit generate --config packages/web/drizzle.config.ts`, run from the repository's root. */
import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'sqlite',
  schema: './packages/web/src/schema.ts',
  out: './packages/web/drizzle',
});
