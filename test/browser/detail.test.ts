/** One task, looked at closely, in a real browser on the real services. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Grant, ShownTask, TaskEvent } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { NEVER_LOST, startSystem, type System } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';
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
  await using system = await startSystem({ env: NEVER_LOST });
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
  await expect
    .poll(() => rows.nth(0).innerText(), PATIENCE)
    .toMatch(/^3\b[^]*no attempt is left[^]*its last/);
  await rows.nth(2).getByTestId('attempt-log').click();
  await page.getByTestId('task-log').getByText('try 1').waitFor(PATIENCE);

  // The timeline has a lane for each, and the arrow keys explain every span of it.
  const timeline = page.getByTestId('timeline');
  await expect.poll(() => timeline.locator('.lane').count(), PATIENCE).toBe(3);
  const widths = () =>
    timeline
      .locator('.lane-track')
      .evaluateAll((tracks) => new Set(tracks.map((track) => track.getBoundingClientRect().width)).size);
  await expect.poll(widths, PATIENCE).toBe(1);
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
  await using system = await startSystem({ env: NEVER_LOST });
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
  await using system = await startSystem({ env: NEVER_LOST });
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
    // A submit may be answered before its agent has it.
    const delivered = (task: string) => system.webTaskWhen(task, 'at its agent', ({ seq }) => seq > 0);
    const again = await delivered(stdout.trim());
    const original = await delivered(id);
    expect(again.id).not.toBe(id);
    for (const key of ['spec', 'title', 'labels', 'sessionId', 'agentId', 'priority', 'queue'] as const) {
      expect(again[key]).toEqual(original[key]);
    }
    await shoot(page, 'detail-command');
  }
});

test('a retry is linked both ways', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
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
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_SLOTS: '1' } });
  const first = await system.submit({ shell: 'exec sleep 600' }, { title: 'in the slot' });
  await system.webTaskWhen(first, 'running', ({ status }) => status === 'running');
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
  // Longer than any look at it. What ends it is the same signal, once all was seen.
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_KILL_GRACE_MS: '3600000' } });
  const gate = join(system.home, 'gate');
  const shell = `trap '' TERM; echo ready; until [ -e ${gate} ]; do sleep 0.1; done; kill -KILL $$`;
  const id = await system.submit({ shell }, { title: 'stubborn' });
  await system.webTaskWhen(id, 'printing', (task) => task.outputBytes > 0);
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.getByTestId('cancel').click();
  await page.locator('[data-testid=stop-steps] [data-step=acknowledged][data-state=done]').waitFor(PATIENCE);
  await expect
    .poll(() => page.getByTestId('stop-steps').innerText(), PATIENCE)
    .toMatch(/SIGTERM \d+:\d\d ago; those that stay get SIGKILL/);
  await expect
    .poll(() => sentenceOf(page), PATIENCE)
    .toContain('the cancel is acknowledged, its processes are being stopped since');
  await page.getByTestId('task-status').filter({ hasText: 'Stopping' }).waitFor(PATIENCE);
  await page.locator('.span[data-phase=stopping]').first().waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'detail-stopping');
  writeFileSync(gate, '');
  await expect
    .poll(() => page.getByTestId('task-status').getAttribute('data-status'), PATIENCE)
    .toBe('cancelled');
  await page.getByTestId('stop-steps').waitFor({ state: 'detached', ...PATIENCE });
  await expect
    .poll(() => sentenceOf(page), PATIENCE)
    .toMatch(/: SIGTERM was ignored, SIGKILL after (\d+ ms|\d+(\.\d)? s|\d+:\d\d)\.$/);
});

test('a claim shows its worker, its lease on the timeline, and what a worker did in the attempts', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const id = await system.submit({ payload: { build: 7 } }, { queue: 'ci', title: 'build 7' });
  const claim = await claimOne(system, 'worker-1');
  await system.call('agent', 'POST', `/claims/${claim.claim.token}/heartbeat`, { progress: 'half' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.locator('.timeline .lease').waitFor({ state: 'attached', ...PATIENCE });
  await page.getByTestId('timeline-text').filter({ hasText: 'lease of worker-1 until' }).waitFor(PATIENCE);
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
  // The lease outlasts the test, however slow the machine is.
  const body = { claimId: uuidv7(), queue: 'ci', worker, leaseMs: 3_600_000, waitMs: 60_000 };
  const answer = await system.call<Grant>('agent', 'POST', '/claims', body);
  expect(answer.status).toBe(200);
  return answer.body;
}

test('the events of many attempts stand by attempt, each with the way to its log, and can be chosen by kind', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
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
  await using system = await startSystem({ env: NEVER_LOST });
  const first = await system.submit({ shell: 'exec sleep 600', concurrencyKey: 'one' }, { title: 'first' });
  await system.webTaskWhen(first, 'running', ({ status }) => status === 'running');
  const id = await system.submit({ shell: 'exec sleep 0.2', concurrencyKey: 'one' }, { title: 'waits' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  const wait = page.locator('.span[data-phase=queued]');
  // Nothing but waiting: it has the whole axis, however long.
  await expect
    .poll(() => wait.getAttribute('aria-label'), PATIENCE)
    .toMatch(/^Queued, ([3-9]\.\d s|\d\d s|\d+:\d\d)/);
  expect(await page.getByTestId('timeline-cut').count()).toBe(0);
  await system.call('web', 'POST', `/api/tasks/${first}/cancel`, {});
  await system.webTaskWhen(id, 'over', isOver);
  await page.getByTestId('timeline-cut').waitFor(PATIENCE);
  const share = async (): Promise<number> =>
    (await wait.boundingBox())!.width / (await page.locator('.lane-track').boundingBox())!.width;
  await expect.poll(share, PATIENCE).toBeLessThan(0.2);
  await expect.poll(() => wait.getAttribute('class'), PATIENCE).toContain('is-cut');
  await wait.focus();
  await expect
    .poll(() => page.getByTestId('timeline-text').innerText(), PATIENCE)
    .toMatch(/^Queued, for (\d\.\d s|\d\d s|\d+:\d\d)/);
  expect(await complaintsOf(page)).toEqual([]);
});

test('what a worker ran elsewhere is not said to have printed nothing', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
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
  await using system = await startSystem({ env: NEVER_LOST });
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

test('an event that web has only after the row that tells of it is read as soon as it is there', async () => {
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_KILL_GRACE_MS: '3600000' } });
  const id = await system.submit({ shell: `trap '' TERM; echo ready; while :; do sleep 0.1; done` });
  await system.webTaskWhen(id, 'printing', (task) => task.outputBytes > 0);
  let cuts = 0;
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`, system.web.url, (context) =>
    context.route('**/api/tasks/*/events', async (route) => {
      const answer = await route.fetch();
      const record = (await answer.json()) as { items: TaskEvent[]; received: unknown[] };
      const last = record.items.findIndex(({ kind }) => kind === 'stopRequested');
      // An agent's answer to web may come before the same word in its stream.
      if (last < 0 || cuts > 1) return route.fulfill({ response: answer });
      cuts += 1;
      return route.fulfill({ json: { ...record, items: record.items.slice(0, last) } });
    }),
  );
  const { page } = dashboard;
  await page.locator('.span[data-phase=running]').first().waitFor(PATIENCE);
  await page.getByTestId('cancel').click();
  await page.locator('.span[data-phase=stopping]').first().waitFor(PATIENCE);
  expect(cuts).toBe(2);
});
