/**
 * A real Chromium for tests of the dashboard: the one that comes with the install (Linux x64), elsewhere an
 * installed Chrome, named by HOLDFAST_TEST_CHROME.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
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

/** Generous: the machine may be slow; what is waited for ends the wait at once. */
const PATIENCE_MS = 60_000;

const UNPACK = `import chromium from '@sparticuz/chromium'; await chromium.executablePath();`;

/**
 * The packaged Chromium, unpacked. The package takes whatever file is there for all of it, and test files that begin side
 * by side, or a run that was ended, leave a part of one: so it is unpacked elsewhere and moved to its place whole.
 */
async function unpackedChromium(): Promise<string> {
  const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const place = join(tmpdir(), `holdfast-chromium-${dependencies['@sparticuz/chromium']}`);
  if (existsSync(place)) return join(place, 'chromium');
  const own = mkdtempSync(`${place}-`);
  try {
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', UNPACK], {
      cwd: import.meta.dirname,
      env: { ...process.env, TMPDIR: own },
    });
    renameSync(own, place);
  } catch (error) {
    rmSync(own, { recursive: true, force: true });
    // Another one was faster.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
  return join(place, 'chromium');
}

export async function launchBrowser(): Promise<Browser> {
  const installed = process.env.HOLDFAST_TEST_CHROME;
  return chromium.launch({
    executablePath: installed ?? (await unpackedChromium()),
    timeout: PATIENCE_MS,
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
  context.setDefaultTimeout(PATIENCE_MS);
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

/** The page has read everything and hears web: rows come before either is so. */
export const untilLive = (page: Page): Promise<void> => page.getByTestId('truth').getByText('Live').waitFor();
