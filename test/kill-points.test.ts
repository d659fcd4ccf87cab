/**
 * SIGKILL of the agent at every step between claim and `started` never loses and never doubles a task: P1, P3, P4,
 * P8. Three rounds a step; `node test/kill-points/main.ts` runs a hundred.
 */
import { expect, test } from 'vitest';
import { dispatchSteps } from '../packages/agent/src/dispatch.ts';
import { runRounds } from './kill-points/rounds.ts';

for (const [index, step] of dispatchSteps.entries()) {
  test(`an agent that is killed at "${step}" leaves nothing lost, doubled, charged or behind`, async () => {
    const { violations, rounds } = await runRounds({ step, rounds: 3, seed: index + 1 });
    expect(violations).toEqual([]);
    expect(rounds).toBe(3);
  });
}

// Fails without: the ticket (`takeTicket` in run-directory.ts): the late launches run a second time.
test('an agent that is killed when its launcher was asked, and a launcher that launches too late, double nothing', async () => {
  const { violations, interrupted } = await runRounds({
    step: 'launchAsked',
    rounds: 3,
    seed: 5,
    lateLauncher: true,
  });
  expect(violations).toEqual([]);
  expect(interrupted).toBeGreaterThan(0);
});

test('an agent that is killed at any moment after a claim leaves nothing lost, doubled, charged or behind', async () => {
  const { violations } = await runRounds({ step: 'claimed', rounds: 4, seed: 7, withinMs: 40 });
  expect(violations).toEqual([]);
});
