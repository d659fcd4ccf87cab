/** What a person does with the dashboard, in a real browser on the real services. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem } from '../system.ts';
import { launchBrowser, openDashboard, untilLive } from './browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };

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
  // Before that nothing has been heard of web, and nothing can be submitted.
  await untilLive(page);
  await page.getByTestId('submit-open').first().click();
  const gate = join(system.home, 'gate');
  await page
    .getByTestId('submit-shell')
    .fill(`for i in 1 2 3; do echo line-$i; until [ -e ${gate}-$i ]; do sleep 0.1; done; done; exit 7`);
  await shoot(page, 'submit');
  await page.getByTestId('submit-send').click();
  const status = page.getByTestId('task-detail').getByTestId('task-status');
  await status.waitFor(PATIENCE);
  await expect.poll(() => status.getAttribute('data-status'), PATIENCE).toBe('running');
  const lines = () => page.getByTestId('task-log').locator('.line-text').allInnerTexts();
  const said: string[] = [];
  for (const line of ['line-1', 'line-2', 'line-3']) {
    said.push(line);
    await expect.poll(lines, PATIENCE).toEqual(said);
    await shoot(page, 'running');
    writeFileSync(`${gate}-${said.length}`, '');
  }
  await expect.poll(() => status.getAttribute('data-status'), PATIENCE).toBe('failed');
  await page.locator('[data-testid=log-end][data-end=complete]').waitFor(PATIENCE);
  await expect
    .poll(() => page.getByTestId('task-detail').innerText(), PATIENCE)
    .toMatch(/exit(ed)?( code| with)? 7|exit 7/i);
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
  await expect.poll(() => status.getAttribute('data-status'), PATIENCE).toBe('running');
  await system.agent.end('SIGKILL');
  await expect.poll(() => status.getAttribute('data-knowledge'), PATIENCE).toBe('unknown');
  await shoot(page, 'unknown');
  await page.getByTestId('cancel').click();
  await page.getByTestId('pending').waitFor(PATIENCE);
  expect(await status.getAttribute('data-status')).not.toBe('cancelled');
  await shoot(page, 'pending-cancel');
  await system.agent.start();
  await expect.poll(() => status.getAttribute('data-status'), PATIENCE).toBe('cancelled');
  await page.getByTestId('retry').click();
  await expect.poll(() => page.url().includes(id), PATIENCE).toBe(false);
  await expect.poll(() => status.getAttribute('data-status'), PATIENCE).toBe('running');
});
