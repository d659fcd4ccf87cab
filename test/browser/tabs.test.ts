/** Ten tabs of one browser: one stream for all, each of them live, each of them able to act. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem } from '../system.ts';
import { launchBrowser, openDashboard } from './browser.ts';
import { startCountingProxy } from './counting-proxy.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const TABS = 10;
const PATIENCE = { timeout: 60_000 };

test('ten tabs share one stream; all of them are live, and an action works from each', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '1' } });
  await using proxy = await startCountingProxy(system.web.url);
  const ids: string[] = [];
  for (let n = 0; n < TABS; n++) {
    ids.push(await system.submit({ shell: 'exec sleep 600' }, { title: `work ${n}` }));
  }
  await using dashboard = await openDashboard(browser, system, '/', proxy.url);
  const tabs: Page[] = [dashboard.page];
  while (tabs.length < TABS) {
    const tab = await dashboard.context.newPage();
    await tab.goto(`${proxy.url}/tasks/${ids[tabs.length]!}`);
    tabs.push(tab);
  }
  await dashboard.page.goto(`${proxy.url}/tasks/${ids[0]!}`);
  for (const tab of tabs) {
    await tab.locator('[data-testid=truth-bar][data-link=live]').waitFor(PATIENCE);
    await tab
      .getByTestId('task-row')
      .nth(TABS - 1)
      .waitFor(PATIENCE);
  }
  expect(proxy.open('/api/events')).toBe(1);

  // Each tab cancels its own task, and every other tab sees it.
  for (const tab of tabs) await tab.getByTestId('cancel').click();
  for (const tab of tabs) {
    await expect
      .poll(() => tab.locator('[data-testid=task-row][data-status=cancelled]').count(), PATIENCE)
      .toBe(TABS);
  }
  expect(proxy.open('/api/events')).toBe(1);

  // Nothing ends with the tab that came first.
  await tabs[0]!.close();
  const late = await system.submit({ shell: 'true' }, { title: 'late' });
  for (const tab of tabs.slice(1)) {
    await tab
      .locator(`[data-testid=task-row][data-task-id="${late}"][data-status=completed]`)
      .waitFor(PATIENCE);
  }
  expect(proxy.open('/api/events')).toBe(1);
  expect(dashboard.complaints).toEqual([]);
});

test('a browser without SharedWorker keeps a stream only for the tab in sight', async () => {
  await using system = await startSystem();
  await using proxy = await startCountingProxy(system.web.url);
  await using dashboard = await openDashboard(browser, system, '/', proxy.url, (context) =>
    context.addInitScript('delete window.SharedWorker'),
  );
  const { page } = dashboard;
  await page.locator('[data-testid=truth-bar][data-link=live]').waitFor(PATIENCE);
  expect(proxy.open('/api/events')).toBe(1);
  const see = (state: 'visible' | 'hidden') =>
    page.evaluate(`
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => '${state}' });
      document.dispatchEvent(new Event('visibilitychange'));
    `);
  await see('hidden');
  await expect.poll(() => proxy.open('/api/events'), PATIENCE).toBe(0);
  await see('visible');
  await expect.poll(() => proxy.open('/api/events'), PATIENCE).toBe(1);
  const id = await system.submit({ shell: 'true' });
  await page.locator(`[data-testid=task-row][data-task-id="${id}"][data-status=completed]`).waitFor(PATIENCE);
});
