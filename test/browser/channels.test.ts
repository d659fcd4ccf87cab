/** Where alerts go, in a real browser on the real services: the channels, a test of each, and what to write if there is none. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem, until } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';
import { resize } from './fits.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };

/** A webhook's target that answers nothing until it is told what. */
class Target implements AsyncDisposable {
  readonly #asked: ServerResponse[] = [];
  readonly #server = createServer((request, response) => {
    request.resume().on('end', () => this.#asked.push(response));
  });

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Answers the one request that waits for it. */
  async answer(status: number): Promise<void> {
    await until('a request to the target', () => this.#asked.length === 1);
    this.#asked.pop()?.writeHead(status).end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

test('a test of a channel is asked, fails with the reason, needs a person until one is delivered', async () => {
  await using begun = new AsyncDisposableStack();
  const target = begun.use(new Target());
  const host = await target.listen();
  const home = begun.adopt(mkdtempSync(join(tmpdir(), 'holdfast-channels-')), (folder) =>
    rmSync(folder, { recursive: true, force: true }),
  );
  // Labels that no task carries: nothing but tests is sent.
  const ops = { type: 'webhook', url: `http://${host}/s3cret`, labels: ['told=never'] };
  writeFileSync(join(home, 'config.json'), JSON.stringify({ notifications: { channels: { ops } } }));
  const system = begun.use(await startSystem({ home }));
  const bad = await system.submit({ shell: 'exit 1' }, { title: 'lint' });
  await system.webTaskWhen(bad, 'failed', (task) => task.status === 'failed');
  const { page, complaints } = begun.use(await openDashboard(browser, system));
  await page.getByTestId('task-row').waitFor(PATIENCE);
  // Everything that there is to read at first was read.
  await page.getByTestId('truth').filter({ hasText: 'Live' }).waitFor(PATIENCE);

  // What fails is heard of from the feed alone: the state is not read again for it.
  let reads = 0;
  page.on('request', (request) => (reads += new URL(request.url()).pathname === '/api/state' ? 1 : 0));
  await page.getByTestId('notifications-open').click();
  const channel = page.getByTestId('channel');
  await channel.getByText('Not tried yet').waitFor(PATIENCE);
  const shown = await channel.textContent();
  expect(shown).toContain(`Webhook, ${host}`);
  expect(shown).toContain('only of tasks labelled told=never');
  expect(await page.content()).not.toContain('s3cret');
  const alert = page.locator('[data-testid=noted-alert][data-kind=failed]');
  await alert.getByRole('link', { name: 'lint' }).waitFor(PATIENCE);
  expect(await complaintsOf(page)).toEqual([]);

  const said = page.getByTestId('channel-said');
  const button = page.getByRole('button', { name: 'Test ops' });
  await button.press('Enter');
  await said.getByText('Asked').waitFor(PATIENCE);
  await target.answer(500);
  await said.getByText('Failed: it answered 500.').waitFor(PATIENCE);
  await expect.poll(() => channel.getAttribute('data-state'), PATIENCE).toBe('failing');
  expect(await button.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);
  expect(await complaintsOf(page)).toEqual([]);
  await page.keyboard.press('Escape');

  await page.getByTestId('view-needs-you').click();
  await page
    .getByTestId('needy-channel')
    .getByText('ops: its newest message was not delivered')
    .waitFor(PATIENCE);
  await expect.poll(() => page.getByTestId('view-needs-you').textContent(), PATIENCE).toBe('Needs you1');
  expect(reads).toBe(0);
  expect(await complaintsOf(page)).toEqual([]);
  await page.reload();
  await page.getByTestId('failing-channel').click(PATIENCE);
  await channel.getByText('it answered 500').waitFor(PATIENCE);

  await resize(page, 360, 740);
  const dialog = page.getByTestId('notifications-dialog');
  await expect
    .poll(() => dialog.evaluate((element) => element.scrollWidth <= element.clientWidth), PATIENCE)
    .toBe(true);
  expect(await complaintsOf(page)).toEqual([]);
  await button.click();
  await said.getByText('Asked').waitFor(PATIENCE);
  await target.answer(204);
  await said.getByText(`Delivered: ${host} took the test.`).waitFor(PATIENCE);
  await expect.poll(() => channel.getAttribute('data-state'), PATIENCE).toBe('ok');
  await page.keyboard.press('Escape');
  await expect.poll(() => page.getByTestId('failing-channel').count(), PATIENCE).toBe(0);
  await expect.poll(() => page.getByTestId('needy-channel').count(), PATIENCE).toBe(0);
  expect(complaints).toEqual([]);
});

test('without a channel it says what to write, and the palette leads there', async () => {
  await using system = await startSystem();
  await using dashboard = await openDashboard(browser, system);
  const { page } = dashboard;
  await page.keyboard.press('Control+k');
  await page.getByTestId('palette-field').fill('channels');
  await page
    .locator('[data-testid=palette-entry][aria-selected=true]')
    .getByText('Notification channels')
    .waitFor(PATIENCE);
  await page.keyboard.press('Enter');
  const help = page.getByTestId('no-channels');
  await help.waitFor(PATIENCE);
  expect(JSON.parse((await help.locator('pre').textContent()) ?? '')).toMatchObject({
    notifications: { channels: { team: { type: 'slack' } } },
  });
  expect(await complaintsOf(page)).toEqual([]);
  expect(dashboard.complaints).toEqual([]);
});
