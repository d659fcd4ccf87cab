import { expect, test } from 'vitest';
import { decideRetry } from './retry.ts';

const lost = { outcome: { reason: 'process_vanished' }, charged: true } as const;
const rebooted = { outcome: { reason: 'host_rebooted' }, charged: false } as const;
const policy = { maxAttempts: 3, retryDelayMs: 1000, random: () => 0.5 };

test('a budget of three attempts allows two charged requeues, then ends with the last cause', () => {
  expect(decideRetry(policy, { charged: 0, uncharged: 0 }, lost, 0).kind).toBe('requeue');
  expect(decideRetry(policy, { charged: 1, uncharged: 0 }, lost, 0).kind).toBe('requeue');
  const last = decideRetry(
    policy,
    { charged: 2, uncharged: 0 },
    { ...lost, outcome: { ...lost.outcome, message: 'why' } },
    0,
  );
  expect(last).toMatchObject({ kind: 'exhausted', outcome: { reason: 'attempts_exhausted' } });
  expect(last.kind === 'exhausted' && last.outcome.message).toContain('process_vanished: why');
});

// Fails without: the distinction of `charged` in retry.ts.
test('failure mode 14: what the infrastructure ended is not charged, comes back at once the first time, and is capped at ten', () => {
  expect(decideRetry(policy, { charged: 2, uncharged: 0 }, rebooted, 0)).toEqual({
    kind: 'requeue',
    charged: false,
  });
  expect(decideRetry(policy, { charged: 2, uncharged: 1 }, rebooted, 0)).toMatchObject({
    charged: false,
    notBeforeAt: 500,
  });
  expect(decideRetry(policy, { charged: 2, uncharged: 9 }, rebooted, 0)).toMatchObject({
    notBeforeAt: 30_000,
  });
  expect(decideRetry(policy, { charged: 0, uncharged: 10 }, rebooted, 0).kind).toBe('exhausted');
});

test('delays double from the first and stay under a minute, with full jitter', () => {
  const at = (charged: number, random: number) =>
    decideRetry({ ...policy, maxAttempts: 100, random: () => random }, { charged, uncharged: 0 }, lost, 5000);
  expect(at(0, 0.5)).toMatchObject({ notBeforeAt: 5500 });
  expect(at(3, 0.5)).toMatchObject({ notBeforeAt: 9000 });
  expect(at(50, 0.999)).toMatchObject({ notBeforeAt: 5000 + 59_940 });
  expect(at(0, 0)).toEqual({ kind: 'requeue', charged: true });
});
