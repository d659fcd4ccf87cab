/** The documents against what they speak of: every command has its place, and every link leads somewhere. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { commandTable } from '../packages/cli/src/command-table.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DOCS = join(ROOT, 'docs');
const CLI = join(ROOT, 'packages/cli/src/main.ts');
const documents = [
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'PROTOCOL.md'].map((name) => join(ROOT, name)),
  ...readdirSync(DOCS)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(DOCS, name)),
];

const read = (path: string): string => readFileSync(path, 'utf8');
const isFence = (line: string): boolean => /^\s*```/.test(line);

/** The lines of a document outside its code blocks, or those inside. */
function linesOf(text: string, where: 'text' | 'code'): string[] {
  let isCode = false;
  return text.split('\n').filter((line) => {
    if (!isFence(line)) return isCode === (where === 'code');
    isCode = !isCode;
    return false;
  });
}

/** The anchor that GitHub gives a heading: lower case, no punctuation, hyphens for spaces. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

function headingsOf(text: string): string[] {
  return linesOf(text, 'text').flatMap((line) => /^#{1,6} (.+)$/.exec(line)?.[1] ?? []);
}

/** Links of Markdown and of `<img>` and `<source>`, without those to other sites. */
function linksOf(text: string): string[] {
  const prose = linesOf(text, 'text')
    .join('\n')
    .replaceAll(/`[^`\n]*`/g, '');
  const markdown = [...prose.matchAll(/\]\(([^)\s]+)\)/g)];
  const html = [...prose.matchAll(/\b(?:src|srcset|href)="([^"]+)"/g)];
  return [...markdown, ...html].map((match) => match[1]!).filter((link) => !/^[a-z]+:/.test(link));
}

test('every relative link of the documents leads to a file that is there, and to a heading that it has', () => {
  const broken = documents.flatMap((path) =>
    linksOf(read(path))
      .filter((link) => {
        const [file = '', anchor] = link.split('#');
        const target = file === '' ? path : resolve(dirname(path), file);
        if (statSync(target, { throwIfNoEntry: false }) === undefined) return true;
        return anchor !== undefined && !headingsOf(read(target)).map(anchorOf).includes(anchor);
      })
      .map((link) => `${relative(ROOT, path)}: ${link}`),
  );
  expect(broken).toEqual([]);
});

test('every picture is used, and says in words what it shows', () => {
  const all = documents.map(read).join('\n');
  const unused = readdirSync(join(DOCS, 'images')).filter((name) => !all.includes(`images/${name}`));
  expect(unused).toEqual([]);
  expect(all).not.toMatch(/!\[\]\(/);
  expect(all).not.toMatch(/<img(?![^>]*\balt="[^"]+")/);
});

test('docs/cli.md has each command under a heading of its own, with an example of it', () => {
  const cli = read(join(DOCS, 'cli.md'));
  const headings = headingsOf(cli);
  const code = linesOf(cli, 'code').join('\n');
  const names = Object.keys(commandTable);
  expect(names.filter((name) => !headings.includes(name))).toEqual([]);
  expect(names.filter((name) => !code.includes(`$ holdfast ${name}`))).toEqual([]);
});

test('no document names a command that there is not', () => {
  const named = documents.flatMap((path) => {
    // At the beginning of a line of code, or within inline code: elsewhere it is a word of a sentence.
    const code = [
      ...linesOf(read(path), 'code').map((line) => line.replace(/^\s*\$ /, '')),
      ...[...read(path).matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!),
    ];
    return code.flatMap((line) => {
      const word = /^(?:npx -y pnpm@12 (?:-s )?)?holdfast (?:--home \S+ )?([a-z]+)/.exec(line)?.[1];
      return word === undefined || Object.hasOwn(commandTable, word)
        ? []
        : `${relative(ROOT, path)}: ${line}`;
    });
  });
  // The one that shows what is said to a mistyped word.
  expect(named).toEqual(['docs/cli.md: holdfast lst']);
});

test('docs/cli.md says of exit codes and --json exactly what the program says', async () => {
  const cli = read(join(DOCS, 'cli.md'));
  for (const topic of ['json', 'exit-codes']) {
    const { stdout } = await promisify(execFile)(process.execPath, [CLI, 'help', topic]);
    expect(cli).toContain(`$ holdfast help ${topic}\n${stdout}`);
  }
});
