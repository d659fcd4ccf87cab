/** One task, looked at closely, in a real browser on the real services. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Grant, ShownTask } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { startSystem, type System } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';
import { expectFits } from './fits.ts';
import { shoot } from './shoot.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };
const CLI = join(import.meta.dirname, '../../packages/cli/src/main.ts');
const isOver = (task: ShownTask) => task.status === 'failed' || task.status === 'completed';

async function sentenceOf(page: Page): Promise<string> {
  return page.getByTestId('sentence').innerText();
}

/** Every tab is clean for axe, in both themes. */
async function expectCleanTabs(page: Page): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const tab of ['log', 'events', 'attempts', 'command', 'raw']) {
      await page.getByTestId(`tab-${tab}`).click();
      await page.locator(`[data-testid=tab-${tab}][aria-current]`).waitFor(PATIENCE);
      expect({ tab, colorScheme, complaints: await complaintsOf(page) }).toMatchObject({ complaints: [] });
    }
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
}

test('a task that was tried three times shows each attempt: when, how it ended, what it counted for, and its log', async () => {
  await using system = await startSystem();
  const spec = { shell: 'echo "try $HOLDFAST_ATTEMPT"; exit 4', retry: { maxAttempts: 3, on: ['failed'] } };
  const id = await system.submit(spec, { title: 'three tries' });
  await system.webTaskWhen(id, 'over', isOver);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}?tab=attempts`);
  const { page } = dashboard;
  const rows = page.getByTestId('attempt');
  await expect.poll(() => rows.count(), PATIENCE).toBe(3);
  await expect
    .poll(() => rows.nth(1).innerText(), PATIENCE)
    .toMatch(/^2\s+pid \d+[^]*exit 4\s+charged\s+6 B/);
  expect(await rows.nth(0).innerText()).toMatch(/^3\b[^]*no attempt is left[^]*its last/);
  await rows.nth(2).getByTestId('attempt-log').click();
  await page.getByTestId('task-log').getByText('try 1').waitFor(PATIENCE);

  // The timeline has a lane for each, and the arrow keys explain every span of it.
  const timeline = page.getByTestId('timeline');
  expect(await timeline.locator('.lane').count()).toBe(3);
  const tracks = await timeline.locator('.lane-track').all();
  const widths = await Promise.all(tracks.map(async (track) => (await track.boundingBox())?.width));
  expect(new Set(widths).size).toBe(1);
  await timeline.locator('.span[tabindex="0"]').focus();
  const text = page.getByTestId('timeline-text');
  await page.keyboard.press('Home');
  await expect
    .poll(() => text.innerText(), PATIENCE)
    .toMatch(/^Queued, for .*test-agent’s clock\. Web had it on record at/);
  const count = await timeline.locator('.span').count();
  const said = new Set<string>();
  for (let i = 0; i < count; i += 1) {
    said.add((await page.locator('.span:focus').getAttribute('aria-label')) ?? '');
    await page.keyboard.press('ArrowRight');
  }
  expect(said.size).toBe(count);
  await expect.poll(() => text.innerText(), PATIENCE).toMatch(/^Running, attempt 3, for /);
  await shoot(page, 'detail-attempts');
  await expectCleanTabs(page);
  expect(dashboard.complaints).toEqual([]);
});

test('each event is there with its number and both clocks, opens to its JSON, and links to the raw record', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'echo done' }, { title: 'record' });
  await system.webTaskWhen(id, 'over', isOver);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}?tab=events`);
  const { page } = dashboard;
  const rows = page.getByTestId('event');
  await expect.poll(() => rows.count(), PATIENCE).toBe(4);
  const events = await system.agentEvents(id);
  for (const [index, event] of events.entries()) {
    const row = await rows.nth(index).innerText();
    expect(row).toContain(String(event.seq));
    expect(row).toMatch(/\d\d:\d\d:\d\d\.\d{3}[^]*\d\d:\d\d:\d\d\.\d{3}/);
  }
  expect(await rows.nth(2).innerText()).toMatch(/Attempt 1 runs: process group \d+ is confirmed\. → running/);
  expect(await page.getByTestId('skew').count()).toBe(0);
  await rows.nth(3).getByRole('button').click();
  await page.locator('.record pre', { hasText: '"kind": "completed"' }).waitFor(PATIENCE);
  const href = (await page.getByTestId('events-json').getAttribute('href')) ?? '';
  const raw = await page.evaluate(`fetch(${JSON.stringify(href)}).then((answer) => answer.json())`);
  expect(raw).toMatchObject({ items: events });
  await shoot(page, 'detail-events');
});

test('the copied command line, run by a shell, submits the same task again', async () => {
  await using system = await startSystem();
  const cases = [
    {
      spec: {
        shell: `echo "it's $HOME" && printf '%s\\n' 'a  b' | cat`,
        cwd: system.home,
        timeoutMs: 90_000,
      },
    },
    { spec: { command: ['printf', '%s|', 'a b', '', '$HOME', `"q'`, '-n'], cwd: '/' } },
  ];
  for (const { spec } of cases) {
    const id = await system.submit(spec, {
      title: `it's "quoted" $HOME`,
      labels: { team: 'a b' },
      priority: 3,
    });
    await using dashboard = await openDashboard(browser, system, `/tasks/${id}?tab=command`);
    const { page, context } = dashboard;
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: system.web.url });
    await page.getByTestId('copy-cli').click();
    await page.getByTestId('notice').waitFor(PATIENCE);
    const line = await page.evaluate<string>('navigator.clipboard.readText()');
    expect(await page.getByTestId('cli-left-out').count()).toBe(0);
    const { stdout } = await promisify(execFile)(
      'sh',
      ['-c', `holdfast() { "$NODE_BIN" "$CLI" "$@"; }; ${line}`],
      { env: { ...system.env, NODE_BIN: process.execPath, CLI } },
    );
    const again = await system.webTask(stdout.trim());
    const original = await system.webTask(id);
    expect(again.id).not.toBe(id);
    for (const key of ['spec', 'title', 'labels', 'sessionId', 'agentId', 'priority', 'queue'] as const) {
      expect(again[key]).toEqual(original[key]);
    }
    await shoot(page, 'detail-command');
  }
});

test('a retry is linked both ways', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exit 5' }, { title: 'first' });
  await system.webTaskWhen(id, 'over', isOver);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.getByTestId('retry').click();
  await expect.poll(() => page.url().includes(id), PATIENCE).toBe(false);
  const link = page.getByTestId('task-detail').getByTestId('task-link');
  await link.click();
  await expect.poll(() => page.url().includes(id), PATIENCE).toBe(true);
  await page.getByText('Retried as').waitFor(PATIENCE);
  await link.click();
  await expect.poll(() => page.url().includes(id), PATIENCE).toBe(false);
});

test('a queued task says why it waits: no slot, a paused agent, a worker to come', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '1' } });
  await system.submit({ shell: 'exec sleep 600' }, { title: 'in the slot' });
  const id = await system.submit({ shell: 'echo hi', concurrencyKey: 'deploy' }, { title: 'waits' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await expect
    .poll(() => sentenceOf(page), PATIENCE)
    .toMatch(
      /^Queued on test-agent since .* It waits: its only slot is in use, 1 task queued; .*“deploy” one runs at a time\.$/,
    );
  await system.call('agent', 'POST', '/pool/pause', {});
  await expect.poll(() => sentenceOf(page), PATIENCE).toContain('test-agent is paused and starts nothing');
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'detail-queued');
  const claimed = await system.submit({ payload: 1 }, { queue: 'ci', title: 'for a worker' });
  await page.goto(`${system.web.url}/tasks/${claimed}`);
  await expect.poll(() => sentenceOf(page), PATIENCE).toContain('a worker of queue ci has to claim it');
});

test('a task that ignores SIGTERM shows how far its stop is, until it is gone', async () => {
  await using system = await startSystem({ env: { HOLDFAST_KILL_GRACE_MS: '4000' } });
  const shell = `trap '' TERM; echo ready; while :; do sleep 0.1; done`;
  const id = await system.submit({ shell }, { title: 'stubborn' });
  await system.webTaskWhen(id, 'printing', (task) => task.outputBytes > 0);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.getByTestId('cancel').click();
  await page.locator('[data-testid=stop-steps] [data-step=acknowledged][data-state=done]').waitFor(PATIENCE);
  expect(await page.getByTestId('stop-steps').innerText()).toMatch(
    /SIGTERM 0:0\d ago; those that stay get SIGKILL/,
  );
  expect(await sentenceOf(page)).toContain(
    'the cancel is acknowledged, its processes are being stopped since',
  );
  expect(await page.getByTestId('task-status').innerText()).toContain('Stopping');
  await page.locator('.span[data-phase=stopping]').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'detail-stopping');
  await expect
    .poll(() => page.getByTestId('task-status').getAttribute('data-status'), PATIENCE)
    .toBe('cancelled');
  expect(await page.getByTestId('stop-steps').count()).toBe(0);
  expect(await sentenceOf(page)).toMatch(/: SIGTERM was ignored, SIGKILL after [4-9]\.\d s\.$/);
});

test('a claim shows its worker, its lease on the timeline, and what a worker did in the attempts', async () => {
  await using system = await startSystem();
  const id = await system.submit({ payload: { build: 7 } }, { queue: 'ci', title: 'build 7' });
  const claim = await claimOne(system, 'worker-1');
  await system.call('agent', 'POST', `/claims/${claim.claim.token}/heartbeat`, { progress: 'half' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.locator('.timeline .lease').waitFor({ state: 'attached', ...PATIENCE });
  expect(await page.getByTestId('timeline-text').innerText()).toContain('lease of worker-1 until');
  await page.getByTestId('tab-attempts').click();
  await expect
    .poll(() => page.getByTestId('attempt').innerText(), PATIENCE)
    .toMatch(/^1\s+worker-1\b[^]*goes on/);
  await page.getByTestId('tab-command').click();
  await page.locator('.record pre', { hasText: '"build": 7' }).waitFor(PATIENCE);
  expect(await page.getByTestId('cli-left-out').innerText()).toContain('payload');
  await expectCleanTabs(page);
});

async function claimOne(system: System, worker: string): Promise<Grant> {
  const body = { claimId: uuidv7(), queue: 'ci', worker, leaseMs: 60_000, waitMs: 60_000 };
  const answer = await system.call<Grant>('agent', 'POST', '/claims', body);
  expect(answer.status).toBe(200);
  return answer.body;
}

test('a task can have the whole page, and on a phone each of its parts fits', async () => {
  await using system = await startSystem();
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
  await page.setViewportSize({ width: 390, height: 844 });
  for (const tab of ['log', 'events', 'attempts', 'command', 'raw']) {
    await page.getByTestId(`tab-${tab}`).click();
    await page.locator(`[data-testid=tab-${tab}][aria-current]`).waitFor(PATIENCE);
    await expectFits(page);
    expect(await complaintsOf(page)).toEqual([]);
    await shoot(page, `detail-phone-${tab}`);
  }
});

const isFocusWithin = (page: Page, selector: string): Promise<boolean> =>
  page.evaluate(`document.querySelector(${JSON.stringify(selector)}).contains(document.activeElement)`);

test('where there is no room for every button, a menu has the rest; Esc closes it and not the task', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'narrow' });
  await system.webTaskWhen(id, 'running', ({ status }) => status === 'running');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page, context } = dashboard;
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: system.web.url });
  await page.setViewportSize({ width: 1000, height: 800 });
  const more = page.getByTestId('more');
  await more.focus();
  await page.keyboard.press('Enter');
  await page.getByTestId('more-reclaim').waitFor(PATIENCE);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await complaintsOf(page)).toEqual([]);
  }
  await page.keyboard.press('Escape');
  await page.getByTestId('more-reclaim').waitFor({ state: 'hidden', ...PATIENCE });
  expect(await more.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);
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
  await using system = await startSystem();
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
      await page.setViewportSize({ width: 1360, height });
      const share = async (): Promise<number> =>
        (await heightOf('.log-scroller')) / (await heightOf('.detail'));
      await expect.poll(share, PATIENCE).toBeGreaterThanOrEqual(0.5);
      expect(await page.getByTestId('tab-raw').isVisible()).toBe(true);
      const end = await page.getByTestId('log-end').boundingBox();
      expect((end?.y ?? height) + (end?.height ?? 0)).toBeLessThanOrEqual(height);
      expect(await complaintsOf(page)).toEqual([]);
    }
  }
  await page.setViewportSize({ width: 390, height: 844 });
  const folded = await heightOf('[data-testid=facts]');
  expect(folded).toBeLessThan(50);
  await page.getByTestId('facts-more').click();
  await expect.poll(() => heightOf('[data-testid=facts]'), PATIENCE).toBeGreaterThan(folded + 100);
  await expectFits(page);
  expect(await complaintsOf(page)).toEqual([]);
  // 200 %: half as many pixels of CSS. Everything can be reached by scrolling.
  await page.setViewportSize({ width: 680, height: 430 });
  await page.getByTestId('tab-raw').click();
  await page.getByTestId('raw').waitFor(PATIENCE);
  await expectFits(page);
  expect(await complaintsOf(page)).toEqual([]);
});

test('who works with the keyboard keeps their place when the task ends under them', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'ends' });
  await system.webTaskWhen(id, 'running', ({ status }) => status === 'running');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.getByTestId('cancel').focus();
  await page.keyboard.press('Enter');
  await page.locator('[data-testid=task-detail] [data-status=cancelled]').waitFor(PATIENCE);
  expect(await page.getByTestId('cancel').count()).toBe(0);
  await expect.poll(() => isFocusWithin(page, '.actions'), PATIENCE).toBe(true);
  // The next Tab goes on from here, not from the top of the page.
  await page.keyboard.press('Tab');
  expect(
    await page.getByTestId('retry').evaluate((element) => element === element.ownerDocument.activeElement),
  ).toBe(true);
});

test('the events of many attempts stand by attempt, each with the way to its log, and can be chosen by kind', async () => {
  await using system = await startSystem();
  const spec = { shell: 'echo "try $HOLDFAST_ATTEMPT"; exit 4', retry: { maxAttempts: 6, on: ['failed'] } };
  const id = await system.submit(spec, { title: 'six tries' });
  await system.webTaskWhen(id, 'over', isOver);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}?tab=events`);
  const { page } = dashboard;
  const groups = page.getByTestId('event-group');
  await expect.poll(() => groups.count(), PATIENCE).toBe(6);
  expect(await groups.nth(1).innerText()).toMatch(/^Attempt 2 .*exit 4.*Log$/);
  const rows = page.getByTestId('event');
  const all = await rows.count();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await complaintsOf(page)).toEqual([]);
  }
  await page.getByTestId('event-kinds').selectOption('requeued');
  await expect.poll(() => rows.count(), PATIENCE).toBe(5);
  expect(await rows.first().innerText()).toContain('Queued again: exit 4');
  await page.getByTestId('event-kinds').selectOption('');
  await expect.poll(() => rows.count(), PATIENCE).toBe(all);
  await groups.nth(1).getByRole('link', { name: 'Log' }).click();
  await page.getByTestId('task-log').getByText('try 2').waitFor(PATIENCE);
});

test('a long wait beside work is drawn shorter, with a mark, and still tells its length', async () => {
  await using system = await startSystem();
  const first = await system.submit({ shell: 'exec sleep 600', concurrencyKey: 'one' }, { title: 'first' });
  const id = await system.submit({ shell: 'exec sleep 0.2', concurrencyKey: 'one' }, { title: 'waits' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  const wait = page.locator('.span[data-phase=queued]');
  // Nothing but waiting: it has the whole axis, however long.
  await expect.poll(() => wait.getAttribute('aria-label'), PATIENCE).toMatch(/^Queued, [3-9]\.\d s/);
  expect(await page.getByTestId('timeline-cut').count()).toBe(0);
  await system.call('web', 'POST', `/api/tasks/${first}/cancel`, {});
  await system.webTaskWhen(id, 'over', isOver);
  await page.getByTestId('timeline-cut').waitFor(PATIENCE);
  const share = (await wait.boundingBox())!.width / (await page.locator('.lane-track').boundingBox())!.width;
  expect(share).toBeLessThan(0.2);
  expect(await wait.getAttribute('class')).toContain('is-cut');
  await wait.focus();
  await expect
    .poll(() => page.getByTestId('timeline-text').innerText(), PATIENCE)
    .toMatch(/^Queued, for (\d\.\d|\d\d) s/);
  expect(await complaintsOf(page)).toEqual([]);
});

test('what a worker ran elsewhere is not said to have printed nothing', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'make all' }, { queue: 'ci', title: 'by a worker' });
  const { claim } = await claimOne(system, 'worker-1');
  await system.call('agent', 'POST', `/claims/${claim.token}/heartbeat`, {});
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  const end = page.getByTestId('log-end');
  await expect
    .poll(() => end.innerText(), PATIENCE)
    .toBe('Worker worker-1 keeps its output: no log of it is kept here.');
  await system.call('agent', 'POST', `/claims/${claim.token}/complete`, {});
  await page.locator('[data-testid=task-detail] [data-status=completed]').waitFor(PATIENCE);
  await expect
    .poll(() => end.innerText(), PATIENCE)
    .toBe('Its worker keeps its output: no log of it is kept here.');
});

test('what takes the place of Cancel does nothing at first: a second tap does not run the task again', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'tapped twice' });
  await system.webTaskWhen(id, 'running', ({ status }) => status === 'running');
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  let retries = 0;
  page.on('request', (request) => {
    if (request.url().endsWith('/retry')) retries += 1;
  });
  await page.getByTestId('cancel').waitFor(PATIENCE);
  // The second tap comes at the moment at which Retry is there.
  await page.evaluate(`
    new MutationObserver((_, observer) => {
      const retry = document.querySelector('[data-testid=retry]');
      if (retry === null) return;
      observer.disconnect();
      retry.click();
    }).observe(document.body, { childList: true, subtree: true });
  `);
  await page.getByTestId('cancel').click();
  const retry = page.getByTestId('retry');
  await expect.poll(() => retry.getAttribute('aria-disabled', PATIENCE), PATIENCE).toBe('false');
  expect(retries).toBe(0);
  expect(page.url()).toContain(id);
  await retry.click();
  await expect.poll(() => page.url().includes(id), PATIENCE).toBe(false);
  expect(retries).toBe(1);
});

test('who opens a task by a key reads on there: the next Tab is within it', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exit 3' }, { title: 'opened by a key' });
  await system.webTaskWhen(id, 'over', isOver);
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  const name = page.locator('[data-testid=task-row] a.name');
  await name.waitFor(PATIENCE);
  await page.keyboard.press('j');
  await expect
    .poll(() => name.evaluate((element) => element === element.ownerDocument.activeElement), PATIENCE)
    .toBe(true);
  await page.keyboard.press('Enter');
  await page.getByTestId('task-detail').waitFor(PATIENCE);
  await expect.poll(() => isFocusWithin(page, '[data-testid=task-detail]'), PATIENCE).toBe(true);
  await page.keyboard.press('Tab');
  expect(await isFocusWithin(page, '[data-testid=task-detail]')).toBe(true);
  // A pointer does not take the focus from where it is.
  await page.keyboard.press('Escape');
  await page.getByTestId('task-detail').waitFor({ state: 'detached' });
  await name.click();
  await page.getByTestId('task-detail').waitFor(PATIENCE);
  expect(await isFocusWithin(page, '[data-testid=task-detail]')).toBe(false);
});

test('a dozen attempts are all drawn when somebody asks, on the whole page, and the head of their table stays', async () => {
  await using system = await startSystem({ env: { HOLDFAST_RETRY_DELAY_MS: '1' } });
  const spec = { shell: 'exit 1', retry: { maxAttempts: 12, on: ['failed'] } };
  const id = await system.submit(spec, { title: 'a dozen' });
  await system.webTaskWhen(id, 'over', isOver);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}?tab=attempts`);
  const { page } = dashboard;
  await page.setViewportSize({ width: 1366, height: 768 });
  const lanes = page.locator('.lane');
  await expect.poll(() => lanes.count(), PATIENCE).toBe(4);
  const widthOf = async (): Promise<number> =>
    (await page.locator('.lane-track').first().boundingBox())!.width;
  const narrow = await widthOf();
  await page.getByTestId('timeline-fold').click();
  await expect.poll(() => lanes.count(), PATIENCE).toBe(12);
  await expect.poll(widthOf, PATIENCE).toBeGreaterThan(narrow * 1.5);
  const strip = (await page.locator('.lanes').boundingBox())!;
  const eighth = (await lanes.nth(7).boundingBox())!;
  expect(eighth.y + eighth.height).toBeLessThanOrEqual(strip.y + strip.height);
  expect(await complaintsOf(page)).toEqual([]);
  await page.getByTestId('timeline-fold').click();
  await expect.poll(widthOf, PATIENCE).toBe(narrow);
  const attempts = page.getByTestId('attempts');
  await page.setViewportSize({ width: 1366, height: 500 });
  await attempts.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  const head = (await attempts.locator('thead th').first().boundingBox())!;
  const region = (await attempts.boundingBox())!;
  expect(Math.abs(head.y - region.y)).toBeLessThan(2);
});

test('in forced colours the sign of a status has the colour of its word', async () => {
  await using system = await startSystem();
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
  const [sign, forced] = await colours();
  expect(sign).toBe(forced);
});
