/**
 * `pnpm screenshots`: the pictures of the documents, made from the real services in a real browser.
 *
 * Guarantees: a run differs from another in ids and times only; whatever it started has ended when it ends.
 */
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchBrowser } from '../browser/browser.ts';
import { openDemo } from './demo.ts';
import { takeShots } from './shots.ts';

const FOLDER = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'docs', 'images');

mkdirSync(FOLDER, { recursive: true });
await using stack = new AsyncDisposableStack();
const demo = stack.use(await openDemo());
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stack.disposeAsync().then(() => process.exit(130)));
}
const browser = await launchBrowser();
stack.defer(() => browser.close());
for (const name of await takeShots(browser, demo, FOLDER)) {
  const path = join(FOLDER, `${name}.png`);
  process.stdout.write(`${path}  ${Math.round(statSync(path).size / 1000)} kB\n`);
}
