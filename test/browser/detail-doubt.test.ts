/** One task while what is known of it is in doubt, and after, in a real browser on the real services. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';
import { resize } from './fits.ts';
import { shoot } from './shoot.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };

async function sentenceOf(page: Page): Promise<string> {
  return page.getByTestId('sentence').innerText();
}

test('a task that was given up says who did, when and what it was; the truth that replaces it says so', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'echo here; exec sleep 600' }, { title: 'given up' });
  await system.webTaskWhen(id, 'printing', (task) => task.outputBytes > 0);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await system.agent.end('SIGKILL');
  await page.getByTestId('resolve').click(PATIENCE);
  await expect.poll(() => page.getByTestId('task-status').getAttribute('data-status'), PATIENCE).toBe('lost');
  await expect
    .poll(() => sentenceOf(page), PATIENCE)
    .toMatch(/^Lost: it was running when web stopped hearing of it; given up by a person at \d\d:\d\d\.$/);
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'detail-lost');
  await system.agent.start();
  await expect
    .poll(() => sentenceOf(page), PATIENCE)
    .toMatch(
      /^Running on test-agent .* It had been given up as lost at \d\d:\d\d; its agent’s word replaced that\.$/,
    );
  // From the last proof to the verdict, and from there to the return, nobody saw it. A machine that stands still for
  // longer than the deadline may bring other gaps: the same is said of each, and the last is over.
  await page.getByTestId('tab-events').click();
  const gaps = () => page.getByTestId('event-gap').allInnerTexts();
  await expect.poll(async () => (await gaps()).length, PATIENCE).toBeGreaterThanOrEqual(2);
  await expect.poll(async () => (await gaps()).at(-1), PATIENCE).toContain('then the truth: running');
  expect((await gaps()).some((text) => text.includes('then the truth: lost'))).toBe(true);
  const drawn = () =>
    page
      .locator('.span[data-phase=running]')
      .evaluateAll((spans) => spans.map((span) => span.getAttribute('data-doubt') ?? 'seen').join(' '));
  await expect.poll(drawn, PATIENCE).toMatch(/^(seen )+(web )+(.* )?seen$/);
});

test('while it is given up, nothing is drawn as seen after the last proof', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'given up for good' });
  await system.webTaskWhen(id, 'running', ({ status }) => status === 'running');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await system.agent.end('SIGKILL');
  await page.getByTestId('resolve').click(PATIENCE);
  await page.locator('[data-testid=task-detail] [data-status=lost]').waitFor(PATIENCE);
  const last = page.locator('.span').last();
  await expect.poll(() => last.getAttribute('data-doubt'), PATIENCE).toBe('web');
  expect(await last.getAttribute('aria-label')).not.toContain('until now');
});

/** Makes every clock that a service reads run ahead of the machine's. */
function aheadOption(ms: number): string {
  const source = `const now = Date.now, D = Date;
    globalThis.Date = class extends D {
      constructor(...of) { if (of.length > 0) super(...of); else super(now() + ${ms}); }
      static now() { return now() + ${ms}; }
    };`;
  return `--import=data:text/javascript,${encodeURIComponent(source)}`;
}

test('an agent whose clock is an hour ahead: lengths are true, its times are its own and that is said', async () => {
  await using system = await startSystem();
  system.env['NODE_OPTIONS'] = aheadOption(3_600_000);
  await system.agent.restart();
  delete system.env['NODE_OPTIONS'];
  await system.untilAgentIs('live');
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'on a clock ahead' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await expect
    .poll(() => sentenceOf(page), PATIENCE)
    .toMatch(/^Running on test-agent since .* The clock of test-agent is (1 h|59 min) ahead of web’s\.$/);
  const clock = page.locator('.detail-bar > .num');
  // It goes on, and from its beginning, however long this took so far.
  await expect.poll(() => clock.innerText(), PATIENCE).toMatch(/^(0:0[2-9]|0:[1-5]\d|\d:\d\d)$/);
  const running = page.locator('.span[data-phase=running]').last();
  await expect.poll(() => running.getAttribute('aria-label'), PATIENCE).toMatch(/^Running, \d/);
  await page.getByTestId('tab-events').click();
  await page.getByTestId('skew').waitFor(PATIENCE);
  await page.locator('[data-testid=event][data-kind=started]').waitFor(PATIENCE);
  // What comes late says so; the hour is no part of it.
  for (const lag of await page.locator('.lag').allInnerTexts()) expect(lag).not.toMatch(/\d\d:\d\d/);
  expect(await complaintsOf(page)).toEqual([]);
  await system.agent.end('SIGKILL');
  await page.locator('[data-testid=task-status][data-status=unknown]').waitFor(PATIENCE);
  await page.locator('.span.is-doubted.by-web').last().waitFor(PATIENCE);
  await expect.poll(() => clock.innerText(), PATIENCE).toMatch(/^\d:\d\d\+$/);
});

test('a task that its agent does not hold is not said to be out of reach: it was asked, and answered', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'journal lost' });
  await system.webTaskWhen(id, 'running', ({ status }) => status === 'running');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await system.agent.end('SIGKILL');
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(system.home, `agent.db${suffix}`), { force: true });
  await system.agent.start();
  await system.webTaskWhen(id, 'not on its agent', ({ knowledge }) => knowledge.reason === 'not_on_agent');
  const proof = page.getByTestId('proof');
  await expect.poll(() => proof.getAttribute('data-proof'), PATIENCE).toBe('not-held');
  expect(await proof.innerText()).toContain('test-agent was asked and holds no such task');
  expect(await complaintsOf(page)).toEqual([]);
});

test('in the window of a small laptop the doubt on the timeline stays in sight, and no button moves when it begins', async () => {
  await using system = await startSystem();
  const labels = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`label-${i}`, `value-${i}`]));
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'on a small screen', labels });
  await system.webTaskWhen(id, 'running', ({ status }) => status === 'running');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await resize(page, 1366, 768);
  // All that stands above the buttons is there.
  await page.getByTestId('proof').waitFor(PATIENCE);
  await page.getByTestId('agent-chip').waitFor(PATIENCE);
  await page.getByTestId('session-link').first().waitFor(PATIENCE);
  await expect.poll(() => sentenceOf(page), PATIENCE).toMatch(/^Running on test-agent since/);
  const rowOf = async (testId: string) => (await page.getByTestId(testId).boundingBox())?.y;
  const before = await rowOf('cancel');
  await system.agent.end('SIGKILL');
  await page.getByTestId('resolve').waitFor(PATIENCE);
  await expect
    .poll(async () => [await rowOf('cancel'), await rowOf('resolve')], PATIENCE)
    .toEqual([before, before]);
  for (const height of [768, 700, 600]) {
    await resize(page, 1366, height);
    for (const selector of ['.span.is-doubted', '.timeline figcaption', '[data-testid=timeline-text]']) {
      const isAboveTabs = async () => {
        const tabs = (await page.locator('.tabs').boundingBox())!;
        const box = (await page.locator(selector).last().boundingBox())!;
        return box.y + box.height <= tabs.y + 1;
      };
      await expect.poll(isAboveTabs, { ...PATIENCE, message: `${selector} above the tabs` }).toBe(true);
    }
    await page.getByTestId('timeline-text').filter({ hasText: 'not seen' }).waitFor(PATIENCE);
  }
  // What else can be asked of it is in a menu.
  await page.getByTestId('more').click();
  await page.getByTestId('more-reclaim').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
});
