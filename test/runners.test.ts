/** Coding agents as runners, by stand-ins that are as strict with their command line as the real ones. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { uuidv7 } from 'uuidv7';
import type { RunnerInfo, Task } from '@holdfast/shared';
import { startSystem, type System, type SystemOptions, until } from './system.ts';

const STAND_IN = fileURLToPath(new URL('stand-in-agent.ts', import.meta.url));
const KINDS = ['claude', 'codex', 'opencode'] as const;
type Kind = (typeof KINDS)[number];

/** An agent in whose PATH these stand-ins are. */
async function startWith(kinds: readonly Kind[], options: SystemOptions = {}) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-runners-')));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const kind of kinds) {
    const text = `#!/bin/sh\nexec '${process.execPath}' '${STAND_IN}' ${kind} "$@"\n`;
    writeFileSync(join(bin, kind), text);
    chmodSync(join(bin, kind), 0o755);
  }
  const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: folder, ...options.env };
  const system = await startSystem({ web: false, ...options, env });
  return {
    system,
    bin,
    folder,
    /** The prompts of each session that a stand-in keeps, by its id. */
    sessions(kind: Kind): Record<string, string[]> {
      const kept = join(folder, 'stand-in', kind);
      const files = readdirSync(kept).filter((name) => name.endsWith('.json'));
      const read = (name: string) => JSON.parse(readFileSync(join(kept, name), 'utf8')) as string[];
      return Object.fromEntries(files.map((name) => [name.slice(0, -'.json'.length), read(name)]));
    },
    async [Symbol.asyncDispose]() {
      await system[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const ended = (task: Task) => task.endedAt !== undefined;

async function submit(
  system: System,
  runner: string,
  prompt: string,
  spec: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
): Promise<string> {
  const id = uuidv7();
  const task = { id, sessionId: 'agents', spec: { runner, prompt, ...spec }, ...more };
  const { status, body } = await system.call('agent', 'POST', '/tasks', task);
  expect({ status, body }).toMatchObject({ status: 201 });
  return id;
}

async function retry(system: System, of: string): Promise<string> {
  const id = uuidv7();
  expect((await system.call('agent', 'POST', `/tasks/${of}/retry`, { id })).status).toBe(201);
  return id;
}

/** What the stand-in said at its end. */
async function resultOf(system: System, id: string): Promise<Record<string, unknown>> {
  const { body } = await system.call<string>('agent', 'GET', `/tasks/${id}/output`);
  return JSON.parse(body.trim().split('\n').at(-1)!) as Record<string, unknown>;
}

const untilEnded = (system: System, id: string) => system.agentTaskWhen(id, 'ended', ended);

test('each coding agent runs without a person, tells its session, is resumed by a retry, and leaves no child behind', async () => {
  await using agents = await startWith(KINDS);
  const { system, folder } = agents;
  await Promise.all(
    KINDS.map(async (kind) => {
      const first = await submit(system, kind, `hello ${kind}`, { cwd: folder });
      const task = await untilEnded(system, first);
      expect(task).toMatchObject({ status: 'completed', outcome: { exitCode: 0 } });
      expect(await resultOf(system, first)).toMatchObject({
        prompt: `hello ${kind}`,
        stdin: '',
        cwd: folder,
      });
      expect([folder, null]).toContain((await resultOf(system, first))['pwd']);
      expect(agents.sessions(kind)).toEqual({ [task.externalId!]: [`hello ${kind}`] });
      const second = await retry(system, first);
      expect(await untilEnded(system, second)).toMatchObject({
        status: 'completed',
        externalId: task.externalId,
      });
      expect(agents.sessions(kind)).toEqual({ [task.externalId!]: [`hello ${kind}`, `hello ${kind}`] });
    }),
  );
  expect(system.strays()).toEqual([]);
});

test('a prompt is never an option or a command, whatever it begins with', async () => {
  await using agents = await startWith(KINDS);
  const { system } = agents;
  const prompts = ['--help', '- [ ] the first point', '-p', '--', 'resume', '$(touch x) "y" \n z'];
  await Promise.all(
    KINDS.flatMap((kind) =>
      prompts.map(async (prompt) => {
        const id = await submit(system, kind, prompt);
        expect(await untilEnded(system, id)).toMatchObject({ status: 'completed' });
        expect(await resultOf(system, id)).toMatchObject({ prompt });
        const again = await retry(system, id);
        expect(await untilEnded(system, again)).toMatchObject({ status: 'completed' });
      }),
    ),
  );
  for (const kind of KINDS) expect(Object.values(agents.sessions(kind)).flat()).toHaveLength(12);
});

test('the session is known while the agent works, survives a restart of Holdfast, and a cancel ends its children too', async () => {
  await using agents = await startWith(['codex']);
  const { system } = agents;
  const id = await submit(system, 'codex', `wait ${join(agents.folder, 'never')}`);
  const task = await system.agentTaskWhen(id, 'told its session', (one) => one.externalId !== undefined);
  expect(task.status).toBe('running');
  expect(Object.keys(agents.sessions('codex'))).toEqual([task.externalId]);
  await system.agent.restart();
  await until('both of its processes besides the shim', () => system.strays().length === 3);
  expect((await system.call('agent', 'POST', `/tasks/${id}/cancel`)).status).toBe(202);
  expect(await untilEnded(system, id)).toMatchObject({ status: 'cancelled', externalId: task.externalId });
  expect(system.strays()).toEqual([]);
  const reported = (await system.agentEvents(id)).filter((event) => event.kind === 'reported');
  expect(reported).toHaveLength(1);
});

test('an attempt that ended before it told its session gets a new one: the old id is never used twice', async () => {
  await using agents = await startWith(['claude']);
  const { system } = agents;
  const id = await submit(system, 'claude', 'die once', { retry: { maxAttempts: 2, on: ['failed'] } });
  const task = await untilEnded(system, id);
  expect(task).toMatchObject({ status: 'completed', attempt: 2 });
  const sessions = agents.sessions('claude');
  expect(Object.keys(sessions)).toHaveLength(2);
  expect(sessions[task.externalId!]).toEqual(['die once']);
});

test('what a task reports itself wins over what its output says', async () => {
  await using agents = await startWith(['opencode']);
  const id = await submit(agents.system, 'opencode', 'call it my-own-name');
  expect(await untilEnded(agents.system, id)).toMatchObject({ externalId: 'my-own-name' });
});

test('a runner that nobody knows is refused; one whose program is missing fails and names what was looked for', async () => {
  await using agents = await startWith(['codex']);
  const { system, bin } = agents;
  const unknown = { id: uuidv7(), sessionId: 's', spec: { runner: 'gemini', prompt: 'x' } };
  const refused = await system.call<{ code: string; detail: string }>('agent', 'POST', '/tasks', unknown);
  expect(refused).toMatchObject({ status: 422, body: { code: 'invalid' } });
  expect(refused.body.detail).toContain('"gemini"');
  const id = await submit(system, 'claude', 'x');
  const task = await untilEnded(system, id);
  expect(task).toMatchObject({ status: 'failed', attempt: 1, outcome: { reason: 'spawn_failed' } });
  expect(task.outcome!.message).toContain('command not found: claude');
  expect(task.outcome!.message).toContain(bin);
});

test('the list of runners tells where each program is, and config.json has the last word on each name', async () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-home-')));
  try {
    const claude = { command: ['/bin/echo', 'mine: {prompt}'], externalIdPattern: 'mine: (.*)' };
    writeFileSync(join(home, 'config.json'), JSON.stringify({ runners: { claude } }));
    await using agents = await startWith(['claude', 'codex'], { home });
    const { system, bin } = agents;
    const { body } = await system.call<{ items: RunnerInfo[] }>('agent', 'GET', '/runners');
    expect(body.items).toMatchObject([
      { name: 'claude', source: 'config', command: claude.command, executable: '/bin/echo' },
      { name: 'codex', source: 'builtin', executable: join(bin, 'codex') },
      { name: 'opencode', source: 'builtin' },
    ]);
    expect(body.items[2]).not.toHaveProperty('executable');
    const id = await submit(system, 'claude', 'hello');
    expect(await untilEnded(system, id)).toMatchObject({ status: 'completed', externalId: 'hello' });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
