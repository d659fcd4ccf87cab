/**
 * What goes: the ended tasks and events that an agent no longer holds, sessions that nothing is left of, and
 * tombstones after 7 days. A page at a time: a large delete would hold the event loop.
 */
import type { SqliteDatabase, ShownStatus } from '@holdfast/shared';
import type { AgentPosition } from '../session-store.ts';
import type { Derived } from './derived.ts';
import { entryOf, type TaskRecord } from './task-table.ts';

const TOMBSTONE_MS = 7 * 24 * 3600 * 1000;

type Kind = 'task' | 'session' | 'agent';

export class Retention {
  readonly #derived: Derived;
  readonly #insertTombstone;
  readonly #deleteTombstone;
  readonly #oldTombstones;
  readonly #dropTombstones;
  readonly #events;
  readonly #olderEvents;
  readonly #ended;
  readonly #orphans;
  readonly #deleteEvents;
  readonly #deleteEvent;
  readonly #deletes;
  readonly #emptySession;
  readonly #deleteSession;

  constructor(database: SqliteDatabase, derived: Derived) {
    this.#derived = derived;
    this.#insertTombstone = database.prepare(
      'INSERT OR REPLACE INTO tombstones (version, kind, id, at) VALUES (?, ?, ?, ?)',
    );
    this.#deleteTombstone = database.prepare('DELETE FROM tombstones WHERE kind = ? AND id = ?');
    this.#oldTombstones = database
      .prepare<[number], number | null>('SELECT max(version) FROM tombstones WHERE at < ?')
      .pluck();
    this.#dropTombstones = database.prepare('DELETE FROM tombstones WHERE version <= ?');
    this.#events = database.prepare<[string, number, number, number], { seq: number; at: number }>(
      'SELECT seq, at FROM events WHERE agent_id = ? AND generation = ? AND seq <= ? ORDER BY seq LIMIT ?',
    );
    this.#deleteEvents = database.prepare(
      'DELETE FROM events WHERE agent_id = ? AND generation = ? AND seq <= ?',
    );
    this.#olderEvents = database.prepare<
      [string, number, number, number],
      { generation: number; seq: number }
    >('SELECT generation, seq FROM events WHERE agent_id = ? AND generation < ? AND at <= ? LIMIT ?');
    this.#deleteEvent = database.prepare(
      'DELETE FROM events WHERE agent_id = ? AND generation = ? AND seq = ?',
    );
    this.#ended = database.prepare<[string, number, number, number], TaskRecord>(
      `SELECT * FROM tasks INDEXED BY tasks_ended
       WHERE agent_id = ? AND generation = ? AND seq <= ? AND stated_status IN ('completed', 'failed', 'cancelled')
         AND pending = 0 LIMIT ?`,
    );
    // Ended by web's verdict alone, or in a journal that is no more: no floor will ever pass them.
    // Ended by web's verdict alone, or in a journal that is no more: no floor will ever pass them.
    const old = 'generation < @generation AND updated_at <= @newest AND pending = 0';
    const isEnded = `stated_status IN ('completed', 'failed', 'cancelled')`;
    this.#orphans = database.prepare<[Record<string, string | number>], TaskRecord>(
      `SELECT * FROM tasks INDEXED BY tasks_ended WHERE agent_id = @agentId AND ${isEnded} AND ${old}
       UNION ALL SELECT * FROM tasks INDEXED BY tasks_ended WHERE agent_id IS NULL AND ${isEnded} AND ${old}
       UNION ALL SELECT * FROM tasks INDEXED BY tasks_agent WHERE agent_id = @agentId AND status = 'lost'
         AND on_agent = 0 AND updated_at <= @newest AND pending = 0
       LIMIT @limit`,
    );
    this.#deletes = [
      'DELETE FROM tasks WHERE row = @row',
      'DELETE FROM task_texts WHERE row = @row',
      'DELETE FROM task_labels WHERE row = @row',
      'DELETE FROM knowledge WHERE task_id = @id',
    ].map((text) => database.prepare<[{ row: number; id: string }]>(text));
    this.#emptySession = database
      .prepare<[string], number>(
        `SELECT 1 FROM sessions WHERE id = ? AND named = 0 AND archived = 0
         AND NOT EXISTS (SELECT 1 FROM tasks WHERE session_id = sessions.id)`,
      )
      .pluck();
    this.#deleteSession = database.prepare('DELETE FROM sessions WHERE id = ?');
  }

  /** Puts a tombstone for what was removed. */
  bury(kind: Kind, id: string, at: number): void {
    this.#insertTombstone.run(this.#derived.nextVersion(), kind, id, at);
  }

  /** What was removed is there again. */
  forget(kind: Kind, id: string): void {
    this.#deleteTombstone.run(kind, id);
  }

  /** Drops old tombstones; returns the version below which some are missing now, if it moved. */
  dropTombstones(at: number): number | undefined {
    const version = this.#oldTombstones.get(at - TOMBSTONE_MS) ?? undefined;
    if (version !== undefined) this.#dropTombstones.run(version);
    return version;
  }

  /** One page of `SessionStore.prune`. Returns the sessions to be shown anew beside whether there is more. */
  prune(
    agentId: string,
    position: AgentPosition,
    floor: number,
    limit: number,
    at: number,
  ): { more: boolean; sessions: Set<string> } {
    const { generation } = position;
    const events = this.#events.all(agentId, generation, floor, limit);
    const ended = this.#ended.all(agentId, generation, floor, limit);
    const newest = events.reduce((most, event) => Math.max(most, event.at), 0);
    const older = this.#olderEvents.all(agentId, generation, newest, limit);
    const orphans = this.#orphans.all({ agentId, generation, newest, limit });
    const last = events.at(-1);
    if (last !== undefined) this.#deleteEvents.run(agentId, generation, last.seq);
    for (const event of older) this.#deleteEvent.run(agentId, event.generation, event.seq);
    const sessions = new Set<string>();
    for (const record of [...ended, ...orphans]) {
      this.#remove(record, at);
      sessions.add(record.session_id);
    }
    for (const id of sessions) {
      if (this.#emptySession.get(id) === undefined) continue;
      this.#deleteSession.run(id);
      this.bury('session', id, at);
      sessions.delete(id);
    }
    const pages = [events, ended, older, orphans];
    return { more: pages.some((page) => page.length === limit), sessions };
  }

  #remove(record: TaskRecord, at: number): void {
    const { row, id } = record;
    for (const statement of this.#deletes) statement.run({ row, id });
    this.#derived.moveStatus(record.session_id, record.status satisfies ShownStatus, undefined);
    const entry = entryOf(record);
    if (entry !== undefined) this.#derived.moveDigest(entry.agentId, entry, undefined);
    this.bury('task', id, at);
  }
}
