/** The list, its views and its search, in a real browser on the real services. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CuttingProxy } from '../cutting-proxy.ts';
import { startSystem } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';
import { expectFits } from './fits.ts';

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
  await page.getByTestId('order').selectOption('oldest');
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

test('more sessions than have room, or fit one page, are shown on request; rows name even those that were not read', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '0' } });
  const count = 103;
  await Promise.all(
    Array.from({ length: count }, (_, n) =>
      system.submit({ shell: 'true' }, { sessionId: `s${n}`, title: `Title ${n}` }),
    ),
  );
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  const links = page.locator('.rail [data-testid=session-link]');
  await expect.poll(() => links.count(), PATIENCE).toBe(8);
  expect(await page.getByTestId('sessions-more').count()).toBe(0);
  // Whichever the first page of sessions lacks: each row says the title, and one that is renamed says so.
  const named = page.locator('.row .c-session a');
  const ids = () => named.evaluateAll((links) => links.map(({ textContent }) => textContent).join('\n'));
  await page.locator('.scroller').evaluate((scroller) => scroller.scrollTo(0, scroller.scrollHeight));
  await page.getByTestId('task-row').getByText('Title 0', { exact: true }).first().waitFor(PATIENCE);
  await expect.poll(ids, PATIENCE).toMatch(/^(Title \d+\n?)+$/);
  const last = (await named.last().getAttribute('href'))!.split('/').at(-1)!;
  await system.call('web', 'PATCH', `/api/sessions/${last}`, { title: 'Renamed' });
  await named.getByText('Renamed').waitFor(PATIENCE);

  await page.getByTestId('sessions-all').getByText('+').waitFor(PATIENCE);
  await page.getByTestId('sessions-all').click();
  await expect.poll(() => links.count(), PATIENCE).toBeGreaterThanOrEqual(100);
  // However long the sessions are, what ends the rail is in sight.
  expect((await page.getByTestId('notifications').boundingBox())!.y).toBeLessThan(860);
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

test('a long title keeps the most of its room beside long labels and a last line', async () => {
  await using system = await startSystem();
  const title = 'Find out why the checkout test fails about once in ten runs';
  const labels = { repository: 'the-storefront-and-its-tests', branch: 'fix/the-flaky-checkout-test' };
  await system.submit({ shell: 'echo reading the whole of it; exec sleep 600' }, { title, labels });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.getByTestId('last-line').waitFor({ state: 'attached', ...PATIENCE });
  const widthOf = async (selector: string) => (await page.locator(selector).boundingBox())!.width;
  for (const width of [1100, 1280, 1440, 1920]) {
    await page.setViewportSize({ width, height: 800 });
    // A label is shown only beside the whole title; those that have no room are one chip, which says how many they are.
    const row = () =>
      page.evaluate<{ isCut: boolean; labels: number; more: string }>(`(() => {
        const name = document.querySelector('.row .name');
        return {
          isCut: name.scrollWidth > name.clientWidth,
          labels: document.querySelectorAll('.row .label:not(.more)').length,
          more: document.querySelector('.row .more')?.textContent ?? '+0',
        };
      })()`);
    await expect
      .poll(async () => {
        const { isCut, labels, more } = await row();
        return [isCut && labels > 0, labels + Number(more)];
      }, PATIENCE)
      .toEqual([false, 2]);
    expect(await widthOf('.row .name')).toBeGreaterThan((await widthOf('.row .c-name')) * 0.6);
    expect(await widthOf('[data-testid=last-line]')).toBeGreaterThan(80);
    await expectFits(page);
  }
  expect(await page.locator('.row .c-output').innerText()).toMatch(/^[\d.]+ s\s+reading the whole of it$/);
  expect(await complaintsOf(page)).toEqual([]);
});

test('a word that is being typed changes nothing, one that is not understood is told, and a search is one step back', async () => {
  await using system = await startSystem();
  const bad = await system.submit({ shell: 'exit 7' }, { title: 'bad' });
  await system.webTaskWhen(bad, 'failed', (task) => task.status === 'failed');
  const good = await system.submit({ shell: 'true' }, { title: 'good' });
  await system.webTaskWhen(good, 'completed', (task) => task.status === 'completed');
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await expect.poll(() => names(page), PATIENCE).toEqual(['good', 'bad']);
  await page.getByTestId('view-failed-today').click();
  await expect.poll(() => names(page), PATIENCE).toEqual(['bad']);

  const search = page.getByTestId('search');
  await search.fill('is:failed');
  await expect.poll(() => place(page), PATIENCE).toBe('/?status=failed');
  for (const half of ['agent:te', 'status:runn', 'is:', '-label:']) {
    await search.fill(`is:failed exit:7 ${half}`);
    await expect.poll(() => place(page), PATIENCE).toBe('/?status=failed&exit=7');
    expect([half, await names(page)]).toEqual([half, ['bad']]);
    await search.fill('is:failed');
    await expect.poll(() => place(page), PATIENCE).toBe('/?status=failed');
  }
  await search.fill('-is:failed');
  await expect.poll(() => names(page), PATIENCE).toEqual(['good']);
  await search.fill('agent:nobody -exit:7 status:odd');
  await search.press('Enter');
  const problems = page.getByTestId('search-problems');
  await problems.getByText('No agent is called “nobody”.').waitFor(PATIENCE);
  await problems.getByText('status:odd is not understood').waitFor(PATIENCE);
  await expect.poll(() => names(page), PATIENCE).toEqual(['good']);
  expect(place(page)).toBe('/?-exit=7');
  expect(await complaintsOf(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  expect(await complaintsOf(page)).toEqual([]);
  await page.reload();
  await expect.poll(() => names(page), PATIENCE).toEqual(['good']);

  await page.goBack();
  expect(place(page)).toBe('/?status=failed&since=today');
  await expect.poll(() => names(page), PATIENCE).toEqual(['bad']);
  expect(dashboard.complaints).toEqual([]);
});

test('the list is ordered by its heads and by its menu, and a row that comes to another place waits under the pointer', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '2' } });
  const gate = join(system.home, 'gate');
  const slow = await system.submit({ shell: `until [ -e ${gate} ]; do sleep 0.1; done` }, { title: 'slow' });
  await system.webTaskWhen(slow, 'running', ({ status }) => status === 'running');
  const quick = await system.submit({ shell: 'true' }, { title: 'quick' });
  await system.webTaskWhen(quick, 'completed', ({ status }) => status === 'completed');
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await expect.poll(() => names(page), PATIENCE).toEqual(['quick', 'slow']);
  const sorted = (name: string) => page.getByRole('columnheader', { name }).getAttribute('aria-sort');
  expect(await sorted('Task')).toBe('descending');
  await page.getByTestId('by-oldest').press('Enter');
  await expect.poll(() => names(page), PATIENCE).toEqual(['slow', 'quick']);
  expect(await sorted('Task')).toBe('ascending');
  await page.getByTestId('by-longest').press('Enter');
  await expect.poll(() => place(page), PATIENCE).toBe('/?order=longest');
  expect([await sorted('Task'), await sorted('Time')]).toEqual([null, 'descending']);
  await page.getByTestId('order').selectOption('changed');
  await expect.poll(() => names(page), PATIENCE).toEqual(['quick', 'slow']);
  expect([place(page), await sorted('Status')]).toEqual(['/?order=changed', 'descending']);
  expect(await complaintsOf(page)).toEqual([]);

  await page.getByTestId('task-row').last().hover();
  writeFileSync(gate, '');
  await expect.poll(() => page.getByTestId('waiting').innerText(), PATIENCE).toBe('1 moved');
  expect(await names(page)).toEqual(['quick', 'slow']);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('waiting').click();
  await expect.poll(() => names(page), PATIENCE).toEqual(['slow', 'quick']);
  await page.reload();
  await expect.poll(() => names(page), PATIENCE).toEqual(['slow', 'quick']);
});

test('while the keyboard is on a row nothing moves, and the focus outlives its row', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '0' } });
  for (const title of ['a', 'b']) await system.submit({ shell: 'true' }, { title });
  await using dashboard = await openDashboard(browser, system, '/?status=queued,submitted');
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await expect.poll(() => names(page), PATIENCE).toEqual(['b', 'a']);
  await page.locator('.scroller').focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  const focusedName = () => page.evaluate<string>('document.activeElement.textContent');
  expect(await focusedName()).toBe('b');
  const third = await system.submit({ shell: 'true' }, { title: 'c' });
  await expect.poll(() => page.getByTestId('waiting').innerText(), PATIENCE).toBe('1 new');
  expect([await names(page), await focusedName()]).toEqual([['b', 'a'], 'b']);
  await page.getByTestId('search').focus();
  await expect.poll(() => names(page), PATIENCE).toEqual(['c', 'b', 'a']);
  await page.locator('.scroller').focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  expect(await focusedName()).toBe('c');
  await system.call('web', 'POST', `/api/tasks/${third}/cancel`, {});
  await page.locator('.row.is-leaving').waitFor(PATIENCE);
  expect(await focusedName()).toBe('c');
});

test('a browser that missed more than fits one frame says how far it has come', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '0' } });
  await system.submit({ shell: 'true' }, { title: 'first' });
  await using proxy = await CuttingProxy.open(Number(new URL(system.web.url).port));
  await using dashboard = await openDashboard(browser, system, '/', proxy.url);
  const { page } = dashboard;
  await expect.poll(() => names(page), PATIENCE).toEqual(['first']);
  await page.evaluate(`(() => {
    window.said = [];
    new MutationObserver(() => window.said.push(document.querySelector('[data-testid=truth]')?.innerText)).observe(
      document.querySelector('.top'), { subtree: true, childList: true, characterData: true });
  })()`);
  proxy.refuse(true);
  proxy.cutAll();
  await page.locator('[data-testid=truth-bar]:not([data-link=live])').waitFor(PATIENCE);
  const missed = 300;
  await Promise.all(
    Array.from({ length: missed }, (_, n) => system.submit({ shell: 'true' }, { title: `task ${n}` })),
  );
  proxy.refuse(false);
  await page.getByTestId('retry-now').click();
  await page.locator('[data-testid=truth-bar][data-link=live]').waitFor(PATIENCE);
  await page
    .locator('.list-head')
    .getByText(String(missed + 1))
    .waitFor(PATIENCE);
  const said = await page.evaluate<string[]>('window.said');
  expect(said.find((text) => /^Resyncing [\d,]+ of [\d,]+$/.test(text))).toBeDefined();
  await page.getByTestId('truth').getByText('Live').waitFor(PATIENCE);
});

test('an address that is no page says so, and so do those of nobody’s session, task and agent', async () => {
  await using system = await startSystem();
  await system.submit({ shell: 'true' }, { title: 'one' });
  await using dashboard = await openDashboard(browser, system, '/what/ever');
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const base = new URL(page.url()).origin;
  await page.getByText('There is no page at /what/ever').waitFor(PATIENCE);
  expect(await page.getByTestId('task-row').count()).toBe(0);
  expect(await complaintsOf(page)).toEqual([]);
  await page.goto(`${base}/sessions/nobody`);
  await page.getByText('There is no session nobody').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await page.goto(`${base}/agents/nobody`);
  await page.getByTestId('no-agent').getByText('No agent has this id or name').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await page.goto(`${base}/tasks/nobody`);
  await page.getByText(/no task nobody/i).waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(`${base}/what/ever`);
  await page.getByTestId('nowhere').click();
  await expect.poll(() => names(page), PATIENCE).toEqual(['one']);
  // The list that comes after it knows the room that it has.
  await page.locator('.list-pane.is-cards').waitFor(PATIENCE);
});

test('rows name the session by its title, and what waits says so', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '0' } });
  await system.submit({ shell: 'true' }, { title: 'one', sessionId: 'r12' });
  await system.call('web', 'PATCH', '/api/sessions/r12', { title: 'Release 12' });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const session = page.locator('.row .c-session a');
  await expect.poll(() => session.innerText(), PATIENCE).toBe('Release 12');
  expect(await session.getAttribute('title')).toContain('r12');
  const time = page.locator('.row .c-elapsed');
  expect(await time.innerText()).toMatch(/^waits \d+:\d\d$/);
  expect(await time.getAttribute('title')).toMatch(/^Created \d+ \w+ \d{4}, \d\d:\d\d:\d\d$/);
  await session.click();
  await page.getByRole('heading', { name: 'Release 12' }).waitFor(PATIENCE);
  await page.locator('.session-id').getByText('r12').waitFor(PATIENCE);
});

test('titles in any script, five hundred letters long, leave the row and the page as wide as they are', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '0' } });
  const long = 'x'.repeat(500);
  await system.submit({ shell: 'true' }, { title: long, labels: { long: 'y'.repeat(200) } });
  await system.submit(
    { shell: 'true' },
    { title: 'بناء المستندات (release)', sessionId: `s-${'z'.repeat(120)}` },
  );
  await system.submit({ shell: 'true' }, { title: '🚀 deploy 👩‍👩‍👧‍👦' });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await expect.poll(() => page.getByTestId('task-row').count(), PATIENCE).toBe(3);
  // The last two are 1440 and 820 px at twice the size.
  for (const width of [1440, 1100, 720, 410]) {
    await page.setViewportSize({ width, height: 800 });
    await expectFits(page);
    for (const row of await page.getByTestId('task-row').all()) {
      expect((await row.boundingBox())!.height).toBeLessThanOrEqual(56);
    }
  }
  expect(await complaintsOf(page)).toEqual([]);
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
  await expectFits(page);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('menu-open').click();
  await page.getByRole('dialog').getByTestId('view-queued').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByRole('dialog').getByTestId('view-queued').click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  // Three rows at most: the link and the tools, agents and counts, the search. The page of a task has no search.
  const topHeight = async () => (await page.locator('.top').boundingBox())!.height;
  expect(await topHeight()).toBeLessThanOrEqual(116);
  await page.getByTestId('task-row').click();
  await page.getByTestId('task-log').waitFor(PATIENCE);
  expect(await topHeight()).toBeLessThanOrEqual(80);
  expect(await page.getByTestId('menu-open').isVisible()).toBe(true);
  expect(await complaintsOf(page)).toEqual([]);
  await page.goBack();
  await page.getByTestId('choose').click();
  await page.getByTestId('mark').check();
  expect(await page.getByTestId('copy-marked').isVisible()).toBe(true);
  expect(await page.getByTestId('bulk-reclaim').isVisible()).toBe(true);
  await expectFits(page);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('bulk-cancel').click();
  await page.getByTestId('bulk-confirm').click();
  await system.webTaskWhen(id, 'cancelled', (task) => task.status === 'cancelled');
});

test('an ended row tells how long ago, a list by changes when each change was, and a refused submit is told as one', async () => {
  await using system = await startSystem();
  const ended = await system.submit({ shell: 'exit 7' }, { title: 'ended' });
  await system.webTaskWhen(ended, 'failed', ({ status }) => status === 'failed');
  const work = await system.submit({ shell: 'exec sleep 600' }, { title: 'work' });
  await system.webTaskWhen(work, 'running', ({ status }) => status === 'running');
  // Web promises to deliver it, and the agent will not have it: no such runner is named there.
  const refused = await system.submit({ runner: 'nobody', prompt: 'x' }, { title: 'refused' });
  await system.webTaskWhen(refused, 'refused', ({ status }) => status === 'failed');
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const row = (title: string) =>
    page.getByTestId('task-row').filter({ has: page.locator('.name').getByText(title, { exact: true }) });
  const age = (title: string) => row(title).getByTestId('age');
  await expect.poll(() => age('ended').innerText(), PATIENCE).toMatch(/^[\d.]+ (s|min) ago$/);
  expect(await row('ended').locator('.c-output').getAttribute('title')).toMatch(
    /^Ended \d+ \w+ \d{4}, \d\d:\d\d:\d\d$/,
  );
  expect(await age('work').count()).toBe(0);
  await page.getByTestId('order').selectOption('changed');
  await expect.poll(() => age('work').innerText(), PATIENCE).toMatch(/ago$/);
  await page.getByRole('columnheader', { name: 'Last change' }).waitFor(PATIENCE);
  expect(await row('refused').locator('.c-exit').innerText()).toBe('refused');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.locator('.list-pane.is-cards').waitFor(PATIENCE);
  await age('ended').waitFor(PATIENCE);
  await expectFits(page);
  expect(await complaintsOf(page)).toEqual([]);
});

test('what is new waits over the rows, and covers no head of a column', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '0' } });
  await system.submit({ shell: 'true' }, { title: 'a' });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('task-row').hover();
  await page.keyboard.press('x');
  await page.getByTestId('mark').check();
  await page.getByTestId('selection-bar').waitFor(PATIENCE);
  await page.getByTestId('task-row').hover();
  await system.submit({ shell: 'true' }, { title: 'b' });
  const pill = (await page.getByTestId('waiting').boundingBox())!;
  const heads = (await page.locator('.column-heads').boundingBox())!;
  expect(pill.y).toBeGreaterThanOrEqual(heads.y + heads.height);
});

test('an empty list names the command as it can be typed, installed or from a clone', async () => {
  await using system = await startSystem();
  await using dashboard = await openDashboard(browser, system);
  const empty = dashboard.page.getByTestId('empty');
  await empty.getByText('No task yet').waitFor(PATIENCE);
  const text = await empty.innerText();
  expect(text).toContain('holdfast run --session hello -- echo hello');
  expect(text).toContain('npx -y pnpm@12 holdfast run --session hello -- echo hello');
});
