/**
 * `node test/kill-points/main.ts [--rounds 100] [--seed 1] [--step <step>]`: the agent is killed at each step between
 * claim and `started`, `--rounds` times a step, and at moments in between; prints a table, and exits with 1 if
 * anything was lost, doubled, charged or left behind.
 */
import { parseArgs } from 'node:util';
import { type DispatchStep, dispatchSteps } from '../../packages/agent/src/dispatch.ts';
import { runRounds } from './rounds.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    step: { type: 'string' },
  },
});

interface Point {
  name: string;
  step: DispatchStep;
  withinMs?: number;
  lateLauncher?: boolean;
}

const points: Point[] = [
  ...dispatchSteps.map((step) => ({ name: step, step })),
  // Where no step has a name: while git works, while the launcher forks, while the shim takes its ticket.
  // Only the ticket keeps this from running twice.
  { name: 'launchAsked, too late', step: 'launchAsked', lateLauncher: true },
  { name: 'up to 40 ms after claimed', step: 'claimed', withinMs: 40 },
];

const print = (text: string) => process.stdout.write(`${text}\n`);
const columns = [26, 7, 6, 12, 9, 11];
const line = (cells: readonly (string | number)[]) =>
  cells.map((cell, index) => String(cell).padEnd(columns[index]!)).join(' ');

print(line(['killed at', 'rounds', 'tasks', 'interrupted', 'survived', 'violations']));
for (const { name, ...point } of points) {
  if (values.step !== undefined && values.step !== name) continue;
  const result = await runRounds({ ...point, rounds: Number(values.rounds), seed: Number(values.seed) });
  const { rounds, tasks, interrupted, survived, violations } = result;
  print(line([name, rounds, tasks, interrupted, survived, violations.length]));
  for (const violation of violations) print(`  ${violation}`);
  if (violations.length > 0) process.exitCode = 1;
}
