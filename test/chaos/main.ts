/**
 * `pnpm chaos [--seed S] [--minutes M] [--mutant NAME] [--plan]`: both services as real processes, hundreds of faults,
 * and a checker that knows what must be true. Exits with 1 if it is not; the home of that run is kept and named.
 */
import { parseArgs } from 'node:util';
import { mutants } from './mutants.ts';
import { formatPlan, makePlan } from './plan.ts';
import { Random } from './random.ts';
import { formatSummary, formatViolations } from './report.ts';
import { runChaos } from './run.ts';
import { makeMutant } from './mutant-tree.ts';

const DEFAULT_MINUTES = 3;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string' },
      mutant: { type: 'string' },
      plan: { type: 'boolean' },
    },
  });
  const seed = values.seed ?? String(Date.now() % 1_000_000);
  const minutes = Number(values.minutes ?? DEFAULT_MINUTES);
  if (!(minutes > 0)) {
    print(`--minutes ${values.minutes}: must be a number above 0.`);
    return 2;
  }
  if (values.mutant !== undefined && !Object.hasOwn(mutants, values.mutant)) {
    print(`There is no mutant "${values.mutant}". There are: ${Object.keys(mutants).join(', ')}.`);
    return 2;
  }
  if (values.plan === true) {
    print(formatPlan(makePlan(new Random(seed), minutes)));
    return 0;
  }
  using tree = values.mutant === undefined ? undefined : makeMutant(values.mutant);
  if (values.mutant !== undefined) print(`mutant ${values.mutant}: ${mutants[values.mutant]!.about}`);
  const result = await runChaos({
    seed,
    minutes,
    say: print,
    ...(tree === undefined ? {} : { root: tree.root }),
  });
  print(formatSummary(result));
  const { violations } = result.ledger;
  if (violations.length === 0) {
    print(`seed ${seed}: no violation.`);
    return 0;
  }
  print(formatViolations(result));
  print(`seed ${seed}: ${violations.length} violations. Everything of this run lies in ${result.base}.`);
  return 1;
}

process.exitCode = await main();
