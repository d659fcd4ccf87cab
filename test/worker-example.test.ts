/** examples/worker.mjs, which others start from: a signal ends it whatever the agent does, and gives back what it holds. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { until } from './system.ts';

const WORKER = fileURLToPath(new URL('../examples/worker.mjs', import.meta.url));

/** An agent that does with a request what `answer` says, by its path; what it leaves open stays without an answer. */
async function startAgent(answer: (path: string, response: ServerResponse) => void) {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    paths.push(request.url ?? '');
    answer(request.url ?? '', response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    paths,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function startWorker(url: string) {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-worker-'));
  const tokenFile = join(home, 'agent.token');
  writeFileSync(tokenFile, 'a-token');
  const args = [WORKER, '--url', url, '--token-file', tokenFile, '--queue', 'ci', '--name', 'w1'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
  child.stderr.setEncoding('utf8').on('data', (more: string) => (text += more));
  return {
    text: () => text,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    /** How it ends after this signal. */
    async end(signal: NodeJS.Signals) {
      const closed = once(child, 'close');
      child.kill(signal);
      const [code, by] = (await closed) as [number | null, string | null];
      return { code, by };
    },
    [Symbol.dispose]() {
      child.kill('SIGKILL');
      rmSync(home, { recursive: true, force: true });
    },
  };
}

const json = (response: ServerResponse, status: number, body: unknown) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

const grant = (shell: string) => ({
  task: { id: 'task-1', spec: { shell } },
  env: {},
  claim: { token: 'T', attempt: 1, leaseExpiresAt: 0 },
});

test('the first signal ends a worker whose agent cannot be reached', async () => {
  const gone = await startAgent(() => undefined);
  await gone[Symbol.asyncDispose]();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    using worker = startWorker(gone.url);
    await until('it to wait for the agent', () => worker.text().includes('again in'));
    expect(await worker.end(signal)).toEqual({ code: 0, by: null });
  }
});

test('the first signal ends a worker that waits for a task, and gives back what may have been given meanwhile', async () => {
  await using agent = await startAgent((path, response) => {
    if (path === '/claims/release') json(response, 200, { released: [] });
  });
  using worker = startWorker(agent.url);
  await until('a claim', () => agent.paths.includes('/claims'));
  expect(await worker.end('SIGTERM')).toEqual({ code: 0, by: null });
  expect(agent.paths).toEqual(['/claims/release', '/claims', '/claims/release']);
});

test('a second signal, be it the other one, ends a worker as it is', async () => {
  await using agent = await startAgent((path, response) => {
    // The one at the start is answered, the last word is not.
    if (path === '/claims/release' && !agent.paths.includes('/claims')) json(response, 200, { released: [] });
  });
  using worker = startWorker(agent.url);
  await until('a claim', () => agent.paths.includes('/claims'));
  worker.kill('SIGINT');
  await until('the last word', () => agent.paths.length === 3);
  expect(await worker.end('SIGTERM')).toEqual({ code: null, by: 'SIGTERM' });
});

test('a task in hand is stopped and given back', async () => {
  await using agent = await startAgent((path, response) => {
    if (path === '/claims') json(response, 200, grant('echo pid=$$ >&2; exec sleep 600'));
    else json(response, 200, { leaseExpiresAt: 0, cancelRequested: false });
  });
  using worker = startWorker(agent.url);
  await until('the task to run', () => /pid=\d+/.test(worker.text()));
  const pid = Number(/pid=(\d+)/.exec(worker.text())?.[1]);
  expect(await worker.end('SIGINT')).toEqual({ code: 0, by: null });
  expect(agent.paths.at(-1)).toBe('/claims/T/release');
  expect(worker.text()).toContain('task-1: release\n');
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test('a last word that nobody hears keeps no worker from ending', async () => {
  await using agent = await startAgent((path, response) => {
    if (path === '/claims') json(response, 200, grant('echo pid=$$ >&2; exec sleep 600'));
    else if (path === '/claims/T/release') response.destroy();
    else json(response, 200, { leaseExpiresAt: 0, cancelRequested: false });
  });
  using worker = startWorker(agent.url);
  await until('the task to run', () => /pid=\d+/.test(worker.text()));
  expect(await worker.end('SIGTERM')).toEqual({ code: 1, by: null });
  expect(worker.text()).toContain(
    'task-1: the agent was not told (release); the end of the lease tells it\n',
  );
});
