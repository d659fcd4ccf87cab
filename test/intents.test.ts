/** What a person asked of web is delivered, once, whatever falls over meanwhile: P1, P4, P5, P11, failure modes 9 and 10. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { uuidv7 } from 'uuidv7';
import type { ShownTask, Task } from '@holdfast/shared';
import { CuttingProxy } from './cutting-proxy.ts';
import { startSystem, until } from './system.ts';

const ended = (task: { endedAt?: number | undefined }) => task.endedAt !== undefined;
const running = (task: ShownTask) => task.status === 'running';

// Fails without: `dueIntents` at the start of web (`load` in delivery.ts).
test('P1, failure mode 9: submit, cancel and retry asked while the agent is down survive a SIGKILL of web and reach the agent', async () => {
  await using system = await startSystem();
  const old = await system.submit({ shell: 'exit 3' });
  const busy = await system.submit({ shell: 'exec sleep 600' });
  await system.webTaskWhen(old, 'ended', ended);
  await system.webTaskWhen(busy, 'running', running);
  await system.agent.end('SIGKILL');
  await system.untilAgentIs('lost');
  await system.webTaskWhen(busy, 'unknown', (task) => task.status === 'unknown');

  // It tells nobody what it was given, only whether it came.
  const fresh = await system.submit({ shell: '[ ${#SECRET} = 14 ]', env: { SECRET: 'hunter2-of-web' } });
  const withdrawn = await system.submit({ shell: 'exit 0' });
  const again = uuidv7();
  const retried = await system.call('web', 'POST', `/api/tasks/${old}/retry`, { id: again });
  expect(retried.status).toBe(202);
  const cancelled = await system.call<ShownTask>('web', 'POST', `/api/tasks/${busy}/cancel`);
  expect(cancelled.status).toBe(202);
  expect(cancelled.body).toMatchObject({ status: 'unknown', pending: [{ action: 'cancel' }] });
  // Never sent: nobody but web has to know of it.
  expect((await system.call('web', 'POST', `/api/tasks/${withdrawn}/cancel`)).body).toMatchObject({
    status: 'cancelled',
  });
  await system.web.end('SIGKILL');
  await system.web.start();
  expect(await system.webTask(fresh)).toMatchObject({ status: 'submitted', pending: [{ action: 'submit' }] });

  await system.agent.start();
  expect(await system.webTaskWhen(fresh, 'ended', ended)).toMatchObject({ status: 'completed', attempt: 1 });
  expect(await system.webTaskWhen(again, 'ended', ended)).toMatchObject({ status: 'failed', retryOf: old });
  expect(await system.webTaskWhen(busy, 'ended', ended)).toMatchObject({ status: 'cancelled', attempt: 1 });
  expect((await system.call('agent', 'GET', `/tasks/${withdrawn}`)).status).toBe(404);
  // Delivered: what was secret in it is wiped. A web that ends folds its write-ahead log into the file.
  await until('no pending intent', async () => (await system.webTask(fresh)).pending === undefined);
  await system.web.end('SIGTERM');
  for (const file of readdirSync(system.home).filter((name) => name.startsWith('web.db')))
    expect(readFileSync(join(system.home, file)).includes('hunter2-of-web')).toBe(false);
});

test('P4: when the answers of POST /tasks are cut off, each task exists exactly once', async () => {
  await using system = await startSystem({ web: 'remote' });
  await using proxy = await CuttingProxy.open(system.agent.port);
  await system.follow(proxy.url);
  const mark = join(system.home, 'ran');
  proxy.cutEach(() => 1);
  const ids = await Promise.all(
    Array.from({ length: 6 }, (_, index) =>
      system.submit({ shell: `echo ${index} >> ${mark}` }, { agent: 'test-agent' }),
    ),
  );
  await until('a submit whose answer was lost', async () => {
    const { body } = await system.call<{ items: Task[] }>('agent', 'GET', '/tasks');
    const tasks = await Promise.all(ids.map((id) => system.webTask(id)));
    const unanswered = tasks.filter((task) => task.pending?.[0]?.lastError !== undefined);
    return body.items.length > 0 && unanswered.some(({ id }) => body.items.some((task) => task.id === id));
  });
  proxy.cutEach(undefined);
  for (const id of ids) {
    const task = await system.webTaskWhen(id, 'ended', (one) => ended(one) && one.pending === undefined);
    expect(task).toMatchObject({ status: 'completed', attempt: 1 });
    const submitted = (await system.agentEvents(id)).filter(({ kind }) => kind === 'submitted');
    expect(submitted).toHaveLength(1);
  }
  const { body } = await system.call<{ items: Task[] }>('agent', 'GET', '/tasks');
  expect(body.items.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  expect(readFileSync(mark, 'utf8').trim().split('\n').toSorted()).toEqual(['0', '1', '2', '3', '4', '5']);
});

test('P5: a cancel that races the end gives one terminal event, and web says what the agent says', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '8' } });
  const ids = await Promise.all(
    Array.from({ length: 24 }, (_, index) => system.submit({ shell: `sleep 0.${index % 4}` })),
  );
  const answers = await Promise.all(ids.map((id) => system.call('web', 'POST', `/api/tasks/${id}/cancel`)));
  for (const { status } of answers) expect([202, 409]).toContain(status);
  for (const id of ids) {
    const shown = await system.webTaskWhen(id, 'ended', (task) => ended(task) && task.pending === undefined);
    // Taken back before web had sent it: nobody but web knows of it.
    if ((await system.call('agent', 'GET', `/tasks/${id}`)).status === 404) {
      expect(shown).toMatchObject({ status: 'cancelled', seq: 0 });
      continue;
    }
    const task = await system.agentTaskWhen(id, 'ended', ended);
    expect(shown).toMatchObject({ status: task.status, outcome: task.outcome });
    const last = (await system.webEvents(id)).filter(({ kind }) =>
      ['completed', 'failed', 'cancelled'].includes(kind),
    );
    expect(last).toHaveLength(1);
  }
});

test(
  'P1: a thousand tasks submitted through web while the agent is down all run once when it returns',
  { timeout: 600_000 },
  async () => {
    await using system = await startSystem({ env: { HOLDFAST_SLOTS: '16' } });
    await system.agent.end('SIGTERM');
    await system.untilAgentIs('stopped');
    const ids = await Promise.all(Array.from({ length: 1000 }, () => system.submit({ command: ['true'] })));
    await system.agent.start();
    const isDone = async () => {
      const { body } = await system.call<{ counts: Record<string, number> }>('web', 'GET', '/api/state');
      return body.counts.completed === ids.length;
    };
    await until('all to have ended on web', isDone, 400_000);
    const { body } = await system.call<{ head: number; live: number }>('agent', 'GET', '/agent');
    // Accepted, claimed, started, ended: nothing was said twice.
    expect(body).toMatchObject({ live: 0, head: ids.length * 4 });
  },
);

test('P11: an agent that is frozen delays no delivery to another', async () => {
  await using system = await startSystem({ web: 'remote' });
  await using other = await startSystem({ web: false, env: { HOLDFAST_AGENT_NAME: 'other-agent' } });
  await system.follow(system.agent.url);
  const added = await system.call('web', 'POST', '/api/agents', {
    url: other.agent.url,
    token: other.token('agent'),
  });
  expect(added.status).toBe(201);
  await until('both to be live', async () => {
    const { body } = await system.call<{ agents: { state: string }[] }>('web', 'GET', '/api/state');
    return body.agents.length === 2 && body.agents.every(({ state }) => state === 'live');
  });
  const there = await system.submit({ shell: 'exec sleep 600' }, { agent: 'other-agent', sessionId: 'both' });
  const here = await system.submit({ shell: 'exec sleep 600' }, { agent: 'test-agent', sessionId: 'both' });
  for (const id of [there, here]) await system.webTaskWhen(id, 'running', running);
  other.agent.signal('SIGSTOP');
  const stuck = Promise.all(
    Array.from({ length: 20 }, () => system.submit({ command: ['true'] }, { agent: 'other-agent' })),
  );
  const id = await system.submit({ command: ['true'] }, { agent: 'test-agent' });
  await system.webTaskWhen(id, 'ended', ended);
  expect(await system.webTaskWhen(there, 'unknown', (task) => task.status === 'unknown')).toMatchObject({
    lastStatus: 'running',
  });
  await system.webTaskWhen(here, 'vouched for', (task) => running(task) && task.knowledge.state === 'live');
  const session = await system.call<{ status: string }>('web', 'GET', '/api/sessions/both');
  expect(session.body.status).toBe('unknown');
  const waiting = await stuck;
  other.agent.signal('SIGCONT');
  for (const one of waiting) await system.webTaskWhen(one, 'ended', ended);
  expect(await system.webTaskWhen(there, 'known again', running)).toMatchObject({ attempt: 1 });
});
