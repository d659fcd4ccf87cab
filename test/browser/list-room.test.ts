/** The list in whatever room there is, in a real browser on the real services. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';
import { expectFits, resize } from './fits.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };

test('a long title keeps the most of its room beside long labels and a last line', async () => {
  await using system = await startSystem();
  const title = 'Find out why the checkout test fails about once in ten runs';
  const labels = { repository: 'the-storefront-and-its-tests', branch: 'fix/the-flaky-checkout-test' };
  await system.submit({ shell: 'echo reading the whole of it; exec sleep 600' }, { title, labels });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.getByTestId('last-line').waitFor({ state: 'attached', ...PATIENCE });
  for (const width of [1100, 1280, 1440, 1920]) {
    await resize(page, width, 800);
    // A label is shown only beside the whole title; those that have no room are one chip, which says how many they are.
    // All of it is of one moment, after the frames in which the page follows its window.
    const row = () =>
      page.evaluate<Record<string, number | boolean>>(`(async () => {
        for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
        const find = (selector) => document.querySelector(selector);
        const widthOf = (selector) => find(selector).getBoundingClientRect().width;
        const name = find('.row .name');
        const labels = document.querySelectorAll('.row .label:not(.more)').length;
        return {
          isCutBesideLabels: name.scrollWidth > name.clientWidth && labels > 0,
          labels: labels + Number(find('.row .more')?.textContent ?? '+0'),
          hasMostOfItsRoom: widthOf('.row .name') > widthOf('.row .c-name') * 0.6,
          hasLastLine: widthOf('[data-testid=last-line]') > 80,
        };
      })()`);
    await expect
      .poll(row, PATIENCE)
      .toEqual({ isCutBesideLabels: false, labels: 2, hasMostOfItsRoom: true, hasLastLine: true });
    await expectFits(page);
  }
  await expect
    .poll(() => page.locator('.row .c-output').innerText(), PATIENCE)
    .toMatch(/^[\d.]+ (s|min)\s+reading the whole of it$/);
  expect(await complaintsOf(page)).toEqual([]);
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
    await resize(page, width, 800);
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
  await resize(page, 360, 740);
  await page.getByTestId('task-row').waitFor(PATIENCE);
  await expectFits(page);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('menu-open').click();
  await page.getByRole('dialog').getByTestId('view-queued').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByRole('dialog').getByTestId('view-queued').click();
  await page.getByRole('dialog').waitFor({ ...PATIENCE, state: 'detached' });
  // Three rows at most: the link and the tools, agents and counts, the search. The page of a task has no search.
  const topHeight = async () => (await page.locator('.top').boundingBox())!.height;
  await expect.poll(topHeight, PATIENCE).toBeLessThanOrEqual(116);
  await page.getByTestId('task-row').click();
  await page.getByTestId('task-log').waitFor(PATIENCE);
  await expect.poll(topHeight, PATIENCE).toBeLessThanOrEqual(80);
  await page.getByTestId('menu-open').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await page.goBack();
  await page.getByTestId('choose').click();
  await page.getByTestId('mark').check();
  // The bar is a part of the page that comes when it is needed.
  await page.getByTestId('copy-marked').waitFor(PATIENCE);
  await page.getByTestId('bulk-reclaim').waitFor(PATIENCE);
  await expectFits(page);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('bulk-cancel').click();
  await page.getByTestId('bulk-confirm').click();
  await system.webTaskWhen(id, 'cancelled', (task) => task.status === 'cancelled');
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
  await page.getByTestId('waiting').waitFor(PATIENCE);
  const boxOf = async (selector: string) => (await page.locator(selector).boundingBox())!;
  const heads = await boxOf('.column-heads');
  const top = async () => (await boxOf('[data-testid=waiting]')).y;
  await expect.poll(top, PATIENCE).toBeGreaterThanOrEqual(heads.y + heads.height);
});
