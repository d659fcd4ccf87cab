/** What a person sees of a task while a service goes away under their eyes, and when it is back, without a reload. */
import { appendFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NEVER_LOST, startSystem, type System } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard, untilLive } from './browser.ts';
import { shoot } from './shoot.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 90_000 };

/** A task that prints whatever is written to a file of the test's, with or without its agent. */
async function startEcho(system: System): Promise<{ id: string; print: (text: string) => void }> {
  const source = `${system.home}/said`;
  appendFileSync(source, '');
  const id = await system.submit({ command: ['tail', '-n', '+1', '-f', source] }, { title: 'echo' });
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  return { id, print: (text) => appendFileSync(source, text) };
}

async function linesOf(page: Page): Promise<string[]> {
  return page.locator('.line-text').allInnerTexts();
}

const knowledgeOf = (page: Page) =>
  page.getByTestId('task-detail').getByTestId('task-status').getAttribute('data-knowledge');
const clockOf = (page: Page) => page.locator('.detail-bar > .num').innerText();

test('the agent is killed under the eyes: unknown, the clock stands, the log says until when it was read; back, the truth, and every line once', async () => {
  await using system = await startSystem();
  const { id, print } = await startEcho(system);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  let loads = 0;
  page.on('load', () => (loads += 1));
  print('one\ntwo\n');
  await page.getByTestId('task-log').getByText('two').waitFor(PATIENCE);
  const end = page.getByTestId('log-end');
  await expect.poll(() => end.getAttribute('data-end'), PATIENCE).toBe('following');
  const title = 'echo · Holdfast';
  await expect.poll(() => page.title(), PATIENCE).toBe(title);

  await system.agent.end('SIGKILL');
  print('three, with nobody there\n');
  await expect.poll(() => knowledgeOf(page), PATIENCE).toBe('unknown');
  await expect
    .poll(() => page.getByTestId('sentence').innerText(), PATIENCE)
    .toMatch(/^Unknown: test-agent has been silent for .*the process may still run\.$/);
  await expect.poll(() => end.getAttribute('data-end'), PATIENCE).toBe('stopped');
  await expect.poll(() => end.getAttribute('data-who'), PATIENCE).toBe('agent');
  await expect
    .poll(() => end.innerText(), PATIENCE)
    .toMatch(/test-agent .*this is what was read until \d\d:\d\d:\d\d\. It may have printed more since\./);
  await expect.poll(() => clockOf(page), PATIENCE).toMatch(/\+$/);
  const clock = await clockOf(page);
  // A busy machine may have brought one before this.
  await page.locator('.span.is-doubted.by-web').first().waitFor(PATIENCE);
  expect(await linesOf(page)).toEqual(['one', 'two']);
  await expect
    .poll(() => page.evaluate(`getComputedStyle(document.querySelector('.log-scroller')).filter`), PATIENCE)
    .toBe('grayscale(1)');
  expect(await complaintsOf(page)).toEqual([]);
  await expect.poll(() => page.title(), PATIENCE).not.toBe(title);
  await shoot(page, 'outage-agent');
  // A later look at the clock, after time that everything else shows to have passed.
  const said = await page.getByTestId('sentence').innerText();
  await expect.poll(() => page.getByTestId('sentence').innerText(), PATIENCE).not.toBe(said);
  expect(await clockOf(page)).toBe(clock);

  await system.agent.start();
  await expect.poll(() => knowledgeOf(page), PATIENCE).toBe('live');
  await page.getByTestId('task-log').getByText('three, with nobody there').waitFor(PATIENCE);
  print('four\n');
  await page.getByTestId('task-log').getByText('four').waitFor(PATIENCE);
  expect(await linesOf(page)).toEqual(['one', 'two', 'three, with nobody there', 'four']);
  await expect.poll(() => end.getAttribute('data-end'), PATIENCE).toBe('following');
  await expect.poll(() => page.title(), PATIENCE).toBe(title);
  await page.getByTestId('tab-events').click();
  await expect
    .poll(() => page.getByTestId('event-gap').last().innerText(), PATIENCE)
    .toMatch(/nothing was heard from test-agent\. It was running; then the truth: running\./);
  await page.locator('.span.is-doubted.by-web').first().waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'outage-agent-back');
  expect(loads).toBe(0);
});

test('web is killed under the eyes: all of it goes stale and says so; back, it goes on by itself', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const { id, print } = await startEcho(system);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  let loads = 0;
  page.on('load', () => (loads += 1));
  print('one\n');
  await page.getByTestId('task-log').getByText('one').waitFor(PATIENCE);
  await untilLive(page);
  await expect.poll(() => knowledgeOf(page), PATIENCE).toBe('live');

  await system.web.end('SIGKILL');
  print('two\n');
  await page.locator('.app.weak').waitFor(PATIENCE);
  await expect.poll(() => knowledgeOf(page), PATIENCE).toBe('unknown');
  // Said once, in the sentence: no banner besides, and the proof says only that there is none.
  await expect
    .poll(() => page.getByTestId('sentence').innerText(), PATIENCE)
    .toMatch(
      /^Unknown: the web service has been silent for .*; it was running; the process may still run\.$/,
    );
  expect(await page.locator('.detail-head .banner').count()).toBe(0);
  const end = page.getByTestId('log-end');
  await expect.poll(() => end.getAttribute('data-who'), PATIENCE).toBe('web');
  await expect.poll(() => clockOf(page), PATIENCE).toMatch(/\+$/);
  await expect.poll(() => page.getByTestId('proof').getAttribute('data-proof'), PATIENCE).toBe('not-asked');
  expect(await page.getByTestId('proof').innerText()).not.toContain('web');
  await expect.poll(() => page.getByTestId('cancel').isDisabled(), PATIENCE).toBe(true);
  await page.locator('.span.is-doubted.by-page').first().waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'outage-web');

  await system.web.start();
  await expect.poll(() => knowledgeOf(page), PATIENCE).toBe('live');
  await page.getByTestId('task-log').getByText('two').waitFor(PATIENCE);
  print('three\n');
  await page.getByTestId('task-log').getByText('three').waitFor(PATIENCE);
  expect(await linesOf(page)).toEqual(['one', 'two', 'three']);
  await expect.poll(() => page.getByTestId('proof').getAttribute('data-proof'), PATIENCE).toBe('process');
  await expect.poll(() => page.getByTestId('cancel').isDisabled(), PATIENCE).toBe(false);
  // What this page did not hear stays on record here, apart from what web did not.
  await page.locator('.span.is-doubted').first().waitFor(PATIENCE);
  await shoot(page, 'outage-web-back');
  expect(loads).toBe(0);
});

test('another view is asked for while web is gone: no task is shown under a name that is not its own, no count as certain', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  await system.submit({ shell: 'exit 7' }, { title: 'ended' });
  await startEcho(system);
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  const rows = page.getByTestId('task-row');
  await page.locator('[data-testid=task-row][data-status=failed]').waitFor(PATIENCE);
  await rows.nth(1).waitFor(PATIENCE);
  await untilLive(page);
  await expect.poll(() => page.getByTestId('tally-running').innerText(), PATIENCE).toMatch(/^Running\s*1$/);
  await system.web.end('SIGKILL');
  await page.locator('.app.weak').waitFor(PATIENCE);
  await expect.poll(() => page.getByTestId('tally-running').innerText(), PATIENCE).toMatch(/^Running\s*1\?$/);
  expect(await page.getByTestId('tally-failed').innerText()).toMatch(/^Failed\s*1$/);
  await expect
    .poll(() => page.getByTestId('agent-chip').getAttribute('title'), PATIENCE)
    .toMatch(/it is not heard now\.$/);

  await page.getByTestId('view-running').click();
  await page.getByTestId('empty').getByText('The list could not be read').waitFor(PATIENCE);
  await expect.poll(() => rows.count(), PATIENCE).toBe(0);
  await expect.poll(() => page.locator('.list-head').innerText(), PATIENCE).toContain('not read');
  // A read changes nothing: there is nothing that may or may not have arrived.
  expect(await page.getByTestId('empty').innerText()).not.toContain('arrived');
  expect(await complaintsOf(page)).toEqual([]);

  await system.web.start();
  await page.locator('[data-testid=task-row][data-status=running]').waitFor(PATIENCE);
  await expect.poll(() => rows.count(), PATIENCE).toBe(1);
});

test('a task that is opened while web is gone is shown with its events once web is back', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exit 7' }, { title: 'ended' });
  await system.webTaskWhen(id, 'over', (task) => task.status === 'failed');
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  const row = page.locator('[data-testid=task-row][data-status=failed]');
  await row.waitFor(PATIENCE);
  await untilLive(page);
  // The parts of the page that a task needs are there before web is not.
  await row.locator('.name').click();
  await page.getByTestId('timeline').waitFor(PATIENCE);
  await page.keyboard.press('Escape');
  await page.getByTestId('task-detail').waitFor({ state: 'detached', ...PATIENCE });
  await system.web.end('SIGKILL');
  await page.locator('.app.weak').waitFor(PATIENCE);
  await row.locator('.name').click();
  await page.getByTestId('task-detail').waitFor(PATIENCE);
  await page.getByTestId('tab-events').click();
  await page
    .getByTestId('task-detail')
    .getByText('The web service did not answer.')
    .first()
    .waitFor(PATIENCE);
  expect(await page.getByTestId('timeline').count()).toBe(0);
  await system.web.start();
  await page.getByTestId('timeline').waitFor(PATIENCE);
  await page.getByTestId('task-detail').getByText('exit 7').first().waitFor(PATIENCE);
  const problems = page.getByTestId('task-detail').getByText('The web service did not answer.');
  await expect.poll(() => problems.count(), PATIENCE).toBe(0);
});

test('the log of an agent that cannot be reached says so, unlike an end of output; its attempts are told by its events', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'echo kept; exit 7' }, { title: 'ended before' });
  await system.webTaskWhen(id, 'over', (task) => task.status === 'failed');
  await system.agent.end('SIGKILL');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  const end = page.getByTestId('log-end');
  await expect.poll(() => end.getAttribute('data-end'), PATIENCE).toBe('stopped');
  // A log may be missed before the name of its agent was read.
  await expect
    .poll(() => end.innerText(), PATIENCE)
    .toMatch(/test-agent cannot be reached: nothing was read yet\. The task has ended/);
  expect(await page.getByTestId('task-status').getAttribute('data-status')).toBe('failed');
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('tab-attempts').click();
  await expect
    .poll(() => page.getByTestId('attempt').innerText(), PATIENCE)
    .toMatch(/^1\s+pid \d+[^]*exit 7/);
  await page.getByText('cannot be asked now').waitFor(PATIENCE);
  await page.getByTestId('tab-log').click();
  await system.agent.start();
  await page.getByTestId('task-log').getByText('kept').waitFor(PATIENCE);
  await expect.poll(() => end.getAttribute('data-end'), PATIENCE).toBe('complete');
});
