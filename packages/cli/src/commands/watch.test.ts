import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { EventSource } from 'eventsource';
import { runCli } from '../cli.ts';
import { Client } from '../client.ts';
import { followTasks } from '../follow-tasks.ts';
import { makeAgent, makeTask, NOW, openTerminal, run, startFakeWeb, taskId } from '../test-kit.ts';
import { renderWatch } from '../watch-screen.ts';

const live = { kind: 'live' } as const;
const plain = (_style: string, text: string): string => text;
const screen = { agents: [{ id: 'agent-1', name: 'laptop' }], link: live, now: NOW, paint: plain };

test('elsewhere than on a terminal each change of a status is a line, and what ended before is none', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'completed', attempt: 1 }));
  web.tasks.set(taskId(2), makeTask(2, { title: 'build' }));
  const terminal = openTerminal({ argv: ['watch'], home: web.home });
  const done = runCli(terminal.io);
  await web.until(() => web.streams() === 1);
  web.put(makeTask(2, { status: 'running', attempt: 1, title: 'build' }));
  await terminal.until('● running');
  web.put(makeTask(2, { status: 'running', attempt: 1, title: 'build', outputBytes: 9 }));
  web.put(makeTask(2, { status: 'completed', attempt: 1, title: 'build' }));
  await terminal.until('✓ completed');
  terminal.signal('SIGINT');
  expect(await done).toBe(0);
  const lines = terminal.stdout().trimEnd().split('\n');
  expect(lines.map((line) => line.slice(21))).toEqual([
    `${taskId(2)}  ○ queued  build`,
    `${taskId(2)}  ● running  build`,
    `${taskId(2)}  ✓ completed  build`,
  ]);
  expect(terminal.stderr()).toBe('');
});

test('--json is a document for each change', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1));
  const terminal = openTerminal({ argv: ['watch', '--json'], home: web.home, columns: 80 });
  const done = runCli(terminal.io);
  await web.until(() => web.streams() === 1);
  const running = makeTask(1, { status: 'running', attempt: 1 });
  web.put(running);
  await terminal.until('"running"');
  terminal.signal('SIGTERM');
  await done;
  const documents = terminal.stdout().trimEnd().split('\n');
  expect(documents.map((line) => JSON.parse(line) as unknown)).toEqual([makeTask(1), running]);
});

test('only what was asked for is shown, whatever the stream tells', async () => {
  await using web = await startFakeWeb();
  web.agents.push(makeAgent('a2', 'build-2'));
  const argv = ['watch', '--session', 's', '--agent', 'laptop', '--label', 'k=v', '--label', 'm'];
  const terminal = openTerminal({ argv, home: web.home });
  const done = runCli(terminal.io);
  await web.until(() => web.streams() === 1);
  const fitting = { sessionId: 's', agentId: 'agent-1', labels: { k: 'v', m: '' } };
  web.put(makeTask(1, { ...fitting, sessionId: 'other' }));
  web.put(makeTask(2, { ...fitting, agentId: 'a2' }));
  web.put(makeTask(3, { ...fitting, labels: { k: 'w', m: '' } }));
  web.put(makeTask(4, { ...fitting, labels: { k: 'v' } }));
  web.put(makeTask(5, fitting));
  await terminal.until(taskId(5));
  terminal.signal('SIGINT');
  await done;
  expect(terminal.stdout()).not.toMatch(/0000000[1-4]-/);
  const query = web.requests.find((request) => request.path === '/api/tasks')?.query;
  expect([query?.get('sessionId'), query?.get('agent'), query?.getAll('label')]).toEqual([
    's',
    'laptop',
    ['k=v', 'm'],
  ]);
});

test('a link that is cut is told, taken up again, and nothing that happened meanwhile is missed', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { status: 'running', attempt: 1 }));
  const terminal = openTerminal({ argv: ['watch'], home: web.home });
  const done = runCli(terminal.io);
  await web.until(() => web.streams() === 1);
  web.tasks.set(taskId(1), makeTask(1, { status: 'completed', attempt: 1 }));
  web.cutStreams();
  await terminal.until('✓ completed');
  await terminal.until('connected again');
  terminal.signal('SIGINT');
  expect(await done).toBe(0);
  expect(terminal.stderr()).toContain('holdfast: not connected: the connection was cut. Trying again.');
});

test('what ended while the link was lost is told, however old or new it is and however much', async () => {
  await using web = await startFakeWeb();
  // As web lists: the newest first, of the statuses that are asked for.
  web.answers.set('GET /tasks', ({ query }) => {
    const statuses = query.get('status')!.split(',');
    const all = [...web.tasks.values()].filter(({ status }) => statuses.includes(status)).toReversed();
    const start = all.findIndex(({ id }) => id === query.get('after')) + 1;
    const items = all.slice(start, start + Number(query.get('limit')));
    const next = start + items.length < all.length ? { next: items.at(-1)!.id } : {};
    return [200, { items, total: all.length, cursor: 'e.1', ...next }];
  });
  const ended = (n: number) => makeTask(n, { status: 'completed', attempt: 1 });
  for (let n = 1; n <= 100; n += 1) web.tasks.set(taskId(n), ended(n));
  web.tasks.set(taskId(10), makeTask(10, { status: 'running', attempt: 1 }));
  const terminal = openTerminal({ argv: ['watch'], home: web.home });
  const done = runCli(terminal.io);
  await web.until(() => web.streams() === 1);
  web.tasks.set(taskId(10), makeTask(10, { status: 'failed', attempt: 1 }));
  for (let n = 101; n <= 400; n += 1) web.tasks.set(taskId(n), ended(n));
  web.cutStreams();
  await terminal.until('connected again');
  terminal.signal('SIGINT');
  await done;
  const told = terminal.stdout().trimEnd().split('\n');
  // Fails without: `readEnded`, and the reads of what was alive.
  const ids = told.map((line) => line.slice(21, 57)).toSorted();
  const news = Array.from({ length: 300 }, (_none, index) => taskId(101 + index));
  expect(ids).toEqual([taskId(10), taskId(10), ...news]);
  expect(terminal.stdout()).toContain(`${taskId(10)}  ✗ failed`);
});

test('what the very first read meets is an error', async () => {
  await using web = await startFakeWeb();
  const { code, stderr } = await run(['watch', '--agent', 'none'], { home: web.home });
  expect(code).toBe(4);
  expect(stderr).toContain('there is no agent "none"');
});

test('of an agent each task that has an event is read', async () => {
  await using agent = await startFakeWeb();
  agent.tasks.set(taskId(1), makeTask(1));
  const direct = ['--agent-url', agent.url, '--token-file', `${agent.home}/web.token`];
  const terminal = openTerminal({ argv: ['watch', ...direct] });
  const done = runCli(terminal.io);
  await agent.until(() => agent.streams() === 1);
  agent.tasks.set(taskId(1), makeTask(1, { status: 'running', attempt: 1 }));
  agent.sendToStreams('task', { taskId: taskId(1) });
  await terminal.until('● running');
  terminal.signal('SIGINT');
  expect(await done).toBe(0);
});

test('an event that comes right as the read before it ends is not left for the next one', async () => {
  await using agent = await startFakeWeb();
  agent.tasks.set(taskId(1), makeTask(1));
  const client = new Client({
    kind: 'agent',
    url: agent.url,
    token: readFileSync(`${agent.home}/web.token`, 'utf8').trim(),
    tokenFile: '',
    fetch: globalThis.fetch,
  });
  const listeners = new Map<string, (event: { data: string }) => void>();
  const stream = {
    addEventListener: (name: string, listen: (event: { data: string }) => void) =>
      void listeners.set(name, listen),
    close: () => undefined,
  };
  client.openEvents = () => stream as unknown as EventSource;
  const event = (): void => listeners.get('task')!({ data: JSON.stringify({ taskId: taskId(1) }) });
  const second = Promise.withResolvers<void>();
  let reads = 0;
  client.readTask = () => {
    reads += 1;
    if (reads === 2) second.resolve();
    return Promise.resolve(makeTask(1));
  };
  const stop = new AbortController();
  let told = 0;
  const followed = followTasks({
    client,
    io: openTerminal().io,
    read: () => Promise.resolve([]),
    signal: stop.signal,
    onLink: () => setImmediate(event),
    onChange: ({ kind }) => {
      if (kind !== 'some') return;
      told += 1;
      if (told === 1) queueMicrotask(event);
    },
  });
  // Fails without: `isReading` that ends with the loop.
  await second.promise;
  stop.abort();
  await followed;
  expect(reads).toBe(2);
});

test('on a terminal the screen is drawn over itself and given back at the end', async () => {
  await using web = await startFakeWeb();
  web.tasks.set(taskId(1), makeTask(1, { title: 'build' }));
  const terminal = openTerminal({ argv: ['watch'], home: web.home, columns: 80, env: { NO_COLOR: '1' } });
  const done = runCli(terminal.io);
  await terminal.until('Live · 1 queued');
  await web.until(() => web.streams() === 1);
  web.put(makeTask(1, { status: 'running', attempt: 1, title: 'build', startedAt: NOW - 5000 }));
  await terminal.until('Live · 1 running');
  terminal.signal('SIGINT');
  expect(await done).toBe(0);
  const text = terminal.stdout();
  expect(text.startsWith('\u001b[?1049h')).toBe(true);
  expect(text.endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
  expect(stripVTControlCharacters(text)).toMatch(/00000001-7c00 +● running +5\.0 s +laptop +build/);
});

test('a screen never has more lines or columns than the terminal, and says what it leaves out', () => {
  const tasks = Array.from({ length: 30 }, (_, n) => makeTask(n, { title: 'a long title '.repeat(20) }));
  const lines = renderWatch({ ...screen, tasks, width: 60, height: 12 });
  expect(lines).toHaveLength(12);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(60);
  expect(lines.at(-1)).toBe('22 more; see holdfast list');
  expect(renderWatch({ ...screen, tasks, width: 60, height: 1 })).toHaveLength(1);
  for (const width of [20, 40]) {
    for (const line of renderWatch({ ...screen, tasks, width, height: 12 }))
      expect(line.length).toBeLessThanOrEqual(width);
  }
});

test('on a narrow terminal the age of the last proof is the last thing that is cut', () => {
  const doubt = { startedAt: NOW - 60_000, attempt: 1, title: 'a long title '.repeat(9) } as const;
  const tasks = [
    makeTask(1, {
      ...doubt,
      status: 'unknown',
      lastStatus: 'running',
      knowledge: { state: 'unknown', asOf: NOW - 40_000, reason: 'agent_unreachable' },
    }),
    makeTask(2, { ...doubt, status: 'running', knowledge: { state: 'stale', asOf: NOW - 12_000 } }),
  ];
  for (const width of [80, 64]) {
    const lines = renderWatch({ ...screen, tasks, width, height: 12 });
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
    expect(lines[3]).toContain('? unknown (was running)  as of 40 s ago');
    expect(lines[4]).toContain('◌ running?  as of 12 s ago');
  }
  expect(renderWatch({ ...screen, tasks, width: 80, height: 12 })[2]).toMatch(
    /^ID +STATUS +TOOK +AGENT +TASK$/,
  );
});

test('what is in doubt or at work stands first, then what ended last', () => {
  const tasks = [
    makeTask(1, { status: 'completed', endedAt: NOW - 9000 }),
    makeTask(2, { status: 'queued' }),
    makeTask(3, { status: 'failed', endedAt: NOW - 1000 }),
    makeTask(4, { status: 'running' }),
    makeTask(5, { status: 'unknown' }),
  ];
  const lines = renderWatch({ ...screen, tasks, width: 100, height: 30 });
  expect(lines[0]).toBe('Live · 1 queued · 1 running · 1 completed · 1 failed · 1 unknown');
  expect(lines.slice(3).map((line) => line.slice(0, 8))).toEqual(
    [5, 4, 2, 3, 1].map((n) => taskId(n).slice(0, 8)),
  );
});

test('while the link is lost nothing that is alive looks certain, and no clock goes on', () => {
  const tasks = [
    makeTask(1, { status: 'running', startedAt: NOW - 60_000 }),
    makeTask(2, { status: 'completed', startedAt: NOW - 60_000, endedAt: NOW - 30_000 }),
  ];
  const link = { kind: 'lost', why: 'nothing listens there', at: NOW - 20_000 } as const;
  const lines = renderWatch({ ...screen, tasks, link, width: 100, height: 30 });
  expect(lines[0]).toBe('Not connected for 20 s: nothing listens there · 1 running? · 1 completed');
  expect(lines[3]).toMatch(/◌ running\? {2}as of 20 s ago +0:40\+/);
  expect(lines[4]).toMatch(/✓ completed +0:30 /);
});
