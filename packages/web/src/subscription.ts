/**
 * One supervisor per agent: it keeps a connection to `/events`, feeds what comes to the ingest, and says how far the
 * agent's word can be trusted.
 *
 * - A new stream (agent-stream.ts) for each connection. On any error it is closed, and the link
 *   (connection-state.ts) says when to try again.
 * - The cursor is the *durable* position, read from the store when everything that came before is settled.
 * - A proof (P2) is: everything up to a heartbeat's head is applied, the digests do not contradict it, and in that
 *   heartbeat the agent said that its journal can be written and its sweep is on time.
 * - Whatever throws while a frame is read closes the connection, is logged and counted.
 */
import {
  formatCursor,
  messageOf,
  PROTOCOL_VERSION,
  type Bye,
  type DoubtReason,
  type Heartbeat,
  type Hello,
  type Logger,
  type ShownAgent,
} from '@holdfast/shared';
import {
  degradedBy,
  nextTickAt,
  startLink,
  stateAt,
  stepLink,
  type Link,
  type LinkEffect,
  type LinkEvent,
} from './connection-state.ts';
import { openAgentStream, type AgentStream, type StreamEnd } from './agent-stream.ts';
import { Ingest, type IngestError, type IngestListener, type ReceiveTime } from './ingest.ts';
import type { SessionStore, StoredAgent } from './session-store.ts';
import { startTimer as startRealTimer, type StartTimer, type Timer } from './timers.ts';
import { ViewTeller } from './view-teller.ts';

export interface SubscriptionOptions {
  /** `name` is what people are shown; `url` has no slash at the end. */
  agent: { id: string; name: string; url: string; token: string };
  store: SessionStore;
  config: { lostAfterMs?: number };
  /** How often the agent says that it is alive, as it was known before; it says it anew in its hello. */
  heartbeatMs?: number | undefined;
  logger: Logger;
  fetch?: typeof globalThis.fetch;
  /** Wall clock, ms. */
  now?: () => number;
  /** Monotonic clock, ms. */
  monotonic?: () => number;
  startTimer?: StartTimer;
  /** From 0 up to 1. */
  random?: () => number;
}

/** How often what happened, since start. */
interface SubscriptionCounters {
  /** Connections dialled after the first. */
  reconnects: number;
  gaps: number;
  chainBreaks: number;
  digestMismatches: number;
  /** Snapshots taken. */
  resyncs: number;
  /** Connections given up for a frame that could not be read. */
  malformed: number;
  /** Events kept that this version cannot fold. */
  foreignEvents: number;
  /** Failures of the store, and errors thrown by this package's own listeners. */
  faults: number;
}

export interface Subscription extends AsyncDisposable {
  /** The agent as it is shown now: never `live` without a proof younger than the deadline. */
  view(): ShownAgent;
  /** Calls the listener after each change of the view but of `asOf` alone. Returns how to stop. */
  onView(listener: (view: ShownAgent) => void): () => void;
  counters(): SubscriptionCounters;
  /** Connects now, if it is not connected well. */
  retryNow(): void;
  /** Ends the connection; when it resolves, nothing more is written. */
  stop(): Promise<void>;
}

export function startSubscription(options: SubscriptionOptions): Subscription {
  return new Supervisor(options);
}

interface Connection {
  ingest: Ingest;
  stream: AgentStream;
}

const MIN_HEARTBEAT_MS = 50;
const MIN_PERIOD_MS = 250;
const MAX_PERIOD_MS = 2500;
const PRUNE_PAGE = 200;
const FIRST_RESYNC_PAUSE_MS = 1000;
const LAST_RESYNC_PAUSE_MS = 60_000;

class Supervisor implements Subscription {
  readonly #options: SubscriptionOptions;
  readonly #now: () => number;
  readonly #monotonic: () => number;
  readonly #startTimer: StartTimer;
  readonly #random: () => number;
  readonly #counters: SubscriptionCounters = {
    reconnects: 0,
    gaps: 0,
    chainBreaks: 0,
    digestMismatches: 0,
    resyncs: 0,
    malformed: 0,
    foreignEvents: 0,
    faults: 0,
  };
  readonly #teller: ViewTeller;
  #link: Link;
  #connection: Connection | undefined;
  /** Writes of connections that are closed: the next one starts from what they leave. */
  #settling: Promise<unknown> = Promise.resolve();
  #writing = new Set<Promise<unknown>>();
  #dialTimer: Timer | undefined;
  #tickTimer: Timer | undefined;
  /** When the tick is due, on both clocks. */
  #due = { at: 0, monotonicMs: 0 };
  #dials = 0;
  #isStopped = false;
  /** Why the next connection sends no cursor. */
  #distrust: 'nothing' | 'diverged' | undefined;
  #mismatches = 0;
  /** Set while rows may be `unknown` that the agent vouches for: a vouch that failed is tried at the next proof. */
  #owesVouch = false;
  #prunedTo = 0;
  #isPruning = false;
  #asOf = 0;
  #hello: Hello | undefined;
  #heartbeat: Heartbeat | undefined;
  #digestOk: boolean | undefined;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#monotonic = options.monotonic ?? (() => performance.now());
    this.#startTimer = options.startTimer ?? startRealTimer;
    this.#random = options.random ?? Math.random;
    const { link, effects } = startLink(
      { lostAfterMs: options.config.lostAfterMs },
      this.#monotonic(),
      options.heartbeatMs,
    );
    this.#link = link;
    this.#teller = new ViewTeller({
      view: () => this.view(),
      monotonic: this.#monotonic,
      startTimer: this.#startTimer,
    });
    this.#run(effects);
    this.#schedule();
  }

  view(): ShownAgent {
    const { agent } = this.#options;
    const link = this.#link;
    const state = stateAt(link, this.#monotonic());
    const reason: DoubtReason | undefined =
      state === 'live'
        ? undefined
        : (link.reason ?? (state === link.state ? undefined : 'agent_unreachable'));
    const ingest = this.#connection?.ingest;
    const lag =
      this.#heartbeat === undefined || ingest === undefined ? 0 : this.#heartbeat.head - ingest.appliedSeq;
    return {
      id: agent.id,
      name: agent.name,
      url: agent.url,
      ...(this.#hello === undefined ? {} : { version: this.#hello.version, heartbeatMs: link.heartbeatMs }),
      state,
      asOf: this.#asOf,
      ...(reason === undefined ? {} : { reason }),
      ...(link.detail === undefined || state === 'live' ? {} : { detail: link.detail }),
      ...(this.#heartbeat === undefined ? {} : { pool: this.#heartbeat.pool }),
      lag: Math.max(0, lag),
      ...(this.#digestOk === undefined ? {} : { digestOk: this.#digestOk }),
      reconnects: this.#counters.reconnects,
      ...(state === 'resyncing' && ingest !== undefined ? { progress: ingest.progress } : {}),
    };
  }

  onView(listener: (view: ShownAgent) => void): () => void {
    return this.#teller.listen(listener);
  }

  counters(): SubscriptionCounters {
    return { ...this.#counters };
  }

  retryNow(): void {
    this.#feed({ kind: 'retry' });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#dialTimer?.cancel();
    this.#tickTimer?.cancel();
    this.#teller.stop();
    this.#disconnect();
    await this.#settling;
    await Promise.all(this.#writing);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  // ── The machine ──

  #feed(event: LinkEvent): void {
    if (this.#isStopped) return;
    if (this.#hasSlept()) this.#step({ kind: 'slept' });
    this.#step(event);
    this.#schedule();
    this.#teller.tell();
  }

  #step(event: LinkEvent): void {
    const before = this.#link.state;
    const { link, effects } = stepLink(this.#link, event, this.#monotonic());
    this.#link = link;
    if (link.state !== before) {
      const { agent, logger } = this.#options;
      logger.info({ agent: agent.id, from: before, to: link.state, why: link.detail }, 'link of an agent');
    }
    this.#run(effects);
  }

  #run(effects: readonly LinkEffect[]): void {
    const { agent, store } = this.#options;
    for (const effect of effects) {
      switch (effect.do) {
        case 'close':
          this.#disconnect();
          break;
        case 'connect':
          this.#dialTimer?.cancel();
          this.#dialTimer = this.#startTimer(
            () => this.#write(this.#tryDial(), 'the connection was not opened'),
            effect.floorMs + this.#random() * effect.spreadMs,
          );
          break;
        case 'markUnknown':
          this.#owesVouch = true;
          this.#write(
            store.markUnknown(agent.id, effect.reason, this.#asOf, this.#now()),
            'its tasks were not marked unknown',
          );
          break;
        case 'vouch':
          this.#owesVouch = true;
          break;
        default:
          effect satisfies never;
      }
    }
  }

  /** Whether web did not run for more than two periods: then silence proves nothing. */
  #hasSlept(): boolean {
    const lateMs = Math.max(this.#now() - this.#due.at, this.#monotonic() - this.#due.monotonicMs);
    return lateMs > 2 * this.#periodMs();
  }

  #periodMs(): number {
    return Math.min(MAX_PERIOD_MS, Math.max(MIN_PERIOD_MS, this.#link.heartbeatMs / 2));
  }

  #schedule(): void {
    this.#tickTimer?.cancel();
    const monotonicMs = this.#monotonic();
    const delayMs = Math.min(this.#periodMs(), Math.max(0, nextTickAt(this.#link) - monotonicMs));
    this.#due = { at: this.#now() + delayMs, monotonicMs: monotonicMs + delayMs };
    this.#tickTimer = this.#startTimer(() => this.#feed({ kind: 'tick' }), Math.ceil(delayMs));
  }

  // ── The connection ──

  async #tryDial(): Promise<void> {
    try {
      await this.#dial();
    } catch (error) {
      this.#feed({ kind: 'dropped', detail: `web could not open the connection: ${messageOf(error)}` });
      throw error;
    }
  }

  async #dial(): Promise<void> {
    const { agent, store } = this.#options;
    await this.#settling;
    if (this.#isStopped || this.#link.phase !== 'waiting') return;
    await store.rememberAgent({ id: agent.id, name: agent.name, url: agent.url }, this.#now());
    const stored = (await store.agents()).find(({ id }) => id === agent.id);
    if (this.#isStopped || this.#link.phase !== 'waiting') return;
    if (stored === undefined) throw new Error(`the store does not know the agent ${agent.id}`);
    this.#asOf = Math.max(this.#asOf, stored.asOf);
    if (this.#dials > 0) this.#counters.reconnects += 1;
    this.#dials += 1;
    this.#feed({ kind: 'dialled' });
    this.#open(stored);
  }

  #open(stored: StoredAgent): void {
    const { agent, store, fetch } = this.#options;
    const { position } = stored;
    const sends = this.#distrust === undefined && position !== undefined;
    const isCurrent = (): boolean => this.#connection?.ingest === ingest;
    const ingest: Ingest = new Ingest({
      agent: stored,
      store,
      sent: sends ? 'position' : (this.#distrust ?? 'nothing'),
      now: this.#now,
      monotonic: this.#monotonic,
      listener: this.#listenerOf(isCurrent),
    });
    try {
      const stream = openAgentStream({
        url: agent.url,
        token: agent.token,
        cursor: sends ? formatCursor(position) : undefined,
        ...(fetch === undefined ? {} : { fetch }),
        room: () => ingest.room(),
        onFrame: (frame) => {
          if (isCurrent()) this.#guard(() => ingest.take(frame));
        },
        onEnd: (end) => {
          if (isCurrent()) this.#guard(() => this.#end(end));
        },
      });
      this.#connection = { ingest, stream };
    } catch (error) {
      this.#feed({ kind: 'refused', detail: `its address cannot be used: ${messageOf(error)}` });
    }
  }

  /** An error of ours while a frame is read must not end the process, nor go on as if nothing were. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#counters.faults += 1;
      this.#options.logger.error({ err: error, agent: this.#options.agent.id }, 'a frame was not read');
      this.#feed({ kind: 'dropped', detail: 'web could not read what it sent' });
    }
  }

  #end({ status, message }: StreamEnd): void {
    if (status === 401 || status === 403) {
      this.#feed({ kind: 'refused', detail: 'it does not take this token' });
    } else if (status === 404) {
      this.#feed({ kind: 'refused', detail: 'there is no agent at this address' });
    } else {
      this.#feed({ kind: 'dropped', detail: message ?? 'the connection ended' });
    }
  }

  #disconnect(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    connection.stream.close();
    connection.ingest.close();
    this.#settling = Promise.all([this.#settling, connection.ingest.settled()]);
  }

  // ── What comes ──

  #listenerOf(isCurrent: () => boolean): IngestListener {
    return {
      hello: (hello) => this.#onHello(hello),
      heartbeat: (heartbeat) => this.#onHeartbeat(heartbeat),
      caughtUp: (heartbeat, receivedAt) => {
        if (isCurrent()) this.#onCaughtUp(heartbeat, receivedAt);
      },
      compared: (isEqual) => {
        if (!isCurrent()) return;
        this.#digestOk = isEqual;
        if (isEqual) this.#mismatches = 0;
      },
      resynced: (reason) => {
        this.#counters.resyncs += 1;
        this.#distrust = undefined;
        this.#options.logger.info({ agent: this.#options.agent.id, reason }, 'took a snapshot of an agent');
      },
      advanced: () => {
        if (isCurrent()) this.#feed({ kind: 'heard' });
      },
      foreign: (seq) => {
        this.#counters.foreignEvents += 1;
        this.#options.logger.warn(
          { agent: this.#options.agent.id, seq },
          'kept an event that this version cannot fold',
        );
      },
      bye: (bye) => this.#onBye(bye),
      failed: (error) => {
        if (isCurrent()) this.#onFailed(error);
      },
    };
  }

  #onHello(hello: Hello): void {
    const { agent } = this.#options;
    if (hello.protocol !== PROTOCOL_VERSION) {
      const detail = `it speaks protocol ${hello.protocol}, and web ${PROTOCOL_VERSION}: use the same version of both`;
      this.#feed({ kind: 'refused', detail });
    } else if (hello.agentId !== agent.id) {
      this.#feed({ kind: 'refused', detail: `another agent answers at this address: ${hello.agentId}` });
    } else {
      this.#hello = hello;
      this.#feed({ kind: 'hello', heartbeatMs: Math.max(MIN_HEARTBEAT_MS, hello.heartbeatMs) });
    }
  }

  #onHeartbeat(heartbeat: Heartbeat): void {
    this.#heartbeat = heartbeat;
    const degraded = degradedBy(heartbeat, this.#link, this.#hello?.sweepMs);
    this.#feed({ kind: 'heartbeat', ...(degraded === undefined ? {} : { degraded }) });
  }

  #onCaughtUp(heartbeat: Heartbeat, receivedAt: ReceiveTime): void {
    if (degradedBy(heartbeat, this.#link, this.#hello?.sweepMs) !== undefined) return;
    const { agent, store } = this.#options;
    this.#feed({ kind: 'vouched', ageMs: this.#monotonic() - receivedAt.monotonicMs });
    if (this.#link.state !== 'live') return;
    this.#asOf = Math.max(this.#asOf, receivedAt.at);
    this.#write(
      store.recordProof(agent.id, this.#asOf, this.#link.heartbeatMs),
      'its proof was not recorded',
    );
    if (this.#owesVouch) this.#write(this.#vouch(), 'its tasks were not taken back');
    if (heartbeat.floor > this.#prunedTo && !this.#isPruning) {
      this.#write(this.#prune(heartbeat.floor), 'what it pruned was not pruned');
    }
  }

  async #vouch(): Promise<void> {
    const { agent, store } = this.#options;
    this.#owesVouch = false;
    try {
      await store.vouch(agent.id, this.#now());
    } catch (error) {
      this.#owesVouch = true;
      throw error;
    }
  }

  async #prune(floor: number): Promise<void> {
    const { agent, store } = this.#options;
    this.#isPruning = true;
    try {
      for (let more = true; more && !this.#isStopped;) {
        ({ more } = await store.prune(agent.id, floor, PRUNE_PAGE, this.#now()));
      }
      this.#prunedTo = floor;
    } finally {
      this.#isPruning = false;
    }
  }

  #onBye(bye: Bye): void {
    if (bye.reason === 'slow') this.#feed({ kind: 'dropped', detail: 'it found web too slow a reader' });
    else this.#feed({ kind: 'bye', retryMs: bye.retryMs });
  }

  #onFailed(error: IngestError): void {
    const { agent, logger } = this.#options;
    logger.warn({ err: error, agent: agent.id, kind: error.kind }, 'gave up a connection');
    let pauseMs = 0;
    switch (error.kind) {
      case 'gap':
        this.#counters.gaps += 1;
        break;
      case 'chain':
        this.#counters.chainBreaks += 1;
        this.#distrust = 'nothing';
        break;
      case 'diverged':
        this.#distrust = 'diverged';
        break;
      case 'digest':
        this.#counters.digestMismatches += 1;
        // What a first snapshot could not put right is ahead of the journal, or final: a second one replaces it all.
        this.#distrust = this.#mismatches === 1 ? 'diverged' : 'nothing';
        // A resync that did not help is not repeated at once: it costs both sides a whole snapshot.
        if (this.#mismatches > 0) {
          pauseMs = Math.min(
            LAST_RESYNC_PAUSE_MS,
            FIRST_RESYNC_PAUSE_MS * 2 ** Math.min(this.#mismatches - 1, 16),
          );
        }
        this.#mismatches += 1;
        break;
      case 'malformed':
        this.#counters.malformed += 1;
        break;
      case 'store':
        this.#counters.faults += 1;
        break;
      default:
        error.kind satisfies never;
    }
    this.#feed({ kind: 'dropped', detail: error.message, pauseMs });
  }

  /** A write that nobody waits for: it is waited for at stop, and its failure is told. */
  #write(write: Promise<unknown>, complaint: string): void {
    const { agent, logger } = this.#options;
    const done = write
      .catch((error: unknown) => {
        this.#counters.faults += 1;
        logger.error({ err: error, agent: agent.id }, complaint);
      })
      .finally(() => this.#writing.delete(done));
    this.#writing.add(done);
  }
}
