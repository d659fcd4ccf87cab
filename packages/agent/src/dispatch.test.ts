import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger, type Submit } from '@holdfast/shared';
import { expect, test } from 'vitest';
import { AttemptStore } from './attempts.ts';
import { Dispatcher } from './dispatch.ts';
import {
  type LastWord,
  type Launched,
  type Launcher,
  LauncherLostError,
  type LaunchRequest,
} from './launch.ts';
import { Look } from './look.ts';
import { Pool } from './pool.ts';
import { ProcessTable, type SeenProcess } from './process.ts';
import { Queue } from './queue.ts';
import { Settlement } from './settle.ts';
import { StartError } from './start-error.ts';
import { StopRequests } from './stop-requests.ts';
import { Supervisor } from './supervise.ts';
import { until } from './test-kit.ts';
import { makeSubmit, openTestJournal, noClaims } from './test-support.ts';
import type { PlannedWorktree, Workspaces } from './workspace.ts';

type LaunchFake = (request: LaunchRequest, onExit: (told: LastWord) => void) => Promise<Launched>;
type PrepareFake = (signal: AbortSignal) => Promise<string>;

const shimOf = (pid: number): SeenProcess => ({
  pid,
  startTicks: '7',
  parent: 1,
  group: pid,
  session: pid,
  state: 'S',
  marker: undefined,
  logs: [],
});

/** A dispatcher over a real journal, whose workspaces, launcher and processes are the test's. */
function openDispatcher(options: { slots?: number; prepareMs?: number } = {}) {
  const clock = { ofQueue: Date.now, ofDispatcher: Date.now };
  let refuse = () => false;
  const opened = openTestJournal({
    beforeCommit: () => {
      if (refuse()) throw new Error('the disk is full');
    },
  });
  const { journal, folder } = opened;
  const logger = createLogger('agent', 'silent');
  const attempts = new AttemptStore(journal.database);
  const pool = new Pool(journal, options.slots ?? 4);
  const alive: SeenProcess[] = [];
  const fakes = {
    launch: (() => {
      const process = shimOf(5000 + alive.length);
      alive.push(process);
      return Promise.resolve({ shim: process, startedAt: 1000 });
    }) as LaunchFake,
    prepare: (() => Promise.resolve('/')) as PrepareFake,
    undo: () => Promise.resolve(),
  };
  const undone: string[] = [];
  const launched: LaunchRequest[] = [];
  const markers: object[] = [];
  const workspaces = {
    plan: (spec: Submit['spec'], taskId: string): PlannedWorktree | undefined =>
      spec.workspace === undefined ? undefined : { path: join(folder, taskId), repo: '/repo', ref: 'main' },
    prepare: (_spec: unknown, _planned: unknown, signal: AbortSignal, marker: object) => {
      markers.push(marker);
      return fakes.prepare(signal);
    },
    undo: (planned: PlannedWorktree) => {
      undone.push(planned.path);
      return fakes.undo();
    },
  };
  const launcher = {
    launch: (request: LaunchRequest, onExit: (told: LastWord) => void) => {
      launched.push(request);
      return fakes.launch(request, onExit);
    },
  };
  const queue = new Queue({
    journal,
    agentId: 'agent',
    name: 'build-2',
    queueLimit: 100,
    retentionMs: 1e12,
    runners: new Set(),
    now: () => clock.ofQueue(),
  });
  const settlement = new Settlement({
    journal,
    attempts,
    maxAttempts: 3,
    retryDelayMs: 0,
    random: () => 0,
    now: Date.now,
  });
  const supervisor = new Supervisor({
    journal,
    attempts,
    settlement,
    look: new Look({ scan: () => new ProcessTable({ processes: alive }) }),
    claims: noClaims,
    home: folder,
    sweepPage: 200,
    killGraceMs: 0,
    logger,
    onFree: () => dispatcher.wake(),
    release: () => Promise.resolve(),
    now: Date.now,
    monotonic: () => performance.now(),
  });
  const dispatcher: Dispatcher = new Dispatcher({
    journal,
    attempts,
    queue,
    pool,
    supervisor,
    settlement,
    foreignRuns: { stop: () => Promise.resolve() },
    workspaces: workspaces as unknown as Workspaces,
    runners: {},
    launcher: launcher as unknown as Launcher,
    environment: { PATH: '/usr/bin:/bin' },
    prepareMs: options.prepareMs ?? 60_000,
    logger,
    now: () => clock.ofDispatcher(),
  });
  pool.onChange(() => dispatcher.wake());
  const stops = new StopRequests({
    journal,
    attempts,
    settlement,
    supervisor,
    onFree: () => dispatcher.wake(),
    now: Date.now,
  });
  return {
    journal,
    folder,
    pool,
    clock,
    fakes,
    undone,
    launched,
    markers,
    alive,
    supervisor,
    stops,
    dispatcher,
    /** From now on commits fail while `when` is true. */
    refuseWhen: (when: () => boolean) => (refuse = when),
    async submit(spec: Partial<Submit['spec']> = {}, more: Partial<Submit> = {}): Promise<string> {
      const { task } = await queue.submitTask(makeSubmit({ spec: { command: ['true'], ...spec }, ...more }));
      dispatcher.wake();
      return task.id;
    },
    task: (id: string) => journal.record(id)!.task,
    kinds: (id: string) => journal.eventsOf(id).map((event) => event.kind),
    async [Symbol.asyncDispose]() {
      refuse = () => false;
      await dispatcher.stop();
      await supervisor.stop();
      opened[Symbol.dispose]();
    },
  };
}

const worktree = { workspace: { worktree: { repo: '/repo', ref: 'main' } } };

test('a task is claimed, launched in its run directory and started, with its marker and its own values', async () => {
  await using agent = openDispatcher();
  agent.dispatcher.start();
  const id = await agent.submit({ env: { OWN: 'x', HOLDFAST_TASK: 'forged' } });
  await until('it runs', () => agent.task(id).status === 'running');
  expect(agent.kinds(id)).toEqual(['submitted', 'claimed', 'started']);
  const [request] = agent.launched;
  expect(request!.argv[0]).toMatch(/^\/.*\/true$/);
  expect(request!.env).toMatchObject({
    OWN: 'x',
    HOLDFAST_TASK: id,
    HOLDFAST_ATTEMPT: '1',
    HOLDFAST_RUN: request!.run.path,
  });
  expect(existsSync(request!.run.path)).toBe(true);
});

test('nothing starts before the dispatcher is started, nor after it is stopped, also if that comes in the other order', async () => {
  await using agent = openDispatcher();
  const id = await agent.submit();
  await agent.dispatcher.stop();
  agent.dispatcher.start();
  agent.dispatcher.wake();
  await agent.journal.change(() => undefined);
  expect(agent.kinds(id)).toEqual(['submitted']);
});

test('no more tasks start than there are slots, and one that ends lets the next one start', async () => {
  await using agent = openDispatcher({ slots: 2 });
  const ids = [await agent.submit(), await agent.submit(), await agent.submit()];
  agent.dispatcher.start();
  await until('two run', () => ids.filter((id) => agent.task(id).status === 'running').length === 2);
  expect(agent.task(ids[2]!).status).toBe('queued');
  agent.alive.shift();
  await agent.supervisor.sweep();
  await until('the third', () => agent.launched.length >= 3);
});

test('a pause that is answered with a claim in the same commit is obeyed', async () => {
  await using agent = openDispatcher();
  const id = await agent.submit();
  const paused = agent.pool.setMode('paused');
  agent.dispatcher.start();
  await paused;
  await agent.journal.change(() => undefined);
  expect(agent.kinds(id)).toEqual(['submitted']);
  await agent.pool.setMode('active');
  await until('it runs', () => agent.task(id).status === 'running');
});

test('slots that a worker’s claims have taken elsewhere are not the pool’s', async () => {
  await using agent = openDispatcher({ slots: 1 });
  const other = await agent.submit({}, { queue: 'gpu' });
  await agent.journal.change(() => agent.journal.append(agent.journal.record(other)!, { kind: 'claimed' }));
  agent.dispatcher.start();
  const id = await agent.submit();
  await until('it runs', () => agent.task(id).status === 'running');
});

test('P8: what will not pass by itself ends the task with the error and leaves no run', async () => {
  await using agent = openDispatcher();
  agent.dispatcher.start();
  const id = await agent.submit({ command: ['no-such-command-here'] });
  await until('its end', () => agent.task(id).endedAt !== undefined);
  expect(agent.task(id)).toMatchObject({ status: 'failed', outcome: { reason: 'spawn_failed' } });
  expect(agent.launched).toEqual([]);
  expect(existsSync(join(agent.folder, 'runs', id, '1'))).toBe(false);
  expect([...agent.supervisor.watches()]).toEqual([]);
});

test('P8: a workspace that fails is told as such', async () => {
  await using agent = openDispatcher();
  agent.fakes.prepare = () =>
    Promise.reject(new StartError('workspace_failed', 'no commit "main"', { passing: false }));
  agent.dispatcher.start();
  const id = await agent.submit();
  await until('its end', () => agent.task(id).endedAt !== undefined);
  expect(agent.task(id).outcome).toEqual({ reason: 'workspace_failed', message: 'no commit "main"' });
});

test('P8: a launch that fails for a passing cause is tried again, then ends with that cause', async () => {
  await using agent = openDispatcher();
  agent.fakes.launch = () => Promise.reject(new StartError('spawn_failed', 'no room', { passing: true }));
  agent.dispatcher.start();
  const id = await agent.submit();
  await until('its end', () => agent.task(id).endedAt !== undefined);
  expect(agent.task(id)).toMatchObject({
    status: 'failed',
    attempt: 3,
    outcome: { reason: 'attempts_exhausted' },
  });
  expect(agent.task(id).outcome!.message).toContain('no room');
});

test('P8: a worktree is undone when the start fails after it; one that stays is named in the error', async () => {
  await using agent = openDispatcher();
  agent.dispatcher.start();
  const clean = await agent.submit({ command: ['no-such-command-here'], ...worktree });
  await until('its end', () => agent.task(clean).endedAt !== undefined);
  expect(agent.undone).toEqual([join(agent.folder, clean)]);
  agent.fakes.undo = () => Promise.reject(new Error('it is locked'));
  const left = await agent.submit({ command: ['no-such-command-here'], ...worktree });
  await until('its end', () => agent.task(left).endedAt !== undefined);
  expect(agent.task(left)).toMatchObject({
    status: 'failed',
    attempt: 1,
    outcome: { reason: 'spawn_failed' },
  });
  expect(agent.task(left).outcome!.message).toContain(
    `its worktree is left at ${join(agent.folder, left)}: it is locked`,
  );
});

test('P4, P8: what a start that failed left running is ended before its worktree is undone and it is on record', async () => {
  await using agent = openDispatcher();
  const hook = { ...shimOf(6000), marker: '' };
  agent.fakes.prepare = () => {
    hook.marker = (agent.markers[0] as { HOLDFAST_RUN: string }).HOLDFAST_RUN;
    agent.alive.push(hook);
    return Promise.reject(new StartError('workspace_failed', 'the hook failed', { passing: false }));
  };
  agent.dispatcher.start();
  const id = await agent.submit(worktree);
  await until('it is told to end', () => agent.supervisor.watchOf(id)?.told === true);
  await agent.supervisor.sweep();
  expect(agent.task(id).status).toBe('starting');
  expect(agent.undone).toEqual([]);
  agent.alive.length = 0;
  await until('its end', () => agent.task(id).endedAt !== undefined);
  expect(agent.undone).toEqual([join(agent.folder, id)]);
  expect(agent.task(id).outcome).toEqual({ reason: 'workspace_failed', message: 'the hook failed' });
});

test('P8: a start that failed and was cancelled while something of it was being ended is cancelled, and undone', async () => {
  await using agent = openDispatcher();
  const hook = { ...shimOf(6000), marker: '' };
  agent.fakes.prepare = () => {
    hook.marker = (agent.markers[0] as { HOLDFAST_RUN: string }).HOLDFAST_RUN;
    agent.alive.push(hook);
    return Promise.reject(new StartError('workspace_failed', 'the hook failed', { passing: true }));
  };
  agent.dispatcher.start();
  const id = await agent.submit(worktree);
  await until('it is told to end', () => agent.supervisor.watchOf(id)?.told === true);
  await agent.stops.cancel(id);
  agent.alive.length = 0;
  await until('its end', () => agent.task(id).endedAt !== undefined);
  expect(agent.task(id)).toMatchObject({ status: 'cancelled', attempt: 1 });
  expect(agent.undone).toEqual([join(agent.folder, id)]);
});

test('preparation ends at its deadline', async () => {
  await using agent = openDispatcher({ prepareMs: 20 });
  agent.fakes.prepare = (signal) =>
    new Promise((_, reject) => {
      const error = new StartError('workspace_failed', 'it took too long', { passing: true });
      signal.addEventListener('abort', () => reject(error));
    });
  agent.dispatcher.start();
  const id = await agent.submit({ retry: { maxAttempts: 1 } });
  await until('its end', () => agent.task(id).endedAt !== undefined);
  expect(agent.task(id).outcome).toMatchObject({ reason: 'workspace_failed', message: 'it took too long' });
});

test('a cancel during the preparation ends the task, and nothing was launched', async () => {
  await using agent = openDispatcher();
  agent.fakes.prepare = (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () =>
        reject(new StartError('workspace_failed', 'stopped', { passing: true })),
      );
    });
  agent.dispatcher.start();
  const id = await agent.submit();
  await until('it is prepared', () => agent.task(id).status === 'starting');
  await agent.stops.cancel(id);
  await until('its end', () => agent.task(id).endedAt !== undefined);
  expect(agent.task(id).status).toBe('cancelled');
  expect(agent.launched).toEqual([]);
});

test('a stop of the agent during the preparation gives the task back, uncharged', async () => {
  await using agent = openDispatcher();
  agent.fakes.prepare = (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () =>
        reject(new StartError('workspace_failed', 'stopped', { passing: true })),
      );
    });
  agent.dispatcher.start();
  const id = await agent.submit();
  await until('it is prepared', () => agent.task(id).status === 'starting');
  await agent.dispatcher.stop();
  expect(agent.task(id)).toMatchObject({ status: 'queued', outcome: { reason: 'dispatch_interrupted' } });
  expect(agent.journal.record(id)).toMatchObject({ charged: 0, uncharged: 1 });
});

test('P4: a launcher that was lost with the request: what never began is requeued, once it can never begin', async () => {
  await using agent = openDispatcher();
  const { launch } = agent.fakes;
  agent.fakes.launch = () => {
    agent.fakes.launch = launch;
    return Promise.reject(new LauncherLostError('the launcher ended'));
  };
  agent.dispatcher.start();
  const id = await agent.submit();
  await until('its second attempt', () => agent.task(id).status === 'running');
  expect(agent.task(id).attempt).toBe(2);
  expect(agent.launched[0]!.run.takeTicket()).toBe('agent');
  expect(agent.journal.record(id)).toMatchObject({ charged: 0, uncharged: 1 });
});

test('P3: "started" that the journal refuses is said by the next sweep', async () => {
  await using agent = openDispatcher();
  let launched = false;
  const { launch } = agent.fakes;
  agent.fakes.launch = (request, onExit) => {
    launched = true;
    return launch(request, onExit);
  };
  agent.refuseWhen(() => launched);
  agent.dispatcher.start();
  const id = await agent.submit();
  await until('the refusal', () => !agent.journal.healthy);
  expect(agent.task(id).status).toBe('starting');
  agent.refuseWhen(() => false);
  await until('the sweep says it', async () => {
    await agent.supervisor.sweep();
    return agent.task(id).status === 'running';
  });
  expect(agent.kinds(id).filter((kind) => kind === 'started')).toHaveLength(1);
  expect(agent.launched).toHaveLength(1);
});

test('a claim that the journal refuses starts nothing, and the next wish to start finds the task again', async () => {
  await using agent = openDispatcher();
  const id = await agent.submit();
  agent.refuseWhen(() => true);
  agent.dispatcher.start();
  await until('the refusal', () => !agent.journal.healthy);
  expect(agent.task(id).status).toBe('queued');
  expect(agent.launched).toEqual([]);
  agent.refuseWhen(() => false);
  agent.dispatcher.wake();
  await until('it runs', () => agent.task(id).status === 'running');
  expect(agent.task(id).attempt).toBe(1);
});

test('P8: a failure that cannot be put on record is not left in between: the evidence requeues it', async () => {
  await using agent = openDispatcher();
  let tried = false;
  agent.fakes.prepare = () => {
    tried = true;
    return Promise.reject(new StartError('workspace_failed', 'no such directory', { passing: false }));
  };
  agent.refuseWhen(() => tried);
  agent.dispatcher.start();
  const id = await agent.submit();
  await until('the refusal', () => !agent.journal.healthy);
  agent.refuseWhen(() => false);
  await until('its end', async () => {
    await agent.supervisor.sweep();
    return agent.task(id).endedAt !== undefined;
  });
  expect(agent.task(id).outcome).toEqual({ reason: 'workspace_failed', message: 'no such directory' });
});

test('a delayed task starts when it is due, without a sweep', async () => {
  await using agent = openDispatcher();
  const id = await agent.submit();
  await agent.journal.change(() => {
    const record = agent.journal.record(id)!;
    agent.journal.append(record, { kind: 'claimed' });
    const data = {
      charged: true,
      notBeforeAt: Date.now() + 50,
      outcome: { reason: 'process_vanished' },
      outputBytes: 0,
    } as const;
    agent.journal.append(record, { kind: 'requeued', data });
  });
  agent.dispatcher.start();
  await until('it runs', () => agent.task(id).status === 'running');
  expect(agent.task(id).attempt).toBe(2);
});

// Fails without: the time before the claim, for which `nextDelayedAt` is asked.
test('a delayed task that becomes due while the queue is looked through starts without a sweep', async () => {
  await using agent = openDispatcher();
  const id = await agent.submit();
  const before = Date.now();
  await agent.journal.change(() => {
    const record = agent.journal.record(id)!;
    agent.journal.append(record, { kind: 'claimed' });
    const outcome = { reason: 'process_vanished' } as const;
    const data = { charged: true, notBeforeAt: before + 1000, outcome, outputBytes: 0 };
    agent.journal.append(record, { kind: 'requeued', data });
  });
  const passing = () => {
    const times = [before];
    return () => times.pop() ?? before + 1500;
  };
  Object.assign(agent.clock, { ofQueue: passing(), ofDispatcher: passing() });
  agent.dispatcher.start();
  await until('it runs', () => agent.task(id).status === 'running');
});

test('an exit that comes before "started" is on record is judged after it', async () => {
  await using agent = openDispatcher();
  agent.fakes.launch = (_request, onExit) => {
    onExit('exited');
    return Promise.resolve({ shim: { pid: 4242, startTicks: '7' }, startedAt: 1000 });
  };
  agent.dispatcher.start();
  const id = await agent.submit({ retry: { maxAttempts: 1 } });
  await until('its end', () => agent.task(id).endedAt !== undefined);
  expect(agent.kinds(id)).toEqual(['submitted', 'claimed', 'started', 'failed']);
});

test('once nobody tells of an exit any more, the record does, without a sweep', async () => {
  await using agent = openDispatcher();
  const { launch } = agent.fakes;
  let lose = () => {};
  agent.fakes.launch = (request, onExit) => {
    lose = () => onExit('unseen');
    return launch(request, onExit);
  };
  agent.dispatcher.start();
  const id = await agent.submit();
  await until('it runs', () => agent.supervisor.watchOf(id)?.confirmed === true);
  lose();
  agent.alive.length = 0;
  writeFileSync(join(agent.launched[0]!.run.path, 'exit.0'), '');
  await until('its end', () => agent.task(id).endedAt !== undefined);
  expect(agent.task(id).status).toBe('completed');
});

test('an exit that nobody told of, before "started" is on record, is judged after it', async () => {
  await using agent = openDispatcher();
  agent.fakes.launch = (request, onExit) => {
    writeFileSync(join(request.run.path, 'exit.0'), '');
    onExit('unseen');
    return Promise.resolve({ shim: { pid: 4242, startTicks: '7' }, startedAt: 1000 });
  };
  agent.dispatcher.start();
  const id = await agent.submit();
  await until('its end', () => agent.task(id).endedAt !== undefined);
  expect(agent.kinds(id)).toEqual(['submitted', 'claimed', 'started', 'completed']);
});

test('what prepares the workspace carries the marker of the attempt', async () => {
  await using agent = openDispatcher();
  agent.dispatcher.start();
  const id = await agent.submit(worktree);
  await until('it runs', () => agent.task(id).status === 'running');
  expect(agent.markers).toEqual([
    {
      HOLDFAST_TASK: id,
      HOLDFAST_ATTEMPT: '1',
      HOLDFAST_SESSION: 'session',
      HOLDFAST_RUN: agent.launched[0]!.run.path,
    },
  ]);
});
