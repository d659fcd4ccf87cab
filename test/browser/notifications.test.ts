/** What reaches a person who looks elsewhere, in a real browser on the real services. */
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem } from '../system.ts';
import { launchBrowser, openDashboard } from './browser.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };

interface Said {
  title: string;
  body: string;
  tag: string;
  silent: boolean;
}

/** A person who looks at another window, and a desktop that keeps what it is told. */
async function lookAway(context: BrowserContext): Promise<void> {
  await context.addInitScript(`
    window.said = [];
    window.asked = 0;
    document.hasFocus = () => false;
    let permission = 'default';
    window.Notification = class extends EventTarget {
      static get permission() { return permission; }
      static async requestPermission() { window.asked += 1; permission = 'granted'; return permission; }
      constructor(title, { body, tag, silent }) { super(); window.said.push({ title, body, tag, silent }); }
      close() {}
    };
  `);
}

test('permission is asked for only by a click; an unknown task is told once and taken back when it is known again', async () => {
  // Long enough that a machine which is busy for a second makes no further doubt: it would be told as well.
  await using system = await startSystem({ env: { HOLDFAST_LOST_AFTER_MS: '5000' } });
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'deploy' });
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  await using dashboard = await openDashboard(browser, system, '/', system.web.url, lookAway);
  const { page } = dashboard;
  await page.getByTestId('task-row').waitFor(PATIENCE);
  expect(await page.evaluate('window.asked')).toBe(0);
  await page.getByTestId('notifications').click();
  await expect.poll(() => page.getByTestId('notifications').getAttribute('data-state'), PATIENCE).toBe('on');
  expect(await page.evaluate('window.asked')).toBe(1);
  // From then on it is this page that tells.
  await expect
    .poll(
      () => page.evaluate('navigator.locks.query().then(({ held }) => held.map(({ name }) => name))'),
      PATIENCE,
    )
    .toEqual(['holdfast-notifier']);
  const said = () => page.evaluate<Said[]>('window.said');

  await system.agent.end('SIGKILL');
  const unknown = { title: 'A task is unknown', body: 'deploy', tag: 'holdfast-unknown', silent: false };
  await expect.poll(said, PATIENCE).toEqual([unknown]);
  await system.agent.start();
  const known = { title: 'Known again', body: 'deploy: running', tag: 'holdfast-unknown', silent: true };
  await expect.poll(said, PATIENCE).toEqual([unknown, known]);
  const bad = await system.submit({ shell: 'exit 1' }, { title: 'lint' });
  await system.webTaskWhen(bad, 'failed', (task) => task.status === 'failed');
  const failed = { title: 'A task failed', body: 'lint', tag: 'holdfast-failed', silent: false };
  await expect.poll(said, PATIENCE).toEqual([unknown, known, failed]);
  expect(dashboard.complaints).toEqual([]);
});
