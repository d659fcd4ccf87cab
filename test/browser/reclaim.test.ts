/** What a person sees of a claim whose worker died, and does about it, in a real browser on the real services. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Grant } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { NEVER_LOST, startSystem, type System } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';
import { startCountingProxy } from './counting-proxy.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const shots = process.env.HOLDFAST_TEST_SCREENSHOTS;
async function shoot(page: Page, name: string): Promise<void> {
  if (shots === undefined) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`) });
}

const PATIENCE = { timeout: 60_000 };

async function claim(system: System, worker: string, leaseMs: number): Promise<Grant> {
  const body = { claimId: uuidv7(), queue: 'ci', worker, leaseMs, waitMs: 60_000 };
  const answer = await system.call<Grant>('agent', 'POST', '/claims', body);
  expect(answer.status).toBe(200);
  return answer.body;
}

const say = (system: System, { claim: { token } }: Grant, word: string, body: unknown = {}) =>
  system.call('agent', 'POST', `/claims/${token}/${word}`, body);

/** A worker that says that it is alive, each second, until it is disposed of. */
function keepAlive(system: System, grant: Grant): AsyncDisposable {
  const beat = () => say(system, grant, 'heartbeat', { progress: { done: 3, of: 9 } });
  let said = beat();
  const timer = setInterval(() => {
    said = said.then(beat);
  }, 1000);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await said;
    },
  };
}

test('a claim whose worker died shows stale, one click reclaims it, and another worker takes the next attempt, without a reload', async () => {
  // The agent does not look at leases while this lasts: nothing but the person takes the claim back.
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_SWEEP_MS: '3600000' } });
  const id = await system.submit({ payload: { build: 7 } }, { queue: 'ci', title: 'build 7' });
  const dead = await claim(system, 'worker-1', 10_000);
  await say(system, dead, 'heartbeat', { progress: { done: 3, of: 9 } });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  let loads = 0;
  page.on('load', () => (loads += 1));
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const detail = page.getByTestId('task-detail');
  const panel = detail.getByTestId('claim-panel');
  {
    await using _alive = keepAlive(system, dead);
    await panel.getByText('worker-1').waitFor(PATIENCE);
    await panel.getByText('{"done":3,"of":9}').waitFor(PATIENCE);
    await detail.locator('[data-testid=proof][data-proof=lease]').waitFor(PATIENCE);
    await expect.poll(() => detail.getByTestId('stale-badge').count(), PATIENCE).toBe(0);
    await expect.poll(() => detail.getByTestId('reclaim').count(), PATIENCE).toBe(0);
    expect(await complaintsOf(page)).toEqual([]);
    await shoot(page, 'claim');
  }

  // worker-1 is dead from here on: nobody says anything for it.
  await detail.getByTestId('stale-badge').waitFor(PATIENCE);
  await page.locator('[data-testid=task-row] [data-testid=stale-badge]').waitFor(PATIENCE);
  const reclaimPanel = detail.getByTestId('reclaim-panel');
  for (const word of ['worker-1', 'lease over', 'taken back at once']) {
    await expect.poll(() => reclaimPanel.innerText(), PATIENCE).toContain(word);
  }
  expect(await complaintsOf(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  expect(await complaintsOf(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await shoot(page, 'stale');

  await detail.getByTestId('reclaim').click();
  const step = (name: string, state: string) =>
    detail.locator(`[data-testid=reclaim-steps] [data-step=${name}][data-state=${state}]`);
  await step('acknowledged', 'done').waitFor(PATIENCE);
  await step('next', 'now').waitFor(PATIENCE);
  await expect
    .poll(() => detail.getByTestId('task-status').getAttribute('data-status'), PATIENCE)
    .toBe('queued');
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'reclaimed');

  const next = await claim(system, 'worker-2', 600_000);
  expect(next).toMatchObject({ task: { id }, claim: { attempt: 2 } });
  await say(system, next, 'heartbeat');
  await step('next', 'done').waitFor(PATIENCE);
  await panel.getByText('worker-2').waitFor(PATIENCE);
  await expect.poll(() => detail.getByTestId('stale-badge').count(), PATIENCE).toBe(0);
  expect((await say(system, dead, 'complete')).status).toBe(409);
  await shoot(page, 'next-attempt');
  await say(system, next, 'complete', { result: 'ok' });
  const status = detail.getByTestId('task-status');
  await expect.poll(() => status.getAttribute('data-status'), PATIENCE).toBe('completed');
  expect(loads).toBe(0);
  expect(dashboard.complaints).toEqual([]);
});

test('a managed task shows the proof of its process; its agent gone, that it could not be asked, and a reclaim waits for it', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'long work' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}`);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const detail = page.getByTestId('task-detail');
  const proof = detail.getByTestId('proof');
  const status = detail.getByTestId('task-status');
  await expect.poll(() => status.getAttribute('data-status'), PATIENCE).toBe('running');
  await expect.poll(() => proof.getAttribute('data-proof'), PATIENCE).toBe('process');
  await expect
    .poll(() => proof.innerText(), PATIENCE)
    .toMatch(/Process \d+ is alive, verified by its identity/);
  await detail.getByTestId('proof-details').click();
  await expect.poll(() => proof.innerText(), PATIENCE).toMatch(/Boot/);
  await detail.getByTestId('reclaim-open').click();
  await expect
    .poll(() => detail.getByTestId('reclaim-panel').innerText(), PATIENCE)
    .toContain('Its processes are stopped first');
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'proof');

  await system.agent.end('SIGKILL');
  await expect.poll(() => status.getAttribute('data-knowledge'), PATIENCE).toBe('unknown');
  await detail.getByTestId('proof-again').click();
  await expect.poll(() => proof.getAttribute('data-proof'), PATIENCE).toBe('not-asked');
  await expect
    .poll(() => proof.innerText(), PATIENCE)
    .toMatch(/could not be asked[^]*Last known, not verified now: pid/);
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'not-asked');

  await detail.getByTestId('reclaim').click();
  await detail.getByTestId('pending').waitFor(PATIENCE);
  await expect
    .poll(() => detail.getByTestId('reclaim-steps').innerText(), PATIENCE)
    .toContain('Waits for test-agent to return');
  await shoot(page, 'pending-reclaim');
  await system.agent.start();
  await system.webTaskWhen(
    id,
    'in its next attempt',
    (task) => task.attempt === 2 && task.status === 'running',
  );
  await detail.locator('[data-testid=reclaim-steps] [data-step=next][data-state=done]').waitFor(PATIENCE);
  await expect.poll(() => proof.getAttribute('data-proof'), PATIENCE).toBe('process');
});

test('an agent that starts nothing because its disk is full says so on its chip and under what needs a person', async () => {
  await using system = await startSystem();
  await system.submit({ shell: 'exit 0' });
  // The disk of this machine is not to be filled: what web says is changed on its way to the page.
  const attention = [{ code: 'low_disk', message: '12 MB are left on its disk', sinceAt: Date.now() }];
  await using proxy = await startCountingProxy(system.web.url, (text) =>
    text.replaceAll('"pool":{', `"pool":{"attention":${JSON.stringify(attention)},`),
  );
  await using dashboard = await openDashboard(browser, system, '/', proxy.url);
  const { page } = dashboard;
  await page.getByTestId('agent-attention').getByText('low disk').waitFor(PATIENCE);
  await page.getByTestId('task-row').waitFor(PATIENCE);
  const needs = page.getByTestId('needs-you');
  await needs.getByText('test-agent: low disk').waitFor(PATIENCE);
  // One that is late is told as that.
  await expect
    .poll(() => page.getByTestId('agent-chip').getAttribute('title'), PATIENCE)
    .toContain('12 MB are left on its disk.');
  expect(await complaintsOf(page)).toEqual([]);
  await shoot(page, 'low-disk');
});
