import { expect, test } from 'vitest';
import type { Certainty } from './certainty.ts';
import {
  lastKnownText,
  notAskedText,
  notHeldText,
  pastLook,
  progressText,
  proofText,
  renewedProof,
  type TaskProof,
} from './proof.ts';
import { aTask } from './samples.ts';

const at = new Date(2026, 10, 21, 14, 2, 11, 42).getTime();
const say = (proof: TaskProof['proof'], now = at) => proofText({ proof, agentName: 'build-2' }, now);
const unheard: Certainty = { state: 'unknown', asOf: at - 9000, reason: 'agent_unreachable' };

test('a process is proven by its identity: pid, start, boot', () => {
  expect(say({ kind: 'process', pid: 42, startedAt: at, bootId: 'b-1', others: 2 })).toEqual({
    tone: 'proven',
    text: 'Process 42 is alive, verified by its identity.',
    facts: [
      ['Started', '14:02:11.042'],
      ['Boot', 'b-1'],
      ['Besides', '2 further processes'],
    ],
  });
});

test('a claim is proven by its lease, and by nothing else', () => {
  expect(
    say({ kind: 'lease', worker: 'ci-3', leaseExpiresAt: at + 1000, lastHeartbeatAt: at }),
  ).toMatchObject({
    tone: 'proven',
    facts: [
      ['Worker', 'ci-3'],
      ['Lease until', '14:02:12.042'],
    ],
  });
});

test('a lease whose worker is silent for more than half of it proves nothing, nor does one that has run out', () => {
  const lease = { kind: 'lease', worker: 'ci-3', leaseExpiresAt: at + 80_000, lastHeartbeatAt: at } as const;
  expect(say(lease, at + 40_000).tone).toBe('proven');
  expect(say(lease, at + 47_000)).toMatchObject({
    tone: 'open',
    text: 'The lease runs 33 s more, but its worker has been silent for 47 s.',
  });
  expect(say(lease, at + 85_000)).toMatchObject({
    tone: 'open',
    text: 'The lease ran out 5 s ago, and its worker has been silent for 1 min.',
  });
  const said = { proof: lease, attempt: 1 } as TaskProof;
  const claim = { worker: 'ci-3', leaseExpiresAt: at + 120_000, lastHeartbeatAt: at + 40_000 };
  expect(say(renewedProof(said, aTask({ claim })).proof, at + 47_000).tone).toBe('proven');
  for (const other of [
    aTask({ claim, attempt: 2 }),
    aTask({ claim: { ...claim, worker: 'ci-4' } }),
    aTask(),
  ]) {
    expect(renewedProof(said, other)).toBe(said);
  }
});

test('a look that failed proves nothing, and a look that found nothing says so', () => {
  expect(say({ kind: 'unseen', message: 'EACCES' })).toMatchObject({
    tone: 'open',
    text: 'The look failed, which proves nothing: EACCES',
  });
  expect(say({ kind: 'none', message: 'no process of it lives' })).toMatchObject({
    tone: 'none',
    text: 'Nothing was found that works on it: no process of it lives. build-2 settles such a task within two sweeps.',
  });
});

test('each kind of proof has its own words', () => {
  const texts = [
    say({ kind: 'dispatching', sinceAt: at }),
    say({ kind: 'record', exitCode: 7, endedAt: at }),
    say({ kind: 'stopping', pids: [] }),
    say({ kind: 'over' }),
  ].map(({ text, facts }) => [text, ...facts.flat()].join(' | '));
  expect(texts).toEqual([
    'build-2 is preparing or launching it. | Since | 14:02:11.042',
    'It has ended with exit 7; build-2 is about to put that on record. | Ended | 14:02:11.042',
    'It is being stopped; until these processes are gone it counts as running. | Pids | none is left',
    'build-2 says that no attempt of it is under way.',
  ]);
});

test('what was known before is told with the time at which it was known', () => {
  const task = aTask({ process: { pid: 42, startedAt: at, verifiedAt: at + 1000 } });
  const known = (certainty: Certainty, proof?: TaskProof) => lastKnownText(task, certainty, proof);
  expect(known(unheard)).toBe('pid 42, started 14:02:11.042, verified 14:02:12.042');
  // The newest of the record, the agent's last word and the last look counts.
  expect(known({ ...unheard, asOf: at + 2000 })).toMatch(/verified 14:02:13\.042$/);
  expect(known({ ...unheard, asOf: at + 2000, reason: 'agent_removed' })).toMatch(/verified 14:02:12\.042$/);
  const look = { proof: { kind: 'process' }, attempt: 1, verifiedAt: at + 4000 } as TaskProof;
  expect(known(unheard, look)).toMatch(/verified 14:02:15\.042$/);
  expect(known(unheard, { ...look, attempt: 7 })).toMatch(/verified 14:02:12\.042$/);
  expect(known(unheard, { ...look, proof: { kind: 'unseen', message: 'm' } })).toMatch(/14:02:12\.042$/);
  const claim = { worker: 'ci-3', leaseExpiresAt: at + 1000, lastHeartbeatAt: at };
  expect(lastKnownText(aTask({ claim }), unheard)).toBe(
    'worker ci-3, last heartbeat 14:02:11.042, lease until 14:02:12.042',
  );
  expect(lastKnownText(aTask(), unheard)).toBeUndefined();
});

test('progress is shown as its worker said it, cut when it is long', () => {
  expect(progressText('half way')).toBe('half way');
  expect(progressText({ done: 3, of: 9 })).toBe('{"done":3,"of":9}');
  expect(progressText('x'.repeat(400))).toHaveLength(302);
});

test('a look that nobody vouches for any more is said as what was seen, not as a proof', () => {
  const look = say({ kind: 'process', pid: 42, startedAt: at, bootId: 'b-1', others: 0 });
  expect(pastLook(look)).toMatchObject({
    tone: 'open',
    text: 'Not verified now. When last looked: process 42 is alive, verified by its identity.',
  });
  const none = say({ kind: 'over' });
  expect(pastLook(none)).toBe(none);
});

test('who was asked and holds nothing is not said to be out of reach; who is, is, and why', () => {
  expect(notHeldText('build-2')).toMatchObject({
    tone: 'none',
    text: expect.stringMatching(/^build-2 was asked and holds no such task/),
  });
  expect(notAskedText('build-2', { status: 503, detail: 'build-2 cannot be reached.' })).toMatchObject({
    tone: 'open',
    text: 'build-2 could not be asked, so nothing is proven now. build-2 cannot be reached.',
  });
  // That web is not heard is said once, and not here.
  expect(notAskedText('build-2', { status: 0, detail: 'The web service did not answer.' }).text).toBe(
    'build-2 could not be asked, so nothing is proven now.',
  );
});
