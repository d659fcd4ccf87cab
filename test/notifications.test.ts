/** Notifications across both services: told once, taken back when the truth arrives, over any death of web. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ShownTask } from '@holdfast/shared';
import { NEVER_LOST, startSystem, type System, until } from './system.ts';

interface Told {
  id: string;
  kind: string;
  title: string;
  text: string;
  count: number;
  items: { subject: string; resolution?: string }[];
}

const SECRET = 's3cret-path';

/** A webhook's target: keeps what it took, and refuses with `status` otherwise. */
class Target implements AsyncDisposable {
  readonly taken: (Told & { key: string })[] = [];
  readonly refused: Told[] = [];
  status = 200;
  readonly #server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      const told = JSON.parse(body) as Told;
      if (this.status === 200) this.taken.push({ ...told, key: String(request.headers['idempotency-key']) });
      else this.refused.push(told);
      response.writeHead(this.status).end();
    });
  });

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${SECRET}`;
  }

  get titles(): string[] {
    return this.taken.map(({ title }) => title);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

interface Setup extends AsyncDisposable {
  system: System;
  target: Target;
}

/** A loss that a test is about; long enough for none to come from a machine that stands still for a moment. */
const LOST_SOON = { HOLDFAST_LOST_AFTER_MS: '3000' };

async function setUp(env: Record<string, string> = NEVER_LOST): Promise<Setup> {
  await using begun = new AsyncDisposableStack();
  const target = begun.use(new Target());
  const home = begun.adopt(mkdtempSync(join(tmpdir(), 'holdfast-notify-')), (folder) =>
    rmSync(folder, { recursive: true, force: true }),
  );
  const channel = { type: 'webhook', url: await target.listen(), unknownAfterMs: 0, cooldownMs: 0 };
  writeFileSync(join(home, 'config.json'), JSON.stringify({ notifications: { channels: { ops: channel } } }));
  const system = begun.use(await startSystem({ home, env }));
  const held = begun.move();
  return { system, target, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** Web has stored that its messages were taken: from then on a death of it repeats none. */
async function untilRecorded(system: System): Promise<void> {
  await until('web to have recorded the delivery', async () => {
    const { body } = await system.call<{ channels: { state: string; waiting: number }[] }>(
      'web',
      'GET',
      '/api/notifications',
    );
    return body.channels.every(({ state, waiting }) => state === 'ok' && waiting === 0);
  });
}

const running = (task: ShownTask) => task.status === 'running' && task.knowledge.state === 'live';

/** Fails a task and waits until its message came: whatever went before it has come by then. */
async function expectLast(setup: Setup, title: string): Promise<void> {
  await setup.system.submit({ shell: 'exit 9' }, { title });
  await until(`the message about ${title}`, () => setup.target.titles.includes(`Failed: ${title}`));
}

test('a task that fails is told to a webhook exactly once, over a restart of web', async () => {
  await using setup = await setUp();
  const { system, target } = setup;
  const id = await system.submit({ shell: 'exit 3' }, { title: 'build' });
  await until('the message', () => target.taken.length > 0);
  expect(target.taken[0]).toMatchObject({
    kind: 'alert',
    title: 'Failed: build',
    text: 'Failed: build, exit code 3 (test-agent)',
    url: `${system.web.url}/tasks/${id}`,
    items: [{ taskId: id }],
  });
  expect(target.taken[0]?.key).toBe(target.taken[0]?.id);
  await untilRecorded(system);
  await system.web.restart('SIGKILL');
  await system.untilAgentIs('live');
  await expectLast(setup, 'last');
  expect(target.titles).toEqual(['Failed: build', 'Failed: last']);
});

test('P9: an outage of an agent is one alert about all of its tasks, taken back by one when it returns', async () => {
  await using setup = await setUp(LOST_SOON);
  const { system, target } = setup;
  const ids = await Promise.all(
    [1, 2, 3].map((n) => system.submit({ shell: 'exec sleep 600' }, { title: `t${n}` })),
  );
  for (const id of ids) await system.webTaskWhen(id, 'running', running);
  await system.agent.end('SIGKILL');
  await until('the alert', () => target.taken.length > 0);
  expect(target.taken).toMatchObject([{ kind: 'alert', title: '3 tasks unknown', count: 3 }]);
  await system.agent.start();
  await until('the retraction', () => target.taken.length > 1);
  expect(target.taken[1]).toMatchObject({ kind: 'resolved', title: '3 tasks known again' });
  expect(target.taken[1]?.items.map(({ resolution }) => resolution)).toEqual([
    'running',
    'running',
    'running',
  ]);
  await expectLast(setup, 'last');
  expect(target.titles).toEqual(['3 tasks unknown', '3 tasks known again', 'Failed: last']);
});

test('a retraction is owed over the death of web: the agent returned while nobody looked', async () => {
  await using setup = await setUp(LOST_SOON);
  const { system, target } = setup;
  const id = await system.submit({ shell: 'exec sleep 600' }, { title: 'build' });
  await system.webTaskWhen(id, 'running', running);
  await system.agent.end('SIGKILL');
  await until('the alert', () => target.titles.includes('Unknown: build'));
  await untilRecorded(system);
  await system.web.end('SIGKILL');
  await system.agent.start();
  await system.web.start();
  await until('the retraction', () => target.titles.includes('Resolved: build'));
  expect(target.taken[1]?.text).toMatch(/^build was unknown for \d.*: running \(test-agent\)$/);
  await expectLast(setup, 'last');
  expect(target.titles).toEqual(['Unknown: build', 'Resolved: build', 'Failed: last']);
});

test('what web promised to tell before it was killed, and what happened while it was dead, is told once each', async () => {
  await using setup = await setUp();
  const { system, target } = setup;
  const gate = join(system.home, 'gate');
  const id = await system.submit(
    { shell: `until [ -e ${gate} ]; do sleep 0.05; done; exit 4` },
    { title: 'later' },
  );
  await system.webTaskWhen(id, 'running', running);
  target.status = 503;
  await system.submit({ shell: 'exit 3' }, { title: 'before' });
  await until('a try', () => target.refused.length > 0);
  await until('the channel to be told as failing', async () => {
    const { body } = await system.call<{ failingChannels: string[] }>('web', 'GET', '/api/state');
    return body.failingChannels.includes('ops');
  });
  await system.web.end('SIGKILL');
  writeFileSync(gate, '');
  await system.agentTaskWhen(id, 'failed', ({ status }) => status === 'failed');
  target.status = 200;
  await system.web.start();
  await until('both messages', () => target.taken.length > 1);
  await expectLast(setup, 'last');
  expect(target.titles.toSorted()).toEqual(['Failed: before', 'Failed: last', 'Failed: later']);
  expect(target.taken.find(({ title }) => title === 'Failed: before')?.id).toBe(target.refused[0]?.id);
  await untilRecorded(system);
  const { body } = await system.call<object>('web', 'GET', '/api/notifications');
  expect(body).toMatchObject({ channels: [{ name: 'ops', state: 'ok', waiting: 0, dropped: 0 }] });
  expect(JSON.stringify(body) + system.web.log).not.toContain(SECRET);
});

test('a web that begins anew tells nothing of what was there before', async () => {
  await using setup = await setUp();
  const { system, target } = setup;
  await expectLast(setup, 'before');
  await system.web.end('SIGTERM');
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(system.home, `web.db${suffix}`), { force: true });
  await system.web.start();
  await until('web to have the history again', async () => {
    const { body } = await system.call<{ items: ShownTask[] }>('web', 'GET', '/api/tasks');
    return body.items.some(({ status }) => status === 'failed');
  });
  await expectLast(setup, 'after');
  expect(target.titles).toEqual(['Failed: before', 'Failed: after']);
});
