/**
 * A real Chromium for tests of the dashboard: the one that comes with the install (Linux x64), elsewhere an
 * installed Chrome, named by HOLDFAST_TEST_CHROME.
 */
import sparticuz from '@sparticuz/chromium';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type { System } from '../system.ts';

/**
 * Flags of the packaged Chromium that are for a lambda function: one process for all pages hangs on the second, and
 * what is switched off there is part of what is tested here.
 */
const NOT_HERE = new Set([
  '--single-process',
  '--no-zygote',
  '--in-process-gpu',
  '--enable-unsafe-swiftshader',
  '--disable-web-security',
  '--allow-running-insecure-content',
  '--disable-site-isolation-trials',
]);

export async function launchBrowser(): Promise<Browser> {
  const installed = process.env.HOLDFAST_TEST_CHROME;
  return chromium.launch({
    executablePath: installed ?? (await sparticuz.executablePath()),
    args: [
      ...sparticuz.args.filter(
        (flag) => !NOT_HERE.has(flag) && !/^--(headless|use-gl|use-angle|ignore-gpu)/.test(flag),
      ),
      // Pages are drawn by the processor: an emulated graphics card stops for seconds.
      '--disable-gpu',
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
    headless: true,
  });
}

export interface SignedIn extends AsyncDisposable {
  page: Page;
  context: BrowserContext;
  /** What the page complained of: errors of its scripts, of its policy, of its console. */
  complaints: string[];
}

/**
 * Opens the dashboard as a person does who follows the printed URL; `url` is that of a proxy before web. `prepare` is
 * called before the first page.
 */
export async function openDashboard(
  browser: Browser,
  system: System,
  path = '/',
  url = system.web.url,
  prepare?: (context: BrowserContext) => Promise<unknown>,
): Promise<SignedIn> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 } });
  await prepare?.(context);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  const { body } = await system.call<{ code: string }>('web', 'POST', '/api/login-codes');
  await page.goto(`${url}${path}#code=${body.code}`);
  await page.getByTestId('truth-bar').waitFor();
  return { page, context, complaints, [Symbol.asyncDispose]: () => context.close() };
}
