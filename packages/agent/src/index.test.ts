import { existsSync, readFileSync } from 'node:fs';
import { Server } from 'node:http';
import { join } from 'node:path';
import { createLogger, loadConfig, type SettingName } from '@holdfast/shared';
import { expect, onTestFinished, test, vi } from 'vitest';
import { uuidv7 } from 'uuidv7';
import { runAgent, startAgent } from './index.ts';
import { scanProcesses, signalProcess } from './process.ts';
import { errnoOf, isMissing } from './start-error.ts';
import { makeFolder, until } from './test-kit.ts';

type Flags = Partial<Record<SettingName, unknown>>;

function start(home: string, flags: Flags = {}) {
  const { config } = loadConfig({ flags: { home, agentPort: 0, ...flags }, env: {} });
  return startAgent({ config, logger: createLogger('agent', 'silent') });
}

/** A home whose tasks end with the test. */
function makeHome() {
  const folder = makeFolder();
  return {
    path: folder.path,
    async [Symbol.asyncDispose]() {
      await until('its tasks are gone', () => {
        const left = [...scanProcesses().all()].filter(
          ({ marker }) => marker?.startsWith(folder.path) === true,
        );
        for (const process of left) signalProcess(process, 'SIGKILL');
        return left.length === 0;
      });
      folder[Symbol.dispose]();
    },
  };
}

/** What a process was started with; '' for one that has ended since it was seen. */
function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch (error) {
    if (isMissing(error) || errnoOf(error) === 'ESRCH') return '';
    throw error;
  }
}

const launchersOf = () =>
  [...scanProcesses().all()].filter(
    ({ pid, parent }) => parent === process.pid && commandLineOf(pid).includes('launcher.mjs'),
  ).length;

test('a start that fails leaves nothing held and nothing running: the next one succeeds', async () => {
  await using home = makeHome();
  await using other = makeHome();
  await using first = await start(other.path);
  const before = launchersOf();
  await expect(start(home.path, { agentPort: first.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await until('its launcher has ended', () => launchersOf() === before);
  expect(existsSync(join(home.path, 'agents'))).toBe(false);
  await using agent = await start(home.path);
  expect((await fetch(`${agent.url}/livez`)).status).toBe(200);
});

test('a second agent of the same home refuses, naming the first; after it, another may start', async () => {
  await using home = makeHome();
  const first = await start(home.path);
  await expect(start(home.path)).rejects.toMatchObject({
    code: 'already_running',
    message: expect.stringContaining(`pid ${process.pid}, ${first.url}`),
  });
  await first.stop();
  await using _next = await start(home.path);
});

test('what a person can mend is one line and an exit code', async () => {
  await using home = makeHome();
  await using other = makeHome();
  await using first = await start(home.path);
  const lines: string[] = [];
  const run = (flags: Flags) => {
    const stderr = { write: (line: string) => lines.push(line) };
    return runAgent({ flags: { agentPort: 0, logLevel: 'silent', ...flags }, env: {}, stderr });
  };
  expect(await run({ home: home.path })).toBe(1);
  expect(await run({ home: other.path, slots: 'x' })).toBe(2);
  expect(await run({ home: other.path, agentPort: first.port })).toBe(1);
  expect(lines.map((line) => /already runs|--slots is "x"|--agent-port/.exec(line)?.[0])).toEqual([
    'already runs',
    '--slots is "x"',
    '--agent-port',
  ]);
});

test('a stop ends streams that are open, waits for no task, and is the same however often it is asked for', async () => {
  await using home = makeHome();
  const agent = await start(home.path);
  const headers = { authorization: `Bearer ${agent.token}`, 'content-type': 'application/json' };
  const id = uuidv7();
  const body = JSON.stringify({ id, sessionId: 's', spec: { shell: 'echo here; exec sleep 600' } });
  expect((await fetch(`${agent.url}/tasks`, { method: 'POST', headers, body })).status).toBe(201);
  const events = (await fetch(`${agent.url}/events`, { headers })).text();
  const output = await fetch(`${agent.url}/tasks/${id}/output/stream`, { headers });
  const reader = output.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('here')) text += (await reader.read()).value ?? '';
  const cut = vi.spyOn(Server.prototype, 'closeAllConnections');
  onTestFinished(() => cut.mockRestore());
  await Promise.all([agent.stop(), agent.stop()]);
  // As it does after a while with whoever is still connected.
  expect(cut).not.toHaveBeenCalled();
  expect(await events).toContain('event: bye\ndata: {"reason":"shutdown"');
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
  expect(text).not.toContain('event: end');
  expect([...scanProcesses().all()].some(({ marker }) => marker?.includes(id) === true)).toBe(true);
});
