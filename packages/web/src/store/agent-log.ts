/**
 * What agents say, folded into rows: their events, snapshots and activity, their silence and their return.
 *
 * - A row is stated *by position*: (generation, seq). Only a later position moves it; an agent's terminal status is
 *   final within a generation (P5).
 * - A row belongs to the agent that stated it. Another agent's word of the same id moves it only if nobody vouches
 *   for it any more (`unknown`, `lost`), or if it was still waiting for any agent.
 * - What cannot be folded (a newer agent's kind, a step that the machine does not have) is kept in the log and moves
 *   no row; if that made the row wrong, the live digest shows it.
 */
import {
  applyEvent,
  IllegalTransitionError,
  isEnded,
  isNewGeneration,
  isTerminal,
  type ActivityEntry,
  type DoubtReason,
  type SqliteDatabase,
  type Task,
  type TaskEvent,
} from '@holdfast/shared';
import {
  type Absence,
  type AgentPosition,
  type LiveTask,
  type ReceivedEvent,
  type SnapshotInput,
  StoreError,
} from '../session-store.ts';
import { newDraft, parseTask, type TaskDraft } from './task-table.ts';
import { UnitOfWork, type Tables } from './unit-of-work.ts';

/** Rows written before memory is given back, within one transaction. */
const FLUSH_ROWS = 500;

export class AgentLog {
  readonly #tables: Tables;
  readonly #position;
  readonly #moveTo;
  readonly #enter;
  readonly #insertEvent;
  readonly #liveIds;
  readonly #liveTasks;
  readonly #recordAbsence;
  readonly #doubtedIds;
  readonly #heldIds;
  readonly #givenUpIds;
  readonly #activity;
  readonly #adopt;

  constructor(tables: Tables) {
    this.#tables = tables;
    const database: SqliteDatabase = tables.database;
    this.#position = database.prepare<[string], KnownPosition>(
      'SELECT generation, epoch, seq, chain, reach_seq, reach_chain, as_of FROM agents WHERE id = ?',
    );
    this.#moveTo = database.prepare(
      'UPDATE agents SET seq = ?, chain = ?, reach_seq = ?, reach_chain = ? WHERE id = ?',
    );
    this.#enter = database.prepare(
      'UPDATE agents SET generation = ?, epoch = ?, seq = ?, chain = ?, reach_seq = ?, reach_chain = ? WHERE id = ?',
    );
    // The agent's text wins: where a journal differs from what was received of it, the agent retains its own (P6).
    this.#insertEvent = database.prepare(
      `INSERT INTO events (agent_id, generation, seq, task_id, at, received_at, json) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (agent_id, generation, seq) DO UPDATE SET
         task_id = excluded.task_id, at = excluded.at, received_at = excluded.received_at, json = excluded.json
       WHERE json <> excluded.json`,
    );
    this.#liveIds = database
      .prepare<[string], string>(
        `SELECT id FROM tasks INDEXED BY tasks_agent
         WHERE agent_id = ? AND status IN ('queued', 'starting', 'running')`,
      )
      .pluck();
    this.#liveTasks = database.prepare<[string], LiveTask>(
      `SELECT id, status FROM tasks INDEXED BY tasks_agent
       WHERE agent_id = ? AND status IN ('queued', 'starting', 'running')`,
    );
    // A doubt that began no later covers it, also one that the vouch has just ended.
    this.#recordAbsence = database.prepare(
      `INSERT INTO knowledge (task_id, reason, last_status, as_of, since, resolved_at, resolved_to)
       SELECT id, 'web_down', @lastStatus, @asOf, @since, @until, status FROM tasks
       WHERE id = @id AND agent_id = @agentId AND NOT EXISTS (
         SELECT 1 FROM knowledge
         WHERE task_id = @id AND as_of <= @asOf AND coalesce(resolved_at, @until) > @asOf)`,
    );
    this.#doubtedIds = database
      .prepare<[string], string>(
        `SELECT id FROM tasks INDEXED BY tasks_agent
         WHERE agent_id = ? AND status = 'unknown' AND doubt_reason <> 'not_on_agent'`,
      )
      .pluck();
    this.#givenUpIds = database
      .prepare<[string], string>(
        `SELECT id FROM tasks INDEXED BY tasks_agent
         WHERE agent_id = ? AND status = 'lost' AND on_agent = 1
         AND stated_status IN ('queued', 'starting', 'running')`,
      )
      .pluck();
    this.#heldIds = database
      .prepare<[string], string>(
        `SELECT id FROM tasks INDEXED BY tasks_live
         WHERE agent_id = ? AND on_agent = 1 AND stated_status IN ('queued', 'starting', 'running')`,
      )
      .pluck();
    // What an entry leaves out stays as it was for the same attempt; times only move forward.
    const moved = (column: string, value: string): string =>
      `${column} = CASE WHEN activity_attempt = @attempt
         THEN coalesce(max(${value}, ${column}), ${value}, ${column}) ELSE ${value} END`;
    this.#activity = database.prepare(
      `UPDATE tasks SET version = @version, updated_at = @now, output_bytes = @bytes,
         last_line = CASE WHEN activity_attempt = @attempt THEN coalesce(@line, last_line) ELSE @line END,
         ${moved('last_output_at', '@at')},
         ${moved('lease_expires_at', '@lease')},
         ${moved('last_heartbeat_at', '@beat')},
         progress = CASE WHEN activity_attempt = @attempt THEN coalesce(@progress, progress) ELSE @progress END,
         activity_attempt = @attempt
       WHERE id = @id AND agent_id = @agentId AND attempt <= @attempt
         AND stated_status IN ('queued', 'starting', 'running')
         AND (activity_attempt IS NOT @attempt OR output_bytes IS NOT @bytes OR @at > coalesce(last_output_at, 0)
           OR @lease > coalesce(lease_expires_at, 0) OR @beat > coalesce(last_heartbeat_at, 0)
           OR (@progress IS NOT NULL AND progress IS NOT @progress))`,
    );
    this.#adopt = database.prepare('UPDATE intents SET agent_id = ? WHERE task_id = ? AND agent_id IS NULL');
  }

  positionOf(agentId: string): KnownPosition {
    const found = this.#position.get(agentId);
    if (found === undefined) throw new StoreError('no_such_agent', `no agent ${agentId} is known`);
    return found;
  }

  applyEvents(agentId: string, events: readonly ReceivedEvent[], receivedAt: number): void {
    const { generation, epoch, seq, reach_seq, reach_chain } = this.positionOf(agentId);
    if (epoch === '') throw new StoreError('gap', `no whole snapshot of agent ${agentId} was taken yet`);
    const unit = new UnitOfWork(this.#tables, receivedAt);
    let reached = seq;
    let chain: string | undefined;
    for (const received of events) {
      const { event } = received;
      if (event.seq <= reached) continue;
      if (event.seq !== reached + 1) {
        throw new StoreError('gap', `event ${event.seq} of agent ${agentId} does not follow ${reached}`);
      }
      if (event.seq === reach_seq && received.chain !== reach_chain) {
        throw new StoreError(
          'diverged',
          `event ${event.seq} of agent ${agentId} is not the one its snapshot stood on`,
        );
      }
      this.#insertEvent.run(
        agentId,
        generation,
        event.seq,
        event.taskId,
        event.at,
        receivedAt,
        received.json,
      );
      if (!('foreign' in event)) this.#fold(unit, agentId, generation, event);
      reached = event.seq;
      chain = received.chain;
    }
    if (chain === undefined) return;
    unit.flush();
    const isAhead = reached > reach_seq;
    this.#moveTo.run(reached, chain, isAhead ? reached : reach_seq, isAhead ? chain : reach_chain, agentId);
  }

  #fold(unit: UnitOfWork, agentId: string, generation: number, event: TaskEvent): void {
    let draft = unit.load(event.taskId);
    const isFirst = event.kind === 'submitted';
    if (draft !== undefined && !isOpenTo(draft, agentId, isFirst)) return;
    const stated = draft !== undefined && draft.record.generation > 0 && draft.record.agent_id === agentId;
    if (stated) {
      const { record } = draft!;
      if (record.generation > generation) return;
      if (record.generation === generation && (record.seq >= event.seq || isTerminal(record.stated_status)))
        return;
    }
    // A task begins anew in another generation, and where its agent did not hold it any more.
    const isHeld =
      stated && draft!.record.generation === generation && !(isFirst && draft!.record.on_agent === 0);
    const base = isHeld ? draft!.task : undefined;
    let task: Task;
    try {
      task = applyEvent(base, event);
    } catch (error) {
      if (error instanceof IllegalTransitionError) return;
      throw error;
    }
    if (draft === undefined) {
      draft = newDraft(task, agentId, task.status);
      unit.add(draft);
    }
    this.#state(unit, draft, task, { agentId, generation, mayDiffer: isFirst });
    draft.happenedAt = Math.max(draft.happenedAt, event.at);
  }

  /** The agent's log says that the task is so, as of (generation, task.seq). */
  #state(unit: UnitOfWork, draft: TaskDraft, task: Task, word: Word): void {
    const { record } = draft;
    if (word.mayDiffer) this.#identify(draft, task, word.agentId);
    const isElsewhere = record.generation !== 0 && record.generation !== word.generation;
    if (record.answer !== null && (word.isNewJournal || isElsewhere || record.answer_seq! <= task.seq)) {
      record.answer = null;
      record.answer_seq = null;
    }
    draft.task = task;
    draft.taskChanged = true;
    draft.changed = true;
    record.generation = word.generation;
    record.seq = task.seq;
    record.on_agent = 1;
    record.attempt = task.attempt;
    record.stated_status = task.status;
    if (word.keepsStatus) return;
    const answer = record.answer === null ? undefined : parseTask(record.answer);
    this.#tables.tasks.show(draft, answer?.status ?? task.status, unit.at);
  }

  #identify(draft: TaskDraft, task: Task, agentId: string): void {
    const { record } = draft;
    if (record.agent_id === null) this.#adopt.run(agentId, record.id);
    const known = draft.task;
    draft.identityChanged ||=
      record.agent_id !== agentId ||
      record.session_id !== task.sessionId ||
      record.created_at !== task.createdAt ||
      record.queue !== task.queue ||
      known.title !== task.title ||
      JSON.stringify(known.labels) !== JSON.stringify(task.labels);
    record.agent_id = agentId;
    record.session_id = task.sessionId;
    record.created_at = task.createdAt;
    record.queue = task.queue;
  }

  /**
   * The first step of a snapshot. From here on the rows may be stated up to its head, so the reach says so before the
   * first of them is. For another journal the generation begins, without a position: if web dies before the last
   * step, the next snapshot begins yet another one, and replaces what was taken of this.
   */
  beginSnapshot(snapshot: SnapshotInput): Taking {
    const { agentId, seq, chain } = snapshot;
    const known = this.positionOf(agentId);
    const isNew = known.generation > 0 && isOtherJournal(known, snapshot);
    const generation = Math.max(1, isNew ? known.generation + 1 : known.generation);
    if (isNew) this.#enter.run(generation, '', 0, '', 0, '', agentId);
    else if (known.generation > 0) this.#moveTo.run(known.seq, known.chain, seq, chain, agentId);
    return { snapshot, generation, isNew, asOf: known.as_of, alive: new Set() };
  }

  takeRows(taking: Taking, tasks: readonly Task[]): void {
    const { snapshot, generation, isNew, alive } = taking;
    const unit = new UnitOfWork(this.#tables, snapshot.receivedAt);
    const { agentId } = snapshot;
    for (const task of tasks) {
      if (!isTerminal(task.status)) alive.add(task.id);
      this.#takeTask(unit, task, { agentId, generation, mayDiffer: true, isNewJournal: isNew });
    }
    unit.flush();
  }

  /** What the snapshot does not name, and the position from which the history follows. */
  endSnapshot({ snapshot, generation, isNew, asOf, alive }: Taking): void {
    const { agentId, epoch, floor, floorChain, seq, chain, receivedAt } = snapshot;
    const unit = new UnitOfWork(this.#tables, receivedAt);
    for (const id of this.#unseen(agentId, alive)) {
      const draft = unit.load(id)!;
      const { record } = draft;
      // One that was stated or answered after the snapshot was read is left alone.
      const isLater = record.generation === generation || record.generation === 0;
      if (!isNew && isLater && Math.max(record.seq, record.answer_seq ?? 0) > seq) continue;
      this.#miss(unit, draft, asOf, isNew);
    }
    unit.flush();
    this.#enter.run(generation, epoch, floor, floorChain, seq, chain, agentId);
  }

  #takeTask(unit: UnitOfWork, task: Task, word: Word): void {
    let draft = unit.load(task.id);
    if (draft === undefined) {
      draft = newDraft(task, word.agentId, task.status);
      unit.add(draft);
    } else {
      if (!isOpenTo(draft, word.agentId, true)) return;
      const { record } = draft;
      if (record.agent_id === word.agentId && record.generation === word.generation) {
        if (task.seq < record.seq) return;
        if (isTerminal(record.stated_status) && !isTerminal(task.status)) return;
        if (task.seq === record.seq) {
          const isDoubted = record.status === 'unknown' && record.doubt_reason !== 'not_on_agent';
          const keepsStatus = (isDoubted || record.status === 'lost') && task.status === record.stated_status;
          const isSame = record.on_agent === 1 && JSON.stringify(task) === record.task;
          if (isSame && (keepsStatus || record.status !== 'unknown')) return;
          this.#state(unit, draft, task, { ...word, keepsStatus });
          return;
        }
      }
    }
    this.#state(unit, draft, task, word);
    draft.happenedAt = task.endedAt ?? task.startedAt ?? task.createdAt;
  }

  /** Live rows that the snapshot does not name, whatever is shown of them. */
  #unseen(agentId: string, alive: ReadonlySet<string>): Set<string> {
    const ids = [
      ...this.#heldIds.all(agentId),
      ...this.#liveIds.all(agentId),
      ...this.#doubtedIds.all(agentId),
    ];
    return new Set(ids.filter((id) => !alive.has(id)));
  }

  /** The agent's journal does not hold the task. */
  #miss(unit: UnitOfWork, draft: TaskDraft, asOf: number, isNewJournal: boolean): void {
    const { record } = draft;
    if (record.on_agent === 1) {
      record.on_agent = 0;
      draft.changed = true;
    }
    if (isNewJournal && record.answer !== null) {
      // Its seq is another journal's: it says what was known last, and must not outrank what comes.
      draft.task = parseTask(record.answer);
      draft.taskChanged = true;
      draft.changed = true;
      record.answer = null;
      record.answer_seq = null;
    }
    if (isEnded(record.status) || record.doubt_reason === 'not_on_agent') return;
    this.#tables.tasks.doubt(draft, 'not_on_agent', record.doubt_as_of ?? asOf, unit.at);
  }

  applyActivity(agentId: string, entries: readonly ActivityEntry[], at: number): void {
    const { derived } = this.#tables;
    for (const entry of entries) {
      const version = derived.nextVersion();
      const { changes } = this.#activity.run({
        version,
        now: at,
        id: entry.id,
        agentId,
        attempt: entry.attempt,
        bytes: entry.outputBytes,
        at: entry.lastOutputAt ?? null,
        line: entry.lastLine ?? null,
        lease: entry.leaseExpiresAt ?? null,
        beat: entry.lastHeartbeatAt ?? null,
        progress: entry.progress === undefined ? null : JSON.stringify(entry.progress),
      });
      if (changes === 0) derived.takeBack(version);
    }
  }

  markUnknown(agentId: string, reason: DoubtReason, asOf: number, at: number): number {
    return this.#each(this.#liveIds.all(agentId), at, (draft) =>
      this.#tables.tasks.doubt(draft, reason, asOf, at),
    );
  }

  liveTasks(agentId: string): LiveTask[] {
    return this.#liveTasks.all(agentId);
  }

  recordAbsence(agentId: string, span: Omit<Absence, 'tasks'>, tasks: readonly LiveTask[]): number {
    const doubt = { agentId, ...span };
    return tasks.reduce(
      (sum, { id, status }) => sum + this.#recordAbsence.run({ ...doubt, id, lastStatus: status }).changes,
      0,
    );
  }

  vouch(agentId: string, at: number): number {
    const doubted = this.#each(this.#doubtedIds.all(agentId), at, (draft) =>
      this.#tables.tasks.show(draft, draft.record.last_status!, at),
    );
    // Its agent states and vouches for it: that is its word, and nobody could stop it while it is shown as ended.
    const givenUp = this.#each(this.#givenUpIds.all(agentId), at, (draft) =>
      this.#tables.tasks.show(draft, draft.record.stated_status, at),
    );
    return doubted + givenUp;
  }

  #each(ids: readonly string[], at: number, change: (draft: TaskDraft) => void): number {
    const unit = new UnitOfWork(this.#tables, at);
    for (const [index, id] of ids.entries()) {
      change(unit.load(id)!);
      if (index % FLUSH_ROWS === FLUSH_ROWS - 1) unit.flush();
    }
    unit.flush();
    return ids.length;
  }
}

/** A snapshot that is being taken. */
export interface Taking {
  snapshot: SnapshotInput;
  generation: number;
  /** The journal is another one. */
  isNew: boolean;
  /** The last proof before it. */
  asOf: number;
  /** Live tasks that it names. */
  alive: Set<string>;
}

/** How the agent said it. */
interface Word {
  agentId: string;
  generation: number;
  /** It names the whole task, so that what identifies the row may be another than it was. */
  mayDiffer: boolean;
  /** The journal replaced another one: no seq of before compares with its own. */
  isNewJournal?: boolean;
  /** Nothing new was said: a person's verdict holds, and so does a doubt until the agent vouches. */
  keepsStatus?: boolean;
}

interface KnownPosition extends AgentPosition {
  reach_seq: number;
  reach_chain: string;
  as_of: number;
}

function isOtherJournal(known: KnownPosition, snapshot: SnapshotInput): boolean {
  return (
    isNewGeneration(snapshot.reason) ||
    known.epoch !== snapshot.epoch ||
    snapshot.seq < known.reach_seq ||
    (snapshot.seq === known.reach_seq && snapshot.chain !== known.reach_chain)
  );
}

/** Whether the agent's word may move the row. `isWhole`: the word needs nothing that another agent said before. */
function isOpenTo(draft: TaskDraft, agentId: string, isWhole: boolean): boolean {
  const { agent_id, status } = draft.record;
  if (agent_id === agentId) return true;
  return isWhole && (agent_id === null || status === 'unknown' || status === 'lost');
}
