/**
 * The rows of `tasks` and what hangs on them: the search text, the labels, the doubts. A row is read into a
 * `TaskDraft`, changed in memory by what happens, and written once when its transaction ends (unit-of-work.ts).
 *
 * A row has three layers, none of which overwrites another:
 * - *stated*: the fold of the agent's log, or a snapshot's row; it alone counts for the live digest;
 * - *answer*: the Task that the agent answered to a request, shown while its seq is ahead of what is stated;
 * - *activity*: output, lease and progress of one attempt, laid over the task of that attempt when it is read.
 * `status` is what people are shown; while it is `unknown` the layers stay what they were.
 */
import type {
  DoubtReason,
  IntentAction,
  ShownStatus,
  SqliteDatabase,
  Task,
  TaskClaim,
  TaskStatus,
  TaskTimes,
} from '@holdfast/shared';
import { changedAt, isTerminal, lengthRank } from '@holdfast/shared';
import type { Doubt, PendingIntent, TaskRow } from '../session-store.ts';

/** A row as SQLite holds it. */
export interface TaskRecord {
  row: number;
  id: string;
  agent_id: string | null;
  session_id: string;
  status: ShownStatus;
  created_at: number;
  queue: string;
  retry_of: string | null;
  version: number;
  updated_at: number;
  changed_at: number;
  length_rank: number;
  generation: number;
  seq: number;
  on_agent: number;
  attempt: number;
  stated_status: TaskStatus;
  last_status: TaskStatus | null;
  unknown_since: number | null;
  doubt_reason: DoubtReason | null;
  doubt_as_of: number | null;
  verdict_at: number | null;
  verdict_note: string | null;
  refused_action: IntentAction | null;
  refused_message: string | null;
  refused_at: number | null;
  pending: number;
  submit_hash: string | null;
  activity_attempt: number | null;
  output_bytes: number | null;
  last_output_at: number | null;
  last_line: string | null;
  progress: string | null;
  lease_expires_at: number | null;
  last_heartbeat_at: number | null;
  task: string;
  answer: string | null;
  answer_seq: number | null;
}

/** A row in the making. `status` is moved by the functions of this file and its callers, the layers likewise. */
export interface TaskDraft {
  record: TaskRecord;
  /** The stated layer; `record.task` is made from it when the draft is saved. */
  task: Task;
  /** As the tables had it: what counts and digest are moved from. Undefined for a new row. */
  before: { status: ShownStatus; sessionId: string; entry: OwnedEntry | undefined } | undefined;
  changed: boolean;
  /** What identifies it to lists and search changed: session, agent, creation, queue, title, labels. */
  identityChanged: boolean;
  taskChanged: boolean;
  /** When it happened by the clock of whoever it happened to; 0 for nothing that counts as activity. */
  happenedAt: number;
}

/** What a row contributes to the live digest of an agent. */
export interface OwnedEntry {
  agentId: string;
  id: string;
  attempt: number;
  status: TaskStatus;
}

const MAX_SEARCH_CHARACTERS = 65_536;

export class TaskTable {
  readonly #load;
  readonly #insert;
  readonly #identify;
  readonly #update;
  readonly #updateMoved;
  readonly #insertText;
  readonly #insertLabel;
  readonly #deleteLabels;
  readonly #openDoubt;
  readonly #closeDoubt;
  readonly #addGivenUp;
  readonly #doubts;
  readonly #pending;

  constructor(database: SqliteDatabase) {
    this.#load = database.prepare<[string], TaskRecord>('SELECT * FROM tasks WHERE id = ?');
    this.#insert = database.prepare(
      `INSERT INTO tasks (version, updated_at, generation, seq, on_agent, attempt, stated_status,
         last_status, unknown_since, doubt_reason, doubt_as_of, verdict_at, verdict_note,
         refused_action, refused_message, refused_at, pending, activity_attempt, output_bytes,
         last_output_at, last_line, progress, lease_expires_at, last_heartbeat_at, task, answer, answer_seq,
         status, changed_at, length_rank, id, agent_id, session_id, created_at, queue, retry_of, submit_hash)
       VALUES (${Array.from({ length: 37 }, () => '?').join(', ')})`,
    );
    this.#identify = database.prepare(
      'UPDATE tasks SET agent_id = ?, session_id = ?, created_at = ?, queue = ?, retry_of = ? WHERE row = ?',
    );
    const columns = `version = ?, updated_at = ?, generation = ?, seq = ?, on_agent = ?, attempt = ?, stated_status = ?,
      last_status = ?, unknown_since = ?, doubt_reason = ?, doubt_as_of = ?, verdict_at = ?, verdict_note = ?,
      refused_action = ?, refused_message = ?, refused_at = ?, pending = ?, activity_attempt = ?, output_bytes = ?,
      last_output_at = ?, last_line = ?, progress = ?, lease_expires_at = ?, last_heartbeat_at = ?, task = ?, answer = ?,
      answer_seq = ?`;
    // SQLite rewrites every index that a statement's SET names: a row that keeps its status must not pay for it.
    this.#update = database.prepare(`UPDATE tasks SET ${columns} WHERE row = ?`);
    this.#updateMoved = database.prepare(
      `UPDATE tasks SET ${columns}, status = ?, changed_at = ?, length_rank = ? WHERE row = ?`,
    );
    this.#insertText = database.prepare('INSERT OR REPLACE INTO task_texts (row, text) VALUES (?, ?)');
    this.#insertLabel = database.prepare('INSERT INTO task_labels (row, key, value) VALUES (?, ?, ?)');
    this.#deleteLabels = database.prepare('DELETE FROM task_labels WHERE row = ?');
    this.#openDoubt = database.prepare(
      'INSERT INTO knowledge (task_id, reason, last_status, as_of, since) VALUES (?, ?, ?, ?, ?)',
    );
    this.#closeDoubt = database.prepare(
      'UPDATE knowledge SET resolved_at = ?, resolved_to = ? WHERE task_id = ? AND resolved_at IS NULL',
    );
    this.#addGivenUp = database.prepare(
      `INSERT INTO knowledge (task_id, reason, last_status, as_of, since, resolved_at, resolved_to)
       SELECT task_id, reason, last_status, resolved_at, resolved_at, ?, ? FROM knowledge
       WHERE task_id = ? AND resolved_to = 'lost' ORDER BY row DESC LIMIT 1`,
    );
    this.#doubts = database.prepare<[string], KnowledgeRecord>(
      'SELECT * FROM knowledge WHERE task_id = ? ORDER BY row',
    );
    this.#pending = database.prepare<[string], PendingRecord>(
      'SELECT id, action, created_at, last_error FROM intents WHERE task_id = ? ORDER BY ordinal',
    );
  }

  load(id: string): TaskDraft | undefined {
    const record = this.#load.get(id);
    if (record === undefined) return undefined;
    return {
      record,
      task: parseTask(record.task),
      before: { status: record.status, sessionId: record.session_id, entry: entryOf(record) },
      changed: false,
      identityChanged: false,
      taskChanged: false,
      happenedAt: 0,
    };
  }

  /** Writes a draft under `version`. A new one gets its row number. */
  save(draft: TaskDraft, version: number, at: number): void {
    const { record, task } = draft;
    record.version = version;
    record.updated_at = at;
    if (draft.taskChanged) record.task = JSON.stringify(task);
    record.retry_of = task.retryOf ?? null;
    const times = timesOf(record, task);
    const placed = [record.status, changedAt(times), lengthRank(times)] as const;
    const values = [
      version,
      at,
      record.generation,
      record.seq,
      record.on_agent,
      record.attempt,
      record.stated_status,
      record.last_status,
      record.unknown_since,
      record.doubt_reason,
      record.doubt_as_of,
      record.verdict_at,
      record.verdict_note,
      record.refused_action,
      record.refused_message,
      record.refused_at,
      record.pending,
      record.activity_attempt,
      record.output_bytes,
      record.last_output_at,
      record.last_line,
      record.progress,
      record.lease_expires_at,
      record.last_heartbeat_at,
      record.task,
      record.answer,
      record.answer_seq,
    ];
    if (draft.before === undefined) {
      const { lastInsertRowid } = this.#insert.run(
        ...values,
        ...placed,
        record.id,
        record.agent_id,
        record.session_id,
        record.created_at,
        record.queue,
        record.retry_of,
        record.submit_hash,
      );
      record.row = Number(lastInsertRowid);
      [, record.changed_at, record.length_rank] = placed;
      this.#describe(draft);
      return;
    }
    if (draft.identityChanged) {
      this.#identify.run(
        record.agent_id,
        record.session_id,
        record.created_at,
        record.queue,
        record.retry_of,
        record.row,
      );
      this.#deleteLabels.run(record.row);
      this.#describe(draft);
    }
    const [, changed, length] = placed;
    const isMoved =
      draft.before.status !== record.status || changed !== record.changed_at || length !== record.length_rank;
    if (isMoved) this.#updateMoved.run(...values, ...placed, record.row);
    else this.#update.run(...values, record.row);
    record.changed_at = changed;
    record.length_rank = length;
  }

  #describe(draft: TaskDraft): void {
    const { record, task } = draft;
    this.#insertText.run(record.row, searchText(record.id, record.session_id, task));
    for (const [key, value] of Object.entries(task.labels)) this.#insertLabel.run(record.row, key, value);
  }

  /** The row becomes `unknown`, or its doubt gets another reason; what it was before stays on record. */
  doubt(draft: TaskDraft, reason: DoubtReason, asOf: number, at: number): void {
    const { record } = draft;
    const { status } = record;
    // What no agent acknowledged, and a verdict, are web's own facts: nothing about them is in doubt.
    if (status === 'submitted' || status === 'lost') return;
    const last = status === 'unknown' ? record.last_status! : status;
    if (status === 'unknown') this.#closeDoubt.run(at, 'unknown', record.id);
    else record.unknown_since = at;
    record.status = 'unknown';
    record.last_status = last;
    record.doubt_reason = reason;
    record.doubt_as_of = asOf;
    draft.changed = true;
    this.#openDoubt.run(record.id, reason, last, asOf, at);
  }

  /** The row is shown as `to`; an open doubt ends with it. */
  show(draft: TaskDraft, to: ShownStatus, at: number): void {
    const { record } = draft;
    if (record.status === 'unknown') {
      this.#closeDoubt.run(at, to, record.id);
      record.unknown_since = null;
      record.doubt_reason = null;
      record.doubt_as_of = null;
    } else if (record.status === 'lost' && to !== 'lost') {
      // A verdict is no knowledge: from it to this word nobody here could see the task either (P9).
      this.#addGivenUp.run(at, to, record.id);
    }
    // A verdict is on what was known last: it is kept until the agent's word replaces it.
    if (to !== 'lost') record.last_status = null;
    record.status = to;
    draft.changed = true;
  }

  doubts(taskId: string): Doubt[] {
    return this.#doubts.all(taskId).map((record) => ({
      reason: record.reason,
      lastStatus: record.last_status,
      asOf: record.as_of,
      since: record.since,
      ...(record.resolved_at === null ? {} : { resolvedAt: record.resolved_at }),
      ...(record.resolved_to === null ? {} : { resolvedTo: record.resolved_to }),
    }));
  }

  /** The row as the interface shows it. */
  toRow(record: TaskRecord): TaskRow {
    return {
      id: record.id,
      agentId: record.agent_id ?? undefined,
      sessionId: record.session_id,
      status: record.status,
      task: visibleTask(record),
      updatedAt: record.updated_at,
      version: record.version,
      ...(record.last_status === null ? {} : { lastStatus: record.last_status }),
      ...(record.unknown_since === null ? {} : { unknownSince: record.unknown_since }),
      ...(record.doubt_reason === null
        ? {}
        : { doubt: { reason: record.doubt_reason, asOf: record.doubt_as_of ?? 0 } }),
      ...(record.verdict_at === null
        ? {}
        : {
            verdict: {
              at: record.verdict_at,
              ...(record.verdict_note === null ? {} : { note: record.verdict_note }),
            },
          }),
      ...(record.refused_action === null
        ? {}
        : {
            refused: {
              action: record.refused_action,
              message: record.refused_message ?? '',
              at: record.refused_at ?? 0,
            },
          }),
      pending: record.pending === 0 ? [] : this.#pendingOf(record.id),
    };
  }

  #pendingOf(taskId: string): PendingIntent[] {
    return this.#pending.all(taskId).map((intent) => ({
      intent: intent.id,
      action: intent.action,
      sinceAt: intent.created_at,
      ...(intent.last_error === null ? {} : { lastError: intent.last_error }),
    }));
  }
}

interface KnowledgeRecord {
  reason: DoubtReason;
  last_status: TaskStatus;
  as_of: number;
  since: number;
  resolved_at: number | null;
  resolved_to: ShownStatus | null;
}

interface PendingRecord {
  id: string;
  action: IntentAction;
  created_at: number;
  last_error: string | null;
}

/** A draft of a row that is not there yet. */
export function newDraft(task: Task, agentId: string | null, status: ShownStatus): TaskDraft {
  return {
    record: {
      row: 0,
      id: task.id,
      agent_id: agentId,
      session_id: task.sessionId,
      status,
      created_at: task.createdAt,
      queue: task.queue,
      retry_of: null,
      version: 0,
      updated_at: 0,
      changed_at: 0,
      length_rank: 0,
      generation: 0,
      seq: 0,
      on_agent: 0,
      attempt: 0,
      stated_status: task.status,
      last_status: null,
      unknown_since: null,
      doubt_reason: null,
      doubt_as_of: null,
      verdict_at: null,
      verdict_note: null,
      refused_action: null,
      refused_message: null,
      refused_at: null,
      pending: 0,
      submit_hash: null,
      activity_attempt: null,
      output_bytes: null,
      last_output_at: null,
      last_line: null,
      progress: null,
      lease_expires_at: null,
      last_heartbeat_at: null,
      task: '',
      answer: null,
      answer_seq: null,
    },
    task,
    before: undefined,
    changed: true,
    identityChanged: false,
    taskChanged: true,
    happenedAt: 0,
  };
}

/** What the row contributes to its agent's live digest. */
export function entryOf(record: TaskRecord): OwnedEntry | undefined {
  if (record.on_agent === 0 || record.agent_id === null || isTerminal(record.stated_status)) return undefined;
  return { agentId: record.agent_id, id: record.id, attempt: record.attempt, status: record.stated_status };
}

/** A Task that this store wrote. */
export function parseTask(text: string): Task {
  const task: Task = JSON.parse(text);
  return task;
}

function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return value;
}

/** What the orders of lists are made of, as the row is shown. */
function timesOf(record: TaskRecord, stated: Task): TaskTimes {
  const { createdAt, statusAt, startedAt, endedAt } =
    record.answer === null ? stated : parseTask(record.answer);
  return {
    status: record.status,
    createdAt,
    statusAt,
    startedAt,
    endedAt,
    unknownSince: record.unknown_since ?? undefined,
    verdictAt: record.verdict_at ?? undefined,
  };
}

/** The task that the answer layer or else the stated one holds, without activity. */
export function knownTask(record: TaskRecord): Task {
  return parseTask(record.answer ?? record.task);
}

function visibleTask(record: TaskRecord): Task {
  const task = knownTask(record);
  // Of a queued or an ended task the log states the output itself.
  const working = task.status === 'starting' || task.status === 'running';
  if (!working || record.activity_attempt !== task.attempt) return task;
  task.outputBytes = Math.max(task.outputBytes, record.output_bytes ?? 0);
  if (record.last_output_at !== null) {
    task.lastOutputAt = Math.max(task.lastOutputAt ?? 0, record.last_output_at);
  }
  if (record.last_line !== null) task.lastLine = record.last_line;
  if (task.claim !== undefined) task.claim = visibleClaim(task.claim, record);
  return task;
}

/** Of two words about a claim the later heartbeat's holds: a snapshot may be ahead of the last `activity`. */
function visibleClaim(stated: TaskClaim, record: TaskRecord): TaskClaim {
  const { progress, lease_expires_at, last_heartbeat_at } = record;
  if (last_heartbeat_at !== null && last_heartbeat_at < stated.lastHeartbeatAt) return stated;
  return {
    ...stated,
    leaseExpiresAt: Math.max(stated.leaseExpiresAt, lease_expires_at ?? 0),
    lastHeartbeatAt: Math.max(stated.lastHeartbeatAt, last_heartbeat_at ?? 0),
    ...(progress === null ? {} : { progress: parseJson(progress) }),
  };
}

function searchText(id: string, sessionId: string, task: Task): string {
  const { command, shell, runner, prompt } = task.spec;
  const run = command?.join(' ') ?? shell ?? [runner, prompt].filter((part) => part !== undefined).join(' ');
  return `${task.title ?? ''}\n${id}\n${sessionId}\n${run}`.slice(0, MAX_SEARCH_CHARACTERS).toLowerCase();
}
