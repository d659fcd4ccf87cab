/** A mutant that does not apply any more tests nothing: each must still find its text, exactly once. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { applyEdit, editFiles } from './mutant-tree.ts';
import { mutants } from './mutants.ts';

const PACKAGES = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'packages');

test.each(Object.keys(mutants))('the mutant %s applies to the source as it is', (name) => {
  const edited = editFiles(name, PACKAGES);
  expect(edited.size).toBeGreaterThan(0);
  for (const [file, text] of edited) expect(text).not.toBe(readFileSync(join(PACKAGES, file), 'utf8'));
});

test('an edit whose text is missing, or there twice, is refused', () => {
  const edit = { file: 'x.ts', find: 'a', replace: 'b' };
  expect(applyEdit('-a-', edit)).toBe('-b-');
  expect(() => applyEdit('--', edit)).toThrow('0 times');
  expect(() => applyEdit('-a-a-', edit)).toThrow('2 times');
});
