/** The checker finds what it is there to find: a sound history passes, and each way to spoil it is named. */
import { createHash } from 'node:crypto';
import type { ShownTask } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { checkAll } from './checker.ts';
import { parseEvidence } from './evidence.ts';
import type { Findings } from './findings.ts';
import type { Event } from './history.ts';
import { Ledger } from './ledger.ts';
import type { WorkerWord } from './worker-words.ts';

const RUN = '01890000-0000-7000-8000-000000000001';
const CLAIM = '01890000-0000-7000-8000-000000000002';
const EPOCH = '00000000000000aa';

type Draft = Omit<Event, 'seq' | 'at'>;

const step = (taskId: string, kind: string, attempt: number, from: string | null, to: string): Draft => ({
  taskId,
  kind,
  attempt,
  from,
  to,
});

/** A task that was lost once and then ended with 3, and one that a worker completed. */
function soundEvents(): Draft[] {
  return [
    step(RUN, 'submitted', 0, null, 'queued'),
    step(RUN, 'claimed', 1, 'queued', 'starting'),
    step(CLAIM, 'submitted', 0, null, 'queued'),
    step(RUN, 'started', 1, 'starting', 'running'),
    {
      ...step(RUN, 'requeued', 1, 'running', 'queued'),
      reason: 'process_vanished',
      data: { charged: true, outcome: { reason: 'process_vanished' } },
    },
    step(CLAIM, 'claimed', 1, 'queued', 'starting'),
    step(CLAIM, 'started', 1, 'starting', 'running'),
    {
      ...step(CLAIM, 'completed', 1, 'running', 'completed'),
      data: { outcome: { reason: 'worker_completed' } },
    },
    step(RUN, 'claimed', 2, 'queued', 'starting'),
    step(RUN, 'started', 2, 'starting', 'running'),
    {
      ...step(RUN, 'failed', 2, 'running', 'failed'),
      data: { outcome: { reason: 'exit', exitCode: 3 } },
    },
  ];
}

const SHOWN = { id: RUN, status: 'failed', seq: 11, attempt: 2 } as ShownTask;

const EVIDENCE = `begin ${RUN} 1 100 10.00 5
begin ${RUN} 2 200 20.00 9
end ${RUN} 2 200 21.00 3
`;

const word = (change: Partial<WorkerWord> = {}): WorkerWord => ({
  sentAt: 1,
  at: 1,
  worker: 'w',
  word: 'complete',
  late: false,
  taskId: CLAIM,
  attempt: 1,
  token: 't',
  status: 200,
  ...change,
});

function soundFindings(drafts: Draft[] = soundEvents(), evidence = EVIDENCE): Findings {
  const events = drafts.map((draft, index): Event => ({ ...draft, seq: index + 1, at: 1000 + index }));
  let chain = EPOCH;
  const log = events.map((event) => {
    const json = JSON.stringify(event);
    chain = createHash('sha256')
      .update(chain + json)
      .digest('hex')
      .slice(0, 16);
    return { seq: event.seq, chain, taskId: event.taskId, json };
  });
  const last = (taskId: string) => events.findLast((event) => event.taskId === taskId)!;
  const rows = [RUN, CLAIM].map((id) => {
    const { to: status, attempt, seq } = last(id);
    return { id, status, attempt, seq, json: JSON.stringify({ id, status }) };
  });
  const ledger = new Ledger();
  ledger.fault('killShim', '', { taskId: RUN, attempt: 1 });
  for (const taskId of [RUN, CLAIM])
    ledger.answers.push({
      at: 1,
      doneAt: 2,
      via: 'agent',
      verb: 'submit',
      taskId,
      sent: {},
      status: 201,
      body: {},
    });
  return {
    agent: {
      epoch: EPOCH,
      log,
      events,
      tasks: new Map(rows.map((row) => [row.id, row])),
      attempts: [{ taskId: RUN, attempt: 1, endedAt: 5 }],
    },
    web: {
      log: log.map((entry) => ({ ...entry, chain: undefined })),
      generations: [1],
      tasks: new Map(
        rows.map((row) => [
          row.id,
          { ...row, agentId: 'a', statedStatus: row.status, pending: 0, refusedAction: null },
        ]),
      ),
      doubts: [{ taskId: RUN, reason: 'r', asOf: 1, since: 2, resolvedAt: 3, resolvedTo: 'running' }],
      openIntents: [],
    },
    evidence: parseEvidence(evidence),
    ledger,
    words: [word({ word: 'grant', status: 0 }), word(), word({ word: 'complete', status: 409, late: true })],
    unknown: new Map([[RUN, 2]]),
    browser: { rows: new Map([[RUN, SHOWN]]), listed: [SHOWN] },
    processes: [],
    pool: { slots: 1, running: 0, queued: 0 },
    audit: { tasks: [], ghosts: [], strays: [] },
  };
}

const texts = (findings: Findings) => checkAll(findings).map(({ promise, what }) => `${promise}: ${what}`);

test('a sound history has no violation', () => {
  expect(texts(soundFindings())).toEqual([]);
});

/** One event replaced, added or left out. */
const withEvents = (change: (drafts: Draft[]) => Draft[]) => soundFindings(change(soundEvents()));

function answered(verb: 'cancel' | 'reclaim' | 'submit', taskId = RUN): Findings {
  const findings = soundFindings();
  const answer = { at: 1, doneAt: 2, via: 'agent', status: 202, body: {} } as const;
  findings.ledger.answers.push({ ...answer, verb, taskId, sent: { attempt: 1 } });
  return findings;
}

const spoiled: [what: string, expected: RegExp, findings: () => Findings][] = [
  [
    'a second terminal event',
    /P5: 2 terminal events/,
    () => withEvents((all) => [...all, step(RUN, 'cancelled', 2, 'failed', 'cancelled')]),
  ],
  [
    'an attempt that is not the next one',
    /P4: seq 9 is of attempt 3, not 2/,
    () => withEvents((all) => all.map((one, at) => (at === 8 ? { ...one, attempt: 3 } : one))),
  ],
  ['a task that is still running', /P3: still running/, () => withEvents((all) => all.slice(0, -1))],
  [
    'an attempt that begins after a cancel was on record',
    /P1: attempt 2 began/,
    () =>
      withEvents((all) =>
        all.toSpliced(4, 0, {
          ...step(RUN, 'stopRequested', 1, 'running', 'running'),
          data: { cause: 'cancel' },
        }),
      ),
  ],
  [
    'a cancel that was accepted and forgotten',
    /P1: a cancel was accepted by agent/,
    () => answered('cancel'),
  ],
  ['a reclaim that was accepted and forgotten', /P1: a reclaim of attempt 1/, () => answered('reclaim')],
  [
    'a submit that was accepted and forgotten',
    /P1: submit was answered 202 by agent, and the agent/,
    () => answered('submit', '01890000-0000-7000-8000-000000000009'),
  ],
  [
    'an attempt that began twice',
    /P4: .*it began twice/,
    () => soundFindings(soundEvents(), `${EVIDENCE}begin ${RUN} 2 300 22.00 9\n`),
  ],
  [
    'an attempt that speaks after its successor has begun',
    /P4: .*after attempt 2 had begun/,
    () => soundFindings(soundEvents(), `${EVIDENCE}late ${RUN} 1 100 22.00 0\n`),
  ],
  [
    'an attempt of which nothing is on record',
    /P1: .*of which no event is on record/,
    () => soundFindings(soundEvents(), `${EVIDENCE}begin ${RUN} 3 300 22.00 9\n`),
  ],
  [
    'another exit code than the task’s own',
    /P7: attempt 2 exited with 4/,
    () => soundFindings(soundEvents(), EVIDENCE.replace('21.00 3', '21.00 4')),
  ],
  [
    'an attempt that vanished though nobody killed it',
    /P10: attempt 1 is on record as vanished/,
    () => ({ ...soundFindings(), ledger: new Ledger() }),
  ],
  [
    'a late word that was accepted',
    /P5: w's "fail" of attempt 1 was accepted/,
    () => ({ ...soundFindings(), words: [word({ word: 'fail', late: true })] }),
  ],
  [
    'a lease that ran out too early',
    /P4: attempt 1 lost its lease 1007 ms after/,
    () => ({
      ...withEvents((all) =>
        all.map((one, at) =>
          at === 7
            ? {
                ...step(CLAIM, 'failed', 1, 'running', 'failed'),
                data: { outcome: { reason: 'lease_expired' } },
              }
            : one,
        ),
      ),
      words: [word({ word: 'heartbeat', sentAt: 0 })],
    }),
  ],
  [
    'an attempt that two workers hold',
    /P4: attempt 1 was granted twice/,
    () => ({ ...soundFindings(), words: [word({ word: 'grant' }), word({ word: 'grant', token: 'other' })] }),
  ],
  [
    'a process that outlived its task',
    /P3: pid 7 of attempt 1 outlived/,
    () => ({ ...soundFindings(), processes: [{ pid: 7, taskId: RUN, attempt: 1 }] }),
  ],
  [
    'a slot that stays taken',
    /P3: the pool counts 1 running/,
    () => ({ ...soundFindings(), pool: { slots: 1, running: 1, queued: 0 } }),
  ],
  [
    'a ghost in the audit',
    /P3: .*ghosts/,
    () => ({ ...soundFindings(), audit: { tasks: [], ghosts: [1], strays: [] } }),
  ],
  [
    'a row that a browser was not sent',
    /P6: a browser shows nothing/,
    () => ({ ...soundFindings(), browser: { rows: new Map(), listed: [SHOWN] } }),
  ],
  [
    'a row that a browser kept too long',
    /P6: a browser shows it, web does not/,
    () => ({ ...soundFindings(), browser: { rows: new Map([[RUN, SHOWN]]), listed: [] } }),
  ],
  [
    'a doubt that was shown and is not on record',
    /P9: it was shown as unknown/,
    () => ({ ...soundFindings(), unknown: new Map([[CLAIM, 5]]) }),
  ],
];

test.each(spoiled)('%s is a violation', (_what, expected, findings) => {
  expect(texts(findings())).toContainEqual(expect.stringMatching(expected));
});

test.each([
  ['a hole in the log', /log: entry 3 has seq 4/, (f: Findings) => f.agent.log.splice(2, 1)],
  ['an event that was rewritten', /log: the chain at 2/, (f: Findings) => (f.agent.log[1]!.json = '{}')],
  ['an event that web lacks', /P6: event 5 is missing on web/, (f: Findings) => f.web.log.splice(4, 1)],
  [
    'an event that is another on web',
    /P6: event 5 is another on web/,
    (f: Findings) => (f.web.log[4]!.json = '{}'),
  ],
  [
    'an event that only web has',
    /P6: web has an event 99/,
    (f: Findings) => f.web.log.push({ ...f.web.log[0]!, seq: 99 }),
  ],
  [
    'a row that web states otherwise',
    /P6: web states it as/,
    (f: Findings) => (f.web.tasks.get(RUN)!.json = '{}'),
  ],
  [
    'a row that web shows otherwise',
    /P2: web shows running/,
    (f: Findings) => (f.web.tasks.get(RUN)!.status = 'running'),
  ],
  ['a row that web lacks', /P6: web does not know it/, (f: Findings) => f.web.tasks.delete(RUN)],
  [
    'a row that its events do not lead to',
    /log: its row is queued/,
    (f: Findings) => (f.agent.tasks.get(RUN)!.status = 'queued'),
  ],
  [
    'a doubt that is left',
    /P9: the doubt since 2 is not resolved/,
    (f: Findings) => (f.web.doubts[0]!.resolvedAt = null),
  ],
  [
    'an intent that is left',
    /P1: the cancel is not delivered/,
    (f: Findings) => f.web.openIntents.push({ taskId: RUN, action: 'cancel', lastError: 'x' }),
  ],
  [
    'an attempt without an end',
    /P3: attempt 1 has no end/,
    (f: Findings) => (f.agent.attempts[0]!.endedAt = null),
  ],
])('%s is a violation too', (_what, expected, spoil) => {
  const findings = soundFindings();
  spoil(findings);
  expect(texts(findings)).toContainEqual(expect.stringMatching(expected));
});
