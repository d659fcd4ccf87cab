/**
 * What the SessionStore holds in memory: counts by status, overall and by session, the live digests and the version
 * counter. All of it is a function of the tables: built at open, and moved only by changes that are durable.
 *
 * A transaction *stages* its moves; `commit` makes them visible, `rollback` forgets them, and `mark`/`undo` do the
 * same for one change of a group (see GroupCommit).
 */
import {
  LiveDigest,
  type Counts,
  type DigestEntry,
  type ShownStatus,
  type SqliteDatabase,
  type TaskStatus,
} from '@holdfast/shared';

type Move =
  | { kind: 'status'; sessionId: string; from: ShownStatus | undefined; to: ShownStatus | undefined }
  | { kind: 'digest'; agentId: string; before: DigestEntry | undefined; after: DigestEntry | undefined };

export class Derived {
  readonly #counts: Counts = {};
  readonly #sessions = new Map<string, Counts>();
  readonly #digests = new Map<string, LiveDigest>();
  #version: number;
  #stagedVersion: number;
  #staged: Move[] = [];
  #mark = { moves: 0, version: 0 };

  constructor(version: number) {
    this.#version = version;
    this.#stagedVersion = version;
  }

  /** The newest durable version. */
  get version(): number {
    return this.#version;
  }

  /** The newest version given out in the transaction that is open. */
  get stagedVersion(): number {
    return this.#stagedVersion;
  }

  counts(): Counts {
    return { ...this.#counts };
  }

  sessionCounts(sessionId: string): Counts {
    return { ...this.#sessions.get(sessionId) };
  }

  digest(agentId: string): string {
    return (this.#digests.get(agentId) ?? new LiveDigest()).toString();
  }

  nextVersion(): number {
    this.#stagedVersion += 1;
    return this.#stagedVersion;
  }

  /** The version just given was not used. */
  takeBack(version: number): void {
    if (version === this.#stagedVersion) this.#stagedVersion -= 1;
  }

  moveStatus(sessionId: string, from: ShownStatus | undefined, to: ShownStatus | undefined): void {
    if (from !== to) this.#staged.push({ kind: 'status', sessionId, from, to });
  }

  moveDigest(agentId: string, before: DigestEntry | undefined, after: DigestEntry | undefined): void {
    if (before !== undefined || after !== undefined)
      this.#staged.push({ kind: 'digest', agentId, before, after });
  }

  mark(): void {
    this.#mark = { moves: this.#staged.length, version: this.#stagedVersion };
  }

  undo(): void {
    this.#staged.length = this.#mark.moves;
    this.#stagedVersion = this.#mark.version;
  }

  commit(): void {
    const staged = this.#staged;
    this.#staged = [];
    this.#version = this.#stagedVersion;
    for (const move of staged) this.#apply(move);
  }

  rollback(): void {
    this.#staged = [];
    this.#stagedVersion = this.#version;
  }

  #apply(move: Move): void {
    if (move.kind === 'digest') {
      let digest = this.#digests.get(move.agentId);
      if (digest === undefined) {
        digest = new LiveDigest();
        this.#digests.set(move.agentId, digest);
      }
      digest.move(move.before, move.after);
      return;
    }
    let session = this.#sessions.get(move.sessionId);
    if (session === undefined) {
      session = {};
      this.#sessions.set(move.sessionId, session);
    }
    for (const counts of [this.#counts, session]) {
      if (move.from !== undefined) addTo(counts, move.from, -1);
      if (move.to !== undefined) addTo(counts, move.to, 1);
    }
    if (Object.keys(session).length === 0) this.#sessions.delete(move.sessionId);
  }

  /** Reads the whole of it from the tables. */
  static open(database: SqliteDatabase, version: number): Derived {
    const derived = new Derived(version);
    const groups = database
      .prepare<[], { session_id: string; status: ShownStatus; n: number }>(
        'SELECT session_id, status, count(*) AS n FROM tasks INDEXED BY tasks_session GROUP BY session_id, status',
      )
      .all();
    for (const { session_id, status, n } of groups) {
      let session = derived.#sessions.get(session_id);
      if (session === undefined) derived.#sessions.set(session_id, (session = {}));
      addTo(session, status, n);
      addTo(derived.#counts, status, n);
    }
    const live = database
      .prepare<[], { id: string; agent_id: string; attempt: number; stated_status: TaskStatus }>(
        `SELECT id, agent_id, attempt, stated_status FROM tasks INDEXED BY tasks_live
         WHERE on_agent = 1 AND stated_status IN ('queued', 'starting', 'running')`,
      )
      .all();
    for (const { id, agent_id, attempt, stated_status } of live) {
      derived.#apply({
        kind: 'digest',
        agentId: agent_id,
        before: undefined,
        after: { id, attempt, status: stated_status },
      });
    }
    return derived;
  }
}

function addTo(counts: Counts, status: ShownStatus, n: number): void {
  const sum = (counts[status] ?? 0) + n;
  if (sum === 0) delete counts[status];
  else counts[status] = sum;
}
