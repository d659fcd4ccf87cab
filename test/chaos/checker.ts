/**
 * The checker: judges a run that has come to rest, by its own knowledge alone. It uses none of the product's code: the
 * chain, the fold of statuses and what may follow what are written down here a second time.
 */
import { checkAccepted, checkCancels, checkReclaims } from './check-answers.ts';
import { checkAttempts, checkExits, checkLeases, checkLosses, checkWorkers } from './check-evidence.ts';
import { checkLives, checkLog, checkRest } from './check-log.ts';
import { checkBrowser, checkCopies, checkDoubts } from './check-web.ts';
import type { Check, Findings } from './findings.ts';
import type { Violation } from './ledger.ts';

const checks: readonly Check[] = [
  checkLog,
  checkLives,
  checkRest,
  checkAccepted,
  checkCancels,
  checkReclaims,
  checkCopies,
  checkDoubts,
  checkBrowser,
  checkAttempts,
  checkExits,
  checkLosses,
  checkWorkers,
  checkLeases,
];

/** Every violation, in the order of the checks. */
export function checkAll(findings: Findings): Violation[] {
  return checks.flatMap((check) => check(findings));
}
