/**
 * One minute of chaos with a fixed plan: agent and web as real processes, killed, frozen and cut off from one another
 * at moments that matter, and a checker that holds P1–P10 against what happened. `pnpm chaos` makes longer runs.
 */
import { expect, test } from 'vitest';
import { lanes } from './chaos/plan.ts';
import { formatSummary, formatViolations } from './chaos/report.ts';
import { runChaos } from './chaos/run.ts';

const LEAST_FAULTS = 100;
const LEAST_TASKS = 80;

test(
  'P1–P10: after a minute of faults everything is accounted for, and nothing was lost, doubled or made up',
  { timeout: 600_000 },
  async () => {
    const result = await runChaos({ seed: 'holdfast', minutes: 1 });
    const { ledger, findings } = result;
    expect(
      ledger.violations,
      `${formatSummary(result)}\n${formatViolations(result)}\n${result.base}`,
    ).toEqual([]);
    // A run in which little happened proves little.
    expect(ledger.faults.length).toBeGreaterThan(LEAST_FAULTS);
    expect(findings.agent.tasks.size).toBeGreaterThan(LEAST_TASKS);
    const counts = ledger.counts();
    const everyLane = [
      ...Object.keys(lanes.process),
      ...Object.keys(lanes.network),
      ...Object.keys(lanes.worker),
    ];
    expect(everyLane.filter((kind) => counts[kind] === undefined)).toEqual([]);
    const killed = Object.keys(lanes.service).filter((kind) => counts[kind] !== undefined);
    expect(killed.length).toBeGreaterThan(Object.keys(lanes.service).length / 3);
  },
);
