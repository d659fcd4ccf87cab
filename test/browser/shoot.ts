/** Pictures of what a test sees, for people: made only when HOLDFAST_TEST_SCREENSHOTS names a folder. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env.HOLDFAST_TEST_SCREENSHOTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
