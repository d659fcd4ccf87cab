/** The list, its views and its search, in a real browser on the real services. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CuttingProxy } from '../cutting-proxy.ts';
import { NEVER_LOST, startSystem } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard, untilLive } from './browser.ts';
import { expectFits, resize } from './fits.ts';

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
const expectPlace = (page: Page, url: string) => expect.poll(() => place(page), PATIENCE).toBe(url);

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
  await expectPlace(page, '/?status=failed&since=today');
  await page.getByTestId('label-link').click();
  await expect.poll(() => names(page), PATIENCE).toEqual(['next', 'bad']);
  await page.getByTestId('order').selectOption('oldest');
  await expect.poll(() => names(page), PATIENCE).toEqual(['bad', 'next']);
  await expectPlace(page, '/?label=team%3Dcore&order=oldest');
  await page.goBack();
  await page.goBack();
  await expect.poll(() => names(page), PATIENCE).toEqual(['bad']);
  await page.goForward();
  await expect.poll(() => names(page), PATIENCE).toEqual(['next', 'bad']);
  await expect.poll(() => page.getByTestId('search').inputValue(), PATIENCE).toBe('label:team=core');

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
  const submit = (n: number) => system.submit({ shell: 'true' }, { sessionId: `s${n}`, title: `Title ${n}` });
  // The last row of the list; the others come in any order.
  await submit(0);
  await Promise.all(Array.from({ length: count - 1 }, (_, n) => submit(n + 1)));
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  const links = page.locator('.rail [data-testid=session-link]');
  await expect.poll(() => links.count(), PATIENCE).toBe(8);
  await page.getByTestId('sessions-all').getByText('+').waitFor(PATIENCE);
  expect(await page.getByTestId('sessions-more').count()).toBe(0);
  // Whichever the first page of sessions lacks: each row says the title, and one that is renamed says so.
  const named = page.locator('.row .c-session a');
  const ids = () => named.evaluateAll((links) => links.map(({ textContent }) => textContent).join('\n'));
  await page.locator('.list-head').getByText(`${count} tasks`).waitFor(PATIENCE);
  await page.locator('.scroller').evaluate((scroller) => scroller.scrollTo(0, scroller.scrollHeight));
  await page.getByTestId('task-row').getByText('Title 0', { exact: true }).first().waitFor(PATIENCE);
  await expect.poll(ids, PATIENCE).toMatch(/^(Title \d+\n?)+$/);
  const last = (await named.last().getAttribute('href'))!.split('/').at(-1)!;
  await system.call('web', 'PATCH', `/api/sessions/${last}`, { title: 'Renamed' });
  await named.getByText('Renamed').waitFor(PATIENCE);

  await page.getByTestId('sessions-all').click();
  await expect.poll(() => links.count(), PATIENCE).toBeGreaterThanOrEqual(100);
  // However long the sessions are, what ends the rail is in sight.
  expect((await page.getByTestId('notifications').boundingBox())!.y).toBeLessThan(860);
  await page.getByTestId('sessions-more').click();
  await expect.poll(() => links.count(), PATIENCE).toBe(count);
  // Rows may have named what the second page brings before it comes.
  await page.getByTestId('sessions-more').waitFor({ ...PATIENCE, state: 'detached' });
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

  // A web that lost its store gives everybody a new picture.
  await page.getByTestId('task-row').last().hover();
  await system.web.end('SIGKILL');
  for (const file of ['web.db', 'web.db-wal', 'web.db-shm']) rmSync(join(system.home, file), { force: true });
  const task = { id: uuidv7(), sessionId: 's', title: 'e', spec: { shell: 'true' } };
  await system.call('agent', 'POST', '/tasks', task);
  await system.web.start();
  await expect.poll(() => page.getByTestId('waiting').innerText(), PATIENCE).toBe('1 new');
  expect(await names(page)).toEqual(['d', 'c', 'b', 'a']);
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
  // Before that nobody can say which agents there are: any name might be one.
  await untilLive(page);
  await page.getByTestId('view-failed-today').click();
  await expect.poll(() => names(page), PATIENCE).toEqual(['bad']);

  const search = page.getByTestId('search');
  await search.fill('is:failed');
  await expectPlace(page, '/?status=failed');
  for (const half of ['agent:te', 'status:runn', 'is:', '-label:']) {
    await search.fill(`is:failed exit:7 ${half}`);
    await expectPlace(page, '/?status=failed&exit=7');
    expect([half, await names(page)]).toEqual([half, ['bad']]);
    await search.fill('is:failed');
    await expectPlace(page, '/?status=failed');
  }
  await search.fill('-is:failed');
  await expect.poll(() => names(page), PATIENCE).toEqual(['good']);
  await search.fill('agent:nobody -exit:7 status:odd');
  await search.press('Enter');
  const problems = page.getByTestId('search-problems');
  await problems.getByText('No agent is called “nobody”.').waitFor(PATIENCE);
  await problems.getByText('status:odd is not understood').waitFor(PATIENCE);
  await expect.poll(() => names(page), PATIENCE).toEqual(['good']);
  await expectPlace(page, '/?-exit=7');
  expect(await complaintsOf(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  expect(await complaintsOf(page)).toEqual([]);
  await page.reload();
  await expect.poll(() => names(page), PATIENCE).toEqual(['good']);

  await page.goBack();
  await expectPlace(page, '/?status=failed&since=today');
  await expect.poll(() => names(page), PATIENCE).toEqual(['bad']);
  expect(dashboard.complaints).toEqual([]);
});

test('the list is ordered by its heads and by its menu, and a row that comes to another place waits under the pointer', async () => {
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_SLOTS: '2' } });
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
  await expect.poll(() => sorted('Task'), PATIENCE).toBe('descending');
  await page.getByTestId('by-oldest').press('Enter');
  await expect.poll(() => names(page), PATIENCE).toEqual(['slow', 'quick']);
  await expect.poll(() => sorted('Task'), PATIENCE).toBe('ascending');
  await page.getByTestId('by-longest').press('Enter');
  await expectPlace(page, '/?order=longest');
  await expect
    .poll(async () => [await sorted('Task'), await sorted('Time')], PATIENCE)
    .toEqual([null, 'descending']);
  await page.getByTestId('order').selectOption('changed');
  await expect.poll(() => names(page), PATIENCE).toEqual(['quick', 'slow']);
  await expectPlace(page, '/?order=changed');
  await expect.poll(() => sorted('Status'), PATIENCE).toBe('descending');
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
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_SLOTS: '0' } });
  for (const title of ['a', 'b']) await system.submit({ shell: 'true' }, { title });
  await using dashboard = await openDashboard(browser, system, '/?status=queued,submitted');
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await expect.poll(() => names(page), PATIENCE).toEqual(['b', 'a']);
  await page.locator('.scroller').focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  const focusedName = () => page.evaluate<string>('document.activeElement.textContent');
  await expect.poll(focusedName, PATIENCE).toBe('b');
  const third = await system.submit({ shell: 'true' }, { title: 'c' });
  await expect.poll(() => page.getByTestId('waiting').innerText(), PATIENCE).toBe('1 new');
  expect([await names(page), await focusedName()]).toEqual([['b', 'a'], 'b']);
  await page.getByTestId('search').focus();
  await expect.poll(() => names(page), PATIENCE).toEqual(['c', 'b', 'a']);
  await page.locator('.scroller').focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await expect.poll(focusedName, PATIENCE).toBe('c');
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
  await untilLive(page);
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
  // It may be connected by itself before anybody can press the button.
  await page.evaluate(`document.querySelector('[data-testid=retry-now]')?.click()`);
  await page.locator('[data-testid=truth-bar][data-link=live]').waitFor(PATIENCE);
  await page
    .locator('.list-head')
    .getByText(String(missed + 1))
    .waitFor(PATIENCE);
  const said = await page.evaluate<string[]>('window.said');
  expect(said.find((text) => /^Resyncing [\d,]+ of [\d,]+$/.test(text))).toBeDefined();
  await untilLive(page);
});

test('an address that is no page says so, and so do those of nobody’s session, task and agent', async () => {
  await using system = await startSystem();
  await system.submit({ shell: 'true' }, { title: 'one' });
  await using dashboard = await openDashboard(browser, system, '/what/ever');
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const base = new URL(page.url()).origin;
  await page.getByText('There is no page at /what/ever').waitFor(PATIENCE);
  await untilLive(page);
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
  await resize(page, 360, 740);
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
  // Rows may come before the feed, and wait in doubt until then.
  await expect.poll(() => time.innerText(), PATIENCE).toMatch(/^waits \d+:\d\d$/);
  expect(await time.getAttribute('title')).toMatch(/^Created \d+ \w+ \d{4}, \d\d:\d\d:\d\d$/);
  await session.click();
  await page.getByRole('heading', { name: 'Release 12' }).waitFor(PATIENCE);
  await page.locator('.session-id').getByText('r12').waitFor(PATIENCE);
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
  await expect.poll(() => row('refused').locator('.c-exit').innerText(), PATIENCE).toBe('refused');
  await resize(page, 390, 844);
  await page.locator('.list-pane.is-cards').waitFor(PATIENCE);
  await age('ended').waitFor(PATIENCE);
  await expectFits(page);
  expect(await complaintsOf(page)).toEqual([]);
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
