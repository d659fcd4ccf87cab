/**
 * The AlertStore on the SessionStore's own SQLite database, in its group commit.
 *
 * A look reads the rows whose version is above the last one that was looked at: whatever changed has one, so nothing
 * is missed, and it costs what changed and not what is there. The place is stored in the transaction that notes what
 * was found.
 *
 * Composing costs what is due and not what waits: a lane that rests or has a message under way is not looked into,
 * nor is an open one before something of it can be due (`#notBefore`); of many alerts a message reads the first.
 */
import {
  DEFAULT_ALERTS,
  type AlertKind,
  type GroupCommit,
  type SqliteDatabase,
  type Task,
} from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import {
  prepareStatements,
  type AlertRecord,
  type MessageRecord,
  type Source,
  type TaskRecord,
  type ToldRecord,
} from './alert-statements.ts';
import {
  notedKinds,
  type AlertStore,
  type ChannelRecord,
  type Look,
  type OutgoingMessage,
  type SeenAgent,
  type TryResult,
} from './alert-store.ts';
import {
  newsOfAgent,
  newsOfSession,
  newsOfTask,
  REMEMBERED_MS,
  resolutionOfAgent,
  resolutionOfTask,
  type News,
  type NewsRow,
} from './news.ts';
import {
  dueAt,
  isWanted,
  kindsOf,
  laneOf,
  lanes,
  planLane,
  ripeAt,
  TOO_OLD_MS,
  type Alert,
  type ChannelRule,
  type Lane,
  type LaneState,
} from './rules.ts';
import { describeAlerts, type Message, type Told, type ToldGroup } from './wording.ts';

/** Rows of one look: some 10 ms, so that nobody else waits long. */
const LOOK_ROWS = 1000;

/** The place is stored at least this often, though nothing was found: so far a restart looks again. */
const STORE_EVERY = 10_000;

/** Keys in `meta`. */
const VERSION = 'alertVersion';
const SINCE = 'alertSince';

/** Whom the news is about. */
interface Scope {
  taskId: string | null;
  sessionId: string | null;
  agentId: string | null;
  agentName: string | null;
  labels: Record<string, string> | undefined;
}

interface Looking {
  at: number;
  channels: readonly ChannelRule[];
  kinds: ReadonlySet<AlertKind>;
  /** Rows that were written: with them the place must be. */
  found: number;
}

export class SqliteAlertStore implements AlertStore {
  readonly #group: GroupCommit;
  readonly #statements;
  /** The version that was looked at; ahead of the stored one while what lies between them was no news. */
  #lookedTo = 0;
  /**
   * Until when a lane of a channel has nothing to tell; what is written since lowers it, and nothing else may make a
   * lane due earlier. A rollback leaves it as it is or too early, which costs a look. Empty after a start.
   */
  readonly #notBefore = new Map<string, number>();

  constructor(database: SqliteDatabase, group: GroupCommit) {
    this.#group = group;
    this.#statements = prepareStatements(database);
  }

  /**
   * A whole snapshot was taken: in this generation, what the agent states behind its head is news. Called inside the
   * transaction that takes it, so that nothing which follows is missed.
   */
  follow(agentId: string, generation: number, headSeq: number): void {
    this.#statements.begin.run(agentId, generation, headSeq);
  }

  // ── Looking ──

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
    const { at, channels, kinds } = looking;
    if (!kinds.has(news.kind)) return;
    const { labels, ...about } = scope;
    const { changes, lastInsertRowid } = this.#statements.insertAlert.run({
      ...news,
      ...about,
      code: news.code ?? null,
      lasting: Number(news.lasting),
      at,
    });
    if (changes === 0) return;
    looking.found += 1;
    for (const rule of channels) {
      if (!isWanted(rule, news.kind, labels)) continue;
      this.#statements.insertTelling.run(rule.name, lastInsertRowid);
      const ripe = ripeAt({ kind: news.kind, sinceAt: news.sinceAt, notedAt: at }, rule);
      this.#lower(keyOf(rule, laneOf(news.kind)), dueAt(ripe));
    }
  }

  #resolve(alertId: number, resolution: string | undefined, looking: Looking): void {
    if (resolution === undefined) return;
    looking.found += 1;
    const { resolveAlert, forgetWaiting, oweTold } = this.#statements;
    resolveAlert.run(looking.at, resolution, alertId);
    forgetWaiting.run(alertId);
    oweTold.run(alertId);
    for (const rule of looking.channels) this.#lower(keyOf(rule, 'resolved'), dueAt(looking.at));
  }

  #lower(key: string, at: number): void {
    const known = this.#notBefore.get(key);
    if (known !== undefined && at < known) this.#notBefore.set(key, at);
  }

  // ── Telling ──

  compose(channels: readonly ChannelRule[], at: number): Promise<{ nextAt?: number }> {
    return this.#group.run(() => {
      const times = channels
        .map((rule) => this.#composeFor(rule, at))
        .filter((nextAt) => nextAt !== undefined);
      return times.length === 0 ? {} : { nextAt: Math.min(...times) };
    });
  }

  #composeFor(rule: ChannelRule, now: number): number | undefined {
    const times = lanes
      .map((lane) => this.#composeLane(rule, lane, now))
      .filter((nextAt) => nextAt !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Makes the lane's message if it is due; else says when one may be, if time alone brings it. */
  #composeLane(rule: ChannelRule, lane: Lane, now: number): number | undefined {
    const plan = planLane(rule, this.#laneOf(rule.name, lane), now);
    if (plan.kind === 'none') return undefined;
    if (plan.kind === 'resting') return plan.until;
    const key = keyOf(rule, lane);
    const notBefore = this.#notBefore.get(key) ?? 0;
    if (notBefore > now) return notBefore === Number.POSITIVE_INFINITY ? undefined : notBefore;
    const tellings = lane === 'resolved' ? this.#statements.owed : this.#statements.waiting;
    const query = {
      channel: rule.name,
      kinds: JSON.stringify(kindsOf(lane)),
      now,
      oldest: now - TOO_OLD_MS,
      unknownAfterMs: rule.unknownAfterMs,
    };
    const first = tellings.firstRipeAt.get(query) ?? Number.POSITIVE_INFINITY;
    const due = dueAt(first);
    if (due > now) {
      this.#notBefore.set(key, due);
      return due === Number.POSITIVE_INFINITY ? undefined : due;
    }
    this.#notBefore.delete(key);
    const kinds = tellings.kinds.all(query);
    const told: Told = {
      counts: Object.fromEntries(kinds.map(({ kind, count }) => [kind, count])),
      doubts: kinds.find(({ kind }) => kind === 'unknown')?.groups ?? 0,
      hasFailure: kinds.some(({ failures }) => failures > 0),
      groups: groupsOf(tellings.first.all(query)),
    };
    const body = JSON.stringify(describeAlerts(lane, told));
    const { lastInsertRowid } = this.#statements.insertMessage.run({
      id: uuidv7(),
      channel: rule.name,
      lane,
      body,
      now,
    });
    tellings.mark.run({ ...query, message: lastInsertRowid });
    return undefined;
  }

  #laneOf(channel: string, lane: Lane): LaneState {
    const lastAt = this.#statements.laneLastAt.get(channel, lane) ?? undefined;
    const busy = this.#statements.laneBusy.get(channel, lane) !== undefined;
    return lastAt === undefined ? { busy } : { busy, lastAt };
  }

  async nextMessage(channel: string): Promise<OutgoingMessage | undefined> {
    const record = this.#statements.nextMessage.get(channel);
    return record === undefined ? undefined : toMessage(record);
  }

  recordTry(messageId: string, result: TryResult, at: number): Promise<void> {
    const { settle, postpone, forgetToldBy } = this.#statements;
    return this.#group.run(() => {
      switch (result.outcome) {
        case 'delivered':
          settle.run('delivered', at, null, messageId);
          // What it told can be taken back from now on.
          this.#notBefore.clear();
          return;
        case 'failed':
          postpone.run(at, result.nextTryAt, result.error, messageId);
          return;
        case 'dropped':
          settle.run('dropped', at, result.error, messageId);
          // Nobody heard of them: there is nothing to take back.
          forgetToldBy.run(messageId);
      }
    });
  }

  recordTest(
    channel: string,
    id: string,
    message: Message,
    error: string | undefined,
    at: number,
  ): Promise<void> {
    const { insertMessage, settle } = this.#statements;
    return this.#group.run(() => {
      insertMessage.run({ id, channel, lane: 'test', body: JSON.stringify(message), now: at });
      settle.run(error === undefined ? 'delivered' : 'dropped', at, error ?? null, id);
    });
  }

  // ── What is shown ──

  async channel(name: string): Promise<ChannelRecord> {
    const last = this.#statements.lastTry.get(name);
    return {
      ...(last === undefined
        ? {}
        : {
            last: {
              at: last.tried_at,
              delivered: last.state === 'delivered',
              ...(last.error === null || last.state === 'delivered' ? {} : { error: last.error }),
            },
          }),
      waiting: this.#statements.countMessages.get(name, 'waiting') ?? 0,
      dropped: this.#statements.countMessages.get(name, 'dropped') ?? 0,
    };
  }

  async alerts(page: { limit: number; before?: number }): Promise<Alert[]> {
    return this.#statements.newest.all(page.before ?? Number.MAX_SAFE_INTEGER, page.limit).map(toAlert);
  }

  keepChannels(names: readonly string[]): Promise<void> {
    const { forgetTellings, forgetMessages } = this.#statements;
    return this.#group.run(() => {
      forgetTellings.run(JSON.stringify(names));
      forgetMessages.run(JSON.stringify(names));
    });
  }

  prune(limit: number, at: number): Promise<{ more: boolean }> {
    const { pruneAlerts, pruneMessages, pruneTellings, forgetOld } = this.#statements;
    const before = at - REMEMBERED_MS;
    return this.#group.run(() => {
      forgetOld.run(at - TOO_OLD_MS);
      const alerts = pruneAlerts.run(before, limit).changes;
      const messages = pruneMessages.run(before, limit).changes;
      if (alerts > 0) pruneTellings.run();
      return { more: alerts === limit || messages === limit };
    });
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

function keyOf(rule: ChannelRule, lane: Lane): string {
  return `${lane} ${rule.unknownAfterMs} ${rule.name}`;
}

/** Records of one group follow each other; groups are told apart by their oldest. */
function groupsOf(records: readonly ToldRecord[]): ToldGroup[] {
  const groups: ToldGroup[] = [];
  let oldest: number | undefined;
  for (const record of records) {
    const alert = toAlert(record);
    if (record.groupFirst === oldest) groups.at(-1)!.alerts.push(alert);
    else groups.push({ count: record.groupCount, sinceAt: record.groupSinceAt, alerts: [alert] });
    oldest = record.groupFirst;
  }
  return groups;
}

/** A Task that the SessionStore wrote. */
function parseTask(text: string): Task {
  const task: Task = JSON.parse(text);
  return task;
}

function codeOf({ kind, code }: AlertRecord): { kind: string; code?: string } {
  return code === null ? { kind } : { kind, code };
}

function toAlert(record: AlertRecord): Alert {
  const { id, kind, subject, detail } = record;
  return {
    id,
    kind,
    subject,
    detail,
    ...(record.task_id === null ? {} : { taskId: record.task_id }),
    ...(record.session_id === null ? {} : { sessionId: record.session_id }),
    ...(record.agent_id === null ? {} : { agentId: record.agent_id }),
    ...(record.agent_name === null ? {} : { agentName: record.agent_name }),
    lasting: record.lasting === 1,
    sinceAt: record.since_at,
    notedAt: record.noted_at,
    ...(record.resolved_at === null ? {} : { resolvedAt: record.resolved_at }),
    ...(record.resolution === null ? {} : { resolution: record.resolution }),
  };
}

function toMessage(record: MessageRecord): OutgoingMessage {
  const message: Message = JSON.parse(record.body);
  const { id, channel, created_at, tries, next_try_at } = record;
  return { id, channel, message, createdAt: created_at, tries, nextTryAt: next_try_at };
}
