/**
 * The pictures, in the order in which the demo's history makes them possible.
 *
 * Guarantees: what a picture is to show is waited for by role or test id before it is taken; same size, locale, time
 * zone and no motion in each.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { Demo } from './demo.ts';
import { repackPng } from './png.ts';

const PATIENCE = { timeout: 60_000 };
const DESK = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

interface View {
  path: string;
  theme?: 'light' | 'dark';
  phone?: boolean;
  /** Brings the page into the state to be shown. */
  prepare: (page: Page) => Promise<unknown>;
  /** While the page is open, before it is closed. */
  after?: (page: Page) => Promise<unknown>;
}

export async function takeShots(browser: Browser, demo: Demo, folder: string): Promise<string[]> {
  const { laptop, build2, ids } = demo;
  const taken: string[] = [];

  const shoot = async (name: string, view: View): Promise<void> => {
    await using page = await open(browser, demo, view);
    await view.prepare(page.page);
    const png = await page.page.screenshot({ animations: 'disabled' });
    writeFileSync(join(folder, `${name}.png`), repackPng(png));
    taken.push(name);
    await view.after?.(page.page);
  };
  const rows = (page: Page) => page.getByTestId('task-row').nth(6).waitFor(PATIENCE);
  const status = (page: Page, word: string) =>
    page
      .locator(`[data-testid=task-detail] [data-testid=task-status][data-status=${word}]`)
      .waitFor(PATIENCE);
  const logShows = (page: Page, text: string) =>
    page.getByTestId('task-log').getByText(text).first().waitFor(PATIENCE);

  await shoot('task-running', {
    path: `/tasks/${ids.coder}`,
    theme: 'dark',
    prepare: async (page) => {
      await status(page, 'running');
      await logShows(page, 'applies a voucher');
      await page.locator('[data-testid=proof][data-proof=process]').waitFor(PATIENCE);
    },
  });
  await shoot('task-failed', {
    path: `/tasks/${ids.build}`,
    prepare: async (page) => {
      await status(page, 'failed');
      await logShows(page, 'Found 2 errors');
      await page.getByTestId('timeline').waitFor(PATIENCE);
    },
  });
  await shoot('search', {
    path: '/',
    prepare: async (page) => {
      await rows(page);
      await page.getByTestId('search').click();
      await page.keyboard.type('agent:laptop is:');
      await page.getByRole('option').first().waitFor(PATIENCE);
    },
  });
  await shoot('palette', {
    path: '/',
    theme: 'dark',
    prepare: async (page) => {
      await rows(page);
      await page.keyboard.press('Control+k');
      await page.getByTestId('palette-field').waitFor(PATIENCE);
      await page.keyboard.type('build');
      await page.getByTestId('palette-entry').filter({ hasText: 'Task' }).first().waitFor(PATIENCE);
    },
  });
  await shoot('bulk-dry-run', {
    path: '/sessions/checkout',
    prepare: async (page) => {
      await page.getByTestId('task-row').nth(2).waitFor(PATIENCE);
      await page.keyboard.press('*');
      await page.getByTestId('bulk-cancel').click();
      await page.locator('[data-testid=bulk][data-stage=forecast]').waitFor(PATIENCE);
    },
    after: (page) => page.getByTestId('bulk-close').click(),
  });
  await shoot('agent', {
    path: '/',
    prepare: async (page) => {
      await page.getByTestId('agent-chip').filter({ hasText: 'build-2' }).click();
      await page.getByTestId('agent-panel').getByTestId('agent-digest').getByText('equal').waitFor(PATIENCE);
    },
  });

  await demo.untilStale();
  for (const theme of ['light', 'dark'] as const) {
    await shoot(`list-${theme}`, { path: '/', theme, prepare: listWithStale });
  }
  await shoot('reclaim', {
    path: `/tasks/${ids.staleClaim}`,
    prepare: async (page) => {
      await page.getByTestId('task-detail').getByTestId('stale-badge').waitFor(PATIENCE);
      await page.getByTestId('reclaim-panel').waitFor(PATIENCE);
    },
  });
  await shoot('phone-list', { path: '/', phone: true, prepare: rows });
  await shoot('phone-task', {
    path: `/tasks/${ids.coder}`,
    phone: true,
    theme: 'dark',
    prepare: (page) => logShows(page, 'applies a voucher'),
  });

  await shoot('agent-lost', {
    path: `/tasks/${ids.endToEnd}`,
    prepare: async (page) => {
      await logShows(page, 'second factor');
      await build2.agent.end('SIGKILL');
      await status(page, 'unknown');
      await page.locator('[data-testid=agent-chip][data-state=lost]').waitFor(PATIENCE);
      await page.getByTestId('task-detail').getByTestId('cancel').click();
      await page.getByTestId('pending').waitFor(PATIENCE);
      await page.getByTestId('timeline').waitFor(PATIENCE);
    },
  });
  await shoot('web-lost', {
    path: '/',
    prepare: async (page) => {
      await rows(page);
      laptop.web.signal('SIGSTOP');
      await page.locator('.app.weak').waitFor(PATIENCE);
    },
    after: async () => laptop.web.signal('SIGCONT'),
  });
  return taken;
}

async function listWithStale(page: Page): Promise<void> {
  await page.getByTestId('task-row').getByTestId('stale-badge').waitFor(PATIENCE);
}

async function open(
  browser: Browser,
  { laptop }: Demo,
  { path, theme = 'light', phone = false }: View,
): Promise<AsyncDisposable & { page: Page; context: BrowserContext }> {
  const context = await browser.newContext({
    viewport: phone ? PHONE : DESK,
    deviceScaleFactor: phone ? 2 : 1,
    hasTouch: phone,
    colorScheme: theme,
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'UTC',
  });
  const page = await context.newPage();
  const { body } = await laptop.call<{ code: string }>('web', 'POST', '/api/login-codes');
  await page.goto(`${laptop.web.url}${path}#code=${body.code}`);
  await page.getByTestId('truth-bar').waitFor(PATIENCE);
  await page.getByTestId('agent-chip').first().waitFor(PATIENCE);
  return { page, context, [Symbol.asyncDispose]: () => context.close() };
}
