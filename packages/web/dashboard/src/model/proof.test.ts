import { expect, test } from 'vitest';
import { lastKnownText, progressText, proofText, type TaskProof } from './proof.ts';
import { aTask } from './samples.ts';

const at = new Date(2026, 10, 21, 14, 2, 11, 42).getTime();
const say = (proof: TaskProof['proof']) => proofText({ proof, agentName: 'build-2' });

test('a process is proven by its identity: pid, start, boot', () => {
  expect(say({ kind: 'process', pid: 42, startedAt: at, bootId: 'b-1', others: 2 })).toEqual({
    tone: 'proven',
    text: 'Its process is alive, verified by its identity.',
    facts: [
      ['Pid', '42'],
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
  expect(lastKnownText(aTask({ process: { pid: 42, startedAt: at, verifiedAt: at + 1000 } }))).toBe(
    'pid 42, started 14:02:11.042, verified 14:02:12.042',
  );
  const claim = { worker: 'ci-3', leaseExpiresAt: at + 1000, lastHeartbeatAt: at };
  expect(lastKnownText(aTask({ claim }))).toBe(
    'worker ci-3, last heartbeat 14:02:11.042, lease until 14:02:12.042',
  );
  expect(lastKnownText(aTask())).toBeUndefined();
});

test('progress is shown as its worker said it, cut when it is long', () => {
  expect(progressText('half way')).toBe('half way');
  expect(progressText({ done: 3, of: 9 })).toBe('{"done":3,"of":9}');
  expect(progressText('x'.repeat(400))).toHaveLength(302);
});
