/** Ten tabs of one browser: one stream for all, each of them live, each of them able to act. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem } from '../system.ts';
import { launchBrowser, openDashboard, untilLive } from './browser.ts';
import { type CountingProxy, startCountingProxy } from './counting-proxy.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const TABS = 10;
const PATIENCE = { timeout: 60_000 };

/** One that was replaced may end a moment after the next one begins. */
const expectStreams = (proxy: CountingProxy, count: number): Promise<void> =>
  expect.poll(() => proxy.open('/api/events'), PATIENCE).toBe(count);

test('ten tabs share one stream; all of them are live, and an action works from each', async () => {
  // Each heartbeat is drawn in ten pages, by the processor: five in a second would leave no room for a click.
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '1', HOLDFAST_HEARTBEAT_MS: '2000' } });
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
  await expectStreams(proxy, 1);

  // Each tab cancels its own task, and every other tab sees it.
  for (const tab of tabs) await tab.getByTestId('cancel').click();
  for (const tab of tabs) {
    await expect
      .poll(() => tab.locator('[data-testid=task-row][data-status=cancelled]').count(), PATIENCE)
      .toBe(TABS);
  }
  await expectStreams(proxy, 1);

  // Nothing ends with the tab that came first.
  await tabs[0]!.close();
  const late = await system.submit({ shell: 'true' }, { title: 'late' });
  for (const tab of tabs.slice(1)) {
    await tab
      .locator(`[data-testid=task-row][data-task-id="${late}"][data-status=completed]`)
      .waitFor(PATIENCE);
  }
  await expectStreams(proxy, 1);
  expect(dashboard.complaints).toEqual([]);
}, 400_000);

test('a link that signs in does so for every page of the browser that was signed out', async () => {
  await using system = await startSystem();
  await using dashboard = await openDashboard(browser, system, '/');
  await untilLive(dashboard.page);
  await dashboard.page.getByRole('button', { name: 'Sign out' }).click();
  await dashboard.page.getByTestId('sign-in').waitFor();
  const { body } = await system.call<{ code: string }>('web', 'POST', '/api/login-codes');
  const tab = await dashboard.context.newPage();
  await tab.goto(`${system.web.url}/#code=${body.code}`);
  await untilLive(tab);
  await untilLive(dashboard.page);
  expect(await dashboard.page.getByTestId('sign-in').count()).toBe(0);
});

test('a browser without SharedWorker keeps a stream only for the tab in sight', async () => {
  await using system = await startSystem();
  await using proxy = await startCountingProxy(system.web.url);
  await using dashboard = await openDashboard(browser, system, '/', proxy.url, (context) =>
    context.addInitScript('delete window.SharedWorker'),
  );
  const { page } = dashboard;
  await page.locator('[data-testid=truth-bar][data-link=live]').waitFor(PATIENCE);
  await expectStreams(proxy, 1);
  const see = (state: 'visible' | 'hidden') =>
    page.evaluate(`
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => '${state}' });
      document.dispatchEvent(new Event('visibilitychange'));
    `);
  await see('hidden');
  await expectStreams(proxy, 0);
  await see('visible');
  await expectStreams(proxy, 1);
  const id = await system.submit({ shell: 'true' });
  await page.locator(`[data-testid=task-row][data-task-id="${id}"][data-status=completed]`).waitFor(PATIENCE);
});
