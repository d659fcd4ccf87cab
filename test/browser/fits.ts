/** The window of a page, and whether the page keeps within it. A page may take a moment to follow its window. */
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

const PATIENCE = { timeout: 60_000 };

/** Gives the page a window of this size. When it resolves, the page has it. */
export async function resize(page: Page, width: number, height: number): Promise<void> {
  await page.setViewportSize({ width, height });
  await expect
    .poll(() => page.evaluate<number[]>('[innerWidth, innerHeight]'), PATIENCE)
    .toEqual([width, height]);
}

/** The page is no wider than its window. */
export async function expectFits(page: Page): Promise<void> {
  const { width } = page.viewportSize()!;
  const measured = () =>
    page.evaluate<number[]>('[innerWidth, Math.max(0, document.documentElement.scrollWidth - innerWidth)]');
  await expect.poll(measured, PATIENCE).toEqual([width, 0]);
}
