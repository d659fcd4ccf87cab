/** What browsers are told: P11, failure modes 9 and 11; cursors, kept reads and sign-ins (PROTOCOL.md §4, §5, §7). */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startSystem, type System, until } from './system.ts';

interface Reader extends AsyncDisposable {
  text(): string;
  socket: Socket;
}

/** A browser's stream on a bare socket, so that it can stop to read. */
async function openFeed(system: System, cursor?: string): Promise<Reader> {
  const socket = connect(system.web.port, '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => (text += part));
  // A reset is an end like any other.
  socket.on('error', () => socket.destroy());
  const query = cursor === undefined ? '' : `?cursor=${cursor}`;
  socket.write(
    `GET /api/events${query} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${system.token('web')}\r\n\r\n`,
  );
  await until('hello', () => text.includes('event: hello'));
  return {
    socket,
    text: () => text,
    [Symbol.asyncDispose]: () => Promise.resolve(void socket.destroy()),
  };
}

async function cursorOf(system: System): Promise<string> {
  return (await system.call<{ cursor: string }>('web', 'GET', '/api/state')).body.cursor;
}

const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;

test('every cursor that cannot be followed from is told why, and one of an earlier run of web is followed', async () => {
  await using system = await startSystem();
  const [epoch, version] = (await cursorOf(system)).split('.') as [string, string];
  const cases: [string | undefined, string][] = [
    [undefined, 'no_cursor'],
    ['nonsense', 'bad_cursor'],
    [`${'0'.repeat(16)}.1`, 'epoch'],
    [`${epoch}.${Number(version) + 1_000_000}`, 'ahead'],
  ];
  for (const [cursor, reason] of cases) {
    await using reader = await openFeed(system, cursor);
    await until(`reset ${reason}`, () =>
      reader.text().includes(`event: reset\ndata: {"reason":"${reason}"}`),
    );
    // What comes after the reset is told on the same stream.
    const id = await system.submit({ command: ['true'] });
    await until('the change', () => reader.text().includes(id));
  }
  const before = await cursorOf(system);
  await system.web.end('SIGKILL');
  await system.web.start();
  const id = await system.submit({ command: ['true'] });
  await using reader = await openFeed(system, before);
  await until('the change', () => reader.text().includes(id));
  expect(reader.text()).not.toContain('event: reset');
});

test('P11: a browser that stopped to read slows no other, costs no memory, and is then given the newest state only', async () => {
  await using system = await startSystem({ env: { HOLDFAST_SLOTS: '8' } });
  const cursor = await cursorOf(system);
  await using slow = await openFeed(system, cursor);
  await using fast = await openFeed(system, cursor);
  slow.socket.pause();
  const before = residentBytes(system.web.pid);
  const filler = 'x'.repeat(60_000);
  const ids = new Set<string>();
  for (let round = 0; round < 10; round += 1) {
    const gate = join(system.home, `gate-${round}`);
    const wait = `until [ -e ${gate} ]; do sleep 0.05; done`;
    const some = await Promise.all(
      Array.from({ length: 20 }, () => system.submit({ command: ['/bin/sh', '-c', wait, filler] })),
    );
    for (const id of some) {
      ids.add(id);
      await until('the other browser to be told', () => fast.text().includes(`"id":"${id}"`));
    }
    // Each is told of again at its end: twice to a browser that reads.
    writeFileSync(gate, '');
    for (const id of some) await system.webTaskWhen(id, 'ended', (task) => task.endedAt !== undefined);
  }
  expect(residentBytes(system.web.pid) - before).toBeLessThan(250e6);
  slow.socket.resume();
  const told = (reader: Reader) =>
    [...reader.text().matchAll(/"id":"([^"]+)"/g)].map(([, id]) => id!).filter((id) => ids.has(id));
  await until('the other browser to be told of every end', () => told(fast).length >= 2 * ids.size);
  await until('the slow browser to catch up', () => new Set(told(slow)).size === ids.size);
  expect(told(slow).length).toBeLessThan(2 * ids.size);
});

test('a kept answer is good until something changes, and then no more', async () => {
  await using system = await startSystem();
  const authorization = `Bearer ${system.token('web')}`;
  for (const path of ['/api/state', '/api/tasks', '/api/sessions']) {
    // Pool and link may still be settling: a kept answer is only good while nothing moves.
    const tag = await until('an answer that can be kept', async () => {
      const first = await fetch(`${system.web.url}${path}`, { headers: { authorization } });
      const etag = first.headers.get('etag')!;
      const again = await fetch(`${system.web.url}${path}`, {
        headers: { authorization, 'if-none-match': etag },
      });
      return again.status === 304 && (await again.text()) === '' ? etag : undefined;
    });
    const id = await system.submit({ command: ['true'] });
    const changed = await fetch(`${system.web.url}${path}`, {
      headers: { authorization, 'if-none-match': tag },
    });
    expect(changed.status).toBe(200);
    await system.webTaskWhen(id, 'ended', (task) => task.endedAt !== undefined);
  }
});

test('a sign-in survives a restart of web, counts only for its own page, and ends with the token', async () => {
  await using system = await startSystem();
  const issued = await system.call<{ code: string }>('web', 'POST', '/api/login-codes');
  const enter = (code: string) =>
    fetch(`${system.web.url}/api/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    });
  const entered = await enter(issued.body.code);
  expect(entered.status).toBe(200);
  expect((await enter(issued.body.code)).status).toBe(401);
  const [cookie] = entered.headers.get('set-cookie')!.split(';');
  expect(entered.headers.get('set-cookie')).toMatch(/HttpOnly.*SameSite=Strict/i);
  const look = async (headers: Record<string, string> = {}) =>
    (await fetch(`${system.web.url}/api/state`, { headers: { cookie: cookie!, ...headers } })).status;
  expect(await look()).toBe(200);
  expect(await look({ 'sec-fetch-site': 'same-site' })).toBe(401);
  await system.web.restart('SIGKILL');
  expect(await look()).toBe(200);
  await system.web.end('SIGTERM');
  writeFileSync(join(system.home, 'web.token'), `${'n'.repeat(43)}\n`, { mode: 0o600 });
  await system.web.start();
  expect(await look()).toBe(401);
});
