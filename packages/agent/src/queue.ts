/**
 * The queue: what comes in (`submitTask`, `retryTask`), what is next (`claimNext`), what is listed.
 *
 * A submit is accepted once: the same id with the same content is the same task, with other content a conflict.
 * The order is priority, then submission. A `concurrencyKey` runs one task at a time; a task that cannot run now
 * (its key is taken, its delay is not over) never blocks those behind it.
 */
import {
  DEFAULT_QUEUE,
  durationText,
  hashContent,
  isTerminal,
  ProblemError,
  publicSpec,
  type SqliteDatabase,
  type Submit,
  type Task,
  type TaskClaim,
  taskIdTime,
  type TaskSpec,
  type TaskStatus,
} from '@holdfast/shared';
import type { Journal, TaskRecord } from './journal.ts';
import { MOST_DELAY_MS } from './retry.ts';

const MOST_FUTURE_MS = 60_000;

export interface QueueOptions {
  journal: Journal;
  agentId: string;
  /** What people call this agent. */
  name: string;
  queueLimit: number;
  retentionMs: number;
  /** Names of the configured runners. */
  runners: ReadonlySet<string>;
  now: () => number;
}

export interface Accepted {
  task: Task;
  /** False if this very submit had been accepted before. */
  created: boolean;
}

export interface TaskQuery {
  status?: TaskStatus[] | undefined;
  sessionId?: string | undefined;
  queue?: string | undefined;
  /** `key` or `key=value`, all of them. */
  labels?: string[] | undefined;
  q?: string | undefined;
  limit: number;
  after?: string | undefined;
}

export class Queue {
  readonly #options: QueueOptions;
  readonly #next;
  readonly #nextDelay;

  constructor(options: QueueOptions) {
    this.#options = options;
    const { database } = options.journal;
    // No delay is as long as that: the clock was set back since, and says nothing of how much of it is left.
    this.#next = database.prepare(
      `SELECT id FROM tasks WHERE status = 'queued' AND queue = @queue
         AND (not_before_at IS NULL OR not_before_at <= @now OR not_before_at > @now + ${MOST_DELAY_MS})
         AND (concurrency_key IS NULL OR concurrency_key NOT IN (
           SELECT concurrency_key FROM tasks
             WHERE status IN ('starting', 'running') AND concurrency_key IS NOT NULL))
       ORDER BY priority DESC, created_seq LIMIT 1`,
    );
    this.#nextDelay = database.prepare(
      `SELECT min(not_before_at) AS at FROM tasks WHERE status = 'queued' AND not_before_at > ?`,
    );
  }

  /** Accepts a task durably. Problems: `task_conflict`, `invalid` (its id’s time, an unknown runner), `queue_full`. */
  submitTask(submit: Submit): Promise<Accepted> {
    const { journal, retentionMs, runners, now } = this.#options;
    const submitHash = hashContent(submit);
    return journal.change(() => {
      const known = journal.record(submit.id);
      if (known !== undefined) return repeated(known, submitHash);
      this.#refuseBadTime(submit.id, retentionMs, now());
      const { runner } = submit.spec;
      // In a named queue all of the spec is the worker's to interpret.
      const isOwn = (submit.queue ?? DEFAULT_QUEUE) === DEFAULT_QUEUE;
      if (isOwn && runner !== undefined && !runners.has(runner)) {
        throw invalid(
          '/spec/runner',
          `there is no runner "${runner}" on this agent; \`holdfast runners\` lists them`,
        );
      }
      this.#refuseIfFull();
      const task = newTask(submit, this.#options.agentId, now());
      const record = journal.appendSubmitted(task, { env: submit.spec.env, submitHash });
      return { task: record.task, created: true };
    });
  }

  /** A new task like an ended one, under an id that the caller chose; repeating it is harmless. */
  retryTask(id: string, newId: string): Promise<Accepted> {
    const { journal, retentionMs, now } = this.#options;
    return journal.change(() => {
      const old = journal.record(id);
      if (old === undefined) throw noSuchTask(id);
      const submitHash = hashContent({ retry: id });
      const known = journal.record(newId);
      if (known !== undefined) return repeated(known, submitHash);
      if (!isTerminal(old.task.status)) {
        throw new ProblemError(
          'not_ended',
          `The task is still ${old.task.status}. Cancel it first, or wait.`,
        );
      }
      this.#refuseBadTime(newId, retentionMs, now());
      this.#refuseIfFull();
      const { sessionId, title, spec, queue, priority, labels, externalId } = old.task;
      const at = now();
      const task: Task = {
        ...emptyTask(newId, this.#options.agentId, at),
        sessionId,
        spec,
        queue,
        priority,
        labels,
        retryOf: id,
        ...(title === undefined ? {} : { title }),
        ...(externalId === undefined ? {} : { externalId }),
      };
      const record = journal.appendSubmitted(task, { env: old.env, submitHash });
      return { task: record.task, created: true };
    });
  }

  /** Whether a task of this queue could be claimed now. */
  hasNext(queue: string): boolean {
    return this.#next.get({ queue, now: this.#options.now() }) !== undefined;
  }

  /**
   * Inside a change: claims the next task of a queue that can run, if any; its status is `starting` and its attempt
   * one higher when this returns. `claim`: the worker that takes it; the agent itself takes those of `default`.
   */
  claimNext(queue: string = DEFAULT_QUEUE, claim?: TaskClaim): TaskRecord | undefined {
    const { journal, now } = this.#options;
    const row = this.#next.get({ queue, now: now() }) as { id: string } | undefined;
    if (row === undefined) return undefined;
    const record = journal.record(row.id)!;
    journal.append(record, claim === undefined ? { kind: 'claimed' } : { kind: 'claimed', data: { claim } });
    return record;
  }

  /**
   * When the next task becomes due (ms) that was delayed at `since`, if there is one. `since`: before the queue was
   * looked through, as a task may become due between that look and this one.
   */
  nextDelayedAt(since: number): number | undefined {
    return (this.#nextDelay.get(since) as { at: number | null }).at ?? undefined;
  }

  #refuseIfFull(): void {
    const { journal, queueLimit } = this.#options;
    // Inside a change: what this group has accepted so far counts as well.
    if (journal.pendingCounts.waiting >= queueLimit) {
      throw new ProblemError(
        'queue_full',
        `The queue holds ${queueLimit} tasks, its limit. Try again later.`,
        {
          retryAfterSeconds: 5,
        },
      );
    }
  }

  #refuseBadTime(id: string, retentionMs: number, now: number): void {
    const time = taskIdTime(id);
    if (time > now + MOST_FUTURE_MS) {
      // Two clocks, and no third to tell which one is wrong.
      const ahead = durationText(time - now);
      throw invalid(
        '/id',
        `the time in this UUIDv7 is ${ahead} ahead of the clock of agent ${this.#options.name}, and a minute is allowed: ` +
          `either the clock that made the id is ahead, or that of ${this.#options.name} is behind; set the one that is wrong`,
      );
    }
    if (time < now - retentionMs) {
      throw invalid(
        '/id',
        'the time in this UUIDv7 is older than the retention, so a repeat could not be noticed',
      );
    }
  }
}

/** Newest first. `after` is the id of the last task of the page before. Throws `invalid` for an unknown `after`. */
export function listTasks(database: SqliteDatabase, query: TaskQuery): { items: Task[]; next?: string } {
  const where: string[] = [];
  const values: unknown[] = [];
  const add = (clause: string, ...given: unknown[]) => {
    where.push(clause);
    values.push(...given);
  };
  if (query.status !== undefined)
    add(`status IN (${query.status.map(() => '?').join(', ')})`, ...query.status);
  if (query.sessionId !== undefined) add('session_id = ?', query.sessionId);
  if (query.queue !== undefined) add('queue = ?', query.queue);
  for (const label of query.labels ?? []) {
    const [key, ...value] = label.split('=');
    if (value.length === 0) {
      add(`EXISTS (SELECT 1 FROM json_each(task, '$.labels') AS l WHERE l.key = ?)`, key);
    } else {
      add(
        `EXISTS (SELECT 1 FROM json_each(task, '$.labels') AS l WHERE l.key = ? AND l.value = ?)`,
        key,
        value.join('='),
      );
    }
  }
  if (query.q !== undefined) add('instr(search, ?) > 0', query.q.toLowerCase());
  if (query.after !== undefined) {
    const last = database.prepare('SELECT created_seq AS seq FROM tasks WHERE id = ?').get(query.after) as
      | { seq: number }
      | undefined;
    if (last === undefined) throw invalid('/after', 'is not a task of this agent');
    add('created_seq < ?', last.seq);
  }
  const rows = database
    .prepare(
      `SELECT task FROM tasks ${where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`} ORDER BY created_seq DESC LIMIT ?`,
    )
    .all(...values, query.limit + 1) as { task: string }[];
  const items = rows.slice(0, query.limit).map((row) => JSON.parse(row.task) as Task);
  const last = items.at(-1);
  return rows.length > query.limit && last !== undefined ? { items, next: last.id } : { items };
}

export function noSuchTask(id: string): ProblemError {
  return new ProblemError('no_such_task', `This agent holds no task ${id}.`);
}

export function invalid(pointer: string, detail: string): ProblemError {
  return new ProblemError('invalid', `${pointer} ${detail}`, { errors: [{ pointer, detail }] });
}

function repeated(known: TaskRecord, submitHash: string): Accepted {
  if (known.submitHash === submitHash) return { task: known.task, created: false };
  throw new ProblemError('task_conflict', 'This id was accepted before with other content. Choose a new id.');
}

function emptyTask(id: string, agentId: string, now: number) {
  return {
    id,
    agentId,
    status: 'queued',
    attempt: 0,
    queue: DEFAULT_QUEUE,
    priority: 0,
    labels: {},
    seq: 0,
    createdAt: now,
    outputBytes: 0,
  } as const;
}

function newTask(submit: Submit, agentId: string, now: number): Task {
  const { id, sessionId, title, spec, queue, priority, labels, externalId } = submit;
  return {
    ...emptyTask(id, agentId, now),
    sessionId,
    spec: publicSpec(spec satisfies TaskSpec),
    ...(title === undefined ? {} : { title }),
    ...(queue === undefined ? {} : { queue }),
    ...(priority === undefined ? {} : { priority }),
    ...(labels === undefined ? {} : { labels }),
    ...(externalId === undefined ? {} : { externalId }),
  };
}
