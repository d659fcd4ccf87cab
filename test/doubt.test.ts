/** What web knows, when it doubts, and how doubt ends: P2, P9, P11, P12, failure modes 10 and 12. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { uuidv7 } from 'uuidv7';
import { expect, test } from 'vitest';
import type { ShownTask } from '@holdfast/shared';
import { CuttingProxy } from './cutting-proxy.ts';
import { NEVER_LOST, startSystem, type System, until } from './system.ts';

const ended = (task: { endedAt?: number | undefined }) => task.endedAt !== undefined;
const running = (task: ShownTask) => task.status === 'running' && task.knowledge.state === 'live';
const unknown = (task: ShownTask) => task.status === 'unknown';

interface Doubts {
  knowledge: { state: string };
  items: {
    reason: string;
    lastStatus: string;
    asOf: number;
    since: number;
    resolvedAt?: number;
    resolvedTo?: string;
  }[];
}

async function doubtsOf(system: System, id: string): Promise<Doubts> {
  return (await system.call<Doubts>('web', 'GET', `/api/tasks/${id}/knowledge`)).body;
}

// Fails without: `markUnknown` when the deadline passes (connection-state.ts).
test('P2, P9, failure mode 10: a frozen agent makes its tasks stale, then unknown; when it goes on, truth and doubt are both on record', async () => {
  // Stale for long enough to be seen so.
  await using system = await startSystem({ env: { HOLDFAST_LOST_AFTER_MS: '6000' } });
  const id = await system.submit({ shell: 'exec sleep 600' });
  await system.webTaskWhen(id, 'running', running);
  system.agent.signal('SIGSTOP');
  expect(
    await system.webTaskWhen(id, 'no longer live', ({ knowledge }) => knowledge.state !== 'live'),
  ).toMatchObject({ status: 'running', knowledge: { state: 'stale' } });
  const lost = await system.webTaskWhen(id, 'unknown', unknown);
  expect(lost).toMatchObject({ lastStatus: 'running', knowledge: { reason: 'agent_unreachable' } });
  system.agent.signal('SIGCONT');
  expect(await system.webTaskWhen(id, 'running again', running)).toMatchObject({ attempt: 1 });
  const doubt = (await doubtsOf(system, id)).items.at(-1);
  expect(doubt).toMatchObject({
    reason: 'agent_unreachable',
    lastStatus: 'running',
    resolvedTo: 'running',
  });
  expect(doubt!.asOf).toBeLessThanOrEqual(doubt!.since);
  expect(doubt!.since).toBeLessThanOrEqual(doubt!.resolvedAt!);
});

// Fails without: `recordAbsence` (agent-standing.ts).
test('P9: what nobody saw while web was down is on record with its times, and the restart alone changes no status', async () => {
  // Web has all the time that it needs to start and to hear its agent.
  await using system = await startSystem({ env: NEVER_LOST });
  const gate = join(system.home, 'gate');
  const long = await system.submit({ shell: 'exec sleep 600' });
  const ends = await system.submit({ shell: `until [ -e ${gate} ]; do sleep 0.05; done; exit 3` });
  const before = await system.submit({ shell: 'exit 0' });
  for (const id of [long, ends]) await system.webTaskWhen(id, 'running', running);
  await system.webTaskWhen(before, 'ended', ended);
  const downSince = Date.now();
  await system.web.end('SIGKILL');
  writeFileSync(gate, '');
  await system.agentTaskWhen(ends, 'ended', ended);
  const after = uuidv7();
  const task = { id: after, sessionId: 'test', spec: { shell: 'exec sleep 600' } };
  expect((await system.call('agent', 'POST', '/tasks', task)).status).toBe(201);
  // As if web had been away for longer than the deadline: what counts is when it last heard its agent.
  const database = new Database(join(system.home, 'web.db'));
  database.prepare('UPDATE agents SET as_of = as_of - ?').run(2 * Number(NEVER_LOST.HOLDFAST_LOST_AFTER_MS));
  database.close();
  await system.web.start();
  const back = await system.webTaskWhen(long, 'running', running);
  expect(back).toMatchObject({ attempt: 1 });
  expect(back).not.toHaveProperty('unknownSince');
  await until('the doubt to be on record', async () => (await doubtsOf(system, ends)).items.length > 0);
  const web = { reason: 'web_down', lastStatus: 'running' };
  expect((await doubtsOf(system, long)).items).toMatchObject([{ ...web, resolvedTo: 'running' }]);
  expect((await doubtsOf(system, ends)).items).toMatchObject([{ ...web, resolvedTo: 'failed' }]);
  const [doubt] = (await doubtsOf(system, long)).items;
  expect(doubt!.asOf).toBeLessThanOrEqual(downSince);
  expect(doubt!.since).toBeGreaterThanOrEqual(downSince);
  expect(doubt!.resolvedAt).toBeGreaterThanOrEqual(doubt!.since);
  await system.webTaskWhen(after, 'running', running);
  for (const id of [before, after]) expect((await doubtsOf(system, id)).items).toEqual([]);
});

test('P9: a person’s verdict on an unknown task yields to what its agent says', async () => {
  await using system = await startSystem();
  const gate = join(system.home, 'gate');
  const id = await system.submit({ shell: `until [ -e ${gate} ]; do sleep 0.05; done; exit 9` });
  await system.webTaskWhen(id, 'running', running);
  // Never unknown, however long nobody is heard.
  const done = await system.submit({ command: ['true'] });
  await system.webTaskWhen(done, 'ended', ended);
  const refused = await system.call('web', 'POST', `/api/tasks/${done}/resolve`, { verdict: 'lost' });
  expect(refused.status).toBe(409);
  await system.agent.end('SIGKILL');
  await system.webTaskWhen(id, 'unknown', unknown);
  const verdict = await system.call('web', 'POST', `/api/tasks/${id}/resolve`, {
    verdict: 'lost',
    note: 'gone',
  });
  expect(verdict.body).toMatchObject({ status: 'lost', verdict: { note: 'gone' } });
  writeFileSync(gate, '');
  await system.agent.start();
  expect(await system.webTaskWhen(id, 'failed', (task) => task.status === 'failed')).toMatchObject({
    outcome: { exitCode: 9 },
  });
  expect((await doubtsOf(system, id)).items.slice(-2)).toMatchObject([
    { resolvedTo: 'lost' },
    { resolvedTo: 'failed' },
  ]);
});

test.each([
  ['as ended', "UPDATE tasks SET stated_status = 'completed', status = 'completed' WHERE id = ?"],
  ['as queued', "UPDATE tasks SET stated_status = 'queued', status = 'queued' WHERE id = ?"],
  ['as of a later event', 'UPDATE tasks SET attempt = 7, seq = seq + 1000 WHERE id = ?'],
  ['not at all', 'DELETE FROM tasks WHERE id = ?'],
])(
  'failure mode 12: a copy that holds a running task %s is noticed by its digest and repaired',
  async (_how, tamper) => {
    await using system = await startSystem();
    const id = await system.submit({ shell: 'exec sleep 600' });
    const other = await system.submit({ shell: 'exec sleep 600' });
    for (const one of [id, other]) await system.webTaskWhen(one, 'running', running);
    await system.web.end('SIGTERM');
    const database = new Database(join(system.home, 'web.db'));
    expect(database.prepare(tamper).run(id).changes).toBe(1);
    database.close();
    await system.web.start();
    expect(await system.webTaskWhen(id, 'running', running)).toMatchObject({ attempt: 1 });
    expect(await system.webTaskWhen(other, 'running', running)).toMatchObject({ attempt: 1 });
    await until('the digests to agree', async () => {
      const { body } = await system.call<{ agents: { digestOk?: boolean }[] }>('web', 'GET', '/api/state');
      return body.agents[0]?.digestOk === true;
    });
    const metrics = await system.call<string>('web', 'GET', '/metrics');
    expect(metrics.body).toMatch(/digest_mismatches\w*\{[^}]*\} [1-9]/);
  },
);

test('P12: without its store web has the agents’ tasks again, and of what was never delivered nothing', async () => {
  await using system = await startSystem();
  const kept = await system.submit({ shell: 'exec sleep 600' }, { sessionId: 'kept' });
  const done = await system.submit({ shell: 'exit 4' }, { sessionId: 'kept' });
  await system.webTaskWhen(kept, 'running', running);
  await system.webTaskWhen(done, 'ended', ended);
  await system.agent.end('SIGKILL');
  await system.untilAgentIs('lost');
  const undelivered = await system.submit({ shell: 'exit 0' });
  await system.web.end('SIGTERM');
  for (const file of readdirSync(system.home).filter((name) => name.startsWith('web.db')))
    rmSync(join(system.home, file));
  // Web comes first: it knows of an agent that nobody answers for.
  await system.web.start();
  expect((await system.call<{ total: number }>('web', 'GET', '/api/tasks')).body.total).toBe(0);
  await system.agent.start();
  await system.webTaskWhen(kept, 'running', running);
  expect(await system.webTask(done)).toMatchObject({ status: 'failed', outcome: { exitCode: 4 } });
  expect((await system.call('web', 'GET', `/api/tasks/${undelivered}`)).status).toBe(404);
  for (const id of [kept, done]) expect(await system.webEvents(id)).toEqual(await system.agentEvents(id));
});

test('an agent that is added again under another address keeps its tasks, and one that was removed gets them back', async () => {
  await using system = await startSystem({ web: 'remote' });
  await using first = await CuttingProxy.open(system.agent.port);
  await using second = await CuttingProxy.open(system.agent.port);
  await system.follow(first.url);
  const id = await system.submit({ shell: 'exec sleep 600' });
  await system.webTaskWhen(id, 'running', running);
  first.refuse(true);
  await system.webTaskWhen(id, 'unknown', unknown);
  await system.follow(second.url);
  await system.webTaskWhen(id, 'running', running);
  const { body } = await system.call<{ agents: { id: string; url: string }[] }>('web', 'GET', '/api/state');
  expect(body.agents).toMatchObject([{ url: second.url }]);

  expect((await system.call('web', 'DELETE', `/api/agents/${body.agents[0]!.id}`)).status).toBe(200);
  expect(await system.webTask(id)).toMatchObject({
    status: 'unknown',
    knowledge: { reason: 'agent_removed' },
  });
  await system.follow(second.url);
  expect(await system.webTaskWhen(id, 'running', running)).toMatchObject({ attempt: 1 });
  await system.web.restart('SIGKILL');
  await system.webTaskWhen(id, 'running', running);
});

test('a renamed agent, and one whose token changed, is the same agent with the same tasks', async () => {
  await using system = await startSystem();
  const id = await system.submit({ shell: 'exec sleep 600' });
  await system.webTaskWhen(id, 'running', running);
  await system.agent.end('SIGTERM');
  system.env.HOLDFAST_AGENT_NAME = 'another-name';
  writeFileSync(join(system.home, 'agent.token'), `${'t'.repeat(43)}\n`, { mode: 0o600 });
  await system.agent.start();
  await until('web to show the new name alone', async () => {
    const { body } = await system.call<{ agents: { name: string; state: string }[] }>(
      'web',
      'GET',
      '/api/state',
    );
    return body.agents.length === 1 && body.agents[0]!.name === 'another-name';
  });
  await system.webTaskWhen(id, 'running', running);
  expect((await system.call('web', 'POST', `/api/tasks/${id}/cancel`)).status).toBe(202);
  await system.webTaskWhen(id, 'cancelled', (task) => task.status === 'cancelled');
});
