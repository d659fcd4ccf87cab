/** The bar on top, the rail and the title, in a real browser on the real services. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
test('on a low page, and on one at twice the size, counts and search share a line', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '0' } });
  await system.submit({ shell: 'true' }, { title: 'one' });
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.getByTestId('task-row').waitFor(PATIENCE);
  await untilLive(page);
  for (const [width, height] of [
    [1366, 600],
    [1024, 560],
    [683, 384],
  ] as const) {
    await resize(page, width, height);
    const boxOf = async (selector: string) => (await page.locator(selector).boundingBox())!;
    const middleOf = async (selector: string): Promise<number> => {
      const { y, height } = await boxOf(selector);
      return Math.round(y + height / 2);
    };
    await expect
      .poll(async () => Math.abs((await middleOf('.views')) - (await middleOf('.search'))), PATIENCE)
      .toBeLessThan(4);
    await expect.poll(async () => (await boxOf('.top')).height, PATIENCE).toBeLessThanOrEqual(80);
    await expect.poll(async () => (await boxOf('[data-testid=search]')).width, PATIENCE).toBeGreaterThan(110);
    await expectFits(page);
    expect([width, await complaintsOf(page)]).toEqual([width, []]);
  }
});

test('failed today and labels are counted by the feed, before they are read again', async () => {
  await using system = await startSystem();
  let isHeld = false;
  await using dashboard = await openDashboard(browser, system, '/', system.web.url, async (context) => {
    // Once they are held, what is read does not arrive: the feed alone tells.
    await context.route(/\/api\/(labels|tasks\?.*limit=1(&|$))/, (route) =>
      isHeld ? undefined : route.continue(),
    );
  });
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const failed = page.getByTestId('view-failed-today').locator('.count');
  await expect.poll(() => failed.innerText(), PATIENCE).toBe('0');
  await untilLive(page);
  isHeld = true;
  const gate = join(system.home, 'gate');
  const shell = `until [ -e ${gate} ]; do sleep 0.1; done; exit 7`;
  await system.submit({ shell }, { title: 'bad', labels: { team: 'core' } });
  // What the feed counts is counted from a picture on: it has come this far before the task fails.
  const running = page.getByTestId('view-running').locator('.count');
  await expect.poll(() => running.innerText(), PATIENCE).toMatch(/^1/);
  writeFileSync(gate, '');
  await expect.poll(() => failed.innerText(), PATIENCE).toBe('1');
  await expect.poll(() => page.getByTestId('label-link').innerText(), PATIENCE).toMatch(/^team=core\s*1$/);
});

test('a web that is stopped and takes connections is told as one that is being tried; running counts are in doubt with their rows', async () => {
  // An agent that is stopped is late for as long as it takes to look at that.
  await using system = await startSystem({ env: NEVER_LOST });
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'work' });
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('task-row').waitFor(PATIENCE);
  const running = page.getByTestId('tally-running');
  await expect.poll(() => running.locator('.count').innerText(), PATIENCE).toBe('1');
  const slots = page.getByTestId('agent-chip').locator('.chip-pool');
  await expect.poll(() => slots.innerText(), PATIENCE).toMatch(/1\/4$/);
  system.agent.signal('SIGSTOP');
  await page.locator('[data-testid=task-row][data-knowledge=stale]').waitFor(PATIENCE);
  await expect.poll(() => running.locator('.count').innerText(), PATIENCE).toBe('1?');
  await expect
    .poll(() => page.getByTestId('view-running').locator('.count').innerText(), PATIENCE)
    .toBe('1?');
  await expect.poll(() => slots.innerText(), PATIENCE).toMatch(/1\?\/4$/);
  expect(await complaintsOf(page)).toEqual([]);
  system.agent.signal('SIGCONT');
  await expect.poll(() => running.locator('.count').innerText(), PATIENCE).toBe('1');

  system.web.signal('SIGSTOP');
  const truth = page.getByTestId('truth');
  await expect.poll(() => truth.innerText(), PATIENCE).toMatch(/^Stale \d+ (s|min) · connecting …$/);
  await page.getByTestId('retry-now').waitFor(PATIENCE);
  await expect.poll(() => slots.innerText(), PATIENCE).toMatch(/1\?\/4$/);
  system.web.signal('SIGCONT');
  await truth.getByText('Live').waitFor(PATIENCE);
});

test('the title names what is shown, and signed out nothing is counted', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'work', sessionId: 'release' });
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await expect.poll(() => page.title(), PATIENCE).toBe('work · Holdfast');
  await page.getByTestId('view-running').click();
  await expect.poll(() => page.title(), PATIENCE).toBe('Running · Holdfast');
  await page.locator('.rail [data-testid=session-link]').click();
  await expect.poll(() => page.title(), PATIENCE).toBe('work · Holdfast');
  await system.agent.end('SIGKILL');
  await expect.poll(() => page.title(), PATIENCE).toBe('1 unknown · work · Holdfast');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByTestId('sign-in').waitFor(PATIENCE);
  await expect.poll(() => page.title(), PATIENCE).toBe('Signed out · Holdfast');
  // The path of the token is broken between its parts.
  for (const width of [1360, 390]) {
    await resize(page, width, 800);
    const linesOfParts = () =>
      page.evaluate<number[]>(`(() => {
        const range = document.createRange();
        return [...document.querySelector('.sign-in pre').childNodes].map((node) => {
          range.selectNodeContents(node);
          return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
        });
      })()`);
    await expect.poll(async () => Math.max(...(await linesOfParts()).slice(1)), PATIENCE).toBe(1);
  }
});

test('what needs a person is counted right from the first look, whichever count is read first', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'work' });
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  const bad = await system.submit({ shell: 'exit 7' }, { title: 'bad' });
  await system.webTaskWhen(bad, 'failed', (task) => task.status === 'failed');
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
  await untilLive(page);
  // The feed may have counted before the read did: both are told by then.
  await expect
    .poll(() => page.getByTestId('tally-unknown').locator('.count').innerText(), PATIENCE)
    .toBe('1');
  await expect.poll(() => count.innerText(), PATIENCE).toBe('1');
  await expect
    .poll(() => page.getByTestId('view-failed-today').locator('.count').innerText(), PATIENCE)
    .toBe('1');
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
  await expect.poll(() => page.title(), PATIENCE).toBe('1 unknown · Tasks · Holdfast');
  await expect
    .poll(async () => decodeURIComponent((await page.locator('#favicon').getAttribute('href'))!), PATIENCE)
    .toContain('>1</text>');
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
  await expect.poll(() => page.title(), PATIENCE).toBe('Needs you · Holdfast');
});
