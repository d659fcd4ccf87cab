/**
 * JSON values that somebody else chose: a task's payload, a worker's result and progress.
 *
 * Their depth is bounded, because what reads them later is: SQLite's JSON functions stop at a depth of 1000, and a
 * recursive walk at the stack's. One such value would otherwise break every list that it is in.
 */
import { z } from 'zod';

const MOST_DEPTH = 64;

/** Any JSON value that is nested at most 64 deep; `mostBytes` bounds its text. */
export function jsonValueSchema(mostBytes = Number.POSITIVE_INFINITY) {
  return z.unknown().superRefine((value, context) => {
    if (!isShallow(value)) {
      context.addIssue({ code: 'custom', message: `must be nested at most ${MOST_DEPTH} deep` });
    } else if (Number.isFinite(mostBytes) && Buffer.byteLength(JSON.stringify(value) ?? '') > mostBytes) {
      context.addIssue({ code: 'custom', message: `must be at most ${mostBytes} bytes of JSON` });
    }
  });
}

/** Level by level, so that no depth is too much for this very check. */
function isShallow(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= MOST_DEPTH; depth += 1) {
    level = level.filter((one) => typeof one === 'object' && one !== null);
    if (level.length === 0) return true;
    level = level.flatMap((one) => Object.values(one as object));
  }
  return false;
}
