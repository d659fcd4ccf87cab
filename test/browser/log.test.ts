/** The log of a task, as a person reads it, in a real browser on the real services. */
import { appendFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem, type System } from '../system.ts';
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

/** A task that prints whatever is written to a file of the test's. */
async function growing(
  system: System,
  first: string,
): Promise<{ id: string; print: (text: string) => void }> {
  const source = `${system.home}/said`;
  writeFileSync(source, first);
  const id = await system.submit({ command: ['tail', '-n', '+1', '-f', source] }, { title: 'growing log' });
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  return { id, print: (text) => appendFileSync(source, text) };
}

/** `line <from>` to `line <to>`, one a line. */
const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}\n`).join('');

const bottomGapOf = (scroller: Locator): Promise<number> =>
  scroller.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight);

/** A scroll by wheel or key may take several frames: resolves when one has left it where it is for three of them. */
const untilStill = (scroller: Locator): Promise<unknown> =>
  scroller.evaluate(`async (element) => {
    const drawn = () => new Promise((resolve) => requestAnimationFrame(resolve));
    for (let still = 0; still < 3; ) {
      const before = element.scrollTop;
      await drawn();
      still = element.scrollTop === before ? still + 1 : 0;
    }
  }`);

/** To the beginning: both keys within a second, which a busy machine may not give the first pair. */
const pressStart = (page: Page): Promise<void> =>
  expect
    .poll(async () => {
      await page.keyboard.press('g');
      await page.keyboard.press('g');
      return page.locator('.log-scroller').evaluate((element) => element.scrollTop);
    }, PATIENCE)
    .toBe(0);

const lineAt = (page: Page, number: number): Locator => page.locator(`.log-scroller [data-line="${number}"]`);

test('the log follows its end, stands still for a reader who scrolls up, and says how much is new', async () => {
  await using system = await startSystem();
  const { id, print } = await growing(system, numbered(1, 300));
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  const scroller = page.locator('.log-scroller');
  await lineAt(page, 300).waitFor(PATIENCE);
  print(numbered(301, 400));
  await lineAt(page, 400).waitFor(PATIENCE);
  await expect.poll(() => bottomGapOf(scroller), PATIENCE).toBeLessThan(24);

  await scroller.hover();
  await page.mouse.wheel(0, -3000);
  await page.getByTestId('log-follow').waitFor(PATIENCE);
  await expect.poll(() => bottomGapOf(scroller), PATIENCE).toBeGreaterThan(1000);
  await untilStill(scroller);
  const before = await scroller.evaluate((element) => element.scrollTop);
  print(numbered(401, 450));
  await expect.poll(() => page.getByTestId('log-follow').innerText(), PATIENCE).toContain('50 new lines');
  expect(await scroller.evaluate((element) => element.scrollTop)).toBe(before);
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'log-scrolled');
  await page.getByTestId('log-follow').click();
  await lineAt(page, 450).waitFor(PATIENCE);
  await expect.poll(() => bottomGapOf(scroller), PATIENCE).toBeLessThan(24);
  expect(dashboard.complaints).toEqual([]);
});

test('colours are shown, progress bars collapsed, markup is text, and long lines break or run on', async () => {
  await using system = await startSystem();
  const shell = [
    String.raw`printf '\033[31mred\033[0m plain\n'`,
    String.raw`printf '10%%\r50%%\r100%% done\n'`,
    String.raw`printf '<b>not bold</b> \033]0;title\007 end\n'`,
    `head -c 3000 /dev/zero | tr '\\0' x; echo`,
  ].join('; ');
  const id = await system.submit({ shell }, { title: 'looks' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.locator('[data-testid=log-end][data-end=complete]').waitFor(PATIENCE);
  // The log may be complete before the row says how it ended.
  await expect
    .poll(() => page.getByTestId('log-end').innerText(), PATIENCE)
    .toMatch(/End of output · exit 0 · 4 lines/);
  await page.locator('.line .ansi-red-fg', { hasText: 'red' }).waitFor(PATIENCE);
  expect(await lineAt(page, 2).innerText()).toBe('100% done');
  expect(await lineAt(page, 3).innerText()).toBe('<b>not bold</b>  end');
  const height = () => lineAt(page, 4).evaluate((element) => element.getBoundingClientRect().height);
  await expect.poll(height, PATIENCE).toBeGreaterThan(100);
  await page.getByTestId('log-wrap').click();
  await expect.poll(height, PATIENCE).toBeLessThan(30);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('log-wrap').click();
  await expect.poll(height, PATIENCE).toBeGreaterThan(100);
  expect(dashboard.complaints).toEqual([]);
});

test('a search counts what is loaded, goes to each match, and marks it', async () => {
  await using system = await startSystem();
  const shell =
    'for i in $(seq 1 500); do echo "line $i"; [ $((i % 100)) = 50 ] && echo "an ERROR here"; done; exit 3';
  const id = await system.submit({ shell }, { title: 'search' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.locator('[data-testid=log-end][data-end=complete]').waitFor(PATIENCE);
  const field = page.getByTestId('log-search');
  await page.locator('.log-scroller').focus();
  await page.keyboard.press('/');
  await page.keyboard.type('error');
  const found = page.getByTestId('log-found');
  await expect.poll(() => found.innerText(), PATIENCE).toBe('5 lines');
  await expect.poll(() => page.getByTestId('log-scope').innerText(), PATIENCE).toMatch(/^in all /);
  await field.press('Enter');
  await expect.poll(() => found.innerText(), PATIENCE).toMatch(/^\d of 5 lines$/);
  await page.locator('.line.is-current mark', { hasText: 'ERROR' }).waitFor(PATIENCE);
  const at = await found.innerText();
  await field.press('Shift+Enter');
  await expect.poll(() => found.innerText(), PATIENCE).not.toBe(at);
  await page.getByTestId('log-next').click();
  await expect.poll(() => found.innerText(), PATIENCE).toBe(at);
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'log-search');
  await field.press('Escape');
  await expect.poll(() => page.locator('mark').count(), PATIENCE).toBe(0);
});

test('a line has an address: it is marked, in sight, and found again by whoever follows it', async () => {
  await using system = await startSystem();
  const id = await system.submit(
    { shell: 'for i in $(seq 1 2000); do echo "line $i"; done; exit 3' },
    { title: 'links' },
  );
  await system.webTaskWhen(id, 'over', (task) => task.status === 'failed');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await lineAt(page, 2000).waitFor(PATIENCE);
  await page.evaluate(
    `history.pushState(null, '', '/tasks/${id}#L120'); dispatchEvent(new PopStateEvent('popstate'));`,
  );
  await page.locator('.line.is-marked[data-line="120"]').waitFor(PATIENCE);
  await lineAt(page, 123)
    .locator('.line-number')
    .click({ modifiers: ['Shift'] });
  await expect.poll(() => new URL(page.url()).hash, PATIENCE).toBe('#L120-L123');
  await expect.poll(() => page.locator('.line.is-marked').count(), PATIENCE).toBe(4);
  await page.reload();
  await expect.poll(() => page.locator('.line.is-marked').count(), PATIENCE).toBe(4);
  await lineAt(page, 120).waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'log-marked');
});

test('of 100 MB a bounded part is held and drawn; the rest is skipped, loaded, searched and found on demand', async () => {
  await using system = await startSystem();
  // 1,000,000 lines of 100 bytes, with one that is looked for.
  const shell = `awk 'BEGIN { pad = sprintf("%079d", 0); for (i = 1; i <= 1000000; i++) { if (i == 300000) printf "%010d the needle %s\\n", i, substr(pad, 1, 78); else printf "%010d %s %s\\n", i, "step done", substr(pad, 1, 78) } }'`;
  const id = await system.submit({ shell }, { title: 'big log' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await system.webTaskWhen(
    id,
    'over with all of its output',
    ({ status, outputBytes }) => status === 'completed' && outputBytes > 95_000_000,
  );
  await page.locator('[data-testid=log-end][data-end=complete]').waitFor(PATIENCE);
  await page.reload();
  await page.locator('[data-testid=log-end][data-end=complete]').waitFor(PATIENCE);
  const skipped = () => page.getByTestId('log-skipped').textContent();
  await expect.poll(skipped, PATIENCE).toMatch(/\d+ MB skipped/);
  expect(await page.locator('.line').count()).toBeLessThan(150);
  const field = page.getByTestId('log-search');
  await field.fill('needle');
  await expect.poll(() => page.getByTestId('log-found').innerText(), PATIENCE).toBe('no lines');
  await expect.poll(() => page.getByTestId('log-scope').innerText(), PATIENCE).toMatch(/that are loaded/);
  await page.getByTestId('log-search-all').click();
  // All of it goes through web and the browser, in 200 reads.
  await expect.poll(() => page.getByTestId('log-found').innerText(), { timeout: 180_000 }).toBe('1 line');
  await field.press('Enter');
  await page.locator('.line.is-current[data-line="300000"]').waitFor(PATIENCE);
  await expect.poll(skipped, PATIENCE).toMatch(/^[\d,]+ lines skipped \(\d+ MB\)/);
  await page.getByTestId('log-rest').waitFor(PATIENCE);
  await page.getByTestId('log-end').waitFor({ state: 'detached', ...PATIENCE });
  await shoot(page, 'log-big');

  // What is read on stays where it is while more is loaded on both sides.
  const scroller = page.locator('.log-scroller');
  await scroller.hover();
  const seen = () =>
    page.locator('.line.is-current').evaluate((element) => element.getBoundingClientRect().top);
  const middle = await scroller.evaluate((element) => {
    const { top, height } = element.getBoundingClientRect();
    return top + height / 2;
  });
  await expect.poll(async () => Math.abs((await seen()) - middle), PATIENCE).toBeLessThan(60);
  await untilStill(scroller);
  const before = await seen();
  const skippedBefore = await skipped();
  await page.getByTestId('log-load-before').dispatchEvent('click');
  await expect.poll(skipped, PATIENCE).not.toBe(skippedBefore);
  await expect.poll(async () => Math.abs((await seen()) - before), PATIENCE).toBeLessThan(2);
  await page.getByTestId('log-load-start').dispatchEvent('click');
  await page.locator('[data-testid=log-skipped]').waitFor({ state: 'detached', ...PATIENCE });
  expect(await page.locator('.line').count()).toBeLessThan(150);
  expect(dashboard.complaints).toEqual([]);
}, 400_000);

test('an older attempt has a log of its own, in the address too', async () => {
  await using system = await startSystem();
  const spec = {
    shell: 'echo "this is $HOLDFAST_ATTEMPT"; exit 4',
    retry: { maxAttempts: 2, on: ['failed'] },
  };
  const id = await system.submit(spec, { title: 'twice' });
  await system.webTaskWhen(id, 'over', (task) => task.status === 'failed');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  const log = page.getByTestId('task-log');
  await log.getByText('this is 2').waitFor(PATIENCE);
  await page.getByTestId('log-attempt').selectOption('1');
  await log.getByText('this is 1').waitFor(PATIENCE);
  await expect.poll(() => page.getByTestId('log-end').innerText(), PATIENCE).toContain('of attempt 1');
  await expect.poll(() => new URL(page.url()).search, PATIENCE).toContain('log=1');
  await page.reload();
  await log.getByText('this is 1').waitFor(PATIENCE);
  await page.getByTestId('log-attempt').selectOption('2');
  await log.getByText('this is 2').waitFor(PATIENCE);
  await page.goBack();
  await log.getByText('this is 1').waitFor(PATIENCE);
});

test('on a phone the log has room, and nothing is wider than the screen', async () => {
  await using system = await startSystem();
  const id = await system.submit({
    shell: 'for i in $(seq 1 50); do echo "line $i of a long build output that breaks"; done; exec sleep 600',
  });
  await system.webTaskWhen(id, 'printing', (task) => task.outputBytes > 0);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await resize(page, 390, 844);
  await lineAt(page, 50).waitFor(PATIENCE);
  await expectFits(page);
  const height = async () => (await page.locator('.log-scroller').boundingBox())?.height;
  await expect.poll(height, PATIENCE).toBeGreaterThan(200);
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'log-phone');
});

test('while its agent is away no more of a log is offered, with the reason; when it is back, it is, without a reload', async () => {
  await using system = await startSystem();
  const shell =
    'for i in $(seq 1 60000); do echo "line $i, long enough for a log that is not read as a whole ........."; done';
  const id = await system.submit({ shell }, { title: 'long' });
  await system.webTaskWhen(id, 'over', (task) => task.status === 'completed');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.locator('[data-testid=log-end][data-end=complete]').waitFor(PATIENCE);
  const start = page.getByTestId('log-load-start');
  await page.locator('.log-scroller').focus();
  await page.keyboard.press('Home');
  await start.waitFor(PATIENCE);

  await system.agent.end('SIGKILL');
  await expect.poll(() => start.isDisabled(), PATIENCE).toBe(true);
  await expect.poll(() => page.getByTestId('log-load-before').isDisabled(), PATIENCE).toBe(true);
  await expect
    .poll(() => page.getByTestId('log-missed').first().innerText(), PATIENCE)
    .toContain('test-agent is not heard');
  // To the beginning of what is held, which is not given up for what cannot be read.
  await pressStart(page);
  await expect.poll(() => page.locator('.line').count(), PATIENCE).toBeGreaterThan(10);
  await page.getByTestId('log-search').fill('line 7,');
  await expect.poll(() => page.getByTestId('log-search-all').isDisabled(), PATIENCE).toBe(true);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await complaintsOf(page)).toEqual([]);
  }
  await shoot(page, 'log-away');

  await system.agent.start();
  await expect.poll(() => start.isDisabled(), PATIENCE).toBe(false);
  await expect.poll(() => page.getByTestId('log-missed').count(), PATIENCE).toBe(0);
  await start.click();
  await lineAt(page, 1).waitFor(PATIENCE);
});

test('the output has the keys of a pager: ends, matches, following, wrapping, unmarking', async () => {
  await using system = await startSystem();
  const shell =
    'for i in $(seq 1 900); do echo "line $i"; [ $((i % 300)) = 150 ] && echo "an ERROR here"; done; exec sleep 600';
  const id = await system.submit({ shell }, { title: 'keys' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  const scroller = page.locator('.log-scroller');
  await lineAt(page, 903).waitFor(PATIENCE);
  await scroller.focus();
  await pressStart(page);
  await lineAt(page, 1).waitFor(PATIENCE);
  await page.getByTestId('log-follow').waitFor(PATIENCE);
  const top = () => scroller.evaluate((element) => element.scrollTop);
  await page.keyboard.press('Space');
  await expect.poll(top, PATIENCE).toBeGreaterThan(100);
  await untilStill(scroller);
  await page.keyboard.press('Shift+G');
  await expect.poll(() => bottomGapOf(scroller), PATIENCE).toBeLessThan(24);
  await page.getByTestId('log-follow').waitFor({ state: 'detached', ...PATIENCE });
  await page.keyboard.press('.');
  await page.getByTestId('log-follow').waitFor(PATIENCE);
  await page.keyboard.press('.');
  await page.getByTestId('log-follow').waitFor({ state: 'detached', ...PATIENCE });

  await page.keyboard.press('/');
  await page.keyboard.type('error');
  await page.keyboard.press('Enter');
  const found = page.getByTestId('log-found');
  await expect.poll(() => found.innerText(), PATIENCE).toBe('1 of 3 lines');
  await scroller.focus();
  await page.keyboard.press('n');
  await expect.poll(() => found.innerText(), PATIENCE).toBe('2 of 3 lines');
  await page.keyboard.press('Shift+N');
  await expect.poll(() => found.innerText(), PATIENCE).toBe('1 of 3 lines');
  expect(await page.getByTestId('submit-form').count()).toBe(0);
  await page.keyboard.press('w');
  await page.locator('.log.no-wrap').waitFor(PATIENCE);
  await page.keyboard.press('w');

  await page.locator('.line.is-current .line-number').click();
  await page.getByTestId('log-unmark').waitFor(PATIENCE);
  await scroller.focus();
  await page.keyboard.press('Escape');
  await page.getByTestId('log-unmark').waitFor({ state: 'detached', ...PATIENCE });
  await expect.poll(() => new URL(page.url()).hash, PATIENCE).toBe('');
  expect(page.url()).toContain(id);
  await page.keyboard.press('Escape');
  await expect.poll(() => page.url().includes(id), PATIENCE).toBe(false);
});

test('selected lines are copied without their numbers, and sideways the numbers stay', async () => {
  await using system = await startSystem();
  const shell = `echo one; echo two; head -c 9000 /dev/zero | tr '\\0' x; echo; echo three`;
  const id = await system.submit({ shell }, { title: 'selection' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await lineAt(page, 4).waitFor(PATIENCE);
  const selected = await page.evaluate<string>(`(() => {
    const of = (n) => document.querySelector('[data-line="' + n + '"]');
    getSelection().setBaseAndExtent(of(1), 0, of(2), of(2).childNodes.length);
    return getSelection().toString();
  })()`);
  expect(selected.trim()).toBe('one\ntwo');
  await page.getByTestId('log-wrap').click();
  const scroller = page.locator('.log-scroller');
  await page.locator('.log.no-wrap').waitFor(PATIENCE);
  const left = async () =>
    ((await lineAt(page, 3).locator('.line-number').boundingBox())?.x ?? 0) -
    ((await scroller.boundingBox())?.x ?? 0);
  await expect
    .poll(
      () =>
        scroller.evaluate((element) => {
          element.scrollLeft = 2000;
          return element.scrollLeft;
        }),
      PATIENCE,
    )
    .toBe(2000);
  await expect.poll(async () => Math.abs(await left()), PATIENCE).toBeLessThan(2);
  expect(await complaintsOf(page)).toEqual([]);
});

test('a log that was deleted is said to be gone, not to have been empty', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'echo here' }, { title: 'deleted' });
  await system.webTaskWhen(id, 'over', (task) => task.status === 'completed' && task.outputBytes > 0);
  const runs = `${system.home}/runs/${id}`;
  for (const run of readdirSync(runs)) rmSync(`${runs}/${run}/output.log`);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await expect
    .poll(() => page.getByTestId('log-end').innerText(), PATIENCE)
    .toBe('Its log is gone · exit 0 · 5 B were printed, none of it is left');
});
