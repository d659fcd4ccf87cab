/**
 * One change of the SessionStore in the making: the rows that it touches are read once, changed in memory, and
 * written once when it ends, each under a version of its own; their sessions follow. Counts and digest are staged
 * with them. It lives inside one transaction and is thrown away with it.
 */
import type { SqliteDatabase, Task } from '@holdfast/shared';
import type { Derived } from './derived.ts';
import type { SessionTable } from './session-table.ts';
import { entryOf, type TaskDraft, type TaskTable } from './task-table.ts';

export interface Tables {
  database: SqliteDatabase;
  derived: Derived;
  tasks: TaskTable;
  sessions: SessionTable;
  forgetTombstone: (kind: 'task' | 'session' | 'agent', id: string) => void;
}

interface SessionTouch {
  happenedAt: number;
  /** The earliest of its tasks that are new or another than they were. */
  met: Task | undefined;
}

export class UnitOfWork {
  readonly at: number;
  readonly tables: Tables;
  readonly #drafts = new Map<string, TaskDraft>();

  constructor(tables: Tables, at: number) {
    this.tables = tables;
    this.at = at;
  }

  load(id: string): TaskDraft | undefined {
    const known = this.#drafts.get(id);
    if (known !== undefined) return known;
    const draft = this.tables.tasks.load(id);
    if (draft !== undefined) this.#drafts.set(id, draft);
    return draft;
  }

  add(draft: TaskDraft): void {
    this.#drafts.set(draft.record.id, draft);
  }

  /** Writes what changed. More may be loaded and flushed after it. */
  flush(): void {
    const { derived, tasks, sessions, forgetTombstone } = this.tables;
    const touched = new Map<string, SessionTouch>();
    for (const draft of this.#drafts.values()) {
      if (!draft.changed) continue;
      const { before, record } = draft;
      tasks.save(draft, derived.nextVersion(), this.at);
      if (before === undefined) forgetTombstone('task', record.id);
      if (before !== undefined && before.sessionId !== record.session_id) {
        derived.moveStatus(before.sessionId, before.status, undefined);
        derived.moveStatus(record.session_id, undefined, record.status);
        touch(touched, before.sessionId, 0);
      } else {
        derived.moveStatus(record.session_id, before?.status, record.status);
      }
      const entry = entryOf(record);
      if (before?.entry !== undefined && before.entry.agentId !== entry?.agentId) {
        derived.moveDigest(before.entry.agentId, before.entry, undefined);
        if (entry !== undefined) derived.moveDigest(entry.agentId, undefined, entry);
      } else if (entry !== undefined || before?.entry !== undefined) {
        derived.moveDigest((entry ?? before!.entry)!.agentId, before?.entry, entry);
      }
      if (before === undefined || draft.identityChanged) {
        touch(touched, record.session_id, draft.happenedAt, draft.task);
      } else if (before.status !== record.status) {
        touch(touched, record.session_id, draft.happenedAt);
      }
    }
    this.#drafts.clear();
    for (const [sessionId, { happenedAt, met }] of touched) {
      if (met === undefined) {
        sessions.touch(sessionId, happenedAt);
      } else {
        sessions.meet(met, happenedAt);
        forgetTombstone('session', sessionId);
      }
    }
  }
}

function touch(touched: Map<string, SessionTouch>, sessionId: string, happenedAt: number, met?: Task): void {
  const known = touched.get(sessionId);
  if (known === undefined) {
    touched.set(sessionId, { happenedAt, met });
    return;
  }
  known.happenedAt = Math.max(known.happenedAt, happenedAt);
  if (met !== undefined && (known.met === undefined || isEarlier(met, known.met))) known.met = met;
}

function isEarlier(a: Task, b: Task): boolean {
  return a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.id < b.id);
}
