/** The dashboard by keyboard alone, in a real browser on the real services. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NEVER_LOST, startSystem } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';
import { resize } from './fits.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };

async function press(page: Page, ...keys: string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

test('from submit to cancel without a pointer: a task is made, followed, found again and stopped', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('empty').waitFor(PATIENCE);
  // Before web is heard nothing can be submitted.
  await page.locator('[data-testid=truth-bar][data-link=live]').waitFor(PATIENCE);
  await press(page, 'n');
  await page.getByTestId('submit-shell').waitFor(PATIENCE);
  await page.keyboard.type('echo by-hand; exec sleep 600');
  await press(page, 'Control+Enter');
  const status = page.getByTestId('task-detail').getByTestId('task-status');
  await expect.poll(() => status.getAttribute('data-status'), PATIENCE).toBe('running');
  await press(page, 'Escape');
  await expect.poll(() => page.url(), PATIENCE).toMatch(/\/$/);
  await press(page, '/');
  await page.keyboard.type('is:run');
  await press(page, 'ArrowDown', 'Enter');
  await page.keyboard.type('by-hand');
  await press(page, 'Enter');
  await expect.poll(() => page.url(), PATIENCE).toContain('status=running&q=by-hand');
  await page.locator('.list-head').getByText('1 task', { exact: true }).waitFor(PATIENCE);
  await press(page, 'j', 'Enter');
  await status.waitFor(PATIENCE);
  // On the row, or already where the task is read.
  await page.locator(':is(a.name, .detail-pane *):focus').waitFor(PATIENCE);
  let cancels = 0;
  page.on('request', (request) => (cancels += request.url().endsWith('/cancel') ? 1 : 0));
  // A key that is held down is one press, however often the system repeats it.
  for (let times = 0; times < 3; times += 1) await page.keyboard.down('c');
  await page.keyboard.up('c');
  await page.getByTestId('notice').getByText('Press c again').waitFor(PATIENCE);
  expect(await status.getAttribute('data-status')).toBe('running');
  expect(cancels).toBe(0);
  // It waits for the second press for 3 s: where that is over, the first of these asks anew.
  await press(page, 'c', 'c');
  await expect.poll(() => status.getAttribute('data-status'), PATIENCE).toBe('cancelled');
  await press(page, 'r');
  await expect.poll(() => status.getAttribute('data-status'), PATIENCE).toBe('running');
  expect(dashboard.complaints).toEqual([]);
});

test('the first stop of Tab leads past everything to the tasks', async () => {
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_SLOTS: '0' } });
  await system.submit({ shell: 'true' }, { title: 'one' });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('task-row').waitFor(PATIENCE);
  const url = page.url();
  await press(page, 'Tab');
  const skip = page.getByTestId('skip');
  const focused = () => page.evaluate<string>('document.activeElement.dataset.testid');
  await expect.poll(focused, PATIENCE).toBe('skip');
  await expect.poll(async () => (await skip.boundingBox())!.y, PATIENCE).toBeGreaterThanOrEqual(0);
  expect(await complaintsOf(page)).toEqual([]);
  await press(page, 'Enter');
  await expect.poll(() => page.evaluate<string>('document.activeElement.id'), PATIENCE).toBe('tasks');
  expect(page.url()).toBe(url);
  // Where a task has all the room, that is what it leads to.
  await resize(page, 800, 800);
  await press(page, 'j');
  await page.locator('a.name:focus').waitFor(PATIENCE);
  await press(page, 'Enter');
  await page.getByTestId('task-log').waitFor(PATIENCE);
  // The task takes the focus of who opened it by a key: a moment after it is there.
  await page.locator('[data-testid=task-detail]:focus').waitFor(PATIENCE);
  await page.locator('#tasks').waitFor({ state: 'hidden', ...PATIENCE });
  await skip.focus();
  await press(page, 'Enter');
  await expect
    .poll(() => page.evaluate<string>('document.activeElement.className'), PATIENCE)
    .toBe('detail-pane');
});

test('sequences go to views, the sheet says what keys do, and the palette goes and acts', async () => {
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_SLOTS: '1' } });
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'deploy', sessionId: 'release' });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('task-row').first().waitFor(PATIENCE);
  const views: [string[], string][] = [
    [['g', 'n'], '/?is=needs-you'],
    [['g', 'u'], '/?status=unknown'],
    [['g', 'r'], '/?status=starting%2Crunning'],
    [['g', 'q'], '/?status=submitted%2Cqueued'],
    [['g', 'f'], '/?status=failed&since=today'],
    [['g', 'a'], '/'],
  ];
  for (const [keys, path] of views) {
    await press(page, ...keys);
    await expect.poll(() => new URL(page.url()).pathname + new URL(page.url()).search, PATIENCE).toBe(path);
  }
  await press(page, '?');
  await page.getByRole('dialog').getByText('Mark the task for an action').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  // While a dialog is open no key reaches the page behind it.
  await press(page, 'g', 'u');
  expect(new URL(page.url()).search).toBe('');
  // Without single letters only what cannot be typed by mistake acts.
  await page.getByTestId('single-keys').uncheck();
  await press(page, 'Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await press(page, 'g', 'u');
  expect(new URL(page.url()).search).toBe('');
  await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
  await page.getByTestId('single-keys').check();
  await press(page, 'Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  const palette = page.getByTestId('palette');
  const choose = async (text: string, name: RegExp): Promise<void> => {
    await press(page, 'Control+k');
    await page.getByTestId('palette-field').waitFor(PATIENCE);
    await page.keyboard.type(text);
    await palette.getByTestId('palette-entry').filter({ hasText: name }).first().waitFor(PATIENCE);
    await palette.locator('[aria-selected=true]').filter({ hasText: name }).waitFor(PATIENCE);
    await press(page, 'Enter');
    await palette.waitFor({ state: 'detached' });
  };
  await press(page, 'Control+k');
  await page.getByTestId('palette-field').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await press(page, 'Escape');
  await palette.waitFor({ state: 'detached' });
  await choose('unkn', /Unknown/);
  await expect.poll(() => new URL(page.url()).search, PATIENCE).toBe('?status=unknown');
  await choose('release', /release/);
  await expect.poll(() => new URL(page.url()).pathname, PATIENCE).toBe('/sessions/release');
  await choose('theme dark', /Theme: dark/);
  await page.locator('html[data-theme=dark]').waitFor(PATIENCE);
  // A task that is not in the list is found by web.
  await choose(id, /deploy/);
  await expect.poll(() => new URL(page.url()).pathname, PATIENCE).toBe(`/tasks/${id}`);
  await page.getByTestId('task-detail').waitFor(PATIENCE);
  await choose('cancel', /Cancel “deploy”/);
  await system.webTaskWhen(id, 'cancelled', (task) => task.status === 'cancelled');
  await choose('pause test', /Pause test-agent/);
  await page.locator('[data-testid=pool-steps] [data-step=in-effect][data-state=done]').waitFor(PATIENCE);
  expect(dashboard.complaints).toEqual([]);
});
