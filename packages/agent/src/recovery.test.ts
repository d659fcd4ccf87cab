import { expect, test } from 'vitest';
import { type Decision, decide, type Evidence, isMassDeath, recoveryTable } from './recovery.ts';

/** An attempt of which nothing is left and nothing was asked: each case changes what it is about. */
const nothingLeft: Evidence = {
  status: 'running',
  dispatching: false,
  shimAlive: false,
  others: 0,
  watched: false,
  ticket: 'shim',
  sameBoot: true,
};
const record = { exitCode: 7, endedAt: 1000, beforeStop: true };
const late = { ...record, beforeStop: false };
const cancelAt = (at: number) => ({ cause: 'cancel', at }) as const;

const cases: Record<string, { evidence: Partial<Evidence>; decision: Decision }[]> = {
  'this instance is dispatching it': [
    { evidence: { status: 'starting', dispatching: true, lookFailed: 'EIO' }, decision: { do: 'leave' } },
  ],
  'a claim whose lease lives': [
    { evidence: { claim: { expired: false } }, decision: { do: 'leave' } },
    // Its worker learns of the stop by its next heartbeat; what it says then still counts.
    { evidence: { claim: { expired: false }, stopRequested: cancelAt(1) }, decision: { do: 'leave' } },
  ],
  'a claim whose lease ran out': [
    {
      evidence: { status: 'starting', claim: { expired: true } },
      decision: { do: 'lost', reason: 'lease_expired' },
    },
    {
      evidence: { claim: { expired: true }, stopRequested: cancelAt(1) },
      decision: { do: 'endAsAsked', cause: 'cancel' },
    },
  ],
  'the look itself failed': [
    { evidence: { lookFailed: 'EIO' }, decision: { do: 'noVerdict', message: 'EIO' } },
    {
      evidence: { lookFailed: 'EIO', stopRequested: cancelAt(1) },
      decision: { do: 'noVerdict', message: 'EIO' },
    },
  ],
  'exit record, written before it was told to stop': [
    { evidence: { record }, decision: { do: 'settle', record } },
    { evidence: { record, stopRequested: cancelAt(1) }, decision: { do: 'settle', record } },
    { evidence: { record: late }, decision: { do: 'settle', record: late } },
    // Its leftovers are stopped as part of settling.
    { evidence: { record, others: 2 }, decision: { do: 'settle', record } },
    { evidence: { record, sameBoot: false }, decision: { do: 'settle', record } },
    { evidence: { status: 'starting', record }, decision: { do: 'settle', record } },
  ],
  'a process is alive and a stop was requested': [
    { evidence: { shimAlive: true, stopRequested: cancelAt(1) }, decision: { do: 'stop' } },
    { evidence: { others: 1, stopRequested: cancelAt(1) }, decision: { do: 'stop' } },
    { evidence: { others: 1, record: late, stopRequested: cancelAt(1) }, decision: { do: 'stop' } },
  ],
  'the agent took the ticket before its shim, which can only give up': [
    { evidence: { status: 'starting', shimAlive: true, ticket: 'agent' }, decision: { do: 'endShim' } },
  ],
  'the shim is alive': [
    { evidence: { status: 'starting', shimAlive: true }, decision: { do: 'start' } },
    { evidence: { shimAlive: true }, decision: { do: 'adopt' } },
    // The record is the last act of the shim: what lies there before is none.
    { evidence: { shimAlive: true, watched: true, record }, decision: { do: 'leave' } },
    { evidence: { shimAlive: true, watched: true, others: 3 }, decision: { do: 'leave' } },
  ],
  'the shim is gone without a record, but processes of it live': [
    { evidence: { others: 1 }, decision: { do: 'stopOthers' } },
    { evidence: { status: 'starting', others: 1, ticket: 'agent' }, decision: { do: 'stopOthers' } },
  ],
  'all gone, a stop was requested': [
    { evidence: { stopRequested: cancelAt(1) }, decision: { do: 'endAsAsked', cause: 'cancel' } },
    {
      evidence: { record: late, stopRequested: cancelAt(1) },
      decision: { do: 'endAsAsked', cause: 'cancel' },
    },
    {
      evidence: { status: 'starting', ticket: 'agent', stopRequested: { cause: 'reclaim', at: 1 } },
      decision: { do: 'endAsAsked', cause: 'reclaim' },
    },
  ],
  'the agent took the ticket: it never ran': [
    {
      evidence: { status: 'starting', ticket: 'agent' },
      decision: { do: 'requeue', reason: 'dispatch_interrupted', charged: false },
    },
  ],
  'another boot, no record': [
    { evidence: { sameBoot: false }, decision: { do: 'requeue', reason: 'host_rebooted', charged: false } },
  ],
  'no record, same boot': [{ evidence: {}, decision: { do: 'lost', reason: 'process_vanished' } }],
};

test('every row of the table has a case, and is the first that fits it', () => {
  expect(Object.keys(cases)).toEqual(recoveryTable.map((row) => row.name));
  for (const [name, rows] of Object.entries(cases)) {
    for (const { evidence, decision } of rows) {
      const full = { ...nothingLeft, ...evidence };
      expect(recoveryTable.find((row) => row.fits(full))!.name).toBe(name);
      expect(decide(full)).toEqual(decision);
    }
  }
});

test('no evidence in which a process lives, or the look failed, ever gives an attempt up (P4, P10)', () => {
  const flags = [true, false];
  for (const status of ['starting', 'running'] as const) {
    for (const ticket of ['agent', 'shim'] as const) {
      for (const sameBoot of flags) {
        for (const alive of [{ shimAlive: true }, { others: 1 }, { lookFailed: 'EACCES' }]) {
          for (const stopRequested of [undefined, cancelAt(1)]) {
            const decision = decide({
              ...nothingLeft,
              status,
              ticket,
              sameBoot,
              ...alive,
              ...(stopRequested === undefined ? {} : { stopRequested }),
            });
            // A shim without the ticket has run nothing and never will: ending it gives up no work.
            const kept = ['leave', 'noVerdict', 'stop', 'start', 'adopt', 'stopOthers', 'endShim'];
            expect(kept).toContain(decision.do);
          }
        }
      }
    }
  }
});

test('most of at least five attempts gone at once is suspect; fewer, or half of them, is not', () => {
  expect(isMassDeath(3, 5)).toBe(true);
  expect(isMassDeath(4, 4)).toBe(false);
  expect(isMassDeath(5, 10)).toBe(false);
  expect(isMassDeath(6, 10)).toBe(true);
});
