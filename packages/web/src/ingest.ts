/**
 * One connection's way from frames to the SessionStore.
 *
 *   take ──check──▶ waiting work ──one after the other──▶ store ──▶ listener
 *
 * - Each event is checked as it comes: seq = previous + 1, and the chain recomputed from its text equals its id's.
 *   Nothing behind a frame that fails is looked at; what came before it is still applied (PROTOCOL.md §2).
 * - Events that arrive in one turn of the loop are one transaction, with the position behind them.
 * - A snapshot is checked frame by frame, staged as packed text, and taken at its end: cut off before, or not what it
 *   counts, it has no effect.
 * - A heartbeat is looked at when everything before it was applied. `caughtUp` is told when its head was reached and
 *   the live digest, where it can be compared, is equal.
 * - The first failure is told once, and ends the intake. `take` throws only what its listener throws.
 * - `room` bounds what waits: whoever reads the socket waits for it before reading on, so that a slow disk slows the
 *   agent's stream and not web's memory.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import {
  ActivitySchema,
  ByeSchema,
  HeartbeatSchema,
  HelloSchema,
  isNewGeneration,
  messageOf,
  nextChain,
  parseCursor,
  ResetSchema,
  SNAPSHOT_PAGE,
  SnapshotEndSchema,
  type ActivityEntry,
  type Bye,
  type Heartbeat,
  type Hello,
  type Reset,
  type ResetReason,
  type SnapshotEnd,
  type Task,
} from '@holdfast/shared';
import { FrameError, readEvent, readFrame, readSnapshot } from './frames.ts';
import {
  StoreError,
  type ReceivedEvent,
  type SessionStore,
  type SnapshotInput,
  type StoredAgent,
} from './session-store.ts';

/** The frames of `/events`; others are a newer agent's and not listened to. */
export const frameNames = [
  'hello',
  'reset',
  'snapshot',
  'snapshotEnd',
  'task',
  'activity',
  'heartbeat',
  'bye',
] as const;
type FrameName = (typeof frameNames)[number];

export interface Frame {
  name: FrameName;
  data: string;
  /** The SSE id: of a `task`, its cursor. */
  id: string;
}

/**
 * Why a connection must be given up:
 * - `gap`: an event is not the next one; `malformed`: a frame that cannot be read or has no place here;
 * - `chain`: a text is not the one that its cursor proves. The cursor is worth nothing: take everything anew;
 * - `diverged`: the journal is not the one that the rows came from. Take everything anew, as another journal;
 * - `digest`: the rows are not what the agent has at the same position. Take everything anew;
 * - `store`: the store could not take it.
 */
export class IngestError extends Error {
  readonly kind: 'gap' | 'chain' | 'malformed' | 'diverged' | 'digest' | 'store';
  constructor(kind: IngestError['kind'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'IngestError';
    this.kind = kind;
  }
}

export interface IngestListener {
  hello(hello: Hello): void;
  /** As it came, before what precedes it was applied. */
  heartbeat(heartbeat: Heartbeat): void;
  /** Everything up to the head of a heartbeat that came at `receivedAt` is applied, and nothing contradicts it. */
  caughtUp(heartbeat: Heartbeat, receivedAt: ReceiveTime): void;
  /** The live digests were compared. */
  compared(isEqual: boolean): void;
  /** A snapshot was taken. */
  resynced(reason: ResetReason): void;
  /** Events, a snapshot or activity are durable, or more of a snapshot came. */
  advanced(): void;
  /** An event that this version cannot fold was kept. */
  foreign(seq: number): void;
  bye(bye: Bye): void;
  failed(error: IngestError): void;
}

export interface ReceiveTime {
  /** Wall clock, ms. */
  at: number;
  /** Monotonic clock, ms. */
  monotonicMs: number;
}

export interface IngestOptions {
  /** As the store had it when the connection was opened. */
  agent: StoredAgent;
  store: SessionStore;
  listener: IngestListener;
  /**
   * What was sent as the cursor: the stored position, or nothing. `diverged`: nothing, because the journal was found
   * to be another one, so that its snapshot begins a generation.
   */
  sent: 'position' | 'nothing' | 'diverged';
  /** Wall clock, ms. */
  now: () => number;
  /** Monotonic clock, ms. */
  monotonic: () => number;
  /** Most events that wait to be applied before `room` makes the reader wait. */
  maxWaitingEvents?: number;
}

type Work =
  | { kind: 'events'; events: ReceivedEvent[] }
  | { kind: 'snapshot'; input: SnapshotInput }
  | { kind: 'activity'; entries: ActivityEntry[] }
  | { kind: 'heartbeat'; heartbeat: Heartbeat; receivedAt: ReceiveTime };

/** Two batches: one is applied while the next one comes. More would outlive V8's young generation, and fill the old. */
const MAX_WAITING_EVENTS = 2000;
const MAX_WAITING_CHARACTERS = 16 * 1024 * 1024;
/** Events in one transaction: some 30 ms of it. */
const MAX_BATCH = 1000;

export class Ingest {
  readonly #options: IngestOptions;
  readonly #work: Work[] = [];
  readonly #idle: (() => void)[] = [];
  readonly #roomWanted: (() => void)[] = [];
  #phase: 'greeting' | 'deciding' | 'staging' | 'following' | 'closed' = 'greeting';
  #hello: Hello | undefined;
  #staged: { reset: Reset; frames: Buffer[]; tasks: number } | undefined;
  /** The last event that came and was right. */
  #received = { seq: 0, chain: '' };
  #applied = { seq: 0, chain: '' };
  /** Rows of this connection's snapshot are as of up to here, ahead of the position: no earlier head says anything. */
  #snapshotSeq = 0;
  /** The newest heartbeat whose head is not applied yet. */
  #awaited: { heartbeat: Heartbeat; receivedAt: ReceiveTime } | undefined;
  #waitingEvents = 0;
  #waitingCharacters = 0;
  #isPumping = false;
  #from = 0;

  constructor(options: IngestOptions) {
    this.#options = options;
  }

  /** The last event that is durable. */
  get appliedSeq(): number {
    return this.#applied.seq;
  }

  /** How far the resync is: rows of the snapshot, then events up to the head that hello named. */
  get progress(): { done: number; of: number } {
    const head = this.#hello?.head ?? 0;
    if (this.#staged !== undefined) {
      const { reset, frames } = this.#staged;
      const events = head - reset.floor;
      return { done: Math.min(frames.length * SNAPSHOT_PAGE, reset.tasks), of: reset.tasks + events };
    }
    const of = Math.max(0, head - this.#from);
    return { done: Math.min(of, Math.max(0, this.#applied.seq - this.#from)), of };
  }

  take(frame: Frame): void {
    if (this.#phase === 'closed') return;
    try {
      this.#read(frame);
    } catch (error) {
      if (error instanceof IngestError) this.#fail(error);
      else if (error instanceof FrameError) this.#fail(new IngestError('malformed', error.message, error));
      else throw error;
    }
  }

  /**
   * No more frames. What came before is still applied; `settled` tells when. Of it only facts of the store are told: a
   * snapshot taken, an event kept. An intake that was given up proves nothing more.
   */
  close(): void {
    this.#phase = 'closed';
    this.#staged = undefined;
    this.#awaited = undefined;
    this.#giveRoom();
  }

  /** Resolves when nothing waits any more. */
  settled(): Promise<void> {
    if (!this.#isPumping) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    return promise;
  }

  /** Resolves when the reader may read on. */
  room(): Promise<void> {
    if (this.#phase === 'closed' || !this.#isFull()) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#roomWanted.push(resolve);
    return promise;
  }

  #isFull(): boolean {
    const { maxWaitingEvents = MAX_WAITING_EVENTS } = this.#options;
    return this.#waitingEvents >= maxWaitingEvents || this.#waitingCharacters >= MAX_WAITING_CHARACTERS;
  }

  #read(frame: Frame): void {
    const { data } = frame;
    if (this.#phase === 'greeting' && frame.name !== 'hello' && frame.name !== 'bye') {
      throw new IngestError('malformed', `a ${frame.name} came before hello`);
    }
    switch (frame.name) {
      case 'hello':
        return this.#takeHello(readFrame('hello', HelloSchema, data));
      case 'reset':
        return this.#takeReset(readFrame('reset', ResetSchema, data));
      case 'snapshot':
        if (this.#staged === undefined) throw outOfPlace(frame.name);
        this.#staged.tasks += readSnapshot(data).length;
        this.#staged.frames.push(pack(data));
        return this.#options.listener.advanced();
      case 'snapshotEnd':
        return this.#takeSnapshotEnd(readFrame('snapshotEnd', SnapshotEndSchema, data));
      case 'task':
        return this.#takeEvent(data, frame.id);
      case 'activity':
        return this.#add({ kind: 'activity', entries: readFrame('activity', ActivitySchema, data).tasks });
      case 'heartbeat':
        return this.#takeHeartbeat(readFrame('heartbeat', HeartbeatSchema, data));
      case 'bye':
        return this.#options.listener.bye(readFrame('bye', ByeSchema, data));
      default:
        return frame.name satisfies never;
    }
  }

  #takeHello(hello: Hello): void {
    const { agent, sent, listener } = this.#options;
    if (this.#phase !== 'greeting') throw outOfPlace('hello');
    this.#hello = hello;
    if (hello.resume === 'reset') {
      this.#phase = 'deciding';
      listener.hello(hello);
      return;
    }
    const { position, reach } = agent;
    if (sent !== 'position' || position === undefined || hello.epoch !== position.epoch) {
      throw new IngestError('malformed', 'it resumes a cursor that it was not sent');
    }
    if (hello.head < Math.max(position.seq, reach?.seq ?? 0)) {
      throw new IngestError(
        'diverged',
        `its journal ends at ${hello.head}, before what it said up to ${reach?.seq}`,
      );
    }
    this.#phase = 'following';
    this.#received = { seq: position.seq, chain: position.chain };
    this.#applied = this.#received;
    this.#from = position.seq;
    listener.hello(hello);
  }

  #takeReset(reset: Reset): void {
    if (this.#phase !== 'deciding') throw outOfPlace('reset');
    this.#phase = 'staging';
    this.#staged = { reset, frames: [], tasks: 0 };
  }

  #takeSnapshotEnd(end: SnapshotEnd): void {
    if (this.#staged === undefined || this.#hello === undefined) throw outOfPlace('snapshotEnd');
    const { agent, sent, now } = this.#options;
    const { reset, frames, tasks } = this.#staged;
    if (tasks !== end.tasks) {
      throw new FrameError(`its snapshot has ${tasks} tasks where it counts ${end.tasks}`);
    }
    this.#staged = undefined;
    this.#phase = 'following';
    // Web knew before it was told: without a cursor the agent cannot see that its journal is another one.
    const reason = sent === 'diverged' && !isNewGeneration(reset.reason) ? 'diverged' : reset.reason;
    const { floor, floorChain } = reset;
    // Not of its epoch, even where the log begins at 1: a copy of a journal keeps its chain under a new epoch.
    this.#received = { seq: floor, chain: floorChain };
    this.#snapshotSeq = end.seq;
    this.#from = floor;
    this.#awaited = undefined;
    const input: SnapshotInput = {
      agentId: agent.id,
      reason,
      epoch: this.#hello.epoch,
      floor,
      floorChain,
      seq: end.seq,
      chain: end.chain,
      tasks: tasksOf(frames),
      receivedAt: now(),
    };
    this.#add({ kind: 'snapshot', input });
  }

  #takeEvent(json: string, id: string): void {
    if (this.#phase !== 'following') throw outOfPlace('task');
    const seq = this.#received.seq + 1;
    const chain = nextChain(this.#received.chain, json);
    if (id !== `${this.#hello!.epoch}.${seq}.${chain}`) throw this.#wrongCursor(id, seq);
    const event = readEvent(json);
    if (event.seq !== seq) throw new IngestError('malformed', `event ${seq} calls itself ${event.seq}`);
    this.#received = { seq, chain };
    this.#waitingEvents += 1;
    this.#waitingCharacters += json.length;
    const received = { event, json, chain };
    const last = this.#work.at(-1);
    if (last?.kind === 'events') last.events.push(received);
    else this.#add({ kind: 'events', events: [received] });
    if ('foreign' in event) this.#options.listener.foreign(seq);
  }

  #wrongCursor(id: string, expected: number): IngestError {
    const cursor = parseCursor(id);
    if (cursor === undefined || cursor.epoch !== this.#hello!.epoch) {
      return new IngestError('malformed', `an event has no cursor of this journal`);
    }
    if (cursor.seq !== expected) {
      return new IngestError('gap', `event ${cursor.seq} came where ${expected} was due`);
    }
    return new IngestError('chain', `the text of event ${expected} is not the one that its cursor proves`);
  }

  #takeHeartbeat(heartbeat: Heartbeat): void {
    const { listener, now, monotonic } = this.#options;
    listener.heartbeat(heartbeat);
    if (this.#phase !== 'following') return;
    this.#add({ kind: 'heartbeat', heartbeat, receivedAt: { at: now(), monotonicMs: monotonic() } });
  }

  #add(work: Work): void {
    // Activity and heartbeats may come before a snapshot ends; they say nothing that can be placed yet.
    if (this.#phase !== 'following') return;
    this.#work.push(work);
    if (this.#isPumping) return;
    this.#isPumping = true;
    // At the end of the turn, so that everything that the socket brought in it is one batch.
    setImmediate(() => void this.#pump());
  }

  async #pump(): Promise<void> {
    try {
      for (let work = this.#next(); work !== undefined; work = this.#next()) await this.#do(work);
    } catch (error) {
      this.#work.length = 0;
      this.#waitingEvents = 0;
      this.#waitingCharacters = 0;
      this.#fail(toIngestError(error));
    }
    this.#isPumping = false;
    this.#giveRoom();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #next(): Work | undefined {
    const first = this.#work[0];
    if (first?.kind !== 'events') return this.#work.shift();
    // A batch ends at the head that a heartbeat named: only there the digests can be compared.
    const toHead = this.#awaited === undefined ? 0 : this.#awaited.heartbeat.head - this.#applied.seq;
    const size = toHead > 0 ? Math.min(MAX_BATCH, toHead) : MAX_BATCH;
    if (first.events.length <= size) return this.#work.shift();
    const events = first.events.slice(0, size);
    first.events = first.events.slice(size);
    return { kind: 'events', events };
  }

  async #do(work: Work): Promise<void> {
    const { agent, store, listener, now } = this.#options;
    switch (work.kind) {
      case 'events': {
        await store.applyEvents(agent.id, work.events, now());
        const last = work.events.at(-1)!;
        this.#applied = { seq: last.event.seq, chain: last.chain };
        this.#waitingEvents -= work.events.length;
        for (const { json } of work.events) this.#waitingCharacters -= json.length;
        if (!this.#isFull()) this.#giveRoom();
        if (!this.#isClosed()) listener.advanced();
        await this.#look();
        break;
      }
      case 'snapshot':
        await store.takeSnapshot(work.input);
        this.#applied = { seq: work.input.floor, chain: work.input.floorChain };
        listener.resynced(work.input.reason);
        if (!this.#isClosed()) listener.advanced();
        break;
      case 'activity':
        await store.applyActivity(agent.id, work.entries, now());
        break;
      case 'heartbeat':
        if (this.#phase === 'closed') break;
        this.#awaited = { heartbeat: work.heartbeat, receivedAt: work.receivedAt };
        await this.#look();
        break;
      default:
        work satisfies never;
    }
  }

  /** Whether the newest heartbeat's head was reached, and if so, whether the rows are what the agent has there. */
  async #look(): Promise<void> {
    if (this.#awaited === undefined) return;
    const { agent, store, listener } = this.#options;
    const { heartbeat, receivedAt } = this.#awaited;
    const { seq, chain } = this.#applied;
    if (seq < heartbeat.head || heartbeat.head < this.#snapshotSeq) return;
    this.#awaited = undefined;
    if (seq === heartbeat.head) {
      if (chain !== heartbeat.chain) {
        throw new IngestError('chain', `its chain at ${seq} is not the one that its events gave`);
      }
      const isEqual = (await store.liveDigest(agent.id)) === heartbeat.liveDigest;
      if (!this.#isClosed()) listener.compared(isEqual);
      if (!isEqual)
        throw new IngestError('digest', `its live tasks at ${seq} are not the ones that web holds`);
    }
    if (!this.#isClosed()) listener.caughtUp(heartbeat, receivedAt);
  }

  #isClosed(): boolean {
    return this.#phase === 'closed';
  }

  #giveRoom(): void {
    for (const resolve of this.#roomWanted.splice(0)) resolve();
  }

  #fail(error: IngestError): void {
    if (this.#phase === 'closed') return;
    this.close();
    this.#options.listener.failed(error);
  }
}

/**
 * The text of rows is much the same in each: packed it takes a fifth of the memory or less, and none of V8's heap, for some
 * 2 µs a row.
 */
function pack(text: string): Buffer {
  return deflateRawSync(text, { level: 1 });
}

/** Unpacked and parsed a frame at a time, as they are taken: a whole snapshot as objects would fill the memory. */
function* tasksOf(packed: Buffer[]): Generator<Task> {
  for (let frame = packed.shift(); frame !== undefined; frame = packed.shift()) {
    yield* readSnapshot(inflateRawSync(frame).toString());
  }
}

function outOfPlace(name: FrameName): IngestError {
  return new IngestError('malformed', `a ${name} came where none has a place`);
}

function toIngestError(error: unknown): IngestError {
  if (error instanceof IngestError) return error;
  if (error instanceof FrameError) return new IngestError('malformed', error.message, error);
  if (error instanceof StoreError && (error.code === 'gap' || error.code === 'diverged')) {
    return new IngestError(error.code, error.message, error);
  }
  return new IngestError('store', `the store did not take it: ${messageOf(error)}`, error);
}
