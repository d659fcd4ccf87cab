/** What a person does with the dashboard, in a real browser on the real services. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem } from '../system.ts';
import { launchBrowser, openDashboard } from './browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const shots = process.env.HOLDFAST_TEST_SCREENSHOTS;
async function shoot(page: { screenshot: (options: { path: string }) => Promise<unknown> }, name: string) {
  if (shots === undefined) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`) });
}

test('a person submits a loop, sees it queued, running, its lines as they appear, and failed with exit 7, without a reload', async () => {
  await using system = await startSystem();
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  let loads = 0;
  page.on('load', () => (loads += 1));
  await page.getByTestId('submit-open').first().click();
  await page.getByTestId('submit-shell').fill('for i in 1 2 3; do echo line-$i; sleep 1; done; exit 7');
  await shoot(page, 'submit');
  await page.getByTestId('submit-send').click();
  const status = page.getByTestId('task-detail').getByTestId('task-status');
  await status.waitFor();
  await expect.poll(() => status.getAttribute('data-status'), { timeout: 30_000 }).toBe('running');
  const log = page.getByTestId('task-log');
  await log.getByText('line-1').waitFor();
  expect(await log.getByText('line-3').count()).toBe(0);
  await shoot(page, 'running');
  await log.getByText('line-3').waitFor();
  await expect.poll(() => status.getAttribute('data-status'), { timeout: 30_000 }).toBe('failed');
  await page.locator('[data-testid=log-end][data-end=complete]').waitFor();
  expect(await page.getByTestId('task-detail').innerText()).toMatch(/exit(ed)?( code| with)? 7|exit 7/i);
  await shoot(page, 'failed');
  expect(loads).toBe(0);
  expect(dashboard.complaints).toEqual([]);
});

test('a person sees a task of a killed agent become unknown, and the truth when the agent is back', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'echo working; exec sleep 600' }, { title: 'long work' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  const status = page.getByTestId('task-detail').getByTestId('task-status');
  await expect.poll(() => status.getAttribute('data-status'), { timeout: 30_000 }).toBe('running');
  await system.agent.end('SIGKILL');
  await expect.poll(() => status.getAttribute('data-knowledge'), { timeout: 30_000 }).toBe('unknown');
  await shoot(page, 'unknown');
  await page.getByTestId('cancel').click();
  await page.getByTestId('pending').waitFor();
  expect(await status.getAttribute('data-status')).not.toBe('cancelled');
  await shoot(page, 'pending-cancel');
  await system.agent.start();
  await expect.poll(() => status.getAttribute('data-status'), { timeout: 60_000 }).toBe('cancelled');
  await page.getByTestId('retry').click();
  await expect.poll(() => page.url().includes(id), { timeout: 30_000 }).toBe(false);
  await expect.poll(() => status.getAttribute('data-status'), { timeout: 30_000 }).toBe('running');
});
