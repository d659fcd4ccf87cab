/**
 * Looking: what happened since the last look, as the rows of tasks and the links of agents show it.
 *
 * A look reads the rows whose version is above the last one that was looked at: whatever changed has one, so nothing is
 * missed, and it costs what changed and not what is there. The place is stored in the transaction that notes what was
 * found.
 */
import {
  type AlertKind,
  DEFAULT_ALERTS,
  type GroupCommit,
  type SqliteDatabase,
  type Task,
} from '@holdfast/shared';
import type { AlertRecord } from './alert-record.ts';
import { type Look, notedKinds, type SeenAgent } from './alert-store.ts';
import { prepareLookStatements, type Source, type TaskRecord } from './look-statements.ts';
import {
  type News,
  newsOfAgent,
  newsOfSession,
  newsOfTask,
  type NewsRow,
  resolutionOfAgent,
  resolutionOfTask,
} from './news.ts';
import type { AlertNotes, Noting, Scope } from './note.ts';

/** Rows of one look: some 10 ms, so that nobody else waits long. */
const LOOK_ROWS = 1000;

/** The place is stored at least this often, though nothing was found: so far a restart looks again. */
const STORE_EVERY = 10_000;

/** Keys in `meta`. */
const VERSION = 'alertVersion';
const SINCE = 'alertSince';

interface Looking extends Noting {
  /** Rows that were written: with them the place must be. */
  found: number;
}

export class AlertLook {
  readonly #group: GroupCommit;
  readonly #notes: AlertNotes;
  readonly #statements;
  /** The version that was looked at; ahead of the stored one while what lies between them was no news. */
  #lookedTo = 0;

  constructor(database: SqliteDatabase, group: GroupCommit, notes: AlertNotes) {
    this.#group = group;
    this.#notes = notes;
    this.#statements = prepareLookStatements(database);
  }

  /** See `SqliteAlertStore`. */
  follow(agentId: string, generation: number, headSeq: number): void {
    this.#statements.begin.run(agentId, generation, headSeq);
  }

  async look({ at, channels, agents }: Look): Promise<{ more: boolean }> {
    const looking = { at, channels, kinds: notedKinds(channels, DEFAULT_ALERTS), found: 0 };
    const { more, to } = await this.#group.run(() => {
      const since = this.#since(at);
      this.#lookAtAgents(agents, looking);
      return this.#lookAtTasks(since, looking);
    });
    this.#lookedTo = to;
    return { more };
  }

  /** When the first look was; it looks at nothing that was there before. */
  #since(at: number): number {
    const { getMeta, setMeta, newestVersion } = this.#statements;
    const known = getMeta.get(SINCE);
    if (known !== undefined) return Number(known);
    setMeta.run(SINCE, String(at));
    setMeta.run(VERSION, String(newestVersion.get() ?? 0));
    return at;
  }

  #lookAtAgents(agents: readonly SeenAgent[], looking: Looking): void {
    const { stored, source, begin, hear, openOfAgents } = this.#statements;
    for (const agent of agents) {
      const log = stored.get(agent.id);
      // Without a whole snapshot there is no telling what is news in its journal.
      if (log === undefined || log.epoch === '') continue;
      const known = source.get(agent.id);
      // Its snapshot was taken by a version that had no notifications.
      if (known === undefined) begin.run(agent.id, log.generation, log.reach_seq);
      const heard = known?.heard === 1;
      if (!heard && agent.state === 'live') hear.run(agent.id);
      const scope = {
        taskId: null,
        sessionId: null,
        agentId: agent.id,
        agentName: agent.name,
        labels: undefined,
      };
      for (const news of newsOfAgent(agent, heard, looking.at)) {
        const open = this.#statements.openOfAgent.get(agent.id, news.kind, news.code ?? null);
        if (open === undefined) this.#note(news, scope, looking);
      }
    }
    const byId = new Map(agents.map((agent) => [agent.id, agent]));
    for (const alert of openOfAgents.all()) {
      this.#resolve(alert.id, resolutionOfAgent(codeOf(alert), byId.get(alert.agent_id!)), looking);
    }
  }

  #lookAtTasks(since: number, looking: Looking): { more: boolean; to: number } {
    const { getMeta, setMeta, pageEnd, changed, openOfChanged, source } = this.#statements;
    const stored = Number(getMeta.get(VERSION) ?? 0);
    const from = Math.max(stored, this.#lookedTo);
    const page = pageEnd.get(from, LOOK_ROWS)!;
    if (page.newest === null) return { more: false, to: from };
    const range = { from, to: page.newest };
    const sources = new Map<string, Source | undefined>();
    const endedIn = new Set<string>();
    for (const record of changed.all({ ...range, ends: endsOf(looking.kinds) })) {
      const agentId = record.agent_id ?? '';
      if (!sources.has(agentId)) sources.set(agentId, source.get(agentId));
      const isPastBase = isPast(record, sources.get(agentId));
      // A resync brings history by the thousand: its tasks need not be read to be passed over.
      if (!isPastBase && record.status !== 'unknown' && record.refused_at === null) continue;
      const row = toNewsRow(record, isPastBase);
      for (const news of newsOfTask(row, since, looking.at)) {
        if (!news.lasting) endedIn.add(record.session_id);
        if (news.lasting && this.#isOpen(record.id, news)) continue;
        this.#note(news, this.#scopeOf(record, row.task), looking);
      }
    }
    for (const record of openOfChanged.all(range)) {
      const row = { task: parseTask(record.task), status: record.status };
      this.#resolve(record.id, resolutionOfTask(codeOf(record), row), looking);
    }
    if (looking.kinds.has('sessionEnded')) for (const id of endedIn) this.#lookAtSession(id, looking);
    if (looking.found > 0 || range.to - stored > STORE_EVERY) setMeta.run(VERSION, String(range.to));
    return { more: page.rows === LOOK_ROWS, to: range.to };
  }

  /** The same doubt about a task, or the same thing to see, goes on: nothing new. */
  #isOpen(taskId: string, news: News): boolean {
    return this.#statements.openOfTask.get(taskId, news.kind, news.code ?? null) !== undefined;
  }

  #scopeOf(record: TaskRecord, task: Task): Scope {
    const agentName =
      record.agent_id === null ? undefined : this.#statements.stored.get(record.agent_id)?.name;
    return {
      taskId: record.id,
      sessionId: record.session_id,
      agentId: record.agent_id,
      agentName: agentName ?? record.agent_id,
      labels: task.labels,
    };
  }

  #lookAtSession(id: string, looking: Looking): void {
    const { liveInSession, sessionCounts, newestInSession, sessionTitle } = this.#statements;
    if (liveInSession.get(id) !== undefined) return;
    const counts = Object.fromEntries(sessionCounts.all(id).map(({ status, n }) => [status, n]));
    const title = sessionTitle.get(id) ?? undefined;
    const session = { id, counts, ...(title === undefined ? {} : { title }) };
    const news = newsOfSession(session, newestInSession.get(id) ?? 0, looking.at);
    this.#note(
      news,
      { taskId: null, sessionId: id, agentId: null, agentName: null, labels: undefined },
      looking,
    );
  }

  #note(news: News, scope: Scope, looking: Looking): void {
    if (this.#notes.note(news, scope, looking)) looking.found += 1;
  }

  #resolve(alertId: number, resolution: string | undefined, looking: Looking): void {
    if (resolution === undefined) return;
    this.#notes.resolve(alertId, resolution, looking);
    looking.found += 1;
  }
}

/** The ways to end that somebody wants to hear of, for SQL. A session's end is looked at when any task of it ends. */
function endsOf(kinds: ReadonlySet<AlertKind>): string {
  const ends = ['completed', 'failed', 'cancelled'] as const;
  return JSON.stringify(ends.filter((kind) => kinds.has(kind) || kinds.has('sessionEnded')));
}

/** Whether the agent stated the row behind the place from which its log is news. */
function isPast(record: TaskRecord, source: Source | undefined): boolean {
  return source !== undefined && source.generation === record.generation && record.seq > source.base_seq;
}

function toNewsRow(record: TaskRecord, isPastBase: boolean): NewsRow {
  const { status, stated_status, unknown_since, doubt_reason, last_status, refused_at } = record;
  return {
    task: parseTask(record.task),
    status,
    statedStatus: stated_status,
    isPastBase,
    ...(unknown_since === null ? {} : { unknownSince: unknown_since }),
    ...(doubt_reason === null ? {} : { doubtReason: doubt_reason }),
    ...(last_status === null ? {} : { lastStatus: last_status }),
    ...(refused_at === null ? {} : { refused: { message: record.refused_message ?? '', at: refused_at } }),
  };
}

/** A Task that the SessionStore wrote. */
function parseTask(text: string): Task {
  const task: Task = JSON.parse(text);
  return task;
}

function codeOf({ kind, code }: AlertRecord): { kind: string; code?: string } {
  return code === null ? { kind } : { kind, code };
}
