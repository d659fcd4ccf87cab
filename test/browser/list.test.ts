/** The list, its views and its search, in a real browser on the real services. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };

const names = (page: Page) => page.locator('[data-testid=task-row] .name').allInnerTexts();
const place = (page: Page): string => {
  const { pathname, search } = new URL(page.url());
  return pathname + search;
};

test('views count and lead, the search is the URL, and back and forward go through both', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '1' } });
  const bad = await system.submit({ shell: 'exit 7' }, { title: 'bad', labels: { team: 'core' } });
  await system.webTaskWhen(bad, 'failed', (task) => task.status === 'failed');
  const work = await system.submit({ shell: 'exec sleep 600' }, { title: 'work', sessionId: 'release' });
  await system.webTaskWhen(work, 'running', (task) => task.status === 'running');
  await system.submit({ shell: 'true' }, { title: 'next', labels: { team: 'core' } });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const count = (view: string) => page.getByTestId(`view-${view}`).locator('.count').innerText();
  for (const [view, number] of Object.entries({
    'needs-you': '0',
    unknown: '0',
    running: '1',
    queued: '1',
    'failed-today': '1',
    all: '3',
  })) {
    await expect.poll(() => count(view), PATIENCE).toBe(number);
  }
  await page.getByTestId('view-failed-today').click();
  await expect.poll(() => names(page), PATIENCE).toEqual(['bad']);
  expect(place(page)).toBe('/?status=failed&since=today');
  await page.getByTestId('label-link').click();
  await expect.poll(() => names(page), PATIENCE).toEqual(['next', 'bad']);
  await page.getByTestId('order').click();
  await expect.poll(() => names(page), PATIENCE).toEqual(['bad', 'next']);
  expect(place(page)).toBe('/?label=team%3Dcore&order=oldest');
  await page.goBack();
  await page.goBack();
  await expect.poll(() => names(page), PATIENCE).toEqual(['bad']);
  await page.goForward();
  await expect.poll(() => names(page), PATIENCE).toEqual(['next', 'bad']);
  expect(await page.getByTestId('search').inputValue()).toBe('label:team=core');

  await page.getByTestId('search').fill('exit:!0 attempt:1 agent:test');
  await page.getByRole('option').first().waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('search').fill('-status:completed exit:!0 queue:default');
  await page.keyboard.press('Enter');
  await expect.poll(() => names(page), PATIENCE).toEqual(['bad']);
  await page.reload();
  await expect.poll(() => names(page), PATIENCE).toEqual(['bad']);
  await page.getByTestId('search').fill('nothing-is-called-so');
  await page.getByTestId('clear-empty').click();
  await expect.poll(() => names(page), PATIENCE).toEqual(['next', 'work', 'bad']);
  await page.getByTestId('view-needs-you').click();
  await page.getByText('No task needs you').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  expect(dashboard.complaints).toEqual([]);
});

test('a session is renamed and archived, and is found in the archive', async () => {
  await using system = await startSystem();
  await system.submit({ shell: 'true' }, { title: 'one', sessionId: 'release' });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('session-link').click();
  await page.getByTestId('session-rename').click();
  await page.getByTestId('session-title').fill('Release 12');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Release 12' }).waitFor(PATIENCE);
  await page.getByTestId('session-archive').click();
  await expect.poll(() => page.getByTestId('session-link').count(), PATIENCE).toBe(0);
  await page.getByTestId('sessions-archived').click();
  await page.getByTestId('session-link').getByText('Release 12').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('session-archive').click();
  await expect.poll(() => page.getByTestId('session-link').count(), PATIENCE).toBe(0);
  await page.getByTestId('sessions-archived').click();
  await page.getByTestId('session-link').getByText('Release 12').waitFor(PATIENCE);
});

test('more sessions than fit one page are read on request', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '0' } });
  const count = 103;
  await Promise.all(
    Array.from({ length: count }, (_, n) => system.submit({ shell: 'true' }, { sessionId: `s${n}` })),
  );
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  const links = page.locator('.rail [data-testid=session-link]');
  await expect.poll(() => links.count(), PATIENCE).toBe(100);
  await page.getByTestId('sessions-more').click();
  await expect.poll(() => links.count(), PATIENCE).toBe(count);
  expect(await page.getByTestId('sessions-more').count()).toBe(0);
});

test('under the pointer nothing moves: what is new waits and says how many', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '0' } });
  for (const title of ['a', 'b']) await system.submit({ shell: 'true' }, { title });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await expect.poll(() => names(page), PATIENCE).toEqual(['b', 'a']);
  await page.getByTestId('task-row').last().hover();
  for (const title of ['c', 'd']) await system.submit({ shell: 'true' }, { title });
  await expect.poll(() => page.getByTestId('waiting').innerText(), PATIENCE).toBe('2 new');
  expect(await names(page)).toEqual(['b', 'a']);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('waiting').click();
  await expect.poll(() => names(page), PATIENCE).toEqual(['d', 'c', 'b', 'a']);
});

test('what needs a person is counted right from the first look, whichever count is read first', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'work' });
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  await system.agent.end('SIGKILL');
  await system.webTaskWhen(id, 'unknown', (task) => task.status === 'unknown');
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  await using dashboard = await openDashboard(browser, system, '/', system.web.url, async (context) => {
    await context.route('**/api/state', async (route) => {
      await released;
      await route.continue();
    });
  });
  const { page } = dashboard;
  const count = page.getByTestId('view-needs-you').locator('.count');
  await expect.poll(() => count.innerText(), PATIENCE).not.toBe('…');
  release();
  await page.getByTestId('agent-chip').waitFor(PATIENCE);
  expect(await page.getByTestId('tally-unknown').locator('.count').innerText()).toBe('1');
  expect(await count.innerText()).toBe('1');
});

test('a long title keeps the most of its room beside long labels and a last line', async () => {
  await using system = await startSystem();
  const title = 'Find out why the checkout test fails about once in ten runs';
  const labels = { repository: 'the-storefront-and-its-tests', branch: 'fix/the-flaky-checkout-test' };
  await system.submit({ shell: 'echo reading the whole of it; exec sleep 600' }, { title, labels });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.locator('[data-testid=task-row] .last-said').waitFor({ state: 'attached', ...PATIENCE });
  const widthOf = async (selector: string) => (await page.locator(selector).boundingBox())!.width;
  const room = await widthOf('[data-testid=task-row] .c-name');
  expect(await widthOf('[data-testid=task-row] .name')).toBeGreaterThan(room / 2);
});

test('doubt is counted, named in the title and frozen; the web service gone, the canvas says so and heals by itself', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'work' });
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('task-row').waitFor(PATIENCE);
  await system.agent.end('SIGKILL');
  await page.locator('[data-testid=task-row][data-knowledge=unknown]').waitFor(PATIENCE);
  await expect.poll(() => page.title(), PATIENCE).toBe('1 unknown · Holdfast');
  expect(decodeURIComponent((await page.locator('#favicon').getAttribute('href'))!)).toContain('>1</text>');
  await expect
    .poll(() => page.getByTestId('view-needs-you').locator('.count').innerText(), PATIENCE)
    .toBe('1');
  await page.getByTestId('view-needs-you').click();
  const elapsed = page.locator('[data-testid=task-row] .c-elapsed');
  await expect.poll(() => elapsed.innerText(), PATIENCE).toMatch(/^\d+:\d\d\+$/);
  const frozen = await elapsed.innerText();
  expect(await complaintsOf(page)).toEqual([]);

  await system.web.end('SIGKILL');
  await page.locator('[data-testid=truth-bar]:is([data-link=stale], [data-link=blind])').waitFor(PATIENCE);
  expect(await elapsed.innerText()).toBe(frozen);
  expect(await complaintsOf(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  expect(await complaintsOf(page)).toEqual([]);
  await system.agent.start();
  await system.web.start();
  await page.locator('[data-testid=truth-bar][data-link=live]').waitFor(PATIENCE);
  await page.getByText('No task needs you').waitFor(PATIENCE);
  await expect.poll(() => page.title(), PATIENCE).toBe('1 running · Holdfast');
});

test('on a phone everything is reached: cards, views behind a button, and marks on request', async () => {
  const name = 'an-agent-whose-name-is-wider-than-any-phone-is';
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '0', HOLDFAST_AGENT_NAME: name } });
  const id = await system.submit({ shell: 'true' }, { title: 'a task with a rather long title for a phone' });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.setViewportSize({ width: 360, height: 740 });
  await page.getByTestId('task-row').waitFor(PATIENCE);
  const overflow = () => page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
  expect(await overflow()).toBeLessThanOrEqual(0);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('menu-open').click();
  await page.getByRole('dialog').getByTestId('view-queued').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByRole('dialog').getByTestId('view-queued').click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByTestId('choose').click();
  await page.getByTestId('mark').check();
  expect(await overflow()).toBeLessThanOrEqual(0);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('bulk-cancel').click();
  await page.getByTestId('bulk-confirm').click();
  await system.webTaskWhen(id, 'cancelled', (task) => task.status === 'cancelled');
});
