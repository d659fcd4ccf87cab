import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { cliText, quoteWord } from './cli.ts';
import { aTask } from './samples.ts';

test('a shell reads back exactly the words that were quoted', () => {
  const words = ['plain', "it's", 'a b', '$HOME `x` "q" \\', '', '*', 'new\nline', '-n'];
  const line = `for word in ${words.map(quoteWord).join(' ')}; do printf '%s\\0' "$word"; done`;
  expect(execFileSync('sh', ['-c', line], { encoding: 'utf8' }).split('\0').slice(0, -1)).toEqual(words);
});

test('a task is the command line that would submit it again', () => {
  const task = aTask({
    title: 'My run',
    labels: { team: 'core' },
    spec: { shell: 'npm test && ls', cwd: '/srv' },
  });
  expect(cliText(task, 'build-2')).toBe(
    "holdfast run --session calm-harbor --agent build-2 --title 'My run' --label team=core --cwd /srv -- sh -c 'npm test && ls'",
  );
});
