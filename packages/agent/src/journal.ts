/**
 * The journal: the agent's database, and the only place where a task changes.
 *
 * - **Commit, then publish.** An event exists when its transaction is on the disk. Only then do readers of the
 *   log see it, and only then is the caller answered (P1).
 * - Every change is an event; a task's row is the fold of its events (`applyEvent`), written in the same
 *   transaction. Seqs are 1, 2, 3 … in commit order, without holes.
 * - The changes of one turn of the event loop share one commit (group-commit.ts); a bad one fails alone.
 * - If a commit fails, memory equals the disk again before anybody is answered, `healthy` is false until a
 *   commit succeeds, and the callers get a `journal_full` problem.
 */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import {
  applyEvent,
  COPY_MARK,
  encodeText,
  type EventKind,
  type EventOf,
  firstChain,
  formatCursor,
  frameText,
  GroupCommit,
  isStorageError,
  nextChain,
  nextStatus,
  openDatabase,
  type Page,
  ProblemError,
  type Reason,
  type SqliteDatabase,
  type Task,
  type TaskEvent,
} from '@holdfast/shared';
import { prepareStatements } from './journal-statements.ts';
import { type Counts, LogState } from './log-state.ts';
import { LogTail } from './log-tail.ts';

const MIGRATIONS = fileURLToPath(new URL('../drizzle', import.meta.url));

/** What the journal alone knows of a task, besides what readers are sent. */
export interface TaskRecord {
  task: Task;
  /** The values of `spec.env`; they never leave the agent. */
  env: Record<string, string> | undefined;
  createdSeq: number;
  submitHash: string;
  /** Requeues that counted against the retry budget, and those that did not. */
  charged: number;
  uncharged: number;
}

/** An event to be: the journal adds seq, session, attempt and statuses. */
export type EventDraft = {
  [K in Exclude<EventKind, 'submitted'>]: {
    kind: K;
    reason?: Reason;
    at?: number;
  } & (undefined extends EventOf<K>['data'] ? { data?: EventOf<K>['data'] } : { data: EventOf<K>['data'] });
}[Exclude<EventKind, 'submitted'>];

export interface JournalOptions {
  path: string;
  now?: () => number;
  /** For tests of what a failing disk does: called in the transaction, before the commit. */
  beforeCommit?: () => void;
  newEpoch?: () => string;
}

interface TaskRowColumns {
  task: string;
  env: string | null;
  created_seq: number;
  submit_hash: string;
  charged: number;
  uncharged: number;
}

export interface LoggedEvent {
  seq: number;
  chain: string;
  json: string;
}

export class Journal {
  readonly database: SqliteDatabase;
  readonly #now: () => number;
  readonly #statements;
  readonly #group: GroupCommit;
  readonly #tail: LogTail;
  readonly #lastAliveAt: number | undefined;
  #aliveAt = 0;
  #pendingAliveAt = 0;
  #unwritableSince: number | undefined;
  readonly #listeners = new Set<(changed: ReadonlySet<string>) => void>();
  #epoch = '';
  #floor = 0;
  #floorChain = '';
  #state: LogState;
  #draft: LogState;
  #undo: { state: LogState; frames: number };
  #frames: { taskId: string; text: string }[] = [];
  #healthy = true;

  constructor(options: JournalOptions) {
    this.#now = options.now ?? Date.now;
    this.database = openDatabase({ path: options.path, migrations: MIGRATIONS });
    this.#statements = prepareStatements(this.database);
    this.#lastAliveAt = toNumber(this.getMeta('aliveAt'));
    this.#openLog(options.newEpoch ?? (() => randomBytes(8).toString('hex')));
    this.#state = this.#readState();
    this.#draft = this.#state;
    this.#undo = { state: this.#state, frames: 0 };
    this.#tail = new LogTail();
    this.#group = new GroupCommit({
      database: this.database,
      onBegin: () => {
        this.#draft = this.#state.copy();
        this.#frames = [];
      },
      onSavepoint: () => {
        this.#undo = { state: this.#draft.copy(), frames: this.#frames.length };
      },
      onUndo: () => {
        this.#draft = this.#undo.state;
        this.#frames.length = this.#undo.frames;
      },
      onEnd: () => {
        this.#pendingAliveAt = this.#now();
        this.setMeta('aliveAt', String(this.#pendingAliveAt));
        options.beforeCommit?.();
      },
      onCommit: () => this.#publish(),
      onRollback: () => {
        this.#draft = this.#state;
        this.#healthy = false;
        this.#unwritableSince ??= this.#aliveAt;
      },
    });
  }

  /** Identity of this log: 16 hex digits. It survives restarts and changes only when the journal is new. */
  get epoch(): string {
    return this.#epoch;
  }
  /** The seq of the last durable event, and the chain after it. */
  get head(): number {
    return this.#state.seq;
  }
  get chain(): string {
    return this.#state.chain;
  }
  /** Events up to here were pruned. */
  get floor(): number {
    return this.#floor;
  }
  get floorChain(): string {
    return this.#floorChain;
  }
  get liveDigest(): string {
    return this.#state.liveDigest;
  }
  /** Non-terminal tasks. */
  get live(): number {
    return this.#state.live;
  }
  get counts(): Counts {
    return this.#state.counts;
  }
  /** Inside a change: with what this group has made so far. */
  get pendingCounts(): Counts {
    return this.#draft.counts;
  }
  /** When the agent before this one wrote for the last time (ms), as found on opening; undefined in a new journal. */
  get lastAliveAt(): number | undefined {
    return this.#lastAliveAt;
  }
  /** When this agent last committed anything (ms), 0 before the first time. */
  get aliveAt(): number {
    return this.#aliveAt;
  }
  /** False from a failed commit until the next that succeeds. */
  get healthy(): boolean {
    return this.#healthy;
  }

  /**
   * Runs `change` in the next group commit; resolves with what it returned once that is on the disk. Inside it,
   * the methods below see and make uncommitted state. Rejects with what `change` threw (it alone is undone), or
   * with a `journal_full` problem if the disk refused the commit.
   */
  change<T>(change: (journal: Journal) => T): Promise<T> {
    return this.#group
      .run(() => change(this))
      .catch((error: unknown) => {
        if (!isStorageError(error)) throw error;
        throw new ProblemError('journal_full', 'The agent’s disk is full or failing; nothing was changed.', {
          cause: error,
        });
      });
  }

  /** Since when nobody could be heard, because the journal could not be written, until that was made up for. */
  get outageSince(): number | undefined {
    return this.#unwritableSince;
  }

  /** The outage was made up for. */
  endOutage(): void {
    this.#unwritableSince = undefined;
  }

  /** Called after each durable commit that added events, with the tasks that they are about. Returns how to stop. */
  onCommit(listener: (changed: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // ── Inside a change ────────────────────────────────────────────────────────────────────────────────────

  /** Accepts a task: its first event carries it whole. */
  appendSubmitted(task: Task, extra: { env: TaskRecord['env']; submitHash: string }): TaskRecord {
    const seq = this.#draft.seq + 1;
    const stated = { ...task, seq };
    const event: EventOf<'submitted'> = {
      seq,
      kind: 'submitted',
      taskId: task.id,
      sessionId: task.sessionId,
      attempt: 0,
      from: null,
      to: 'queued',
      at: task.createdAt,
      data: { task: stated },
    };
    this.#log(event);
    const record = { task: stated, ...extra, createdSeq: seq, charged: 0, uncharged: 0 };
    this.#statements.insertTask.run({
      id: task.id,
      status: stated.status,
      queue: task.queue,
      priority: task.priority,
      seq,
      sessionId: task.sessionId,
      concurrencyKey: task.spec.concurrencyKey ?? null,
      search: searchText(task),
      submitHash: extra.submitHash,
      env: extra.env === undefined ? null : JSON.stringify(extra.env),
      task: JSON.stringify(stated),
    });
    this.#draft.move(undefined, stated);
    return record;
  }

  /**
   * Appends one event to a task and returns the task after it. Throws `IllegalTransitionError` if it cannot
   * follow the task's status, so a late writer changes nothing (P5).
   */
  append(record: TaskRecord, draft: EventDraft): Task {
    const { task } = record;
    const to = nextStatus(task.status, draft.kind);
    const event = {
      seq: this.#draft.seq + 1,
      kind: draft.kind,
      taskId: task.id,
      sessionId: task.sessionId,
      attempt: draft.kind === 'claimed' ? task.attempt + 1 : task.attempt,
      from: task.status,
      to,
      at: draft.at ?? this.#now(),
      ...(draft.reason === undefined ? {} : { reason: draft.reason }),
      ...(draft.data === undefined ? {} : { data: draft.data }),
    } as TaskEvent;
    const next = applyEvent(task, event);
    this.#log(event);
    if (event.kind === 'requeued') {
      if (event.data.charged) record.charged += 1;
      else record.uncharged += 1;
    }
    this.#statements.updateTask.run({
      id: next.id,
      status: next.status,
      seq: next.seq,
      attempt: next.attempt,
      notBeforeAt: next.notBeforeAt ?? null,
      charged: record.charged,
      uncharged: record.uncharged,
      task: JSON.stringify(next),
    });
    this.#draft.move(task, next);
    record.task = next;
    return next;
  }

  setMeta(key: string, value: string): void {
    this.#statements.setMeta.run(key, value);
  }

  /**
   * Prunes up to `most` events from the front of the log as long as they are older than `before`, together with
   * the ended tasks whose last event is among them. The chain of the new floor is kept, so that the rest can
   * still be checked. Returns the ids of the pruned tasks, or undefined if there was nothing to prune.
   */
  prune(before: number, most: number): string[] | undefined {
    const oldest = this.#statements.oldestEvents.all(this.#floor, most) as {
      seq: number;
      chain: string;
      at: number;
    }[];
    const young = oldest.findIndex((event) => event.at >= before);
    const last = young === -1 ? oldest.at(-1) : oldest[young - 1];
    if (last === undefined) return undefined;
    const ids = (this.#statements.endedUpTo.all(last.seq) as { id: string }[]).map((row) => row.id);
    for (const id of ids) {
      this.#statements.deleteTask.run(id);
      this.#statements.deleteAttempts.run(id);
      this.#statements.deleteClaims.run(id);
    }
    this.#statements.deleteEvents.run(last.seq);
    this.setMeta('floor', String(last.seq));
    this.setMeta('floorChain', last.chain);
    return ids;
  }

  // ── Reads: durable state, and inside a change its own ──────────────────────────────────────────────────

  record(id: string): TaskRecord | undefined {
    const row = this.#statements.task.get(id) as TaskRowColumns | undefined;
    return row === undefined ? undefined : toRecord(row);
  }

  getMeta(key: string): string | undefined {
    return (this.#statements.getMeta.get(key) as { value: string } | undefined)?.value;
  }

  /** Events with a seq above `after`, oldest first. */
  eventsAfter(after: number, limit: number): LoggedEvent[] {
    return this.#statements.eventsAfter.all(after, limit) as LoggedEvent[];
  }

  eventsOf(taskId: string): TaskEvent[] {
    const rows = this.#statements.eventsOf.all(taskId) as { json: string }[];
    return rows.map((row) => JSON.parse(row.json) as TaskEvent);
  }

  /** The chain after event `seq`: of the floor, or of an event that the log still holds. */
  chainAt(seq: number): string | undefined {
    if (seq === this.#floor) return this.#floorChain;
    return (this.#statements.eventAt.get(seq) as { chain: string } | undefined)?.chain;
  }

  /** All tasks in the order of their ids, for a snapshot. */
  tasksAfterId(id: string, limit: number): string[] {
    return (this.#statements.tasksAfterId.all(id, limit) as { task: string }[]).map((row) => row.task);
  }

  taskCount(): number {
    return (this.#statements.taskCount.get() as { n: number }).n;
  }

  /** Starting and running tasks behind `createdSeq`, in the order of submission. */
  liveAfter(createdSeq: number, limit: number): TaskRecord[] {
    return (this.#statements.liveAfter.all(createdSeq, limit) as TaskRowColumns[]).map(toRecord);
  }

  /**
   * Encoded frames of the log behind `position`, from the shared tail where it reaches (StreamSource). Throws if
   * what follows it was pruned: that reader has to come again.
   */
  nextFrames(position: number): Page | undefined {
    if (position >= this.#state.seq) return undefined;
    const shared = this.#tail.get(position);
    if (shared !== undefined) return shared;
    // A page that ends where a shared one begins brings the reader back among the others.
    const rows = this.eventsAfter(position, this.#tail.reach(position));
    const last = rows.at(-1);
    if (last === undefined || rows[0]!.seq !== position + 1) {
      throw new Error(`the events after ${position} were pruned while they were read`);
    }
    return { bytes: encodeText(rows.map((row) => this.#frame(row)).join('')), position: last.seq };
  }

  flush(): void {
    this.#group.flush();
  }

  close(): void {
    this.#group.flush();
    this.database.close();
  }

  // ── Inside ─────────────────────────────────────────────────────────────────────────────────────────────

  #frame(event: LoggedEvent): string {
    return frameText(
      'task',
      event.json,
      formatCursor({ epoch: this.#epoch, seq: event.seq, chain: event.chain }),
    );
  }

  #log(event: TaskEvent): void {
    const json = JSON.stringify(event);
    const chain = nextChain(this.#draft.chain, json);
    this.#statements.insertEvent.run(event.seq, chain, event.taskId, event.at, json);
    this.#draft.seq = event.seq;
    this.#draft.chain = chain;
    this.#frames.push({ taskId: event.taskId, text: this.#frame({ seq: event.seq, chain, json }) });
  }

  #publish(): void {
    this.#aliveAt = this.#pendingAliveAt;
    const from = this.#state.seq;
    this.#state = this.#draft;
    this.#healthy = true;
    this.#floor = Number(this.getMeta('floor'));
    this.#floorChain = this.getMeta('floorChain')!;
    if (this.#frames.length === 0) return;
    this.#tail.push(from, encodeText(this.#frames.map((frame) => frame.text).join('')), this.#state.seq);
    const changed = new Set(this.#frames.map((frame) => frame.taskId));
    for (const listener of this.#listeners) listener(changed);
  }

  #openLog(newEpoch: () => string): void {
    this.database
      .transaction(() => {
        const epoch = this.getMeta('epoch');
        if (epoch !== undefined && this.getMeta(COPY_MARK) === undefined) return;
        const minted = newEpoch();
        this.setMeta('epoch', minted);
        // A copy keeps its log, and with it the chain: only its identity is new.
        if (epoch === undefined) {
          this.setMeta('floor', '0');
          this.setMeta('floorChain', firstChain(minted));
        }
        this.#statements.deleteMeta.run(COPY_MARK);
      })
      .immediate();
    this.#epoch = this.getMeta('epoch')!;
    this.#floor = Number(this.getMeta('floor'));
    this.#floorChain = this.getMeta('floorChain')!;
  }

  #readState(): LogState {
    const last = this.#statements.lastEvent.get() as { seq: number; chain: string } | undefined;
    const state = new LogState(last?.seq ?? this.#floor, last?.chain ?? this.#floorChain);
    const page = 1000;
    for (let after = 0; ;) {
      const rows = this.#statements.unendedAfter.all(after, page) as TaskRowColumns[];
      for (const row of rows) {
        state.move(undefined, JSON.parse(row.task) as Task);
        after = row.created_seq;
      }
      if (rows.length < page) return state;
    }
  }
}

function toNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function toRecord(row: TaskRowColumns): TaskRecord {
  return {
    task: JSON.parse(row.task) as Task,
    env: row.env === null ? undefined : (JSON.parse(row.env) as Record<string, string>),
    createdSeq: row.created_seq,
    submitHash: row.submit_hash,
    charged: row.charged,
    uncharged: row.uncharged,
  };
}

function searchText(task: Task): string {
  const { spec } = task;
  return [task.title, spec.command?.join(' '), spec.shell, spec.prompt, task.id, task.sessionId]
    .filter((part) => part !== undefined)
    .join('\n')
    .toLowerCase();
}
