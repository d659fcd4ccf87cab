/** axe finds nothing to complain of, on each page and in the states in which the dashboard doubts. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem } from '../system.ts';
import { launchBrowser, openDashboard } from './browser.ts';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

interface Finding {
  id: string;
  nodes: { html: string }[];
}

async function complaintsOf(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const found = await page.evaluate(
    'axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }).then((run) => run.violations)',
  );
  return (found as Finding[]).map(
    (finding) => `${finding.id}: ${finding.nodes.map((node) => node.html).join(' ')}`,
  );
}

test.each(['light', 'dark'] as const)(
  'list, detail, form and doubt are accessible in %s',
  async (colorScheme) => {
    await using system = await startSystem();
    const id = await system.submit(
      { shell: 'printf "\\033[31mred\\033[0m\\n"; exec sleep 600' },
      { title: 'long work' },
    );
    await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
    await using dashboard = await openDashboard(browser, system);
    const { page } = dashboard;
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.getByTestId('task-row').first().waitFor();
    expect(await complaintsOf(page)).toEqual([]);
    await page.getByTestId('task-row').first().click();
    await page.getByTestId('task-log').getByText('red').waitFor();
    expect(await complaintsOf(page)).toEqual([]);
    await page.getByTestId('submit-open').first().click();
    await page.getByTestId('submit-shell').waitFor();
    expect(await complaintsOf(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await system.agent.end('SIGKILL');
    await page.locator('[data-testid=task-row][data-knowledge=unknown]').waitFor();
    expect(await complaintsOf(page)).toEqual([]);
  },
);
