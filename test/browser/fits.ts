/** Whether a page keeps within its window. */
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

/** The page is no wider than its window; it may take a moment to follow a window that has changed. */
export async function expectFits(page: Page): Promise<void> {
  const beyond = () =>
    page.evaluate<number>('Math.max(0, document.documentElement.scrollWidth - innerWidth)');
  await expect.poll(beyond, { timeout: 60_000 }).toBe(0);
}
