/**
 * The SessionStore on SQLite: WAL and `synchronous=FULL` (P1), one group commit for what is asked in one turn.
 *
 * This file opens it and says which part answers what; the parts are in `store/`: agent-log (what agents say),
 * intent-table (what people ask), task-list and change-feed (what is shown), retention (what goes). Reads are
 * answered from the same connection between transactions, so they see what is durable and nothing else.
 */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import {
  GroupCommit,
  openDatabase,
  type ActivityEntry,
  type Counts,
  type DoubtReason,
  type ShownSession,
  type SqliteDatabase,
  type Task,
  type TaskEvent,
} from '@holdfast/shared';
import { SqliteAlertStore } from './notify/sqlite-alert-store.ts';
import type {
  Absence,
  Changes,
  Doubt,
  Intent,
  LiveTask,
  NewIntent,
  PageRequest,
  ReceivedEvent,
  RecordedIntent,
  SessionStore,
  SnapshotInput,
  StoredAgent,
  StoredEvent,
  TaskFilter,
  TaskPage,
  TaskRow,
  TaskRows,
} from './session-store.ts';
import { AgentLog } from './store/agent-log.ts';
import { ChangeFeed, type SessionPage } from './store/change-feed.ts';
import { Derived } from './store/derived.ts';
import { IntentTable } from './store/intent-table.ts';
import { Retention } from './store/retention.ts';
import { SecretWipe } from './store/secret-wipe.ts';
import { SessionTable } from './store/session-table.ts';
import { TaskList } from './store/task-list.ts';
import { TaskTable, type TaskRecord } from './store/task-table.ts';
import type { Tables } from './store/unit-of-work.ts';

export interface OpenSessionStoreOptions {
  /** A file path, or `:memory:`. */
  path: string;
  /** Wall clock, ms. */
  now?: () => number;
  /** Monotonic clock, ms. */
  monotonic?: () => number;
}

/** Rows of a snapshot, or doubts, in one transaction: some 15 ms of it, so that nobody else waits long. */
const PAGE_ROWS = 500;

const MIGRATIONS = fileURLToPath(new URL('../drizzle', import.meta.url));

/** Opens the store, or makes it. Throws `DatabaseError`, which says what to do. */
export function openSqliteSessionStore(options: OpenSessionStoreOptions): SessionStore {
  const { path, now = Date.now, monotonic = () => performance.now() } = options;
  return new SqliteSessionStore(openDatabase({ path, migrations: MIGRATIONS }), now, monotonic);
}

interface AgentRecord {
  id: string;
  name: string;
  url: string;
  removed: number;
  generation: number;
  epoch: string;
  seq: number;
  chain: string;
  reach_seq: number;
  reach_chain: string;
  as_of: number;
  heartbeat_ms: number | null;
}

class SqliteSessionStore implements SessionStore {
  readonly epoch: string;
  readonly alerts: SqliteAlertStore;
  readonly #database: SqliteDatabase;
  readonly #now: () => number;
  readonly #derived: Derived;
  readonly #group: GroupCommit;
  readonly #tables: Tables;
  readonly #log: AgentLog;
  readonly #intents: IntentTable;
  readonly #list: TaskList;
  readonly #feed: ChangeFeed;
  readonly #retention: Retention;
  readonly #listeners = new Set<(version: number) => void>();
  readonly #setMeta;
  readonly #agents;
  readonly #agent;
  readonly #remember;
  readonly #touchAgent;
  readonly #recordProof;
  readonly #removeAgent;
  readonly #task;
  readonly #events;
  #oldestVersion: number;

  constructor(database: SqliteDatabase, now: () => number, monotonic: () => number) {
    this.#database = database;
    this.#now = now;
    // Secrets of a delivered submit must not stay readable in pages that SQLite considers free.
    database.pragma('secure_delete = ON');
    const getMeta = database.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck();
    this.#setMeta = database.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)');
    this.epoch = getMeta.get('epoch') ?? randomBytes(8).toString('hex');
    this.#setMeta.run('epoch', this.epoch);
    this.#oldestVersion = Number(getMeta.get('oldestVersion') ?? 0);
    this.#derived = Derived.open(database, Number(getMeta.get('version') ?? 0));

    const wipe = new SecretWipe(database, monotonic);
    this.#group = new GroupCommit({
      database,
      onSavepoint: () => this.#derived.mark(),
      onUndo: () => this.#derived.undo(),
      onEnd: () => this.#saveVersion(),
      onCommit: () => {
        this.#publish();
        wipe.committed();
      },
      onRollback: () => this.#derived.rollback(),
    });
    this.alerts = new SqliteAlertStore(database, this.#group);
    const tasks = new TaskTable(database);
    const sessions = new SessionTable(database, this.#derived);
    this.#retention = new Retention(database, this.#derived);
    this.#tables = {
      database,
      derived: this.#derived,
      tasks,
      sessions,
      forgetTombstone: (kind, id) => this.#retention.forget(kind, id),
    };
    this.#log = new AgentLog(this.#tables);
    this.#intents = new IntentTable(this.#tables, wipe);
    this.#list = new TaskList(database, this.#derived, tasks, this.epoch);
    this.#feed = new ChangeFeed(database, this.#derived, tasks, sessions, this.epoch);

    this.#agents = database.prepare<[], AgentRecord>(
      'SELECT * FROM agents WHERE removed = 0 ORDER BY name, id',
    );
    this.#agent = database.prepare<[string], AgentRecord>('SELECT * FROM agents WHERE id = ?');
    this.#remember = database.prepare(
      `INSERT INTO agents (id, name, url, version) VALUES (@id, @name, @url, @version)
       ON CONFLICT (id) DO UPDATE SET name = @name, url = @url, removed = 0, version = @version`,
    );
    this.#touchAgent = database.prepare('UPDATE agents SET version = ? WHERE id = ?');
    this.#recordProof = database.prepare(
      'UPDATE agents SET as_of = max(as_of, ?), heartbeat_ms = ? WHERE id = ?',
    );
    this.#removeAgent = database.prepare('UPDATE agents SET removed = 1 WHERE id = ?');
    this.#task = database.prepare<[string], TaskRecord>('SELECT * FROM tasks WHERE id = ?');
    this.#events = database.prepare<
      [string, string],
      { json: string; generation: number; received_at: number }
    >(
      `SELECT json, generation, received_at FROM events WHERE task_id = ? AND agent_id = ? ORDER BY generation, seq`,
    );
  }

  // ── Agents ──

  async agents(): Promise<StoredAgent[]> {
    return this.#agents.all().map(toStoredAgent);
  }

  rememberAgent(agent: { id: string; name: string; url: string }): Promise<void> {
    const { id, name, url } = agent;
    return this.#group.run(() => {
      const known = this.#agent.get(id);
      if (known?.removed === 0 && known.name === name && known.url === url) return;
      this.#remember.run({ id, name, url, version: this.#derived.nextVersion() });
      this.#retention.forget('agent', id);
    });
  }

  touchAgent(agentId: string): Promise<void> {
    return this.#group.run(() => {
      this.#touchAgent.run(this.#derived.nextVersion(), agentId);
    });
  }

  recordProof(agentId: string, asOf: number, heartbeatMs: number): Promise<void> {
    return this.#group.run(() => {
      this.#recordProof.run(asOf, heartbeatMs, agentId);
    });
  }

  removeAgent(agentId: string, at: number): Promise<void> {
    return this.#group.run(() => {
      const known = this.#agent.get(agentId);
      if (known === undefined || known.removed === 1) return;
      this.#log.markUnknown(agentId, 'agent_removed', known.as_of, at);
      this.#removeAgent.run(agentId);
      this.#retention.bury('agent', agentId, at);
    });
  }

  // ── What agents say ──

  applyEvents(agentId: string, events: ReceivedEvent[], receivedAt: number): Promise<void> {
    return this.#group.run(() => this.#log.applyEvents(agentId, events, receivedAt));
  }

  async takeSnapshot(snapshot: SnapshotInput): Promise<void> {
    const taking = await this.#group.run(() => this.#log.beginSnapshot(snapshot));
    for (const tasks of pagesOf(snapshot.tasks, PAGE_ROWS)) {
      await this.#group.run(() => this.#log.takeRows(taking, tasks));
    }
    await this.#group.run(() => {
      this.#log.endSnapshot(taking);
      this.alerts.follow(snapshot.agentId, taking.generation, snapshot.seq);
    });
  }

  applyActivity(agentId: string, entries: ActivityEntry[], at: number): Promise<void> {
    return this.#group.run(() => this.#log.applyActivity(agentId, entries, at));
  }

  markUnknown(agentId: string, reason: DoubtReason, asOf: number, at: number): Promise<number> {
    return this.#group.run(() => this.#log.markUnknown(agentId, reason, asOf, at));
  }

  vouch(agentId: string, at: number): Promise<number> {
    return this.#group.run(() => this.#log.vouch(agentId, at));
  }

  async liveTasks(agentId: string): Promise<LiveTask[]> {
    return this.#log.liveTasks(agentId);
  }

  async recordAbsence(agentId: string, { tasks, ...span }: Absence): Promise<number> {
    let recorded = 0;
    for (const page of pagesOf(tasks, PAGE_ROWS)) {
      recorded += await this.#group.run(() => this.#log.recordAbsence(agentId, span, page));
    }
    return recorded;
  }

  prune(agentId: string, floor: number, limit: number, at: number): Promise<{ more: boolean }> {
    return this.#group.run(() => {
      const { more, sessions } = this.#retention.prune(
        agentId,
        this.#log.positionOf(agentId),
        floor,
        limit,
        at,
      );
      for (const id of sessions) this.#tables.sessions.touch(id, 0);
      const oldest = this.#retention.dropTombstones(at);
      if (oldest !== undefined) {
        this.#oldestVersion = Math.max(this.#oldestVersion, oldest);
        this.#setMeta.run('oldestVersion', String(this.#oldestVersion));
      }
      return { more };
    });
  }

  async liveDigest(agentId: string): Promise<string> {
    return this.#derived.digest(agentId);
  }

  // ── What people ask ──

  recordIntent(intent: NewIntent): Promise<RecordedIntent> {
    return this.#group.run(() => this.#intents.record(intent));
  }

  async dueIntents(taskId?: string): Promise<Intent[]> {
    return this.#intents.due(taskId);
  }

  assignIntent(intentId: string, agentId: string): Promise<void> {
    return this.#group.run(() => this.#intents.assign(intentId, agentId, this.#now()));
  }

  markSent(intentId: string, at: number): Promise<void> {
    return this.#group.run(() => this.#intents.markSent(intentId, at));
  }

  recordFailure(intentId: string, error: string): Promise<void> {
    return this.#group.run(() => this.#intents.recordFailure(intentId, error, this.#now()));
  }

  settleIntent(intentId: string, at: number, task?: Task): Promise<void> {
    return this.#group.run(() => this.#intents.settle(intentId, at, task));
  }

  refuseIntent(intentId: string, message: string, at: number): Promise<void> {
    return this.#group.run(() => this.#intents.refuse(intentId, message, at));
  }

  cancelUnsent(taskId: string, at: number): Promise<boolean> {
    return this.#group.run(() => this.#intents.cancelUnsent(taskId, at));
  }

  resolveLost(taskId: string, note: string | undefined, at: number): Promise<boolean> {
    return this.#group.run(() => this.#intents.resolveLost(taskId, note, at));
  }

  async renameSession(
    sessionId: string,
    change: { title?: string; archived?: boolean },
  ): Promise<ShownSession | undefined> {
    const isKnown = await this.#group.run(() => this.#tables.sessions.rename(sessionId, change));
    return isKnown ? this.#tables.sessions.shown(sessionId) : undefined;
  }

  // ── What is shown ──

  async task(id: string): Promise<TaskRow | undefined> {
    const record = this.#task.get(id);
    return record === undefined ? undefined : this.#tables.tasks.toRow(record);
  }

  async labels(limit: number): Promise<{ label: string; tasks: number }[]> {
    return this.#list.labels(limit);
  }

  async tasks(filter: TaskFilter, page: PageRequest): Promise<TaskPage> {
    return this.#list.read(filter, page);
  }

  async moreTasks(filter: TaskFilter, page: PageRequest): Promise<TaskRows> {
    return this.#list.rows(filter, page);
  }

  async sessions(
    filter: { archived?: boolean; q?: string },
    page: { limit: number; after?: string },
  ): Promise<SessionPage> {
    return this.#feed.sessions(filter, page);
  }

  async session(id: string): Promise<ShownSession | undefined> {
    return this.#tables.sessions.shown(id);
  }

  async events(taskId: string): Promise<StoredEvent[]> {
    const agentId = this.#task.get(taskId)?.agent_id ?? '';
    return this.#events.all(taskId, agentId).map(({ json, generation, received_at }) => {
      const event: TaskEvent = JSON.parse(json);
      return { event, generation, receivedAt: received_at };
    });
  }

  async doubts(taskId: string): Promise<Doubt[]> {
    return this.#tables.tasks.doubts(taskId);
  }

  counts(): Counts {
    return this.#derived.counts();
  }

  version(): number {
    return this.#derived.version;
  }

  oldestVersion(): number {
    return this.#oldestVersion;
  }

  async changesAfter(version: number, limit: number): Promise<Changes> {
    return this.#feed.changesAfter(version, limit);
  }

  onChange(listener: (version: number) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async close(): Promise<void> {
    this.#group.flush();
    this.#database.close();
  }

  #saveVersion(): void {
    const version = this.#derived.stagedVersion;
    if (version !== this.#derived.version) this.#setMeta.run('version', String(version));
  }

  #publish(): void {
    const before = this.#derived.version;
    this.#derived.commit();
    const { version } = this.#derived;
    if (version === before) return;
    for (const listener of this.#listeners) {
      try {
        listener(version);
      } catch (error) {
        // The commit stands and its callers must be answered; the fault is the listener's, and surfaces as such.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

function toStoredAgent(record: AgentRecord): StoredAgent {
  const { id, name, url, generation, epoch, seq, chain, reach_seq, reach_chain, as_of, heartbeat_ms } =
    record;
  return {
    id,
    name,
    url,
    ...(epoch === ''
      ? {}
      : {
          position: { generation, epoch, seq, chain },
          reach: { seq: reach_seq, chain: reach_chain },
        }),
    asOf: as_of,
    ...(heartbeat_ms === null ? {} : { heartbeatMs: heartbeat_ms }),
  };
}

function* pagesOf<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let page: T[] = [];
  for (const item of items) {
    page.push(item);
    if (page.length < size) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}
