/** The submit form when something goes wrong, in a real browser on the real services. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ShownTask } from '@holdfast/shared';
import { startSystem, type System } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard, untilLive } from './browser.ts';
import { shoot } from './shoot.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };

async function openForm(page: Page, shell: string): Promise<void> {
  // Before that nothing has been heard of web yet, which the form says in other words.
  await untilLive(page);
  await page.keyboard.press('n');
  await page.getByTestId('submit-shell').waitFor(PATIENCE);
  await page.getByTestId('submit-shell').fill(shell);
}

async function expectCleanInBoth(page: Page): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await complaintsOf(page)).toEqual([]);
  }
}

const focusedId = (page: Page): Promise<string> => page.evaluate('document.activeElement.id');

async function tasksOf(system: System): Promise<ShownTask[]> {
  return (await system.call<{ items: ShownTask[] }>('web', 'GET', '/api/tasks')).body.items;
}

test('a refusal goes to the first wrong field, whose complaint is tied to it; the rest stays as it was typed', async () => {
  await using system = await startSystem();
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await openForm(page, '');
  await page.getByText('Title, labels, retry').click();
  await page.getByTestId('submit-labels').fill('nonsense');
  await page.getByTestId('submit-send').click();
  await expect.poll(() => focusedId(page), PATIENCE).toBe('submit-shell');
  for (const name of ['shell', 'labels']) {
    const field = page.getByTestId(`submit-${name}`);
    await expect.poll(() => field.getAttribute('aria-invalid'), PATIENCE).toBe('true');
    const described = await field.getAttribute('aria-describedby');
    expect(await page.locator(`#${described}`).innerText()).not.toBe('');
  }
  await expectCleanInBoth(page);
  await shoot(page, 'submit-wrong');
  await page.getByTestId('submit-shell').fill('echo hi');
  await expect
    .poll(() => page.getByTestId('submit-shell').getAttribute('aria-invalid'), PATIENCE)
    .toBe('false');
  expect(await page.getByTestId('submit-labels').getAttribute('aria-invalid')).toBe('true');
  await page.getByTestId('submit-send').click();
  await expect.poll(() => focusedId(page), PATIENCE).toBe('submit-labels');

  // A prompt has the same ties, and what web itself refuses lands on its field.
  await page.getByTestId('submit-labels').fill('');
  await page.getByText('Runner', { exact: true }).click();
  await page.getByTestId('submit-runner').fill('claude');
  await page.getByTestId('submit-send').click();
  await expect.poll(() => focusedId(page), PATIENCE).toBe('submit-prompt');
  expect(await page.getByTestId('submit-prompt').getAttribute('aria-describedby')).toBe(
    'submit-prompt-error',
  );
  await page.getByText('Shell line', { exact: true }).first().click();
  expect(await page.getByTestId('submit-shell').inputValue()).toBe('echo hi');
  expect(await tasksOf(system)).toEqual([]);
  expect(dashboard.complaints).toEqual([]);
});

test('while web is not heard the form says so and refuses, keeps what was typed, and goes on when web is back', async () => {
  await using system = await startSystem();
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await openForm(page, 'echo once');
  system.web.signal('SIGSTOP');
  await page.getByTestId('submit-unheard').waitFor(PATIENCE);
  await expect
    .poll(() => page.getByTestId('submit-unheard').innerText(), PATIENCE)
    .toMatch(/has not been heard for .* refused until it is heard again; what you typed stays/);
  await expectCleanInBoth(page);
  await page.getByTestId('submit-send').click();
  const problem = page.getByTestId('submit-problem');
  await expect
    .poll(() => problem.innerText(), PATIENCE)
    .toMatch(/^Not sent\. The web service has not been heard/);
  await expectCleanInBoth(page);
  await shoot(page, 'submit-unheard');
  await page.keyboard.press('Escape');
  await page.getByTestId('submit-form').waitFor({ state: 'detached', ...PATIENCE });
  await page.keyboard.press('n');
  await expect.poll(() => page.getByTestId('submit-shell').inputValue(), PATIENCE).toBe('echo once');
  await page.getByTestId('submit-send').click();
  await problem.waitFor(PATIENCE);

  system.web.signal('SIGCONT');
  await expect.poll(() => problem.innerText(), PATIENCE).toMatch(/is heard again\. Nothing was sent so far/);
  expect(await tasksOf(system)).toEqual([]);
  await page.getByTestId('submit-send').click();
  await page.getByTestId('task-detail').waitFor(PATIENCE);
  expect((await tasksOf(system)).map(({ spec }) => spec.shell)).toEqual(['echo once']);
});

test('a submit whose answer was lost is looked for: one that arrived is shown, one that did not is sent again, none runs twice', async () => {
  await using system = await startSystem();
  await using dashboard = await openDashboard(browser, system);
  const { page, context } = dashboard;
  const isSubmit = (url: URL): boolean => url.pathname === '/api/tasks';
  let way: 'arrives' | 'is lost' | 'open' = 'arrives';
  await context.route(isSubmit, async (route) => {
    if (route.request().method() !== 'POST' || way === 'open') return route.continue();
    if (way === 'arrives') await route.fetch();
    return route.abort('connectionreset');
  });
  await openForm(page, 'echo arrived');
  await page.getByTestId('submit-send').click();
  await page.getByTestId('task-detail').waitFor(PATIENCE);
  await page.getByTestId('submit-form').waitFor({ state: 'detached', ...PATIENCE });
  expect(await tasksOf(system)).toHaveLength(1);

  way = 'is lost';
  await page.keyboard.press('Escape');
  await page.getByTestId('task-detail').waitFor({ state: 'detached', ...PATIENCE });
  await openForm(page, 'echo lost');
  await page.getByTestId('submit-send').click();
  const problem = page.getByTestId('submit-problem');
  await expect
    .poll(() => problem.innerText(), PATIENCE)
    .toMatch(/has not arrived so far\. Submit again: it cannot run twice/);
  await expectCleanInBoth(page);
  expect(await page.getByTestId('submit-shell').inputValue()).toBe('echo lost');
  way = 'open';
  await page.getByTestId('submit-send').click();
  await page.getByTestId('task-detail').waitFor(PATIENCE);
  // The newest first.
  expect((await tasksOf(system)).map(({ spec }) => spec.shell)).toEqual(['echo lost', 'echo arrived']);
});

test('while web does not answer at all, it is not known whether a submit arrived, and that is said', async () => {
  await using system = await startSystem();
  await using dashboard = await openDashboard(browser, system);
  const { page, context } = dashboard;
  await openForm(page, 'echo perhaps');
  const abort = (route: { abort: () => Promise<void> }): Promise<void> => route.abort();
  await context.route('**/api/tasks**', abort);
  await page.getByTestId('submit-send').click();
  const problem = page.getByTestId('submit-problem');
  await expect
    .poll(() => problem.innerText(), PATIENCE)
    .toMatch(
      /^It is not known whether it arrived: .* Submit again at any time: it has the same id, so it cannot run twice\.$/,
    );
  await expectCleanInBoth(page);
  await context.unroute('**/api/tasks**', abort);
  await page.getByTestId('submit-send').click();
  await page.getByTestId('task-detail').waitFor(PATIENCE);
  expect(await tasksOf(system)).toHaveLength(1);
});

test('a submit that is on its way while web falls silent says that one thing, and arrives', async () => {
  await using system = await startSystem();
  await using dashboard = await openDashboard(browser, system);
  const { page, context } = dashboard;
  // It is on its way before web stops, and comes to a web that has stopped.
  const isSubmit = (url: URL): boolean => url.pathname === '/api/tasks';
  await context.route(isSubmit, (route) => {
    if (route.request().method() === 'POST') system.web.signal('SIGSTOP');
    return route.continue();
  });
  await openForm(page, 'echo on its way');
  await page.getByTestId('submit-send').click();
  const said = page.getByTestId('submit-unheard');
  await expect
    .poll(() => said.innerText(), PATIENCE)
    .toBe('Sent, and not answered so far: the web service is not heard.');
  expect(await page.getByTestId('submit-problem').count()).toBe(0);
  system.web.signal('SIGCONT');
  await page.getByTestId('task-detail').waitFor(PATIENCE);
  expect(await tasksOf(system)).toHaveLength(1);
});

test('a submit that its agent refused later is submitted anew by the form, filled as it was', async () => {
  await using system = await startSystem();
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await system.agent.end('SIGKILL');
  const spec = { runner: 'nobody', prompt: 'Fix the test.' };
  const id = await system.submit(spec, {
    title: 'by nobody',
    labels: { team: 'core' },
    agent: 'test-agent',
    priority: 3,
  });
  await system.agent.start();
  await system.webTaskWhen(id, 'refused', ({ refused }) => refused !== undefined);
  await page.goto(`${system.web.url}/tasks/${id}`);
  // Before that nothing can be submitted.
  await untilLive(page);
  await expect
    .poll(() => page.getByTestId('sentence').innerText(), PATIENCE)
    .toMatch(/^Refused by test-agent at \d\d:\d\d: it never ran\.$/);
  await expect.poll(() => page.getByTestId('refused').innerText(), PATIENCE).toMatch(/^Submit was refused /);
  await expectCleanInBoth(page);
  const anew = page.getByTestId('retry');
  expect(await anew.innerText()).toBe('Submit anew …');
  await anew.click();
  await page.getByTestId('submit-form').waitFor(PATIENCE);
  expect(await page.getByTestId('submit-runner').inputValue()).toBe('nobody');
  expect(await page.getByTestId('submit-prompt').inputValue()).toBe('Fix the test.');
  expect(await page.getByTestId('submit-anew').innerText()).toMatch(
    /“by nobody” .* no place for its priority/,
  );
  await expectCleanInBoth(page);
  await page.getByText('Shell line', { exact: true }).first().click();
  await page.getByTestId('submit-shell').fill('echo by hand');
  await page.getByTestId('submit-send').click();
  await expect.poll(() => page.url().includes(id), PATIENCE).toBe(false);
  await page.getByTestId('task-log').getByText('by hand').waitFor(PATIENCE);
  const tasks = await tasksOf(system);
  expect(tasks).toHaveLength(2);
  expect(tasks.find((task) => task.id !== id)).toMatchObject({
    title: 'by nobody',
    labels: { team: 'core' },
    spec: { shell: 'echo by hand' },
  });
  // What was typed for a task of its own is not mixed up with it.
  await page.getByTestId('submit-form').waitFor({ state: 'detached', ...PATIENCE });
  await page.keyboard.press('Escape');
  await page.keyboard.press('n');
  expect(await page.getByTestId('submit-shell').inputValue()).toBe('');
  expect(await page.getByTestId('submit-anew').count()).toBe(0);
});
