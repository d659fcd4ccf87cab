import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Task } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { ExternalIds } from './external-id.ts';
import { RunDirectory } from './run-directory.ts';
import { builtinRunners } from './runners.ts';
import { makeFolder } from './test-kit.ts';
import { makeTask } from './test-support.ts';

const runners = {
  plain: { command: ['plain'], externalIdPattern: 'session: (.*)', resume: ['plain', '{externalId}'] },
  once: { command: ['once'], externalIdPattern: 'run-[0-9]+' },
  silent: { command: ['silent'] },
};

function openRun(runner = 'plain', more: Partial<Task> = {}) {
  const folder = makeFolder();
  const run = new RunDirectory(folder.path);
  const ids = new ExternalIds({ ...builtinRunners, ...runners });
  const task = makeTask({ spec: { runner, prompt: 'x' }, ...more });
  return {
    run,
    write: (text: string | Buffer) => appendFileSync(run.outputPath, text),
    find: (isOver = false) => ids.find(run, task, isOver),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

test('an id is taken from a whole line only, however it arrives', () => {
  using opened = openRun();
  const line = Buffer.from('hello\nsession: é-ünïcode\nmore\n');
  const found: (string | undefined)[] = [];
  for (const byte of line) {
    opened.write(Buffer.of(byte));
    found.push(opened.find());
  }
  const end = line.indexOf('\nmore');
  expect(found.slice(0, end)).toEqual(Array.from({ length: end }, () => undefined));
  expect(found.slice(end)).toEqual(Array.from({ length: line.length - end }, () => 'é-ünïcode'));
});

test('the first id stays, whatever follows', () => {
  using opened = openRun();
  opened.write('session: one\nsession: two\n');
  expect(opened.find()).toBe('one');
  opened.write('session: three\n');
  expect(opened.find()).toBe('one');
});

test('a last line without its end counts once nothing can follow', () => {
  using opened = openRun();
  opened.write('session: one');
  expect(opened.find()).toBeUndefined();
  expect(opened.find(true)).toBe('one');
});

test('only the first 256 KiB are read, and what they cut off is no id', () => {
  using early = openRun();
  early.write(`${'x'.repeat(256 * 1024 - 14)}\nsession: one\n`);
  expect(early.find(true)).toBe('one');
  using late = openRun();
  late.write(`${'x'.repeat(256 * 1024 - 11)}\nsession: one\n`);
  expect(late.find(true)).toBeUndefined();
  late.write('session: two\n');
  expect(late.find(true)).toBeUndefined();
});

test('what a match may be is what a task may report: a short text without control characters', () => {
  using opened = openRun();
  opened.write(`session: \nsession: ${'x'.repeat(513)}\nsession: a\tb\nsession: good \n`);
  expect(opened.find()).toBe('good');
});

test('a pattern without a group gives all that it matches', () => {
  using opened = openRun('once');
  opened.write('this is run-42 of many\n');
  expect(opened.find()).toBe('run-42');
});

test('a session that was resumed has its id; a runner that cannot resume tells a new one each time', () => {
  using resumed = openRun('plain', { externalId: 'known' });
  resumed.write('session: other\n');
  expect(resumed.find()).toBeUndefined();
  using again = openRun('once', { externalId: 'run-1' });
  again.write('run-2\n');
  expect(again.find()).toBe('run-2');
});

test('a task without a runner, or whose runner names no pattern, is not read', () => {
  for (const runner of ['silent', 'none', 'constructor']) {
    using opened = openRun(runner);
    opened.write('session: one\n');
    expect(opened.find(true)).toBeUndefined();
  }
});

test('a log that is not there, is no file, or was cut tells nothing and stops nothing', () => {
  using opened = openRun();
  expect(opened.find()).toBeUndefined();
  mkdirSync(opened.run.outputPath);
  expect(opened.find()).toBeUndefined();
  rmSync(opened.run.outputPath, { recursive: true });
  execFileSync('mkfifo', [opened.run.outputPath]);
  expect(opened.find(true)).toBeUndefined();
  rmSync(opened.run.outputPath);
  opened.write('a line\nand more');
  expect(opened.find()).toBeUndefined();
  writeFileSync(opened.run.outputPath, '');
  expect(opened.find()).toBeUndefined();
});

test('the built-in runners are understood as they speak', () => {
  const uuid = '9f0e7c00-1111-4222-8333-444455556666';
  const spoken = {
    claude: [`{"type":"system","subtype":"init","cwd":"/","session_id":"${uuid}","tools":["Bash"]}`, uuid],
    codex: [`{"type":"thread.started","thread_id":"${uuid}"}`, uuid],
    opencode: ['{"type":"step_start","timestamp":1,"sessionID":"ses_5f2aB","part":{}}', 'ses_5f2aB'],
  } as const;
  for (const [runner, [line, id]] of Object.entries(spoken)) {
    using opened = openRun(runner);
    // What somebody says inside a text is escaped, and no id.
    opened.write(
      `${JSON.stringify({ text: JSON.stringify({ session_id: uuid.replace('9', '0'), sessionID: 'ses_0' }) })}\n`,
    );
    expect(opened.find()).toBeUndefined();
    opened.write(`${line}\n`);
    expect(opened.find()).toBe(id);
  }
});
