/** A copy of the product with one mutant in it, from which the services run; removed when it is disposed of. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Edit, mutants } from './mutants.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** Neither tests nor what is built: links to packages are made anew, relative ones keep pointing into the copy. */
const LEFT_OUT = new Set(['dashboard', 'dist']);

/** The text with an edit made. Throws if what it is to replace is not found exactly once. */
export function applyEdit(source: string, { file, find, replace }: Edit): string {
  const parts = source.split(find);
  if (parts.length !== 2) {
    throw new Error(`packages/${file} holds this ${parts.length - 1} times, not once:\n${find}`);
  }
  return parts.join(replace);
}

/** Each file that a mutant edits, with its text after all of its edits. Throws if one does not apply. */
export function editFiles(name: string, packages: string): Map<string, string> {
  const edited = new Map<string, string>();
  for (const edit of mutants[name]!.edits) {
    const source = edited.get(edit.file) ?? readFileSync(join(packages, edit.file), 'utf8');
    edited.set(edit.file, applyEdit(source, edit));
  }
  return edited;
}

export function makeMutant(name: string): Disposable & { root: string } {
  const edited = editFiles(name, join(ROOT, 'packages'));
  const root = mkdtempSync(join(tmpdir(), `holdfast-mutant-${name}-`));
  cpSync(join(ROOT, 'packages'), join(root, 'packages'), {
    recursive: true,
    // As they are: the copy's `@holdfast/shared` is the copy's own package.
    verbatimSymlinks: true,
    filter: (path) => !LEFT_OUT.has(basename(path)) && !path.endsWith('.test.ts'),
  });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  cpSync(join(ROOT, 'package.json'), join(root, 'package.json'));
  for (const [file, text] of edited) writeFileSync(join(root, 'packages', file), text);
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}
