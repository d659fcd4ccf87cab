/**
 * From a task's exit to the frame in the browser: 100 subscribers of web's feed, 50 tasks a second, both services as real
 * processes. A task is `date +%s%N`, so that its output is the time right before its exit.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startSystem, type System } from '../test/system.ts';
import type { Arrivals, Follow, Said } from './latency-subscribers.ts';
import { percentile } from './measure.ts';
import type { Table } from './table.ts';

const SUBSCRIBERS = 100;
const TASKS_PER_SECOND = 50;
const TASKS = 500;
const ECHO_EVERY_MS = 20;
const GOAL_MS = 25;

/** Sends a byte to and fro until `signal`; returns how long each took, in ms. */
async function measureRoundTrips(port: number, signal: AbortSignal): Promise<number[]> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  await once(socket, 'connect');
  const trips: number[] = [];
  while (!signal.aborted) {
    const began = performance.now();
    socket.write('.');
    await once(socket, 'data');
    trips.push(performance.now() - began);
    await wait(ECHO_EVERY_MS);
  }
  socket.destroy();
  return trips;
}

/** Submits at an even pace, however long the answers take. */
async function submitAll(system: System): Promise<void> {
  const began = performance.now();
  const submits: Promise<unknown>[] = [];
  for (let index = 0; index < TASKS; index += 1) {
    await wait(Math.max(0, began + (index * 1000) / TASKS_PER_SECOND - performance.now()));
    submits.push(system.submit({ command: ['/bin/date', '+%s%N'] }));
  }
  await Promise.all(submits);
}

/** The time that the task printed, ms. */
function readExit(system: System, taskId: string): number {
  const task = join(system.home, 'runs', taskId);
  const [run] = readdirSync(task);
  return Number(readFileSync(join(task, run!, 'output.log'), 'utf8')) / 1e6;
}

function formatMs(values: readonly number[]): string {
  const [half, most] = [0.5, 0.99].map((part) => percentile(values, part).toFixed(1));
  return `p50 ${half} ms, p99 ${most} ms`;
}

export async function measureLatency(): Promise<Table> {
  await using system = await startSystem({
    env: {
      HOLDFAST_SLOTS: '16',
      HOLDFAST_HEARTBEAT_MS: '5000',
      HOLDFAST_LOST_AFTER_MS: '15000',
      HOLDFAST_SWEEP_MS: '5000',
      HOLDFAST_LOG_LEVEL: 'warn',
    },
  });
  const subscribers = fork(fileURLToPath(new URL('latency-subscribers.ts', import.meta.url)));
  try {
    const connected = Promise.withResolvers<number>();
    const ended = Promise.withResolvers<Arrivals>();
    subscribers.on('message', (said: Said) => {
      if ('echoPort' in said) connected.resolve(said.echoPort);
      else ended.resolve(said.arrivals);
    });
    subscribers.once('exit', (code) => {
      const error = new Error(`the subscribers ended with ${code}`);
      connected.reject(error);
      ended.reject(error);
    });
    const url = `${system.web.url}/api/events`;
    subscribers.send({
      url,
      token: system.token('web'),
      subscribers: SUBSCRIBERS,
      tasks: TASKS,
    } satisfies Follow);
    const port = await connected.promise;
    const stop = new AbortController();
    const echoing = measureRoundTrips(port, stop.signal);
    await submitAll(system);
    const arrivals = await ended.promise;
    stop.abort();
    const trips = await echoing;

    const latencies = Object.entries(arrivals).flatMap(([taskId, times]) => {
      const exit = readExit(system, taskId);
      return times.map((at) => at - exit);
    });
    const p99 = percentile(latencies, 0.99);
    return {
      question: `exit → browser: ${SUBSCRIBERS} subscribers, ${TASKS_PER_SECOND} tasks/s (${TASKS} tasks)`,
      rows: [
        { contestant: 'loopback round trip', figure: formatMs(trips) },
        {
          contestant: 'exit → frame at a subscriber',
          figure: formatMs(latencies),
          compared: `p99 ${p99.toFixed(1)} ms`,
          goal: { text: `p99 ≤ ${GOAL_MS} ms`, reached: p99 <= GOAL_MS },
        },
      ],
      notes: [
        'Exit is the time that the task itself printed last: what it takes to end after that counts as well.',
      ],
    };
  } finally {
    subscribers.removeAllListeners('exit');
    subscribers.disconnect();
  }
}
