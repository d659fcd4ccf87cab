/** What a person sees when web is replaced by another version while the page is open. */
import { VERSION } from '@holdfast/shared';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem } from '../system.ts';
import { complaintsOf } from './axe.ts';
import { launchBrowser, openDashboard, untilLive } from './browser.ts';
import { startCountingProxy } from './counting-proxy.ts';
import { shoot } from './shoot.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const PATIENCE = { timeout: 60_000 };
const OTHER = VERSION.replace(/\d/, (digit) => String((Number(digit) + 1) % 10));

test('web comes back as another version: the page goes on and asks to be reloaded, which keeps the place; after that nothing asks', async () => {
  await using system = await startSystem();
  // Once it is upgraded, web is passed off as another version of itself.
  let isUpgraded = false;
  await using proxy = await startCountingProxy(system.web.url, (text) =>
    isUpgraded ? text.replaceAll(`"version":"${VERSION}"`, `"version":"${OTHER}"`) : text,
  );
  const id = await system.submit({ shell: 'echo begun; exec sleep 600' }, { title: 'long work' });
  await using dashboard = await openDashboard(browser, system, `/tasks/${id}?status=running`, proxy.url);
  const { page } = dashboard;
  await page.emulateMedia({ reducedMotion: 'reduce' });
  let loads = 0;
  page.on('load', () => (loads += 1));
  const prompt = page.getByTestId('new-version');
  await page.getByTestId('task-log').getByText('begun').waitFor(PATIENCE);
  // Everything was read then, and the feed is open: both name a version.
  await untilLive(page);
  expect(await prompt.count()).toBe(0);

  isUpgraded = true;
  proxy.cut();
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
  await Promise.all([page.waitForEvent('load', PATIENCE), page.keyboard.press('Enter')]);
  await page.getByTestId('task-log').getByText('begun').waitFor(PATIENCE);
  await untilLive(page);
  expect(new URL(page.url())).toMatchObject({ pathname, search });
  expect(await prompt.count()).toBe(0);
});
