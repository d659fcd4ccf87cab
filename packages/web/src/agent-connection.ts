/**
 * One connection to an agent: its stream (agent-stream.ts), read into an ingest of its own (ingest.ts).
 *
 * - It goes on from the *durable* position, as the store had it when the connection was opened, unless what was
 *   stored is distrusted.
 * - After `close` nothing is read any more. What came before is still applied, and the next connection starts from
 *   what that leaves: `settled` tells when.
 * - Whatever throws while the stream is read is told as `faulted`, and goes no further.
 */
import { formatCursor } from '@holdfast/shared';
import { openAgentStream, type AgentStream, type StreamEnd } from './agent-stream.ts';
import { Ingest, type IngestListener } from './ingest.ts';
import type { SessionStore, StoredAgent } from './session-store.ts';

/** Why a connection sends no cursor: what is stored is wrong, or is of another journal. */
export type Distrust = 'nothing' | 'diverged';

export interface ConnectionListener extends IngestListener {
  /** The stream ended, or never began. */
  ended(end: StreamEnd): void;
  /** An error of web's own, thrown while something that came was read. */
  faulted(error: unknown): void;
}

export interface AgentConnectionOptions {
  /** `url` has no slash at the end. */
  agent: { url: string; token: string };
  stored: StoredAgent;
  store: SessionStore;
  distrust: Distrust | undefined;
  listener: ConnectionListener;
  fetch?: typeof globalThis.fetch;
  /** Wall clock, ms. */
  now: () => number;
  /** Monotonic clock, ms. */
  monotonic: () => number;
}

export class AgentConnection {
  readonly #ingest: Ingest;
  readonly #stream: AgentStream;
  #isClosed = false;

  /** Throws for an address that is no URL. */
  constructor(options: AgentConnectionOptions) {
    const { agent, stored, store, distrust, listener, fetch, now, monotonic } = options;
    const { position } = stored;
    const sends = distrust === undefined && position !== undefined;
    const ingest = new Ingest({
      agent: stored,
      store,
      sent: sends ? 'position' : (distrust ?? 'nothing'),
      now,
      monotonic,
      listener,
    });
    this.#ingest = ingest;
    this.#stream = openAgentStream({
      url: agent.url,
      token: agent.token,
      cursor: sends ? formatCursor(position) : undefined,
      ...(fetch === undefined ? {} : { fetch }),
      room: () => ingest.room(),
      onFrame: (frame) => this.#guard(listener, () => ingest.take(frame)),
      onEnd: (end) => this.#guard(listener, () => listener.ended(end)),
    });
  }

  /** The last event that is durable. */
  get appliedSeq(): number {
    return this.#ingest.appliedSeq;
  }

  /** How far the resync is. */
  get progress(): { done: number; of: number } {
    return this.#ingest.progress;
  }

  close(): void {
    this.#isClosed = true;
    this.#stream.close();
    this.#ingest.close();
  }

  /** Resolves when everything that came is in the store, or never will be. */
  settled(): Promise<void> {
    return this.#ingest.settled();
  }

  #guard(listener: ConnectionListener, run: () => void): void {
    if (this.#isClosed) return;
    try {
      run();
    } catch (error) {
      listener.faulted(error);
    }
  }
}
