/** One action on many tasks, in a real browser on the real services. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NEVER_LOST, startSystem, type System, until } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };

/** `count` tasks that wait behind one that runs, and one that has ended. */
async function submitMany(system: System, count: number): Promise<{ ended: string; waiting: string[] }> {
  const ended = await system.submit({ shell: 'true' }, { title: 'over' });
  await system.webTaskWhen(ended, 'over', (task) => task.status === 'completed');
  const long = await system.submit({ shell: 'exec sleep 600' }, { title: 'long', sessionId: 'other' });
  // A submit may be answered before its agent has it: until this one has the slot, another could take it.
  await system.webTaskWhen(long, 'running', (task) => task.status === 'running');
  const waiting: string[] = [];
  for (let n = 0; n < count; n++)
    waiting.push(await system.submit({ shell: 'true' }, { title: `part ${n}` }));
  for (const id of waiting) await system.webTaskWhen(id, 'queued', (task) => task.status === 'queued');
  return { ended, waiting };
}

test('marked tasks are cancelled after a dry run; each has its result, and a refused one stays marked', async () => {
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_SLOTS: '1' } });
  const { waiting } = await submitMany(system, 3);
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('task-row').nth(4).waitFor(PATIENCE);
  // The newest three wait; the two below are the long one and the one that is over.
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  for (let n = 0; n < 4; n++) await page.keyboard.press('j');
  await page.keyboard.press('X');
  const marked = () => page.getByTestId('marked-count').innerText();
  await expect.poll(marked, PATIENCE).toBe('5 tasks marked');
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('mark').nth(3).click();
  await expect.poll(marked, PATIENCE).toBe('4 tasks marked');

  await page.keyboard.press('c');
  const dialog = page.getByTestId('bulk');
  await page.locator('[data-testid=bulk][data-stage=forecast]').waitFor(PATIENCE);
  expect(await page.getByTestId('bulk-said').innerText()).toBe(
    'Would cancel 3 tasks. 1 task would be refused.',
  );
  expect(await complaintsOf(page)).toEqual([]);
  for (const id of waiting) expect((await system.webTask(id)).status).toBe('queued');

  await dialog.getByTestId('bulk-confirm').click();
  await page.locator('[data-testid=bulk][data-stage=done]').waitFor(PATIENCE);
  expect(await page.getByTestId('bulk-said').innerText()).toBe('3 cancel asked.');
  await expect.poll(() => dialog.getByTestId('bulk-row').count(), PATIENCE).toBe(3);
  expect(await complaintsOf(page)).toEqual([]);
  await dialog.getByTestId('bulk-close').click();
  for (const id of waiting) await system.webTaskWhen(id, 'cancelled', (task) => task.status === 'cancelled');
  await page.getByTestId('selection-bar').waitFor({ state: 'detached', ...PATIENCE });
  expect(dashboard.complaints).toEqual([]);
});

test('everything that a filter finds is retried, and a task that ended meanwhile is refused and stays marked', async () => {
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_SLOTS: '1' } });
  const { ended, waiting } = await submitMany(system, 2);
  await using dashboard = await openDashboard(browser, system, '/sessions/test');
  const { page } = dashboard;
  await page.getByTestId('task-row').nth(2).waitFor(PATIENCE);
  await page.keyboard.press('*');
  const marked = () => page.getByTestId('marked-count').innerText();
  await expect.poll(marked, PATIENCE).toBe('All 3 that match');
  await page.getByTestId('bulk-cancel').click();
  await page.locator('[data-testid=bulk][data-stage=forecast]').waitFor(PATIENCE);
  expect(await page.getByTestId('bulk-said').innerText()).toContain('Would cancel 2 tasks.');
  // Between the dry run and the deed one of them is gone.
  await system.call('web', 'POST', `/api/tasks/${waiting[0]!}/cancel`);
  await system.webTaskWhen(waiting[0]!, 'cancelled', (task) => task.status === 'cancelled');
  await page.getByTestId('bulk-confirm').click();
  await page.locator('[data-testid=bulk][data-stage=done]').waitFor(PATIENCE);
  expect(await page.getByTestId('bulk-said').innerText()).toBe('1 cancel asked, 1 refused.');
  await page.locator('[data-testid=bulk-group][data-result=refused]').waitFor(PATIENCE);
  await page.getByTestId('bulk-close').click();
  await expect.poll(marked, PATIENCE).toBe('1 task marked');
  await page.keyboard.press('Escape');
  await page.getByTestId('selection-bar').waitFor({ state: 'detached' });

  await system.webTaskWhen(waiting[1]!, 'cancelled', (task) => task.status === 'cancelled');
  await page.keyboard.press('*');
  await page.keyboard.press('r');
  await page.locator('[data-testid=bulk][data-stage=forecast]').waitFor(PATIENCE);
  expect(await page.getByTestId('bulk-said').innerText()).toBe('Would retry 3 tasks.');
  await page.getByTestId('bulk-confirm').click();
  await page.locator('[data-testid=bulk][data-stage=done]').waitFor(PATIENCE);
  const { body } = await system.call<{ items: { retryOf?: string }[] }>('web', 'GET', '/api/tasks?limit=10');
  const again = body.items.map(({ retryOf }) => retryOf).filter((id) => id !== undefined);
  expect(again.toSorted()).toEqual([ended, ...waiting].toSorted());
});

test('for an agent that is away a bulk action is on record, and said to be', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '1' } });
  const { waiting } = await submitMany(system, 2);
  await using dashboard = await openDashboard(browser, system, '/?q=part');
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('task-row').nth(1).waitFor(PATIENCE);
  await system.agent.end('SIGKILL');
  // In web's own word, not because this page hears nothing.
  await page.locator('[data-testid=task-row][data-status=unknown]').nth(1).waitFor(PATIENCE);
  await page.keyboard.press('*');
  await page.keyboard.press('c');
  await page.locator('[data-testid=bulk][data-stage=forecast]').waitFor(PATIENCE);
  await page.getByTestId('bulk').getByText('cannot be reached now').first().waitFor(PATIENCE);
  await page.getByTestId('bulk-confirm').click();
  await page.locator('[data-testid=bulk][data-stage=done]').waitFor(PATIENCE);
  expect(await page.getByTestId('bulk-said').innerText()).toMatch(/^2 on record, to be delivered/);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('bulk-close').click();
  await page.locator('[data-testid=task-row]').getByText('cancel pending').nth(1).waitFor(PATIENCE);
  expect((await system.webTask(waiting[0]!)).status).toBe('unknown');
  await system.agent.start();
  for (const id of waiting) await system.webTaskWhen(id, 'cancelled', (task) => task.status === 'cancelled');
});

test('rows that were never read have their names, and what was refused is shown where no row shows it', async () => {
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_SLOTS: '0' } });
  const count = 205;
  const submit = (n: number) => system.submit({ shell: 'true' }, { title: `part ${n}` });
  // The oldest, which no part of the list that is read here holds.
  const oldest = [await submit(0), await submit(1)];
  await Promise.all(Array.from({ length: count - 2 }, (_, n) => submit(n + 2)));
  await until('web to show all of them queued', async () => {
    const { body } = await system.call<{ total: number }>('web', 'GET', '/api/tasks?status=queued&limit=1');
    return body.total === count;
  });
  await using dashboard = await openDashboard(browser, system, '/?status=queued');
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('task-row').first().waitFor(PATIENCE);
  await page.keyboard.press('*');
  await page.getByTestId('bulk-cancel').click();
  await page.locator('[data-testid=bulk][data-stage=forecast]').waitFor(PATIENCE);
  const lines = page.getByTestId('bulk-row');
  const names = async (): Promise<string[]> => lines.locator('a').allInnerTexts();
  const scroller = page.locator('.bulk-lines');
  await scroller.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  const below = () =>
    scroller.evaluate((element) => {
      const last = element.querySelector('.bulk-line:last-child');
      if (last === null) return Number.POSITIVE_INFINITY;
      return last.getBoundingClientRect().bottom - element.getBoundingClientRect().bottom;
    });
  await expect.poll(below, PATIENCE).toBeLessThanOrEqual(1);
  const shown = await names();
  expect(shown.filter((name) => !/^part \d+$/.test(name))).toEqual([]);
  expect(shown.length).toBeGreaterThan(5);
  // Between the dry run and the deed two of them end, and leave the list.
  for (const id of oldest) {
    await system.call('web', 'POST', `/api/tasks/${id}/cancel`);
    await system.webTaskWhen(id, 'cancelled', (task) => task.status === 'cancelled');
  }
  await page.getByTestId('bulk-confirm').click();
  await page.locator('[data-testid=bulk][data-stage=done]').waitFor(PATIENCE);
  await page.getByTestId('bulk-close').click();
  await expect
    .poll(() => page.getByTestId('marked-count').innerText(), PATIENCE)
    .toBe('2 tasks marked, not in this list');
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('show-absent').click();
  await page.locator('[data-testid=bulk-group][data-result=refused]').waitFor(PATIENCE);
  await expect
    .poll(async () => (await names()).slice(0, 2).toSorted(), PATIENCE)
    .toEqual(['part 0', 'part 1']);
  await page.getByTestId('bulk-close').click();
  await page.getByTestId('unmark').click();
  await page.getByTestId('selection-bar').waitFor({ state: 'detached' });
});
