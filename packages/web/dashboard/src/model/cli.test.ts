import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { cliOf, quoteWord } from './cli.ts';
import { aTask } from './samples.ts';

test('a shell reads back exactly the words that were quoted', () => {
  const words = ['plain', "it's", 'a b', '$HOME `x` "q" \\', '', '*', 'new\nline', '-n'];
  const line = `for word in ${words.map(quoteWord).join(' ')}; do printf '%s\\0' "$word"; done`;
  expect(execFileSync('sh', ['-c', line], { encoding: 'utf8' }).split('\0').slice(0, -1)).toEqual(words);
});

test('a task is the command line that would submit it again, a shell line as it is', () => {
  const task = aTask({
    title: 'My run',
    labels: { team: 'core' },
    spec: { shell: 'npm test && echo "it\'s $HOME"', cwd: '/srv', timeoutMs: 90_000 },
  });
  expect(cliOf(task, 'build-2')).toEqual({
    line: `holdfast run --session calm-harbor --agent build-2 --title 'My run' --label team=core --cwd /srv --timeout 90s --shell 'npm test && echo "it'\\''s $HOME"'`,
    leftOut: [],
  });
});

test('argv, runner, queue, priority and retries are carried over', () => {
  const spec = {
    command: ['make', '-j', 'a b', ''],
    cwd: '/',
    retry: { maxAttempts: 3, on: ['failed' as const, 'lost' as const] },
  };
  expect(cliOf(aTask({ spec, priority: -5 })).line).toBe(
    "holdfast run --session calm-harbor --priority -5 --cwd / --retries 2 -- make -j 'a b' ''",
  );
  expect(
    cliOf(aTask({ spec: { runner: 'claude', prompt: 'fix it', timeoutMs: 1500 }, queue: 'ci' })).line,
  ).toBe("holdfast run --session calm-harbor --queue ci --timeout 1500ms --runner claude --prompt 'fix it'");
});

test('what the line cannot say is named', () => {
  const spec = {
    shell: 'x',
    env: ['TOKEN'],
    workspace: { dir: '/w' },
    retry: { on: ['lost' as const] },
    idleTimeoutMs: 1,
    concurrencyKey: 'k',
    keepLeftovers: true,
    payload: 1,
  };
  const { leftOut } = cliOf(aTask({ spec }));
  expect(leftOut).toHaveLength(8);
  expect(leftOut.join(' ')).toMatch(
    /directory.*--env TOKEN=….*workspace.*retry.*silence.*concurrency.*leftover.*payload/,
  );
});
