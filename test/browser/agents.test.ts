/** An agent's panel: its pool in phases, its links, in a real browser on the real services. */
import type { State } from '@holdfast/shared';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NEVER_LOST, startSystem } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';
import { expectFits, resize } from './fits.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };

test('pause, drain, slots and resume go through their phases, and the pool does what was asked', async () => {
  await using system = await startSystem({ env: { ...NEVER_LOST, HOLDFAST_SLOTS: '1' } });
  const first = await system.submit({ shell: 'exec sleep 600' }, { title: 'first' });
  await system.webTaskWhen(first, 'running', (task) => task.status === 'running');
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('agent-chip').click();
  const panel = page.getByTestId('agent-panel');
  await panel.getByText('1 of 1 slot in use').first().waitFor(PATIENCE);
  await expect.poll(() => new URL(page.url()).pathname, PATIENCE).toMatch(/^\/agents\//);
  await expect.poll(() => panel.getByTestId('agent-digest').innerText(), PATIENCE).toContain('equal');
  expect(await complaintsOf(page)).toEqual([]);
  const inEffect = (state: string) =>
    panel.locator(`[data-testid=pool-steps] [data-step=in-effect][data-state=${state}]`);

  await panel.getByTestId('agent-pause').click();
  await inEffect('done').getByText('Paused').waitFor(PATIENCE);
  await page.getByTestId('agent-chip').getByText('paused').waitFor(PATIENCE);
  await panel.getByTestId('agent-slots').fill('2');
  await panel.getByTestId('agent-slots-set').click();
  await inEffect('done').getByText('2 slots').waitFor(PATIENCE);
  const second = await system.submit({ shell: 'exec sleep 600' }, { title: 'second' });
  await system.webTaskWhen(second, 'queued', (task) => task.status === 'queued');

  await panel.getByTestId('agent-drain').click();
  await inEffect('now').getByText('1 task to end').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await system.call('web', 'POST', `/api/tasks/${first}/cancel`);
  await inEffect('done').getByText('Drained').waitFor(PATIENCE);
  expect((await system.webTask(second)).status).toBe('queued');
  await panel.getByTestId('agent-resume').click();
  await inEffect('done').getByText('starts tasks again').waitFor(PATIENCE);
  await system.webTaskWhen(second, 'running', (task) => task.status === 'running');

  await panel.getByTestId('agent-slots').fill('many');
  await panel.getByText('A whole number').waitFor(PATIENCE);
  expect(await panel.getByTestId('agent-slots-set').isDisabled()).toBe(true);
  await panel.getByTestId('agent-tasks').click();
  await expect.poll(() => new URL(page.url()).search, PATIENCE).toBe('?agent=test-agent');
  await page.goBack();
  await panel.waitFor(PATIENCE);
  expect(dashboard.complaints).toEqual([]);
});

test('what an agent that is away is asked changes nothing and says so; it is live again after a retry', async () => {
  await using system = await startSystem();
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('agent-link').click();
  const panel = page.getByTestId('agent-panel');
  await panel.waitFor(PATIENCE);
  await system.agent.end('SIGKILL');
  await expect.poll(() => panel.getAttribute('data-state'), PATIENCE).toBe('lost');
  // Why, in words.
  await panel.getByText('Nothing listens there.').first().waitFor(PATIENCE);
  expect(await panel.innerText()).not.toMatch(/ECONN|fetch failed|127\.0\.0\.1:\d+ /);
  await panel.getByTestId('agent-pause').click();
  await panel.getByText('Nothing was changed').waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
  await system.agent.start();
  await panel.getByTestId('agent-reconnect').click();
  await expect.poll(() => panel.getAttribute('data-state'), PATIENCE).toBe('live');
  const { body } = await system.call<{ paused: boolean }>('agent', 'GET', '/pool');
  expect(body.paused).toBe(false);
  // What this page saw of the link, the newest first.
  await expect.poll(() => panel.innerText(), PATIENCE).toMatch(/live\n[^]*silent/);
});

test('forty agents leave the page its room: the worst are in sight, all of them a click away, and a resync says how far', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  await system.submit({ shell: 'true' }, { title: 'one' });
  await using dashboard = await openDashboard(browser, system, '/', system.web.url, async (context) => {
    await context.route('**/api/state', async (route) => {
      const answer = await route.fetch();
      const state: State = JSON.parse(await answer.text());
      const one = state.agents[0]!;
      const more = Array.from({ length: 39 }, (_, n) => ({
        ...one,
        id: `machine-${n}`,
        name: `a-machine-of-the-build-farm-${n}`,
        ...(n % 6 === 1 ? { state: 'refused', detail: 'It refuses the token.' } : {}),
        ...(n === 9 ? { state: 'resyncing', progress: { done: 431, of: 2010 } } : {}),
      }));
      await route.fulfill({ json: { ...state, agents: [...state.agents, ...more] } });
    });
  });
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.getByTestId('all-agents').getByText('40 agents').waitFor(PATIENCE);
  // By the numbers in their names, and no more of them than leave the rest of the rail in sight.
  const needy = page.getByTestId('needs-you').locator('.needs');
  await expect
    .poll(() => needy.allInnerTexts(), PATIENCE)
    .toEqual([1, 7, 13, 19].map((n) => `a-machine-of-the-build-farm-${n}: refused`));
  await page.getByTestId('needs-you-all').click();
  await expect.poll(() => needy.count(), PATIENCE).toBe(7);
  await page.getByTestId('needs-you-all').click();
  await expect.poll(() => page.getByTestId('agent-chip').first().innerText(), PATIENCE).toContain('farm-1');
  await expect
    .poll(() => page.getByTestId('truth').innerText(), PATIENCE)
    .toBe('Resyncing 431 of 2,010 · a-machine-of-the-build-farm-9');
  const links = page.locator('.rail [data-testid=agent-link]');
  await expect.poll(() => links.count(), PATIENCE).toBe(8);
  for (const [width, colorScheme] of [
    [1360, 'light'],
    [1100, 'dark'],
    [360, 'light'],
  ] as const) {
    await resize(page, width, 800);
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await expectFits(page);
    expect([width, await complaintsOf(page)]).toEqual([width, []]);
  }
  await resize(page, 1360, 800);
  await page.getByTestId('all-agents').waitFor(PATIENCE);
  await page.getByTestId('agents-all').click();
  await expect.poll(() => links.count(), PATIENCE).toBe(40);
  await page.getByTestId('all-agents').click();
  await page
    .getByRole('region', { name: 'Connection details' })
    .getByText('It refuses the token.')
    .first()
    .waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);
});
