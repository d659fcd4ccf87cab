import { chmodSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { AgentUrlSchema, type Discovery, startDiscovery } from './discovery.ts';
import { announceFakeAgent, HeldClock, makeHome, until } from './test-kit.ts';

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).toReversed()) clean();
});

interface Setup {
  home: string;
  discovery: Discovery;
  changes: () => number;
  log: string[];
}

function setUp(home = makeHome(cleanups)): Setup {
  const log: string[] = [];
  let changes = 0;
  const discovery = startDiscovery({
    home,
    logger: pino({}, { write: (line: string) => log.push(line) }),
    startTimer: new HeldClock().startTimer,
  });
  discovery.onChange(() => {
    changes += 1;
  });
  cleanups.push(() => discovery.stop());
  return { home, discovery, changes: () => changes, log };
}

test('agents that announced themselves before the start are known, with their tokens', () => {
  const home = makeHome(cleanups);
  announceFakeAgent(home);
  const { discovery } = setUp(home);
  expect(discovery.agents()).toEqual([
    { id: 'a1', name: 'one', url: 'http://a1.test', token: 'token-of-a1', local: true },
  ]);
});

test('a new file is found without waiting for the poll', async () => {
  const home = makeHome(cleanups);
  const discovery = startDiscovery({ home, logger: pino({ level: 'silent' }), pollMs: 3_600_000 });
  cleanups.push(() => discovery.stop());
  announceFakeAgent(home);
  await until(() => discovery.agents().length === 1);
  expect(discovery.agents()).toMatchObject([{ id: 'a1' }]);
});

test('a folder that is gone when its change is looked at ends nothing: it is found again by the poll', async () => {
  const home = makeHome(cleanups);
  const clock = new HeldClock();
  const { startTimer } = clock;
  const discovery = startDiscovery({ home, logger: pino({ level: 'silent' }), startTimer });
  cleanups.push(() => discovery.stop());
  rmSync(join(home, 'agents'), { recursive: true });
  await until(() => clock.waits.length === 2, 'the watcher');
  clock.advance(20);
  announceFakeAgent(home);
  clock.advance(2000);
  expect(discovery.agents()).toMatchObject([{ id: 'a1' }]);
});

test('an agent that started anew elsewhere gets its new address', () => {
  const { home, discovery, changes } = setUp();
  announceFakeAgent(home);
  discovery.refresh();
  announceFakeAgent(home, { url: 'http://127.0.0.1:9/', token: 'another-token' });
  discovery.refresh();
  expect(discovery.agents()).toMatchObject([{ url: 'http://127.0.0.1:9', token: 'another-token' }]);
  expect(changes()).toBe(2);
  discovery.refresh();
  expect(changes()).toBe(2);
});

test('a half-written file changes nothing, is reported once, and is taken when it is whole', () => {
  const { home, discovery, log } = setUp();
  announceFakeAgent(home);
  discovery.refresh();
  const path = join(home, 'agents', 'a1.json');
  const whole = readFileSync(path, 'utf8');
  writeFileSync(path, whole.slice(0, 20));
  discovery.refresh();
  discovery.refresh();
  expect(discovery.agents()).toHaveLength(1);
  expect(log).toHaveLength(1);
  writeFileSync(path, whole.replace('one', 'uno'));
  discovery.refresh();
  expect(discovery.agents()).toMatchObject([{ name: 'uno' }]);
});

test('a file that cannot be used hides no other', () => {
  const { home, discovery, log } = setUp();
  writeFileSync(join(home, 'agents', '0.json'), '[]');
  writeFileSync(join(home, 'agents', 'notes.txt'), 'hello');
  announceFakeAgent(home, { id: 'a1' });
  announceFakeAgent(home, { id: 'a2', url: 'ftp://a2.test' });
  announceFakeAgent(home, { id: 'a3' });
  renameSync(join(home, 'agents', 'a3.json'), join(home, 'agents', 'a9.json'));
  announceFakeAgent(home, { id: 'a4' });
  rmSync(join(home, 'a4.token'));
  discovery.refresh();
  expect(discovery.agents().map((agent) => agent.id)).toEqual(['a1']);
  expect(log).toHaveLength(4);
});

test('a file that vanished forgets nobody', () => {
  const { home, discovery, changes } = setUp();
  announceFakeAgent(home);
  discovery.refresh();
  rmSync(join(home, 'agents', 'a1.json'));
  discovery.refresh();
  expect(discovery.agents()).toHaveLength(1);
  expect(changes()).toBe(1);
});

test('remote agents outlive a restart in a file that only its owner reads', () => {
  const { home, discovery } = setUp();
  const remote = { id: 'r1', name: 'far', url: 'https://far.test/holdfast', token: 'secret-of-far' };
  discovery.saveRemote(remote);
  discovery.saveRemote({ ...remote, id: 'r2', name: 'farther' });
  expect(statSync(join(home, 'remote-agents.json')).mode & 0o777).toBe(0o600);
  const again = setUp(home).discovery;
  expect(again.agents()).toEqual([
    { ...remote, local: false },
    { ...remote, id: 'r2', name: 'farther', local: false },
  ]);
  again.removeRemote('r1');
  expect(
    setUp(home)
      .discovery.agents()
      .map((agent) => agent.id),
  ).toEqual(['r2']);
});

test('a local agent is not shadowed by a remote entry of the same id', () => {
  const { home, discovery } = setUp();
  discovery.saveRemote({ id: 'a1', name: 'old', url: 'http://old.test', token: 'x' });
  announceFakeAgent(home);
  discovery.refresh();
  expect(discovery.agents()).toMatchObject([{ id: 'a1', url: 'http://a1.test', local: true }]);
});

test('a file of remote agents that a person broke is neither read nor written over, and no secret is logged', () => {
  const { home, discovery, log } = setUp();
  const path = join(home, 'remote-agents.json');
  const broken = '[{"id":"r1","token":"very-secret",';
  writeFileSync(path, broken);
  chmodSync(path, 0o644);
  discovery.refresh();
  expect(() => discovery.saveRemote({ id: 'r2', name: 'n', url: 'http://n.test', token: 't' })).toThrow(
    'not JSON',
  );
  expect(readFileSync(path, 'utf8')).toBe(broken);
  expect(discovery.agents()).toEqual([]);
  expect(log.join('')).not.toContain('very-secret');
  expect(log).toHaveLength(1);
});

test('what a person wrote into the file meanwhile is kept when an agent is added', () => {
  const { home, discovery } = setUp();
  const path = join(home, 'remote-agents.json');
  writeFileSync(path, JSON.stringify([{ id: 'r1', name: 'one', url: 'http://r1.test', token: 't' }]));
  discovery.saveRemote({ id: 'r2', name: 'two', url: 'http://r2.test', token: 't' });
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject([{ id: 'r1' }, { id: 'r2' }]);
});

test('a local agent that is forgotten is known again when it starts again', () => {
  const { home, discovery } = setUp();
  announceFakeAgent(home);
  discovery.refresh();
  discovery.forgetLocal('a1');
  expect(discovery.agents()).toEqual([]);
  expect(existsSync(join(home, 'agents', 'a1.json'))).toBe(false);
  announceFakeAgent(home);
  discovery.refresh();
  expect(discovery.agents()).toHaveLength(1);
});

test('an address is http or https, and carries neither credentials nor a query', () => {
  expect(AgentUrlSchema.parse('http://Build-2.lan:7401/')).toBe('http://build-2.lan:7401');
  expect(AgentUrlSchema.parse('https://host/prefix//')).toBe('https://host/prefix');
  for (const bad of [
    '',
    'build-2',
    'file:///etc/passwd',
    'ftp://a',
    'javascript:alert(1)',
    'http://u:p@a',
    'http://a/?x=1',
    'http://a/#x',
  ]) {
    expect(AgentUrlSchema.safeParse(bad).success).toBe(false);
  }
});
