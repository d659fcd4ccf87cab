/**
 * One supervisor per agent: it drives the link to it, and says how far the agent's word can be trusted.
 *
 *   connection (agent-connection.ts) ──what comes──▶ link (connection-state.ts) ──effects──▶ connection,
 *                                                      └──▶ view, on demand                  standing (agent-standing.ts)
 *
 * - One connection at a time. On any error it is closed, logged and counted, and the link says when to try again. The
 *   next one begins when what came before is settled.
 * - A proof (P2) is: everything up to a heartbeat's head is applied, the digests do not contradict it, and in that
 *   heartbeat the agent said that its journal can be written and its sweep is on time.
 * - A resync that did not help is not repeated at once.
 */
import {
  messageOf,
  PROTOCOL_VERSION,
  type Bye,
  type DoubtReason,
  type Heartbeat,
  type Hello,
  type Logger,
  type ShownAgent,
} from '@holdfast/shared';
import { AgentConnection, type ConnectionListener, type Distrust } from './agent-connection.ts';
import { AgentStanding } from './agent-standing.ts';
import { ClockOffset } from './clock-offset.ts';
import type { StreamEnd } from './agent-stream.ts';
import { deadlineOf, degradedBy, type LinkEffect } from './connection-state.ts';
import type { IngestError, ReceiveTime } from './ingest.ts';
import { RunningLink } from './running-link.ts';
import type { SessionStore, StoredAgent } from './session-store.ts';
import { startTimer as startRealTimer, type StartTimer, type Timer } from './timers.ts';
import { ViewTeller } from './view-teller.ts';

export interface SubscriptionOptions {
  /** `name` is what people are shown; `url` has no slash at the end. */
  agent: { id: string; name: string; url: string; token: string };
  store: SessionStore;
  /** When this run of web began (wall clock, ms). */
  startedAt: number;
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

const MIN_HEARTBEAT_MS = 50;
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
  readonly #link: RunningLink;
  readonly #standing: AgentStanding;
  readonly #teller: ViewTeller;
  #connection: AgentConnection | undefined;
  /** Writes of connections that are closed: the next one starts from what they leave. */
  #settling: Promise<unknown> = Promise.resolve();
  #writing = new Set<Promise<unknown>>();
  #dialTimer: Timer | undefined;
  #dials = 0;
  #isStopped = false;
  /** Why the next connection sends no cursor. */
  #distrust: Distrust | undefined;
  #mismatches = 0;
  #hello: Hello | undefined;
  #heartbeat: Heartbeat | undefined;
  #digestOk: boolean | undefined;
  readonly #clock = new ClockOffset();

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#monotonic = options.monotonic ?? (() => performance.now());
    this.#startTimer = options.startTimer ?? startRealTimer;
    this.#random = options.random ?? Math.random;
    this.#standing = new AgentStanding({
      agentId: options.agent.id,
      store: options.store,
      startedAt: options.startedAt,
      now: this.#now,
      write: (write, complaint) => this.#write(write, complaint),
    });
    this.#link = new RunningLink({
      settings: { lostAfterMs: options.config.lostAfterMs },
      heartbeatMs: options.heartbeatMs,
      now: this.#now,
      monotonic: this.#monotonic,
      startTimer: this.#startTimer,
      carryOut: (effect) => this.#carryOut(effect),
      onState: (from, { state, detail }) =>
        options.logger.info({ agent: options.agent.id, from, to: state, why: detail }, 'link of an agent'),
      onStepped: () => this.#teller.tell(),
    });
    this.#teller = new ViewTeller({
      view: () => this.view(),
      monotonic: this.#monotonic,
      startTimer: this.#startTimer,
    });
  }

  view(): ShownAgent {
    const { agent } = this.#options;
    const { current: link, state } = this.#link;
    const reason: DoubtReason | undefined =
      state === 'live'
        ? undefined
        : (link.reason ?? (state === link.state ? undefined : 'agent_unreachable'));
    const connection = this.#connection;
    const clockAheadMs = this.#clock.aheadMs;
    // Before its hello a connection does not know yet how much it goes on from.
    const lag =
      this.#heartbeat === undefined || connection === undefined || link.phase !== 'open'
        ? 0
        : this.#heartbeat.head - connection.appliedSeq;
    return {
      id: agent.id,
      name: agent.name,
      url: agent.url,
      ...(this.#hello === undefined ? {} : { version: this.#hello.version, heartbeatMs: link.heartbeatMs }),
      state,
      asOf: this.#standing.asOf,
      ...(reason === undefined ? {} : { reason }),
      ...(link.detail === undefined || state === 'live' ? {} : { detail: link.detail }),
      ...(this.#heartbeat === undefined ? {} : { pool: this.#heartbeat.pool }),
      lag: Math.max(0, lag),
      ...(this.#digestOk === undefined ? {} : { digestOk: this.#digestOk }),
      ...(clockAheadMs === undefined ? {} : { clockAheadMs }),
      reconnects: this.#counters.reconnects,
      ...(state === 'resyncing' && connection !== undefined ? { progress: connection.progress } : {}),
    };
  }

  onView(listener: (view: ShownAgent) => void): () => void {
    return this.#teller.listen(listener);
  }

  counters(): SubscriptionCounters {
    return { ...this.#counters };
  }

  retryNow(): void {
    this.#link.feed({ kind: 'retry' });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#dialTimer?.cancel();
    this.#link.stop();
    this.#teller.stop();
    this.#standing.stop();
    this.#disconnect();
    await this.#settling;
    await Promise.all(this.#writing);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #carryOut(effect: LinkEffect): void {
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
        this.#standing.doubt(effect.reason);
        break;
      case 'vouch':
        this.#standing.oweVouch();
        break;
      default:
        effect satisfies never;
    }
  }

  // ── The connection ──

  async #tryDial(): Promise<void> {
    try {
      await this.#dial();
    } catch (error) {
      this.#link.feed({ kind: 'dropped', detail: `web could not open the connection: ${messageOf(error)}` });
      throw error;
    }
  }

  async #dial(): Promise<void> {
    const { agent, store } = this.#options;
    await this.#settling;
    if (this.#isStopped || this.#link.current.phase !== 'waiting') return;
    await store.rememberAgent({ id: agent.id, name: agent.name, url: agent.url }, this.#now());
    const stored = (await store.agents()).find(({ id }) => id === agent.id);
    if (stored === undefined) throw new Error(`the store does not know the agent ${agent.id}`);
    await this.#standing.remember(stored.asOf);
    if (this.#isStopped || this.#link.current.phase !== 'waiting') return;
    if (this.#dials > 0) this.#counters.reconnects += 1;
    this.#dials += 1;
    this.#link.feed({ kind: 'dialled' });
    this.#open(stored);
  }

  #open(stored: StoredAgent): void {
    const { agent, store, fetch } = this.#options;
    try {
      this.#connection = new AgentConnection({
        agent,
        stored,
        store,
        distrust: this.#distrust,
        listener: this.#listener(),
        ...(fetch === undefined ? {} : { fetch }),
        now: this.#now,
        monotonic: this.#monotonic,
      });
    } catch (error) {
      this.#link.feed({ kind: 'refused', detail: `its address cannot be used: ${messageOf(error)}` });
    }
  }

  #disconnect(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    connection.close();
    this.#settling = Promise.all([this.#settling, connection.settled()]);
  }

  // ── What comes ──

  #listener(): ConnectionListener {
    const { agent, logger } = this.#options;
    return {
      hello: (hello) => this.#onHello(hello),
      heartbeat: (heartbeat) => this.#onHeartbeat(heartbeat),
      caughtUp: (heartbeat, receivedAt) => this.#onCaughtUp(heartbeat, receivedAt),
      compared: (isEqual) => {
        this.#digestOk = isEqual;
        if (isEqual) this.#mismatches = 0;
      },
      resynced: (reason) => {
        this.#counters.resyncs += 1;
        this.#distrust = undefined;
        logger.info({ agent: agent.id, reason }, 'took a snapshot of an agent');
      },
      advanced: () => this.#link.feed({ kind: 'heard' }),
      foreign: (seq) => {
        this.#counters.foreignEvents += 1;
        logger.warn({ agent: agent.id, seq }, 'kept an event that this version cannot fold');
      },
      bye: (bye) => this.#onBye(bye),
      failed: (error) => this.#onFailed(error),
      ended: (end) => this.#onEnd(end),
      faulted: (error) => {
        this.#counters.faults += 1;
        logger.error({ err: error, agent: agent.id }, 'a frame was not read');
        this.#link.feed({ kind: 'dropped', detail: 'web could not read what it sent' });
      },
    };
  }

  #onHello(hello: Hello): void {
    const { agent } = this.#options;
    if (hello.protocol !== PROTOCOL_VERSION) {
      const detail = `it speaks protocol ${hello.protocol}, and web ${PROTOCOL_VERSION}: use the same version of both`;
      this.#link.feed({ kind: 'refused', detail });
    } else if (hello.agentId !== agent.id) {
      this.#link.feed({ kind: 'refused', detail: `another agent answers at this address: ${hello.agentId}` });
    } else {
      this.#hello = hello;
      this.#link.feed({ kind: 'hello', heartbeatMs: Math.max(MIN_HEARTBEAT_MS, hello.heartbeatMs) });
    }
  }

  #onHeartbeat(heartbeat: Heartbeat): void {
    this.#heartbeat = heartbeat;
    const degraded = degradedBy(heartbeat, this.#link.current, this.#hello?.sweepMs);
    this.#link.feed({ kind: 'heartbeat', ...(degraded === undefined ? {} : { degraded }) });
  }

  #onCaughtUp(heartbeat: Heartbeat, receivedAt: ReceiveTime): void {
    this.#clock.take({
      sentAt: heartbeat.at,
      receivedAt: receivedAt.at,
      monotonicMs: receivedAt.monotonicMs,
    });
    if (degradedBy(heartbeat, this.#link.current, this.#hello?.sweepMs) !== undefined) return;
    this.#link.feed({ kind: 'vouched', ageMs: this.#monotonic() - receivedAt.monotonicMs });
    if (this.#link.current.state !== 'live') return;
    const { heartbeatMs } = this.#link.current;
    const deadlineMs = deadlineOf(heartbeatMs, this.#options.config.lostAfterMs);
    this.#standing.prove({ receivedAt: receivedAt.at, heartbeatMs, deadlineMs, floor: heartbeat.floor });
  }

  #onBye(bye: Bye): void {
    if (bye.reason === 'slow') this.#link.feed({ kind: 'dropped', detail: 'it found web too slow a reader' });
    else this.#link.feed({ kind: 'bye', retryMs: bye.retryMs });
  }

  #onEnd({ status, message }: StreamEnd): void {
    if (status === 401 || status === 403) {
      this.#link.feed({ kind: 'refused', detail: 'it does not take this token' });
    } else if (status === 404) {
      this.#link.feed({ kind: 'refused', detail: 'there is no agent at this address' });
    } else {
      this.#link.feed({ kind: 'dropped', detail: message ?? 'the connection ended' });
    }
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
    this.#link.feed({ kind: 'dropped', detail: error.message, pauseMs });
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
