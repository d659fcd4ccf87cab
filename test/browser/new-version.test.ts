/** What a person sees when web is replaced by another version while the page is open. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { VERSION } from '@holdfast/shared';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard } from './browser.ts';
import { shoot } from './shoot.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };
/** As long as the real one, so that no answer changes its length. */
const OTHER = VERSION.replace(/\d/, (digit) => String((Number(digit) + 1) % 10));

interface Upgrade extends AsyncDisposable {
  url: string;
  /** From now on web says that it is the other version; what is open is cut, as by a restart. */
  upgrade: () => void;
}

/** A proxy before web, which can pass it off as another version of itself. */
async function startUpgrade(target: string): Promise<Upgrade> {
  const { hostname, port } = new URL(target);
  let isUpgraded = false;
  const server = createServer((incoming, outgoing) => {
    const { method } = incoming;
    // Not compressed: the version is looked for in what passes.
    const headers = { ...incoming.headers, 'accept-encoding': 'identity' };
    const onward = request({ hostname, port, path: incoming.url, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      const isData = /json|event-stream/.test(answer.headers['content-type'] ?? '');
      answer.on('data', (chunk: Buffer) => {
        const text = chunk.toString('latin1');
        const said = text.replaceAll(`"version":"${VERSION}"`, `"version":"${OTHER}"`);
        outgoing.write(isUpgraded && isData ? Buffer.from(said, 'latin1') : chunk);
      });
      answer.once('end', () => outgoing.end());
      answer.once('error', () => outgoing.destroy());
    });
    onward.once('error', () => outgoing.destroy());
    outgoing.once('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    upgrade() {
      isUpgraded = true;
      server.closeAllConnections();
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

test('web comes back as another version: the page goes on and asks to be reloaded, which keeps the place; after that nothing asks', async () => {
  await using system = await startSystem();
  await using proxy = await startUpgrade(system.web.url);
  const id = await system.submit({ shell: 'echo begun; exec sleep 600' }, { title: 'long work' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}?status=running`, proxy.url);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  let loads = 0;
  page.on('load', () => (loads += 1));
  const prompt = page.getByTestId('new-version');
  await page.getByTestId('task-log').getByText('begun').waitFor(PATIENCE);
  expect(await prompt.count()).toBe(0);

  proxy.upgrade();
  await prompt.getByText('The web service has a new version.').waitFor(PATIENCE);
  await page.locator('[data-testid=truth-bar][data-link=live]').waitFor(PATIENCE);
  // Nothing is taken from a person who reads or types: it goes on until they ask.
  expect(loads).toBe(0);
  const next = await system.submit({ shell: 'exec sleep 600' }, { title: 'after the upgrade' });
  await page.locator(`[data-testid=task-row][data-task-id="${next}"]`).waitFor(PATIENCE);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await complaintsOf(page)).toEqual([]);
  }
  await shoot(page, 'new-version');

  const { pathname, search } = new URL(page.url());
  await prompt.getByRole('button', { name: 'Reload' }).focus();
  await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
  await page.getByTestId('task-log').getByText('begun').waitFor(PATIENCE);
  await page.locator('[data-testid=truth-bar][data-link=live]').waitFor(PATIENCE);
  expect(new URL(page.url())).toMatchObject({ pathname, search });
  expect(await prompt.count()).toBe(0);
});
