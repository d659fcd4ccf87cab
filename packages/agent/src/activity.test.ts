import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { ActivityEntry } from '@holdfast/shared';
import { createLogger } from '@holdfast/shared';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ActivityMonitor } from './activity.ts';
import { runDirectory } from './run-directory.ts';
import type { Limit, StopRequests } from './stop-requests.ts';
import type { Supervisor } from './supervise.ts';
import { makeFolder } from './test-kit.ts';
import { makeRunning, openTestJournal } from './test-support.ts';
import { Watch } from './watch.ts';

function openMonitor(
  options: { outputLimitBytes?: number; stopFails?: () => boolean; journalFails?: () => boolean } = {},
) {
  const opened = openTestJournal();
  const folder = makeFolder();
  const watches: Watch[] = [];
  const told: ActivityEntry[][] = [];
  const heard: ActivityEntry[] = [];
  const limits: { taskId: string; cause: Limit; message?: string }[] = [];
  const lost: { from: number; to: number }[] = [];
  let monotonic = 0;
  const record = () =>
    options.journalFails?.() === true ? Promise.reject(new Error('disk full')) : Promise.resolve();
  const supervisor: Pick<Supervisor, 'watches' | 'reportExternalId' | 'reportLostOutput'> = {
    watches: () => watches,
    reportExternalId: () => record(),
    reportLostOutput: (_watch, from, to) => {
      lost.push({ from, to });
      return record();
    },
  };
  const stops: Pick<StopRequests, 'stopAtLimit'> = {
    stopAtLimit: ({ taskId }, cause, message) => {
      limits.push({ taskId, cause, ...(message === undefined ? {} : { message }) });
      return options.stopFails?.() === true ? Promise.reject(new Error('disk full')) : Promise.resolve();
    },
  };
  const monitor = new ActivityMonitor({
    journal: opened.journal,
    supervisor: supervisor as Supervisor,
    stops,
    outputLimitBytes: options.outputLimitBytes ?? 1000,
    takeHeard: () => heard.splice(0),
    announce: (entries) => told.push(entries),
    logger: createLogger('agent', 'silent'),
    monotonic: () => monotonic,
  });
  return {
    monitor,
    told,
    heard,
    limits,
    lost,
    advance: (ms: number) => (monotonic += ms),
    async run(spec: { idleTimeoutMs?: number } = {}): Promise<Watch> {
      const { task } = await makeRunning(opened.journal, { spec: { command: ['true'], ...spec } });
      const run = runDirectory(folder.path, task.id, 1, 'abc');
      mkdirSync(run.path, { recursive: true });
      writeFileSync(run.outputPath, '');
      const watch = new Watch(
        { taskId: task.id, attempt: 1, run, bootId: 'boot', shim: undefined },
        monotonic,
      );
      watch.confirmed = true;
      watches.push(watch);
      return watch;
    },
    async [Symbol.asyncDispose]() {
      await monitor.stop();
      folder[Symbol.dispose]();
      opened[Symbol.dispose]();
    },
  };
}

test('only what has grown is told, and everything to who missed some', async () => {
  await using agent = openMonitor();
  const [one, two] = [await agent.run(), await agent.run()];
  appendFileSync(one.run.outputPath, 'hello');
  await agent.monitor.tick();
  await agent.monitor.tick();
  appendFileSync(two.run.outputPath, 'x');
  await agent.monitor.tick();
  expect(agent.told).toMatchObject([
    [{ id: one.taskId, attempt: 1, outputBytes: 5 }],
    [{ id: two.taskId, outputBytes: 1 }],
  ]);
  expect(agent.monitor.all().map(({ outputBytes }) => outputBytes)).toEqual([5, 1]);
});

test('what this instance has not confirmed is not measured', async () => {
  await using agent = openMonitor();
  const watch = await agent.run();
  watch.confirmed = false;
  appendFileSync(watch.run.outputPath, 'hello');
  await agent.monitor.tick();
  expect(agent.told).toEqual([]);
});

test('output may reach the limit; one byte more ends the attempt', async () => {
  await using agent = openMonitor({ outputLimitBytes: 10 });
  const watch = await agent.run();
  appendFileSync(watch.run.outputPath, '0123456789');
  await agent.monitor.tick();
  expect(agent.limits).toEqual([]);
  appendFileSync(watch.run.outputPath, 'x');
  await agent.monitor.tick();
  const limit = {
    taskId: watch.taskId,
    cause: 'output_limit',
    message: 'its output passed the limit of 10 bytes',
  };
  expect(agent.limits).toEqual([limit]);
});

test('an output that outgrows its limit between two ticks is stopped without waiting for the next', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  await using agent = openMonitor({ outputLimitBytes: 3 * 1024 * 1024 });
  const watch = await agent.run();
  appendFileSync(watch.run.outputPath, Buffer.alloc(3 * 1024 * 1024 + 1));
  // Fails without: the timer of sizes.
  await vi.advanceTimersByTimeAsync(100);
  expect(agent.limits).toMatchObject([{ message: 'its output passed the limit of 3 MiB' }]);
});

test('a stop at the limit that failed is tried again by the tick alone', async () => {
  let fails = true;
  await using agent = openMonitor({ outputLimitBytes: 1, stopFails: () => fails });
  const watch = await agent.run();
  appendFileSync(watch.run.outputPath, 'xyz');
  await agent.monitor.checkSizes();
  await agent.monitor.checkSizes();
  expect(agent.limits).toHaveLength(1);
  fails = false;
  await agent.monitor.tick();
  expect(agent.limits).toHaveLength(2);
});

test('a time limit ends at its moment on the monotonic clock, whatever the output', async () => {
  await using agent = openMonitor();
  const watch = await agent.run();
  watch.deadlineAt = 500;
  agent.advance(499);
  await agent.monitor.tick();
  expect(agent.limits).toEqual([]);
  agent.advance(1);
  appendFileSync(watch.run.outputPath, 'x');
  await agent.monitor.tick();
  expect(agent.limits).toEqual([{ taskId: watch.taskId, cause: 'timeout' }]);
});

test('silence is counted from the last growth', async () => {
  await using agent = openMonitor();
  const watch = await agent.run({ idleTimeoutMs: 100 });
  agent.advance(99);
  appendFileSync(watch.run.outputPath, 'x');
  await agent.monitor.tick();
  agent.advance(99);
  await agent.monitor.tick();
  expect(agent.limits).toEqual([]);
  agent.advance(1);
  await agent.monitor.tick();
  expect(agent.limits).toEqual([{ taskId: watch.taskId, cause: 'idle_timeout' }]);
});

test('a log that was cut or removed is reported with what is missing, and followed from there', async () => {
  await using agent = openMonitor();
  const watch = await agent.run();
  appendFileSync(watch.run.outputPath, 'hello');
  await agent.monitor.tick();
  writeFileSync(watch.run.outputPath, 'hi');
  await agent.monitor.tick();
  rmSync(watch.run.outputPath);
  await agent.monitor.tick();
  expect(agent.lost).toEqual([
    { from: 5, to: 2 },
    { from: 2, to: 0 },
  ]);
  expect(agent.told.map(([entry]) => entry!.outputBytes)).toEqual([5, 2, 0]);
});

test('an output that grew is told although the id of its runner could not be put on record', async () => {
  let fails = true;
  await using agent = openMonitor({ journalFails: () => fails });
  const watch = await agent.run();
  appendFileSync(watch.run.outputPath, 'Continue? [y/n]');
  await agent.monitor.tick();
  fails = false;
  await agent.monitor.tick();
  expect(agent.told).toMatchObject([[{ id: watch.taskId, outputBytes: 15 }]]);
});

test('a log that was cut while the journal could not be written is reported by the next tick', async () => {
  let fails = false;
  await using agent = openMonitor({ journalFails: () => fails });
  const watch = await agent.run();
  appendFileSync(watch.run.outputPath, 'hello');
  await agent.monitor.tick();
  writeFileSync(watch.run.outputPath, 'hi');
  fails = true;
  await agent.monitor.tick();
  fails = false;
  await agent.monitor.tick();
  await agent.monitor.tick();
  expect(agent.lost).toEqual([
    { from: 5, to: 2 },
    { from: 5, to: 2 },
  ]);
});

test('one attempt that cannot be measured does not keep the others from it', async () => {
  await using agent = openMonitor();
  const bad = await agent.run();
  const good = await agent.run();
  bad.run.measureOutput = () => {
    throw new Error('EIO');
  };
  appendFileSync(good.run.outputPath, 'x');
  await agent.monitor.tick();
  expect(agent.told).toMatchObject([[{ id: good.taskId }]]);
});

test('a claim whose worker was heard is told once, together with what grew', async () => {
  await using opened = openMonitor();
  const lease = { id: 'b', attempt: 1, outputBytes: 0, leaseExpiresAt: 9, lastHeartbeatAt: 3 };
  opened.heard.push(lease);
  await opened.monitor.tick();
  await opened.monitor.tick();
  expect(opened.told).toEqual([[lease]]);
});
