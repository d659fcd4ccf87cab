/** What a person reclaims and learns through web, with real services: P1, P2, P4, P11, failure mode 7. */
import { once } from 'node:events';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Grant, ReclaimItem, ShownTask } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import { LEASE_MS, leaveOfLease } from './leases.ts';
import { startSystem, type System, until } from './system.ts';

async function claim(system: System, worker: string, leaseMs = LEASE_MS): Promise<Grant> {
  const body = { claimId: uuidv7(), queue: 'ci', worker, leaseMs, waitMs: 60_000 };
  const answer = await system.call<Grant>('agent', 'POST', '/claims', body);
  expect(answer.status).toBe(200);
  return answer.body;
}

const say = (system: System, token: string, word: string, body: unknown = {}) =>
  system.call<{ code?: string }>('agent', 'POST', `/claims/${token}/${word}`, body);

const reclaim = (system: System, id: string, attempt: number) =>
  system.call<ShownTask & { code?: string }>('web', 'POST', `/api/tasks/${id}/reclaim`, {
    attempt,
    reason: 'its worker is gone',
  });

interface BulkAnswer {
  items: { id: string; result: string; code?: string; newId?: string }[];
  matched: number;
}
const bulk = async (system: System, body: unknown): Promise<BulkAnswer> =>
  (await system.call<BulkAnswer>('web', 'POST', '/api/tasks/bulk', body)).body;

test('web shows the lease, heartbeat and progress of a claim as its worker renews it, also after a restart of web', async () => {
  await using system = await startSystem();
  const id = await system.submit({ payload: 1 }, { queue: 'ci' });
  const { claim: held } = await claim(system, 'w1');
  await say(system, held.token, 'heartbeat', { progress: { done: 1 } });
  const first = await system.webTaskWhen(id, 'with progress', (task) => task.claim?.progress !== undefined);
  expect(first).toMatchObject({ status: 'running', claim: { worker: 'w1', progress: { done: 1 } } });
  await say(system, held.token, 'heartbeat', { progress: { done: 2 } });
  const renewed = (task: ShownTask) =>
    task.claim !== undefined &&
    task.claim.lastHeartbeatAt > first.claim!.lastHeartbeatAt &&
    task.claim.leaseExpiresAt > first.claim!.leaseExpiresAt;
  expect(await system.webTaskWhen(id, 'renewed', renewed)).toMatchObject({
    claim: { progress: { done: 2 } },
  });
  await system.web.end('SIGKILL');
  await say(system, held.token, 'heartbeat', { progress: { done: 3 } });
  await system.web.start();
  // The agent gives a new term by itself where it was not awake.
  await until('web to show the claim as its agent states it', async () => {
    const [shown, stated] = [await system.webTask(id), await system.agentTask(id)];
    return (
      isDeepStrictEqual(shown.claim, stated.claim) && isDeepStrictEqual(shown.claim?.progress, { done: 3 })
    );
  });
});

test('P1, P4, failure mode 7: a reclaim that is asked while the agent is down survives a SIGKILL of web and gives up exactly that attempt', async () => {
  await using system = await startSystem();
  const id = await system.submit({ payload: 1 }, { queue: 'ci' });
  const old = await claim(system, 'w1');
  await say(system, old.claim.token, 'heartbeat');
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  await system.agent.end('SIGKILL');
  await system.untilAgentIs('lost');
  await system.webTaskWhen(id, 'unknown', (task) => task.status === 'unknown');
  expect(await reclaim(system, id, 1)).toMatchObject({
    status: 202,
    body: { status: 'unknown', pending: [{ action: 'reclaim' }] },
  });
  await reclaim(system, id, 1);
  await system.web.end('SIGKILL');
  await system.web.start();
  expect((await system.webTask(id)).pending).toMatchObject([{ action: 'reclaim' }]);
  await system.agent.start();
  const queued = await system.webTaskWhen(id, 'given up', (task) => task.status === 'queued');
  expect(queued).toMatchObject({ attempt: 1, outcome: { reason: 'reclaimed' } });
  // What the old worker says comes too late, whatever it is.
  expect(await say(system, old.claim.token, 'complete')).toMatchObject({
    status: 409,
    body: { code: 'claim_lost' },
  });
  const next = await claim(system, 'w2');
  expect(next).toMatchObject({ task: { id }, claim: { attempt: 2 } });
  // Asked once more, the same attempt: harmless. Nor is another attempt than the named one touched.
  await reclaim(system, id, 1);
  await say(system, next.claim.token, 'complete', { result: 'by w2' });
  expect(await system.webTaskWhen(id, 'ended', (task) => task.endedAt !== undefined)).toMatchObject({
    status: 'completed',
    attempt: 2,
    outcome: { reason: 'worker_completed', result: 'by w2' },
  });
  expect(await reclaim(system, id, 2)).toMatchObject({ status: 409, body: { code: 'not_claimable' } });
  const requeues = (await system.webEvents(id)).filter(({ kind }) => kind === 'requeued');
  expect(requeues).toMatchObject([{ attempt: 1, data: { charged: false } }]);
});

test('P4: a managed task that is reclaimed through web is stopped before its next attempt starts', async () => {
  // It ends by itself when it is told to.
  await using system = await startSystem({ env: { HOLDFAST_KILL_GRACE_MS: '60000' } });
  const mark = join(system.home, 'alive');
  // Each attempt says when it begins and when it is gone; a second one in between would show.
  const shell = `trap 'echo end >> ${mark}; exit 1' TERM; echo begin >> ${mark}; while :; do sleep 0.1; done`;
  const id = await system.submit({ shell });
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  await until('its first word', () => linesOf(mark).length === 1);
  expect((await reclaim(system, id, 1)).status).toBe(202);
  await system.webTaskWhen(
    id,
    'in its next attempt',
    (task) => task.attempt === 2 && task.status === 'running',
  );
  await until('the word of the second', () => linesOf(mark).length >= 3);
  expect(linesOf(mark).slice(0, 3)).toEqual(['begin', 'end', 'begin']);
  // An agent that takes its time is not waited for: then the refusal is told by the row alone.
  await until('the refusal', async () => (await reclaim(system, id, 7)).body.code === 'attempt_changed');
  expect((await system.webTask(id)).refused).toMatchObject({ action: 'reclaim' });
  await system.call('web', 'POST', `/api/tasks/${id}/cancel`);
  await system.webTaskWhen(id, 'gone', (task) => task.status === 'cancelled');
});

// Fails without: the look at `cursor` in routes/reclaim.ts of the agent.
test('P4: a reclaim that names its journal is refused by another one, though the attempt has the same number there', async () => {
  await using system = await startSystem({ web: false });
  const id = uuidv7();
  const spec = { shell: 'exec sleep 600' };
  await system.call('agent', 'POST', '/tasks', { id, sessionId: 'fence', spec });
  const running = await system.agentTaskWhen(id, 'running', (task) => task.status === 'running');
  interface Log {
    epoch: string;
    head: number;
    chain: string;
  }
  const { epoch, head, chain } = (await system.call<Log>('agent', 'GET', '/agent')).body;
  const ask = (cursor: string) =>
    system.call<{ code?: string }>('agent', 'POST', `/tasks/${id}/reclaim?cursor=${cursor}`, {
      attempt: 1,
      reason: 'it hangs',
    });
  const other = '0123456789abcdef';
  // A new journal; one that was restored from a copy: before the cursor, and with another history since.
  for (const cursor of [
    `${other}.${head}.${chain}`,
    `${epoch}.${head + 1}.${chain}`,
    `${epoch}.${head}.${other}`,
  ])
    expect(await ask(cursor)).toMatchObject({ status: 409, body: { code: 'attempt_changed' } });
  expect(await ask('nonsense')).toMatchObject({ status: 422, body: { code: 'invalid' } });
  expect(await system.agentTask(id)).toEqual(running);
  // What happened since is no other journal.
  await system.call('agent', 'POST', '/tasks', {
    id: uuidv7(),
    sessionId: 'fence',
    spec: { command: ['true'] },
  });
  expect((await ask(`${epoch}.${head}.${chain}`)).status).toBe(202);
  await system.agentTaskWhen(id, 'in its next attempt', (task) => task.attempt === 2);
});

/** A proxy before the agent that keeps reclaims until it is told to let them go. */
async function holdReclaims(port: number) {
  const go = Promise.withResolvers<void>();
  const held = new Set<string>();
  const pass = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { method, url: path, headers } = incoming;
    const onward = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    // The agent goes away meanwhile, and with it its stream.
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  };
  const server = createServer((incoming, outgoing) => {
    const { pathname } = new URL(incoming.url!, 'http://agent');
    if (!pathname.endsWith('/reclaim')) return pass(incoming, outgoing);
    held.add(pathname);
    void go.promise.then(() => pass(incoming, outgoing));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** How many tasks are asked for; web asks again where it has no answer. */
    held: () => held.size,
    letGo: () => go.resolve(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

// Fails without: the cursor that a reclaim carries from where its tasks were read (known-journal.ts).
test.each(['new', 'restored'])(
  'P4: reclaims that reach the agent when its journal is a %s one give up no attempt there, though it has the same number',
  async (kind) => {
    await using system = await startSystem({ web: 'remote' });
    await using proxy = await holdReclaims(system.agent.port);
    await system.follow(proxy.url);
    const journal = join(system.home, 'agent.db');
    const copy = join(system.home, 'copy.db');
    await system.call('agent', 'POST', '/pool/pause');
    const [one, other] = [uuidv7(), uuidv7()];
    const body = (id: string) => ({ id, sessionId: 'fence', spec: { shell: 'exec sleep 600' } });
    for (const id of [one, other]) await system.call('agent', 'POST', '/tasks', body(id));
    await system.agent.end('SIGTERM');
    copyFileSync(journal, copy);
    await system.agent.start();
    await system.call('agent', 'POST', '/pool/resume');
    for (const id of [one, other])
      await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
    const asked = bulk(system, { action: 'reclaim', ids: [one] });
    const alone = reclaim(system, other, 1);
    await until('both to be on their way', () => proxy.held() === 2);
    await system.agent.end('SIGKILL');
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${journal}${suffix}`, { force: true });
    if (kind === 'restored') copyFileSync(copy, journal);
    await system.agent.start();
    for (const id of [one, other]) await system.call('agent', 'POST', '/tasks', body(id));
    await system.call('agent', 'POST', '/pool/resume');
    for (const id of [one, other])
      await system.agentTaskWhen(id, 'running', (task) => task.status === 'running');
    proxy.letGo();
    const [item] = (await asked).items;
    // What has no answer for 10 s is promised.
    if (item?.result !== 'promised')
      expect(item).toMatchObject({ id: one, result: 'refused', code: 'attempt_changed' });
    await alone;
    for (const id of [one, other]) {
      const { refused } = await system.webTaskWhen(id, 'refused', (task) => task.refused !== undefined);
      // By the agent itself: web did not know of the other journal when it asked. Where it had no answer for 10 s it asks
      // again, and refuses by what it knows then.
      expect(refused).toMatchObject({
        action: 'reclaim',
        message: expect.stringMatching(/^(This|The) agent's journal/),
      });
      expect(await system.agentTask(id)).toMatchObject({ status: 'running', attempt: 1 });
      expect((await system.agentEvents(id)).map(({ kind: event }) => event)).not.toContain('stopRequested');
    }
  },
);

test('P11: what each agent finds stale is reclaimed through web with its evidence, and an agent that cannot be asked is named', async () => {
  await using system = await startSystem();
  const [stale, busy] = [
    await system.submit({ payload: 1 }, { queue: 'ci' }),
    await system.submit({ shell: 'exec sleep 600' }),
  ];
  await claim(system, 'w1');
  leaveOfLease(system, stale, LEASE_MS / 4);
  await system.webTaskWhen(stale, 'stale', (task) => task.attention?.[0]?.code === 'claim_silent');
  interface Reclaims {
    items: (ReclaimItem & { agentName: string })[];
    unreachable: { name: string; state: string; message: string }[];
  }
  const ask = async (body: unknown) =>
    (await system.call<Reclaims>('web', 'POST', '/api/reclaim', body)).body;
  const item = { taskId: stale, attempt: 1, agentName: 'test-agent', evidence: { code: 'claim_silent' } };
  expect(await ask({ dryRun: true })).toMatchObject({
    items: [{ ...item, result: 'wouldReclaim' }],
    unreachable: [],
  });
  expect((await ask({ dryRun: true, olderThanMs: 3_600_000 })).items).toEqual([]);
  expect((await system.webTask(stale)).attempt).toBe(1);
  expect(await ask({})).toMatchObject({ items: [{ ...item, result: 'reclaimed' }] });
  await system.webTaskWhen(stale, 'queued again', (task) => task.status === 'queued');
  expect(await system.agentTask(busy)).toMatchObject({ status: 'running', attempt: 1 });
  await system.agent.end('SIGKILL');
  await system.untilAgentIs('lost');
  expect(await ask({ dryRun: true })).toMatchObject({
    items: [],
    unreachable: [{ name: 'test-agent', state: 'lost', message: expect.stringMatching('cannot be reached') }],
  });
});

test('P2: the proof of a task is the agent’s look of this moment, and without the agent there is none', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exec sleep 600' });
  const held = await system.submit({ payload: 1 }, { queue: 'ci' });
  const running = await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  await claim(system, 'w1');
  const proof = (of: string) =>
    system.call<{ verifiedAt: number; code?: string }>('web', 'GET', `/api/tasks/${of}/proof`);
  const seen = await proof(id);
  expect(seen).toMatchObject({
    status: 200,
    body: { taskId: id, attempt: 1, agentName: 'test-agent', proof: { kind: 'process' } },
  });
  expect(seen.body.verifiedAt).toBeGreaterThanOrEqual(running.startedAt!);
  expect(await proof(held)).toMatchObject({ body: { proof: { kind: 'lease', worker: 'w1' } } });
  const { body: state } = await system.call<{ agents: { id: string }[] }>('web', 'GET', '/api/state');
  const path = `/api/agents/${state.agents[0]!.id}`;
  expect(await system.call('web', 'GET', `${path}/audit`)).toMatchObject({
    status: 200,
    body: { tasks: { length: 2 }, ghosts: [], strays: [] },
  });
  const runners = await system.call<{ items: { name: string }[] }>('web', 'GET', `${path}/runners`);
  expect(runners.body.items.map(({ name }) => name)).toContain('claude');
  await system.call('web', 'POST', `/api/tasks/${id}/cancel`);
  await system.webTaskWhen(id, 'ended', (task) => task.endedAt !== undefined);
  expect(await proof(id)).toMatchObject({ status: 200, body: { proof: { kind: 'over' } } });
  await system.agent.end('SIGKILL');
  expect(await proof(held)).toMatchObject({ status: 503, body: { code: 'agent_unreachable' } });
});

test('bulk: a dry run changes nothing, a cancel stops all that a filter finds, and a repeated retry runs nothing twice', async () => {
  await using system = await startSystem();
  const ids = await Promise.all(
    Array.from({ length: 6 }, () => system.submit({ shell: 'exec sleep 600' }, { labels: { batch: 'x' } })),
  );
  const other = await system.submit({ shell: 'exec sleep 600' });
  // A submit that its agent has not answered yet is pending too.
  for (const id of ids) await system.webTaskWhen(id, 'delivered', (task) => task.pending === undefined);
  const filter = { label: 'batch=x' };
  const would = await bulk(system, { action: 'cancel', filter, dryRun: true });
  expect(would.matched).toBe(6);
  expect(would.items.map(({ result }) => result)).toEqual(Array(6).fill('wouldDo'));
  for (const id of ids) expect((await system.webTask(id)).pending).toBeUndefined();
  const done = await bulk(system, { action: 'cancel', filter });
  expect(done.items.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  for (const id of ids) await system.webTaskWhen(id, 'cancelled', (task) => task.status === 'cancelled');
  expect((await system.webTask(other)).endedAt).toBeUndefined();
  const first = await bulk(system, { action: 'retry', ids });
  const again = await bulk(system, { action: 'retry', ids });
  expect(again.items.map(({ newId }) => newId)).toEqual(first.items.map(({ newId }) => newId));
  const { body } = await system.call<{ total: number }>('web', 'GET', '/api/tasks?label=batch%3Dx');
  expect(body.total).toBe(12);
});

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n').filter(Boolean);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
