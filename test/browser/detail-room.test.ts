/** One task in whatever room there is, and for whoever has keys or colours of their own, in a real browser on the real services. */
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ShownTask } from '@holdfast/shared';
import { NEVER_LOST, startSystem } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';
import { expectFits, resize } from './fits.ts';
import { shoot } from './shoot.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };
const isOver = (task: ShownTask) => task.status === 'failed' || task.status === 'completed';

test('a task can have the whole page, and on a phone each of its parts fits', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const command = ['sh', '-c', `echo ${'x'.repeat(300)}`];
  const id = await system.submit({ command }, { title: 'wide and narrow' });
  await system.webTaskWhen(id, 'over', isOver);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.getByTestId('wide').click();
  await expect
    .poll(async () => (await page.getByTestId('task-detail').boundingBox())?.width, PATIENCE)
    .toBeGreaterThan(1300);
  await shoot(page, 'detail-wide');
  await page.getByTestId('wide').click();
  await resize(page, 390, 844);
  for (const tab of ['log', 'events', 'attempts', 'command', 'raw']) {
    await page.getByTestId(`tab-${tab}`).click();
    await page.locator(`[data-testid=tab-${tab}][aria-current]`).waitFor(PATIENCE);
    await expectFits(page);
    expect(await complaintsOf(page)).toEqual([]);
    await shoot(page, `detail-phone-${tab}`);
  }
});

const isFocused = (locator: Locator): Promise<boolean> =>
  locator.evaluate((element) => element === element.ownerDocument.activeElement);

const isFocusWithin = (page: Page, selector: string): Promise<boolean> =>
  page.evaluate(`document.querySelector(${JSON.stringify(selector)}).contains(document.activeElement)`);

test('where there is no room for every button, a menu has the rest; Esc closes it and not the task', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'narrow' });
  await system.webTaskWhen(id, 'running', ({ status }) => status === 'running');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page, context } = dashboard;
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: system.web.url });
  await resize(page, 1000, 800);
  const more = page.getByTestId('more');
  // What is not in sight cannot be focused.
  await more.waitFor(PATIENCE);
  await more.focus();
  await page.keyboard.press('Enter');
  await page.getByTestId('more-reclaim').waitFor(PATIENCE);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await complaintsOf(page)).toEqual([]);
  }
  await page.keyboard.press('Escape');
  await page.getByTestId('more-reclaim').waitFor({ state: 'hidden', ...PATIENCE });
  await expect.poll(() => isFocused(more), PATIENCE).toBe(true);
  expect(page.url()).toContain(id);
  await more.click();
  await page.getByTestId('more-copy-cli').click();
  await page.getByTestId('notice').waitFor(PATIENCE);
  expect(await page.evaluate<string>('navigator.clipboard.readText()')).toContain('exec sleep 600');
  await more.click();
  await page.getByTestId('more-reclaim').click();
  await page.getByTestId('reclaim').click();
  await system.webTaskWhen(id, 'tried again', ({ attempt }) => attempt === 2);
  expect(dashboard.complaints).toEqual([]);
});

test('in a low window the log keeps half of the task, the tabs stay, and on a phone the facts take a line', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const labels = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`label-${i}`, `value-${i}`]));
  const shell = 'for i in $(seq 1 50); do echo "line $i"; done; exec sleep 600';
  const id = await system.submit({ shell }, { title: 'a long title '.repeat(15).trim(), labels });
  await system.webTaskWhen(id, 'printing', (task) => task.outputBytes > 0);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  const heightOf = async (selector: string): Promise<number> =>
    (await page.locator(selector).boundingBox())?.height ?? 0;
  const openings = [undefined, 'reclaim-open'];
  for (const opening of openings) {
    if (opening !== undefined) await page.getByTestId(opening).click();
    for (const height of [700, 600]) {
      await resize(page, 1360, height);
      const share = async (): Promise<number> =>
        (await heightOf('.log-scroller')) / (await heightOf('.detail'));
      await expect.poll(share, PATIENCE).toBeGreaterThanOrEqual(0.5);
      await page.getByTestId('tab-raw').waitFor(PATIENCE);
      const endsAt = async (): Promise<number> => {
        const end = (await page.getByTestId('log-end').boundingBox())!;
        return end.y + end.height;
      };
      await expect.poll(endsAt, PATIENCE).toBeLessThanOrEqual(height);
      expect(await complaintsOf(page)).toEqual([]);
    }
  }
  await resize(page, 390, 844);
  await expect.poll(() => heightOf('[data-testid=facts]'), PATIENCE).toBeLessThan(50);
  const folded = await heightOf('[data-testid=facts]');
  await page.getByTestId('facts-more').click();
  await expect.poll(() => heightOf('[data-testid=facts]'), PATIENCE).toBeGreaterThan(folded + 100);
  await expectFits(page);
  expect(await complaintsOf(page)).toEqual([]);
  // 200 %: half as many pixels of CSS. Everything can be reached by scrolling.
  await resize(page, 680, 430);
  await page.getByTestId('tab-raw').click();
  await page.getByTestId('raw').waitFor(PATIENCE);
  await expectFits(page);
  expect(await complaintsOf(page)).toEqual([]);
});

test('who works with the keyboard keeps their place when the task ends under them', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'ends' });
  await system.webTaskWhen(id, 'running', ({ status }) => status === 'running');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.getByTestId('cancel').focus();
  await page.keyboard.press('Enter');
  await page.locator('[data-testid=task-detail] [data-status=cancelled]').waitFor(PATIENCE);
  await page.getByTestId('cancel').waitFor({ state: 'detached', ...PATIENCE });
  await expect.poll(() => isFocusWithin(page, '.actions'), PATIENCE).toBe(true);
  // The next Tab goes on from here, not from the top of the page.
  await page.keyboard.press('Tab');
  await expect.poll(() => isFocused(page.getByTestId('retry')), PATIENCE).toBe(true);
});

test('who opens a task by a key reads on there: the next Tab is within it', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const id = await system.submit({ shell: 'exit 3' }, { title: 'opened by a key' });
  await system.webTaskWhen(id, 'over', isOver);
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  const name = page.locator('[data-testid=task-row] a.name');
  await name.waitFor(PATIENCE);
  await page.keyboard.press('j');
  await expect.poll(() => isFocused(name), PATIENCE).toBe(true);
  await page.keyboard.press('Enter');
  await page.getByTestId('task-detail').waitFor(PATIENCE);
  await expect.poll(() => isFocusWithin(page, '[data-testid=task-detail]'), PATIENCE).toBe(true);
  await page.keyboard.press('Tab');
  await page.locator('[data-testid=task-detail] :focus').waitFor(PATIENCE);
  // A pointer does not take the focus from where it is.
  await page.keyboard.press('Escape');
  await page.getByTestId('task-detail').waitFor({ state: 'detached' });
  await name.click();
  // What the task does when it comes is done before its log is read.
  await page.getByTestId('task-detail').getByTestId('log-end').waitFor(PATIENCE);
  expect(await isFocusWithin(page, '[data-testid=task-detail]')).toBe(false);
});

test('a dozen attempts are all drawn when somebody asks, on the whole page, and the head of their table stays', async () => {
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_RETRY_DELAY_MS: '1' } });
  const spec = { shell: 'exit 1', retry: { maxAttempts: 12, on: ['failed'] } };
  const id = await system.submit(spec, { title: 'a dozen' });
  await system.webTaskWhen(id, 'over', isOver);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}?tab=attempts`);
  const { page } = dashboard;
  await resize(page, 1366, 768);
  const lanes = page.locator('.lane');
  await expect.poll(() => lanes.count(), PATIENCE).toBe(4);
  await expect.poll(() => page.getByTestId('attempt').count(), PATIENCE).toBe(12);
  const widthOf = async (): Promise<number> =>
    (await page.locator('.lane-track').first().boundingBox())!.width;
  const narrow = await widthOf();
  await page.getByTestId('timeline-fold').click();
  await expect.poll(() => lanes.count(), PATIENCE).toBe(12);
  await expect.poll(widthOf, PATIENCE).toBeGreaterThan(narrow * 1.5);
  const roomUnderEighth = async (): Promise<number> => {
    const strip = (await page.locator('.lanes').boundingBox())!;
    const eighth = (await lanes.nth(7).boundingBox())!;
    return strip.y + strip.height - (eighth.y + eighth.height);
  };
  await expect.poll(roomUnderEighth, PATIENCE).toBeGreaterThanOrEqual(0);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('timeline-fold').click();
  await expect.poll(widthOf, PATIENCE).toBe(narrow);
  const attempts = page.getByTestId('attempts');
  await resize(page, 1366, 500);
  const scrolled = () =>
    attempts.evaluate((element) => {
      element.scrollTo(0, element.scrollHeight);
      return element.scrollTop;
    });
  await expect.poll(scrolled, PATIENCE).toBeGreaterThan(30);
  const headAt = async (): Promise<number> => {
    const head = (await attempts.locator('thead th').first().boundingBox())!;
    const region = (await attempts.boundingBox())!;
    return Math.abs(head.y - region.y);
  };
  await expect.poll(headAt, PATIENCE).toBeLessThan(2);
});

test('in forced colours the sign of a status has the colour of its word', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const id = await system.submit({ shell: 'exit 0' }, { title: 'completed' });
  await system.webTaskWhen(id, 'over', isOver);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.getByTestId('task-status').waitFor(PATIENCE);
  const colours = () =>
    page.evaluate<string[]>(`['svg', '.word'].map((part) =>
      getComputedStyle(document.querySelector('[data-testid=task-status] ' + part)).color)`);
  const [usual, word] = await colours();
  expect(usual).not.toBe(word);
  await page.emulateMedia({ forcedColors: 'active' });
  const differ = async (): Promise<boolean> => new Set(await colours()).size > 1;
  await expect.poll(differ, PATIENCE).toBe(false);
});
