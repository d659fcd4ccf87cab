/**
 * The six ways in which a task got stuck elsewhere, each with both services as real processes, and what follows
 * from the design: a rebuilt store, a journal that is not the one web knew.
 */
import { copyFileSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { EventSource } from 'eventsource';
import { expect, test } from 'vitest';
import { uuidv7 } from 'uuidv7';
import type { ShownSession, ShownTask, Task, TaskEvent } from '@holdfast/shared';
import { CuttingProxy } from './cutting-proxy.ts';
import { NEVER_LOST, startSystem, type System, until } from './system.ts';

const ended = (task: { endedAt?: number | undefined }) => task.endedAt !== undefined;

async function allOf<T>(system: System, name: 'agent' | 'web', path: string): Promise<T[]> {
  const items: T[] = [];
  for (let after = ''; ;) {
    const { body } = await system.call<{ items: T[]; next?: string }>(
      name,
      'GET',
      `${path}?limit=500${after}`,
    );
    items.push(...body.items);
    if (body.next === undefined) return items;
    after = `&after=${encodeURIComponent(body.next)}`;
  }
}

interface Place {
  seq: number;
  chain: string;
}

/** Where web has come to in the log of its agent. */
function placeOf(system: System): Place | undefined {
  const database = new Database(join(system.webHome, 'web.db'), { readonly: true });
  try {
    return database.prepare('SELECT seq, chain FROM agents').get() as Place | undefined;
  } finally {
    database.close();
  }
}

/** Waits until web has applied all that the agent has, and says that it agrees. */
async function untilInStep(system: System): Promise<void> {
  await until('web to be in step with the agent', async () => {
    const [state, agent] = await Promise.all([
      system.call<{ agents: { state: string; lag: number; digestOk?: boolean }[] }>(
        'web',
        'GET',
        '/api/state',
      ),
      system.call<{ head: number; chain: string }>('agent', 'GET', '/agent'),
    ]);
    const [link] = state.body.agents;
    if (link?.state !== 'live' || link.lag !== 0 || link.digestOk !== true) return false;
    // Web's word is of the last heartbeat: what the agent has put on record since has to be there too.
    const place = placeOf(system);
    return place?.seq === agent.body.head && place.chain === agent.body.chain;
  });
}

/** P6, P12: tasks, and the events of each, are on web exactly as the agent retains them. */
async function expectEqual(system: System): Promise<void> {
  const [onAgent, onWeb] = [
    await allOf<Task>(system, 'agent', '/tasks'),
    await allOf<ShownTask>(system, 'web', '/api/tasks'),
  ];
  expect(new Set(onWeb.map((task) => task.id))).toEqual(new Set(onAgent.map((task) => task.id)));
  const shown = new Map(onWeb.map((task) => [task.id, task]));
  for (const task of onAgent) {
    expect(shown.get(task.id)).toMatchObject(task);
    expect(await system.webEvents(task.id)).toEqual(await system.agentEvents(task.id));
  }
}

function expectOneLife(events: TaskEvent[]): void {
  const seqs = events.map((event) => event.seq);
  expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => a - b));
  expect(events[0]!.kind).toBe('submitted');
  expect(events.filter((event) => ['completed', 'failed', 'cancelled'].includes(event.kind))).toHaveLength(1);
}

// Fails without: `code=$?` in shim.sh, which keeps the exit code.
test('scenario 1, failure mode 8: 500 tasks that end at once, submitted together, all end on web, in order, none twice', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '16' } });
  const ids = await Promise.all(
    Array.from({ length: 500 }, (_, index) =>
      system.submit({ command: ['/bin/sh', '-c', `exit ${index % 3}`] }),
    ),
  );
  await until('all to have ended on web', async () => {
    const { body } = await system.call<{ counts: Record<string, number> }>('web', 'GET', '/api/state');
    return (body.counts.completed ?? 0) + (body.counts.failed ?? 0) === 500;
  });
  const tasks = new Map((await allOf<ShownTask>(system, 'web', '/api/tasks')).map((task) => [task.id, task]));
  for (const [index, id] of ids.entries()) {
    expect(tasks.get(id)).toMatchObject({ attempt: 1, outcome: { exitCode: index % 3 } });
    const events = await system.webEvents(id);
    expect(events.map((event) => event.kind).slice(0, 3)).toEqual(['submitted', 'claimed', 'started']);
    expectOneLife(events);
  }
});

// Fails without: the replay from the reader’s cursor: from the head instead (`#preamble` in the agent’s
// events.ts).
test(
  'scenario 2, failure mode 11, P6: 300 cuts at random byte offsets under load, then half-open: nothing missed, nothing twice',
  { timeout: 600_000 },
  async () => {
    await using system = await startSystem({ web: 'remote', env: { HOLDFAST_SLOTS: '8' } });
    await using proxy = await CuttingProxy.open(system.agent.port);
    await system.follow(proxy.url);
    const random = seededRandom(20_260_101);
    const done = new AbortController();
    proxy.cutEach(() => 1 + Math.floor(random() * 6000));
    proxy.cutAll();
    const { body: known } = await system.call<{ agents: { id: string }[] }>('web', 'GET', '/api/state');
    // Load goes on until the cuts are done: each task is a few events. Web is told not to wait between its tries.
    const load = (async () => {
      while (!done.signal.aborted) {
        await system.call('web', 'POST', `/api/agents/${known.agents[0]!.id}/reconnect`);
        await Promise.all(
          Array.from({ length: 4 }, () =>
            system.call('agent', 'POST', '/tasks', {
              id: uuidv7(),
              sessionId: 'load',
              spec: { command: ['true'] },
            }),
          ),
        );
      }
    })();
    try {
      await until('300 cuts', () => proxy.cuts >= 300, 400_000);
    } finally {
      done.abort();
      await load;
    }
    proxy.cutEach(undefined);
    proxy.cutAll();
    await system.untilAgentIs('live');
    proxy.freeze();
    await system.untilAgentIs('lost');
    proxy.thaw();
    await untilInStep(system);
    await until(
      'the load to be worked off',
      async () => (await system.call<{ live: number }>('agent', 'GET', '/agent')).body.live === 0,
    );
    await untilInStep(system);
    await expectEqual(system);
  },
);

test('scenario 3: a browser that was closed during the task is shown its end when it comes back', async () => {
  await using system = await startSystem();
  const gate = join(system.home, 'gate');
  const id = await system.submit({ shell: `until [ -e ${gate} ]; do sleep 0.05; done; exit 3` });
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  const { body } = await system.call<{ cursor: string }>('web', 'GET', '/api/state');
  await using first = openFeed(system, body.cursor);
  await until('the first browser to be connected', () => first.frames.length > 0);
  await first[Symbol.asyncDispose]();
  writeFileSync(gate, '');
  await system.webTaskWhen(id, 'failed', (task) => task.status === 'failed');
  // The same browser resumes behind its cursor; a new one reads the state.
  await using second = openFeed(system, first.cursor ?? body.cursor);
  const task = await until('the change to reach the browser', () => second.tasks.get(id));
  expect(task).toMatchObject({ status: 'failed', outcome: { exitCode: 3 }, knowledge: { state: 'live' } });
  expect(second.frames.map((frame) => frame.name)).not.toContain('reset');
});

test('scenario 4, failure mode 9: web killed in the middle of a task comes back with it, and nothing runs twice', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const gate = join(system.home, 'gate');
  const id = await system.submit({ shell: `echo once; until [ -e ${gate} ]; do sleep 0.05; done; exit 5` });
  await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  await system.web.restart('SIGKILL');
  const after = await system.webTask(id);
  // Restarting web changes no status by itself; until the agent has vouched it is not shown as known.
  expect(after.status).toBe('running');
  await system.webTaskWhen(id, 'known again', (task) => task.knowledge.state === 'live');
  await system.web.end('SIGKILL');
  writeFileSync(gate, '');
  await system.agentTaskWhen(id, 'ended', ended);
  await system.web.start();
  expect(await system.webTaskWhen(id, 'ended', ended)).toMatchObject({
    status: 'failed',
    attempt: 1,
    outcome: { exitCode: 5 },
  });
  expect((await system.call('web', 'GET', `/api/tasks/${id}/output`)).status).toBe(200);
  await untilInStep(system);
  await expectEqual(system);
});

// Fails without: `markUnknown` when the deadline passes (connection-state.ts).
test('scenario 5, P2, P7, P9, failure mode 10: a killed agent makes its tasks unknown with the last status; its return brings the truth', async () => {
  await using system = await startSystem();
  const gate = join(system.home, 'gate');
  const ending = await system.submit({ shell: `until [ -e ${gate} ]; do sleep 0.05; done; exit 42` });
  const staying = await system.submit({ shell: 'exec sleep 600' });
  for (const id of [ending, staying])
    await system.webTaskWhen(id, 'running', (task) => task.status === 'running');
  await system.agent.end('SIGKILL');
  for (const id of [ending, staying]) {
    const task = await system.webTaskWhen(id, 'unknown', (one) => one.status === 'unknown');
    expect(task).toMatchObject({
      lastStatus: 'running',
      knowledge: { state: 'unknown', reason: 'agent_unreachable' },
    });
    expect(task.unknownSince).toBeGreaterThanOrEqual(task.startedAt!);
    expect(task.knowledge.asOf).toBeLessThanOrEqual(task.unknownSince!);
  }
  writeFileSync(gate, '');
  await until('the exit record of the one that ended', () => {
    const folder = join(system.home, 'runs', ending);
    return readdirSync(folder).some((run) => existsSync(join(folder, run, 'exit.42')));
  });
  await system.agent.start();
  expect(await system.webTaskWhen(ending, 'ended', ended)).toMatchObject({
    status: 'failed',
    outcome: { exitCode: 42 },
  });
  const back = await system.webTaskWhen(
    staying,
    'known',
    (task) => task.status === 'running' && task.knowledge.state === 'live',
  );
  expect(back.lastStatus).toBeUndefined();
  type Doubts = { items: { reason: string; lastStatus: string; resolvedAt?: number; resolvedTo?: string }[] };
  const { body } = await system.call<Doubts>('web', 'GET', `/api/tasks/${ending}/knowledge`);
  // On a machine that stands still for longer than the deadline there was another doubt before.
  expect(body.items.at(-1)).toMatchObject({
    reason: 'agent_unreachable',
    lastStatus: 'running',
    resolvedTo: 'failed',
  });
  await untilInStep(system);
  await expectEqual(system);
});

test('scenario 6: 20 sessions at once keep their ids, and a runner’s own id is stored beside them', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '20' } });
  const sessions = Array.from({ length: 20 }, (_, index) => `conversation-${index}`);
  const ids = await Promise.all(
    sessions.map((sessionId) =>
      system.submit(
        { shell: `echo "runner-$HOLDFAST_SESSION" > "$HOLDFAST_RUN/external-id"; exit 0` },
        { sessionId },
      ),
    ),
  );
  for (const [index, id] of ids.entries()) {
    const task = await system.webTaskWhen(id, 'ended', ended);
    expect(task).toMatchObject({
      sessionId: sessions[index],
      externalId: `runner-${sessions[index]}`,
      status: 'completed',
    });
  }
  const shown = await allOf<ShownSession>(system, 'web', '/api/sessions');
  expect(shown.map((session) => session.id).toSorted()).toEqual(sessions.toSorted());
  for (const session of shown)
    expect(session).toMatchObject({ status: 'completed', counts: { completed: 1 } });
  await system.agent.restart('SIGKILL');
  await system.web.restart('SIGKILL');
  await untilInStep(system);
  await expectEqual(system);
});

test('P12: without its SessionStore web comes back with the same tasks, sessions and events', async () => {
  await using system = await startSystem({ env: NEVER_LOST });
  const ids = await Promise.all(
    ['a', 'b', 'b'].map((sessionId) => system.submit({ shell: 'exit 0' }, { sessionId })),
  );
  const living = await system.submit({ shell: 'exec sleep 600' }, { sessionId: 'c' });
  for (const id of ids) await system.webTaskWhen(id, 'ended', ended);
  await system.webTaskWhen(living, 'running', (task) => task.status === 'running');
  const before = await allOf<ShownSession>(system, 'web', '/api/sessions');
  await system.web.end('SIGKILL');
  for (const file of readdirSync(system.home)) {
    if (file.startsWith('web.db')) rmSync(join(system.home, file));
  }
  await system.web.start();
  await system.untilAgentIs('live');
  await untilInStep(system);
  await expectEqual(system);
  const after = await allOf<ShownSession>(system, 'web', '/api/sessions');
  const facts = (sessions: ShownSession[]) =>
    sessions
      .map(({ id, status, counts }) => ({ id, status, counts }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  expect(facts(after)).toEqual(facts(before));
});

test.each([
  ['replaced by a new one', 'epoch'],
  ['rolled back to an older copy', 'ahead'],
  ['continued differently from an older copy', 'diverged'],
] as const)('a journal that was %s is noticed as %s and ends in equality', async (how, reason) => {
  await using system = await startSystem();
  const early = await system.submit({ shell: 'exit 0' });
  await system.webTaskWhen(early, 'ended', ended);
  await system.agent.end('SIGTERM');
  const copy = join(system.home, 'older-copy');
  const files = () => readdirSync(system.home).filter((file) => file.startsWith('agent.db'));
  for (const file of files()) copyFileSync(join(system.home, file), `${copy}-${file}`);
  await system.agent.start();
  await system.untilAgentIs('live');
  for (let n = 0; n < 3; n += 1)
    await system.webTaskWhen(await system.submit({ shell: 'exit 0' }), 'ended', ended);
  await untilInStep(system);
  await system.agent.end('SIGTERM');
  for (const file of files()) rmSync(join(system.home, file));
  if (how !== 'replaced by a new one') {
    for (const file of readdirSync(system.home)) {
      if (file.startsWith('older-copy-'))
        copyFileSync(join(system.home, file), join(system.home, file.slice('older-copy-'.length)));
    }
  }
  if (how === 'continued differently from an older copy') {
    // Web does not look while the other history grows beyond what it knows.
    await system.web.end('SIGTERM');
    await system.agent.start();
    for (let n = 0; n < 4; n += 1) {
      const id = uuidv7();
      await system.call('agent', 'POST', '/tasks', { id, sessionId: 'other', spec: { shell: 'exit 1' } });
      await system.agentTaskWhen(id, 'ended', ended);
    }
    await system.web.start();
  } else {
    await system.agent.start();
  }
  await until(`web to name the reset ${reason}`, () => system.web.log.includes(`"reason":"${reason}"`));
  await untilInStep(system);
  const onAgent = await allOf<Task>(system, 'agent', '/tasks');
  for (const task of onAgent) {
    expect(await system.webTask(task.id)).toMatchObject(task);
    expect(await system.webEvents(task.id)).toEqual(await system.agentEvents(task.id));
  }
  // What ended stays ended on web, although this journal no longer has it.
  expect(await system.webTask(early)).toMatchObject({ status: 'completed' });
});

interface FeedReader extends AsyncDisposable {
  frames: { name: string; id: string; data: unknown }[];
  tasks: Map<string, ShownTask>;
  cursor: string | undefined;
}

function openFeed(system: System, cursor: string): FeedReader {
  const source = new EventSource(`${system.web.url}/api/events?cursor=${cursor}`, {
    fetch: (url, init) =>
      fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${system.token('web')}` } }),
  });
  const reader: FeedReader = {
    frames: [],
    tasks: new Map(),
    cursor: undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(source.close()),
  };
  for (const name of ['hello', 'change', 'heartbeat', 'reset']) {
    source.addEventListener(name, (event) => {
      const data = JSON.parse(event.data as string) as { tasks?: ShownTask[] };
      reader.frames.push({ name, id: event.lastEventId, data });
      if (event.lastEventId !== '') reader.cursor = event.lastEventId;
      for (const task of data.tasks ?? []) reader.tasks.set(task.id, task);
    });
  }
  return reader;
}

/** Mulberry32: the same cuts in every run. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
