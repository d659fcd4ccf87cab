/**
 * Rounds of agents that die in the middle of a start, chained in one home: each round's agent first finds what the
 * one before left, and dies while it starts the next tasks. After some rounds an agent that lives finishes
 * everything, and a check with its own knowledge (the file that the tasks wrote, the process table, git) says what
 * was lost, doubled, charged or left behind.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Task, TaskEvent } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import type { DispatchStep } from '../../packages/agent/src/dispatch.ts';
import { System, until } from '../system.ts';
import { isAlive } from './process.ts';
import { makeRepo, worktreesOf } from './repo.ts';
import { startVictim } from './victim.ts';

export interface RoundsOptions {
  step: DispatchStep;
  rounds: number;
  seed: number;
  /** The kill comes up to so much after the step: anywhere in what follows. */
  withinMs?: number;
  /** The launcher is stopped before, and goes on once everything has ended: what it was asked for comes too late. */
  lateLauncher?: boolean;
}

export interface RoundsResult {
  rounds: number;
  tasks: number;
  /** Attempts that a death interrupted before their command began. */
  interrupted: number;
  /** Attempts that went on without their agent and were found by the next one. */
  survived: number;
  /** What must not be, in words. */
  violations: string[];
}

/** A task may be interrupted ten times before it fails; a chain ends before one could be. */
const CHAIN = 8;
const TASKS_A_ROUND = 5;
const SLOTS = 3;
const RELEASE_MS = 60_000;

export async function runRounds(options: RoundsOptions): Promise<RoundsResult> {
  const { step, rounds, seed, withinMs = 0, lateLauncher = false } = options;
  const fate = lateLauncher ? 'freeze-and-kill' : 'kill';
  const random = randomOf(seed);
  const result: RoundsResult = { rounds: 0, tasks: 0, interrupted: 0, survived: 0, violations: [] };
  await using system = new System({
    web: false,
    env: {
      HOLDFAST_SLOTS: String(SLOTS),
      HOLDFAST_SWEEP_MS: '200',
      HOLDFAST_RETRY_DELAY_MS: '1',
      HOLDFAST_AGENT_PORT: '0',
      HOLDFAST_LOG_LEVEL: 'warn',
    },
  });
  const repo = makeRepo(system);
  const backlog = new Backlog(system, repo);
  while (result.rounds < rounds) {
    const chain = Math.min(CHAIN, rounds - result.rounds);
    for (let n = 0; n < chain; n += 1) {
      // Neither always the first task nor always the same one.
      const occurrence = 1 + Math.floor(random() * TASKS_A_ROUND);
      const afterMs = Math.ceil(random() * withinMs);
      await using victim = await startVictim(system, { step, occurrence, fate, afterMs });
      backlog.add(TASKS_A_ROUND, random);
      // It may die before it has taken them all: the next one takes the rest.
      await backlog.submit();
      const signal = await victim.ended;
      if (signal !== 'SIGKILL') throw new Error(`the victim ended by ${signal}:\n${victim.log()}`);
      result.rounds += 1;
    }
    await system.agent.start();
    await backlog.submit();
    await backlog.end();
    await letGoOn(system);
    await backlog.check(result);
    await system.agent.end('SIGTERM');
  }
  return result;
}

/** Tasks that each write down that they began and ended; every third in a worktree of its own. */
class Backlog {
  readonly #system: System;
  readonly #repo: string;
  readonly #marks: string;
  readonly #unsent: { id: string; spec: object }[] = [];
  readonly #sent: string[] = [];

  constructor(system: System, repo: string) {
    this.#system = system;
    this.#repo = repo;
    this.#marks = join(system.home, 'marks');
    writeFileSync(this.#marks, '');
  }

  add(count: number, random: () => number): void {
    for (let n = 0; n < count; n += 1) {
      const mark = (what: string) => `echo "${what} $HOLDFAST_TASK $HOLDFAST_ATTEMPT $$" >> ${this.#marks}`;
      const pause = ['', 'sleep 0.05; ', 'sleep 0.4; '][Math.floor(random() * 3)];
      const workspace = n % 3 === 1 ? { worktree: { repo: this.#repo, ref: 'main' } } : { dir: '/' };
      this.#unsent.push({
        id: uuidv7(),
        spec: { shell: `${mark('begin')}; ${pause}${mark('end')}`, workspace },
      });
    }
  }

  /** Submits what no agent has accepted yet, until the agent is gone. */
  async submit(): Promise<void> {
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      const answer = await this.#system
        .call('agent', 'POST', '/tasks', { ...next, sessionId: 'kill-points' })
        .catch((error: unknown) => {
          // What fetch throws when there is nobody, or nobody any more.
          if (error instanceof TypeError) return undefined;
          throw error;
        });
      if (answer === undefined) return;
      if (answer.status !== 201 && answer.status !== 200)
        throw new Error(`a submit was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      this.#unsent.shift();
      this.#sent.push(next.id);
    }
  }

  /** Waits until every task has ended. */
  async end(): Promise<void> {
    for (const id of this.#sent)
      await this.#system.agentTaskWhen(id, 'ended', (one) => one.endedAt !== undefined);
  }

  /** Says what is wrong with how the tasks have ended. */
  async check(result: RoundsResult): Promise<void> {
    const system = this.#system;
    const { violations } = result;
    const ids = this.#sent.splice(0);
    for (const id of ids) {
      const task = await system.agentTask(id);
      const events = await system.agentEvents(id);
      const marks = readFileSync(this.#marks, 'utf8')
        .split('\n')
        .filter((line) => line.split(' ')[1] === id);
      violations.push(...checkTask(task, events, marks).map((what) => `${id}: ${what}`));
      result.tasks += 1;
      result.interrupted += events.filter(({ reason }) => reason === 'dispatch_interrupted').length;
      result.survived += task.attempt > 0 && wasFound(events) ? 1 : 0;
    }
    const { body: pool } = await system.call<{ running: number; queued: number }>('agent', 'GET', '/pool');
    if (pool.running !== 0 || pool.queued !== 0)
      violations.push(`the pool still holds ${JSON.stringify(pool)}`);
    const strays = system.strays();
    if (strays.length > 0) violations.push(`processes are left: ${strays.join(', ')}`);
    // A worktree is released after the end is on record.
    const released = () => worktreesOf(system, this.#repo).length === 0;
    await until('every worktree to be released', released, RELEASE_MS).catch(() => {
      violations.push(`worktrees are left: ${worktreesOf(system, this.#repo).join(', ')}`);
    });
  }
}

/** Launchers that were stopped and whose agent is gone: each still does what it was asked for, and ends. */
async function letGoOn(system: System): Promise<void> {
  const list = join(system.home, 'launchers');
  if (!existsSync(list)) return;
  const launchers = readFileSync(list, 'utf8').trim().split('\n').map(Number);
  rmSync(list);
  for (const pid of launchers) process.kill(pid, 'SIGCONT');
  await until('the late launchers to be gone', () => !launchers.some(isAlive));
  // What they have launched may have no ticket, and finds that out in its own time.
  await until('what they launched to be gone', () => system.strays().length === 0);
}

/** What must not be in the story of one task that ended. */
function checkTask(task: Task, events: TaskEvent[], marks: string[]): string[] {
  const wrong: string[] = [];
  const begins = marks.filter((line) => line.startsWith('begin '));
  const ends = marks.filter((line) => line.startsWith('end '));
  if (task.status !== 'completed') wrong.push(`it is ${task.status} (${JSON.stringify(task.outcome)})`);
  if (begins.length !== 1) wrong.push(`its command began ${begins.length} times: ${begins.join('; ')}`);
  if (ends.length !== 1) wrong.push(`its command ended ${ends.length} times`);
  // What began was not interrupted: the agent's death is none of its business.
  const began = begins[0]?.split(' ')[2];
  if (began !== undefined && began !== String(task.attempt))
    wrong.push(`attempt ${began} ran, but attempt ${task.attempt} is on record`);
  for (const event of events) {
    if (event.kind !== 'requeued') continue;
    if (event.data.charged || event.reason !== 'dispatch_interrupted')
      wrong.push(`attempt ${event.attempt} was given up as ${event.reason}, charged: ${event.data.charged}`);
  }
  const claimed = events.filter(({ kind }) => kind === 'claimed').map(({ attempt }) => attempt);
  if (claimed.some((attempt, index) => attempt !== index + 1))
    wrong.push(`its attempts are ${claimed.join(', ')}`);
  const started = events.filter(({ kind }) => kind === 'started');
  if (started.length > 1) wrong.push(`it was started ${started.length} times`);
  if (events.filter(({ to }) => to === 'completed').length !== 1) wrong.push('it has not one terminal event');
  return wrong;
}

/** The next agent found it running, or ended without having seen it start. */
function wasFound(events: TaskEvent[]): boolean {
  return events.some(({ kind }) => kind === 'adopted') || events.every(({ kind }) => kind !== 'started');
}

/** Numbers in [0, 1) that a seed decides (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
