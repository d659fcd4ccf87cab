/**
 * A small history on two machines, for pictures of the dashboard: real services, real processes, one home for each.
 *
 * Guarantees: the same tasks in the same order and states each time; only ids and times differ. Disposing of it ends
 * every process of it and removes its homes.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Grant, State } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { startSystem, type System, until } from '../system.ts';
import { demoScripts } from './demo-scripts.ts';
import { history, type Submit, titles, waiting } from './demo-tasks.ts';

/** Long enough that a picture of a stale claim can be taken between half of it and its end. */
const STALE_LEASE_MS = 80_000;
const HEARTBEAT_EVERY_MS = 3000;

const pace = {
  HOLDFAST_HEARTBEAT_MS: '1000',
  HOLDFAST_LOST_AFTER_MS: '4000',
  HOLDFAST_SWEEP_MS: '1000',
};

export interface Demo extends AsyncDisposable {
  /** With web. */
  laptop: System;
  build2: System;
  ids: { coder: string; build: string; staleClaim: string; endToEnd: string; docs: string };
  /** Resolves when the silent worker's claim counts as stale. */
  untilStale: () => Promise<void>;
}

export async function openDemo(): Promise<Demo> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const project = writeProject(folder);
  const home = join(folder, 'laptop');
  mkdirSync(home, { mode: 0o700 });
  const runners = { coder: { command: [join(project, 'coder'), '{prompt}'] } };
  writeFileSync(join(home, 'config.json'), JSON.stringify({ runners }));

  const laptop = stack.use(
    await startSystem({ home, env: { ...pace, HOLDFAST_AGENT_NAME: 'laptop', HOLDFAST_SLOTS: '2' } }),
  );
  const build2 = stack.use(
    await startSystem({
      home: join(folder, 'build-2'),
      web: false,
      env: { ...pace, HOLDFAST_AGENT_NAME: 'build-2', HOLDFAST_SLOTS: '3' },
    }),
  );
  await follow(laptop, build2);

  const submit = ({ title, session, agent, spec, labels = {}, queue }: Submit): Promise<string> =>
    laptop.submit(
      { cwd: project, ...spec },
      { title, sessionId: session, agent, labels, ...(queue === undefined ? {} : { queue }) },
    );
  const ended = (id: string) =>
    laptop.webTaskWhen(id, 'ended', (task) => task.endedAt !== undefined && task.knowledge.state === 'live');
  const running = (id: string) => laptop.webTaskWhen(id, 'running', ({ status }) => status === 'running');
  const printing = (id: string) =>
    laptop.webTaskWhen(id, 'printing', (task) => task.status === 'running' && task.lastLine !== undefined);

  const docs = await submit({
    title: 'Rebuild the docs on each change',
    session: 'docs',
    agent: 'laptop',
    spec: { shell: 'echo "watching docs/ for changes"; exec sleep 900' },
  });
  await printing(docs);
  const build = await buildDuringOutage({ laptop, build2, submit });
  const past: string[] = [];
  for (const task of history) past.push(await submit(task));
  const staleClaim = await submit({
    title: 'Sign the Windows installer',
    session: 'release-2.4',
    agent: 'laptop',
    queue: 'signing',
    spec: { payload: { artifact: 'shop-2.4.0.msi' } },
    labels: { release: '2.4' },
  });
  const silent = await claim(laptop, { queue: 'signing', worker: 'signer-1', leaseMs: STALE_LEASE_MS });
  await say(laptop, silent, { step: 'waiting for the time stamp' });

  const live = await submit({
    title: 'Publish the container image',
    session: 'release-2.4',
    agent: 'laptop',
    queue: 'images',
    spec: { payload: { image: 'shop:2.4.0' } },
    labels: { release: '2.4' },
  });
  const heard = await claim(laptop, { queue: 'images', worker: 'registry-1', leaseMs: 60_000 });
  await say(laptop, heard, { layers: '3 of 11' });
  const beat = setInterval(() => void say(laptop, heard, { layers: '3 of 11' }), HEARTBEAT_EVERY_MS);
  stack.defer(() => clearInterval(beat));
  await running(live);

  for (const id of past) await ended(id);
  const endToEnd = await submit({
    title: 'End-to-end tests',
    session: 'nightly',
    agent: 'build-2',
    spec: { command: ['./end-to-end.sh'] },
    labels: { branch: 'main' },
  });
  const load = await submit({
    title: 'Load test of the cart',
    session: 'nightly',
    agent: 'build-2',
    spec: { command: ['./load-test.sh'] },
    labels: { branch: 'main' },
  });
  const coder = await submit({
    title: 'Make the checkout test stable',
    session: 'checkout',
    agent: 'laptop',
    spec: {
      runner: 'coder',
      prompt: 'The checkout test fails about once in ten runs. Find out why and fix it.',
    },
    labels: { kind: 'agent' },
  });
  for (const id of [endToEnd, load, coder]) await printing(id);
  for (const task of waiting) await submit(task);
  for (const [id, title] of Object.entries(titles)) {
    await laptop.call('web', 'PATCH', `/api/sessions/${id}`, { title });
  }

  const resources = stack.move();
  return {
    laptop,
    build2,
    ids: { coder, build, staleClaim, endToEnd, docs },
    untilStale: async () => {
      await laptop.webTaskWhen(staleClaim, 'stale', ({ attention }) => (attention ?? []).length > 0);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function writeProject(folder: string): string {
  const project = join(folder, 'shop');
  mkdirSync(project);
  for (const [name, text] of Object.entries(demoScripts)) {
    writeFileSync(join(project, name), text);
    chmodSync(join(project, name), 0o755);
  }
  return project;
}

async function follow(laptop: System, build2: System): Promise<void> {
  const body = { url: build2.agent.url, token: build2.token('agent') };
  const answer = await laptop.call('web', 'POST', '/api/agents', body);
  if (answer.status >= 300) throw new Error(`web refused build-2: ${JSON.stringify(answer.body)}`);
  await untilAgent(laptop, 'build-2', 'live');
}

async function untilAgent(laptop: System, name: string, state: string): Promise<string> {
  return until(`web to show ${name} ${state}`, async () => {
    const { body } = await laptop.call<State>('web', 'GET', '/api/state');
    return body.agents.find((agent) => agent.name === name && agent.state === state)?.id;
  });
}

/** A build that fails while its agent is down: web's doubt, and then the truth, are on record. */
async function buildDuringOutage({
  laptop,
  build2,
  submit,
}: {
  laptop: System;
  build2: System;
  submit: (task: Submit) => Promise<string>;
}): Promise<string> {
  const id = await submit({
    title: 'Type-check the storefront',
    session: 'nightly',
    agent: 'build-2',
    spec: { command: ['./build.sh'] },
    labels: { branch: 'main' },
  });
  await laptop.webTaskWhen(id, 'well under way', ({ lastLine }) => lastLine?.includes('storefront') === true);
  await build2.agent.end('SIGKILL');
  await laptop.webTaskWhen(id, 'unknown', ({ status }) => status === 'unknown');
  await until('the build to end unwatched', () => {
    const runs = join(build2.home, 'runs', id);
    return readdirSync(runs).some((run) => existsSync(join(runs, run, 'exit.2')));
  });
  await build2.agent.start();
  const agentId = await until('web to name build-2', async () => {
    const { body } = await laptop.call<State>('web', 'GET', '/api/state');
    return body.agents.find(({ name }) => name === 'build-2')?.id;
  });
  await laptop.call('web', 'POST', `/api/agents/${agentId}/reconnect`);
  await laptop.webTaskWhen(id, 'failed', ({ status }) => status === 'failed');
  await untilAgent(laptop, 'build-2', 'live');
  return id;
}

async function claim(
  system: System,
  { queue, worker, leaseMs }: { queue: string; worker: string; leaseMs: number },
): Promise<Grant> {
  const body = { claimId: uuidv7(), queue, worker, leaseMs, waitMs: 60_000 };
  const answer = await system.call<Grant>('agent', 'POST', '/claims', body);
  if (answer.status !== 200) throw new Error(`the claim was answered ${answer.status}`);
  return answer.body;
}

async function say(system: System, { claim: { token } }: Grant, progress: unknown): Promise<void> {
  const answer = await system.call('agent', 'POST', `/claims/${token}/heartbeat`, { progress });
  if (answer.status !== 200) throw new Error(`the heartbeat was answered ${answer.status}`);
}
