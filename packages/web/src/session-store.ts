/**
 * The SessionStore: what agents said (rebuildable from them) and what people asked (web's own).
 *
 * Guarantees of every implementation, held by the contract suite in session-store.contract.ts:
 * - What a method answered is durable (P1), and each method is one transaction, all of it or nothing; but for
 *   `takeSnapshot`, which says what holds while it is on its way.
 * - Events and the cursor behind them are stored together; applying a batch again changes nothing (P6).
 * - A row moves only forward by seq within a generation of its agent's journal; a terminal status that the agent
 *   stated is final there (P5).
 * - Doubt and truth are both kept: `markUnknown` opens a doubt, the agent's next word on the task closes it (P9).
 * - Every change of a row that the feed shows gets a version of its own from one counter, and is announced by
 *   `onChange` after it is durable.
 *
 * Methods are named after what happens and return promises, so that a store behind a network fits as well.
 */
import type {
  ActivityEntry,
  Counts,
  DoubtReason,
  IntentAction,
  ResetReason,
  ShownSession,
  ShownStatus,
  Submit,
  Task,
  TaskEvent,
  TaskStatus,
} from '@holdfast/shared';
import type { AlertStore } from './notify/alert-store.ts';

/** Where web stands in an agent's log. */
export interface AgentPosition {
  /** Raised by every reset after which the journal is another one. Events are keyed by (agent, generation, seq). */
  generation: number;
  epoch: string;
  seq: number;
  chain: string;
}

/** What the store keeps of an agent. The link's momentary state lives in the subscription. */
export interface StoredAgent {
  id: string;
  name: string;
  url: string;
  /** Absent until the first reset was taken. */
  position?: AgentPosition;
  /**
   * How far its rows were stated: the position, or the head of the last snapshot while that is ahead of it. A journal
   * whose head is behind it, or whose chain there is another, is not the one that the rows came from, even where
   * the position fits.
   */
  reach?: { seq: number; chain: string };
  /** The last time it vouched for its tasks (ms), 0 if never. */
  asOf: number;
  /** Its heartbeat when it last vouched; absent if it never did. */
  heartbeatMs?: number;
}

/**
 * An event that this version of web cannot fold (its kind is newer, or its data is not what its kind has): it is
 * kept and moves the position, but no row.
 */
export interface ForeignEvent {
  foreign: true;
  seq: number;
  taskId: string;
  at: number;
}

/** One event as it was received: the text is exactly what was chained and sent. */
export interface ReceivedEvent {
  event: TaskEvent | ForeignEvent;
  json: string;
  /** The chain after this event. */
  chain: string;
}

export interface SnapshotInput {
  agentId: string;
  reason: ResetReason;
  epoch: string;
  floor: number;
  floorChain: string;
  /** The head after the last page was read, and its chain. */
  seq: number;
  chain: string;
  /** Read once, page by page, as it is taken. */
  tasks: Iterable<Task>;
  receivedAt: number;
}

/** A task's row, before the link's state is laid over it (`knowledgeOf`). */
export interface TaskRow {
  id: string;
  agentId: string | undefined;
  sessionId: string;
  /** What people are shown. */
  status: ShownStatus;
  /**
   * The task as its agent last stated it, with the newest activity; for one that no agent acknowledged yet, as it
   * was submitted (seq 0, status `queued`, agentId '' while none was chosen). `status` above is what is shown.
   */
  task: Task;
  updatedAt: number;
  version: number;
  lastStatus?: TaskStatus | 'submitted';
  unknownSince?: number;
  doubt?: { reason: DoubtReason; asOf: number };
  verdict?: { at: number; note?: string };
  refused?: { action: IntentAction; message: string; at: number };
  pending: PendingIntent[];
}

export interface PendingIntent {
  intent: string;
  action: IntentAction;
  sinceAt: number;
  lastError?: string;
}

/** A doubt: from `asOf`, the last proof, to `resolvedAt`, when truth or a verdict replaced it. */
export interface Doubt {
  reason: DoubtReason;
  lastStatus: TaskStatus | 'submitted';
  asOf: number;
  since: number;
  resolvedAt?: number;
  resolvedTo?: ShownStatus;
}

/** A task that is not known to be over, in the status that its agent stated last. */
export interface LiveTask {
  id: string;
  status: 'queued' | 'starting' | 'running';
}

/** Time in which web itself was not there to hear an agent. */
export interface Absence {
  /** The last proof before it. */
  asOf: number;
  /** When web was there again. */
  since: number;
  /** When the agent vouched again. */
  until: number;
  /** What was live when web went. */
  tasks: readonly LiveTask[];
}

export interface StoredEvent {
  /** As the agent sent it; of a newer agent it may have a kind that this version does not know. */
  event: TaskEvent;
  generation: number;
  receivedAt: number;
}

/** What web promised to deliver. `body` of a submit holds secrets until it is delivered, and then no more. */
export interface Intent {
  id: string;
  taskId: string;
  action: IntentAction;
  /** Chosen and stored before the first send; never changes afterwards. */
  agentId?: string;
  body: IntentBody;
  createdAt: number;
  /** When the first send began; after it, the outcome is the agent's to tell. */
  sentAt?: number;
  tries: number;
  lastError?: string;
}

export type IntentBody =
  | { action: 'submit'; submit: Submit }
  | { action: 'cancel' }
  /** The intent's task is the new one; `of` is the ended task that it repeats. */
  | { action: 'retry'; of: string }
  /** `cursor`: of the journal in which the attempt has this number (known-journal.ts). */
  | { action: 'reclaim'; attempt: number; reason: string; cursor?: string };

export interface NewIntent {
  id: string;
  taskId: string;
  agentId?: string;
  body: IntentBody;
  at: number;
  /** The send begins with the record, as by `markSent`; only with an agent. */
  sentAt?: number;
}

export type RecordedIntent =
  | { outcome: 'recorded'; row: TaskRow }
  /** The same submit again: nothing was changed. */
  | { outcome: 'repeated'; row: TaskRow }
  /** The id belongs to another task. */
  | { outcome: 'conflict'; row: TaskRow };

/**
 * What a person may look for besides a status:
 * - `stale`: starting or running, and nobody seems to work on it: a lease that is over, or an agent's `claim_silent` or
 *   `probe_failed`;
 * - `attention`: not ended, and its agent says that a person should see something;
 * - `refused`: not ended or failed, and the last action asked for was refused;
 * - `pending`: something asked of it is not delivered yet;
 * - `needsYou`: unknown, or any of the first three (a refusal of a failed task, which is a refused submit, for a day).
 */
export const taskMarks = ['needsYou', 'stale', 'attention', 'refused', 'pending'] as const;
export type TaskMark = (typeof taskMarks)[number];

/** Holds only where there is a number; `!` means another one. */
export interface NumberTest {
  op: '=' | '!' | '<' | '>';
  value: number;
}

/** When marks are judged: `at` by web's clock (ms). */
export interface MarkTest {
  is: TaskMark[];
  at: number;
  /** By how much the clocks of agents are ahead of web's (ms), by id; none for one that agrees: leases are by the agent's. */
  aheadMs?: Readonly<Record<string, number>>;
}

/** Parts that are absent restrict nothing; all others must hold. */
export interface TaskFilter {
  status?: ShownStatus[];
  sessionId?: string;
  agentId?: string;
  queue?: string;
  /** Tasks that retried the one with this id. */
  retryOf?: string;
  /** `key` or `key=value`, all of them. */
  labels?: string[];
  /** Case-insensitive, anywhere in title, command, id or session. */
  q?: string;
  /** All of them. */
  marks?: MarkTest;
  /** Not ended, or ended at this time (ms) or later. */
  since?: number;
  attempt?: NumberTest;
  /** Of the outcome. */
  exitCode?: NumberTest;
  /** None of these may hold. What is not known of a task does not hold: one without an agent is on no agent. */
  not?: TaskExclusions;
}

export interface TaskExclusions {
  sessionIds?: string[];
  agentIds?: string[];
  queues?: string[];
  /** `key` or `key=value`. */
  labels?: string[];
  marks?: MarkTest;
  since?: number;
  attempts?: NumberTest[];
  exitCodes?: NumberTest[];
}

/**
 * - `newest`, `oldest`: by creation;
 * - `changed`: what came to its status last comes first (`changedAt` of shared);
 * - `longest`: what is in hand for longest, then what waits for longest, then what took longest (`lengthRank`).
 */
export const taskOrders = ['newest', 'oldest', 'changed', 'longest'] as const;
export type TaskOrder = (typeof taskOrders)[number];

export interface PageRequest {
  limit: number;
  /** `next` of the page before, of a list in the same order. */
  after?: string;
  /** Default `newest`. */
  order?: TaskOrder;
}

export interface TaskRows {
  items: TaskRow[];
  /** Pass as `after` for the next page; absent on the last. */
  next?: string;
}

export interface TaskPage extends TaskRows {
  /** How many the filter finds in all. */
  total: number;
  cursor: string;
}

/** Rows above a version, newest state only, in order of their versions, at most `limit` in all. */
export interface Changes {
  tasks: TaskRow[];
  sessions: ShownSession[];
  /** Ids of agents whose row changed; what is shown of them is the subscription's to say. */
  agents: string[];
  removed: { kind: 'task' | 'session' | 'agent'; id: string }[];
  /** The version that these changes reach. */
  version: number;
}

export interface SessionStore {
  readonly epoch: string;
  /** What notifications keep: in the same store, so that news and the place up to which they were read are one. */
  readonly alerts: AlertStore;

  // ── Agents ──
  agents(): Promise<StoredAgent[]>;
  /** Adds an agent or renews its name and url. */
  rememberAgent(agent: { id: string; name: string; url: string }, at: number): Promise<void>;
  /** The link of an agent changed in a way that the feed shows: gives its row a new version. */
  touchAgent(agentId: string): Promise<void>;
  /** The agent vouched for its tasks at `asOf`. */
  recordProof(agentId: string, asOf: number, heartbeatMs: number): Promise<void>;
  /** Its live tasks become `unknown` / `agent_removed`; what it said stays. */
  removeAgent(agentId: string, at: number): Promise<void>;

  // ── What agents say ──
  /**
   * Applies consecutive events behind the agent's position and moves the position, in one transaction. Events at
   * or below the position are passed over. Throws `StoreError` `gap` if one leaves a hole, `diverged` if the chain at
   * the agent's `reach` is another one: its journal must be taken anew, as after a reset `diverged`.
   */
  applyEvents(agentId: string, events: ReceivedEvent[], receivedAt: number): Promise<void>;
  /**
   * Takes a whole snapshot (PROTOCOL.md §2 "What a reset means to the reader"): replaces or moves rows forward,
   * marks live rows that it lacks `unknown` / `not_on_agent`, and sets the position to the floor, from which the
   * history follows. A row that it states as it was known stays `unknown` until the agent vouches, unless the doubt
   * was that the agent does not hold it. Besides the reasons that say so, a generation begins where the journal shows itself to be
   * another one: its epoch differs, its head is behind the reach, or equal to it with another chain.
   *
   * Taken in pages, so that a large one holds up nobody else (P11). The position comes last: of a snapshot that broke
   * off, rows are as the agent stated them, nobody vouches for them, and the next connection takes it anew; a
   * generation that it began has no position and is followed by another one.
   */
  takeSnapshot(snapshot: SnapshotInput): Promise<void>;
  /** Sizes of logs, leases and progress of claims; never moves a status. */
  applyActivity(agentId: string, entries: ActivityEntry[], at: number): Promise<void>;
  /**
   * Every live task of the agent becomes `unknown`; the doubt is kept. Returns how many changed. A `submitted` task
   * stays so, sent or not: that nobody acknowledged it is web's own fact and remains true (P2).
   */
  markUnknown(agentId: string, reason: DoubtReason, asOf: number, at: number): Promise<number>;
  /**
   * The agent vouches again without having said anything new of them: tasks that are `unknown` for another reason
   * than `not_on_agent` take back what it stated last, which still holds (P9). So does a person's verdict `lost` on a
   * task that the agent holds and states as under way: shown as ended, it could be neither seen nor cancelled.
   */
  vouch(agentId: string, at: number): Promise<number>;
  /** Of the agent; what is in doubt already is not among them. */
  liveTasks(agentId: string): Promise<LiveTask[]>;
  /**
   * Puts on record that nobody saw these tasks of the agent: a doubt `web_down` that is over, from the last proof to
   * the vouch, and to what they are then (P9). No row changes, so it is no news to anybody. What a doubt on record
   * covers already is passed over. Taken in pages, so that many hold up nobody else (P11). Returns how many it put on record.
   */
  recordAbsence(agentId: string, absence: Absence): Promise<number>;
  /**
   * The agent pruned up to `floor`: ended tasks whose last event it no longer holds, and those events, go; and what
   * is left of its earlier journals, as far as it is as old. At most `limit` of each. Tombstones older than 7 days
   * go too.
   */
  prune(agentId: string, floor: number, limit: number, at: number): Promise<{ more: boolean }>;
  /** The live digest of what the agent stated (PROTOCOL.md §1), to compare with its own. */
  liveDigest(agentId: string): Promise<string>;

  // ── What people ask ──
  /**
   * Writes the intent and what it makes visible at once: for a submit or a retry the task, `submitted`. An open
   * cancel of the same task, or reclaim of the same attempt, is `repeated`. Throws `StoreError` `no_such_task` for a
   * cancel, reclaim or retry of a task that is not known.
   */
  recordIntent(intent: NewIntent): Promise<RecordedIntent>;
  /** Intents to deliver, per task in order: only the first of each task, or of the one task. */
  dueIntents(taskId?: string): Promise<Intent[]>;
  /** Fixes the agent before the first send, for every open intent of the task. Throws `assigned` if it has another. */
  assignIntent(intentId: string, agentId: string): Promise<void>;
  /**
   * The send begins, or begins again: from here on the agent may have it. Throws `StoreError` `other_journal` for a
   * reclaim if its agent's journal is not the one in which the attempt was known: its number means another one there.
   */
  markSent(intentId: string, at: number): Promise<void>;
  /** A try failed in a way that says nothing: `tries` rises, and the row shows the error. */
  recordFailure(intentId: string, error: string): Promise<void>;
  /**
   * The agent acknowledged: the intent is done and its secrets are wiped. `task` is the agent's answer; the row
   * shows it while its seq is ahead of what the stream has stated. If the agent's journal became another one since
   * the intent was first sent, nobody knows which one answered: a row that its stream never named becomes `unknown` /
   * `not_on_agent` until it does. An intent that is already gone is passed over.
   */
  settleIntent(intentId: string, at: number, task?: Task): Promise<void>;
  /**
   * The agent refused for good: the row shows it as `refused`. A task that the agent does not hold (submit, retry)
   * ends `failed`, and its other intents with it. An intent that is already gone is passed over.
   */
  refuseIntent(intentId: string, message: string, at: number): Promise<void>;
  /** A cancel before the submit was first sent: both intents end, the task is `cancelled`. False if it was sent. */
  cancelUnsent(taskId: string, at: number): Promise<boolean>;
  /** A person's verdict on an `unknown` task. False if it is not unknown. */
  resolveLost(taskId: string, note: string | undefined, at: number): Promise<boolean>;
  renameSession(
    sessionId: string,
    change: { title?: string; archived?: boolean },
    at: number,
  ): Promise<ShownSession | undefined>;

  // ── What is shown ──
  task(id: string): Promise<TaskRow | undefined>;
  tasks(filter: TaskFilter, page: PageRequest): Promise<TaskPage>;
  /** As `tasks`, but counts nothing: a count may have to look at every task, a page never does more than once. */
  moreTasks(filter: TaskFilter, page: PageRequest): Promise<TaskRows>;
  /** The labels that most tasks have, `key=value`, and how many have each. */
  labels(limit: number): Promise<{ label: string; tasks: number }[]>;
  sessions(
    filter: { archived?: boolean; q?: string },
    page: { limit: number; after?: string },
  ): Promise<{
    items: ShownSession[];
    next?: string;
    cursor: string;
  }>;
  session(id: string): Promise<ShownSession | undefined>;
  /** The agent's events of a task, current generation last; oldest first. */
  events(taskId: string): Promise<StoredEvent[]>;
  doubts(taskId: string): Promise<Doubt[]>;
  counts(): Counts;
  /** The newest version; with `epoch` it makes the feed's cursor. */
  version(): number;
  /** The oldest version that a cursor may have: below it tombstones are gone. */
  oldestVersion(): number;
  changesAfter(version: number, limit: number): Promise<Changes>;
  /** Called after each durable change with the newest version. Returns how to stop. */
  onChange(listener: (version: number) => void): () => void;
  close(): Promise<void>;
}

export class StoreError extends Error {
  /** `bad_page`: the `after` of a list was not made by this store. */
  readonly code:
    | 'gap'
    | 'diverged'
    | 'no_such_agent'
    | 'no_such_intent'
    | 'no_such_task'
    | 'assigned'
    | 'other_journal'
    | 'bad_page';
  constructor(code: StoreError['code'], message: string) {
    super(message);
    this.name = 'StoreError';
    this.code = code;
  }
}
