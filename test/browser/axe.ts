/** What axe complains of on a page (WCAG 2.1, A and AA), a line for each finding. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Finding {
  id: string;
  nodes: { html: string }[];
}

export async function complaintsOf(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const found = await page.evaluate(
    'axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }).then((run) => run.violations)',
  );
  return (found as Finding[]).map(
    (finding) => `${finding.id}: ${finding.nodes.map((node) => node.html).join(' ')}`,
  );
}
