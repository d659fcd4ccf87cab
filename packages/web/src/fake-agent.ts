/** An agent's `/events` on a real socket, for tests: it follows a `FakeJournal`, and can misbehave. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  formatCursor,
  frameText,
  parseCursor,
  type Cursor,
  type Heartbeat,
  type Hello,
  type ResetReason,
} from '@holdfast/shared';
import type { FakeJournal, JournalledEvent } from './fake-journal.ts';

interface Reader {
  response: ServerResponse;
  cursor: string | undefined;
  position: number;
}

export interface Misbehaviour {
  /** Answer with this status instead of a stream. */
  status?: number;
  /** Take the connection and say nothing. */
  isMute?: boolean;
  /** Changes every frame before it is sent; undefined leaves it out. */
  spoil?: (name: string, text: string) => string | undefined;
  /** Destroy the connection after so many characters. */
  cutAfter?: number;
  hello?: Partial<Hello>;
  heartbeat?: Partial<Heartbeat>;
}

export class FakeAgent implements AsyncDisposable {
  journal: FakeJournal;
  behaviour: Misbehaviour = {};
  readonly token = 'the-token';
  /** What each connection sent as its cursor. */
  readonly cursors: (string | undefined)[] = [];
  readonly authorizations: (string | undefined)[] = [];
  /** Each reset that was told. */
  readonly resets: ResetReason[] = [];
  readonly #server: Server;
  readonly #readers = new Set<Reader>();
  #port = 0;

  constructor(journal: FakeJournal) {
    this.journal = journal;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async listen(): Promise<this> {
    const listening = Promise.withResolvers<void>();
    this.#server.listen(this.#port, '127.0.0.1', () => listening.resolve());
    await listening.promise;
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('it listens on no port');
    this.#port = address.port;
    return this;
  }

  /** Nobody listens any more; the port is kept for `listen`. */
  async vanish(): Promise<void> {
    this.cut();
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    this.#server.closeAllConnections();
    await closed.promise;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get connected(): number {
    return this.#readers.size;
  }

  /** Sends what is new in the journal to everyone. */
  push(): void {
    for (const reader of this.#readers) this.#follow(reader);
  }

  beat(more: Partial<Heartbeat> = {}): void {
    const { journal } = this;
    const heartbeat: Heartbeat = {
      at: journal.now,
      head: journal.head,
      chain: journal.chain,
      floor: journal.floor,
      liveDigest: journal.liveDigest,
      live: journal.tasks.size,
      journalOk: true,
      sweptAt: journal.now,
      pool: { slots: 4, running: 1, queued: 0, paused: false, draining: false },
      ...this.behaviour.heartbeat,
      ...more,
    };
    for (const reader of this.#readers) this.#send(reader, 'heartbeat', heartbeat);
  }

  bye(reason: 'shutdown' | 'slow', retryMs = 0): void {
    for (const reader of this.#readers) {
      this.#send(reader, 'bye', { reason, retryMs });
      reader.response.end();
    }
  }

  /** Destroys every connection in the middle of whatever was being sent. */
  cut(): void {
    for (const reader of this.#readers) reader.response.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.vanish();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { behaviour, journal } = this;
    const header = request.headers['last-event-id'];
    const sent = Array.isArray(header) ? header[0] : header;
    this.cursors.push(sent);
    this.authorizations.push(request.headers.authorization);
    if (behaviour.status !== undefined) {
      response.writeHead(behaviour.status).end();
      return;
    }
    if (request.headers.authorization !== `Bearer ${this.token}`) {
      response.writeHead(401).end();
      return;
    }
    if (behaviour.isMute === true) return;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const reader: Reader = { response, cursor: sent, position: 0 };
    this.#readers.add(reader);
    response.on('close', () => this.#readers.delete(reader));
    const cursor = sent === undefined ? undefined : parseCursor(sent);
    const reason = refusal(journal, sent, cursor);
    this.#send(reader, 'hello', {
      protocol: 1,
      agentId: journal.agentId,
      name: 'fake',
      version: '1.2.3',
      epoch: journal.epoch,
      instance: 'i',
      head: journal.head,
      floor: journal.floor,
      heartbeatMs: 1000,
      resume: reason === undefined ? 'replay' : 'reset',
      ...behaviour.hello,
    } satisfies Hello);
    if (reason === undefined) {
      reader.position = cursor!.seq;
    } else {
      this.resets.push(reason);
      this.#reset(reader, reason);
    }
    this.#follow(reader);
    this.beat();
  }

  #reset(reader: Reader, reason: ResetReason): void {
    const { journal } = this;
    const { floor, floorChain } = journal;
    const tasks = [...journal.tasks.values()];
    this.#send(reader, 'reset', { reason, floor, floorChain, tasks: tasks.length });
    for (const task of tasks) this.#send(reader, 'snapshot', { tasks: [task] });
    this.#send(reader, 'snapshotEnd', { seq: journal.head, chain: journal.chain, tasks: tasks.length });
    reader.position = floor;
  }

  #follow(reader: Reader): void {
    for (const entry of this.journal.after(reader.position)) this.#sendEvent(reader, entry);
    reader.position = this.journal.head;
  }

  #sendEvent(reader: Reader, entry: JournalledEvent): void {
    const id = formatCursor({ epoch: this.journal.epoch, seq: entry.event.seq, chain: entry.chain });
    this.#write(reader, 'task', frameText('task', entry.json, id));
  }

  #send(reader: Reader, name: string, data: unknown): void {
    this.#write(reader, name, frameText(name, JSON.stringify(data)));
  }

  #write(reader: Reader, name: string, frame: string): void {
    const { response } = reader;
    const { spoil, cutAfter } = this.behaviour;
    const text = spoil === undefined ? frame : spoil(name, frame);
    if (text === undefined || response.destroyed) return;
    if (cutAfter === undefined) {
      response.write(text);
      return;
    }
    // Once for each connection: what it may still send.
    const left = budgets.get(response) ?? cutAfter;
    budgets.set(response, left - text.length);
    if (left <= 0) return;
    if (text.length < left) response.write(text);
    else response.write(text.slice(0, left), () => response.destroy());
  }
}

const budgets = new WeakMap<ServerResponse, number>();

/** PROTOCOL.md §2 "Resume". */
function refusal(
  journal: FakeJournal,
  sent: string | undefined,
  cursor: Cursor | undefined,
): ResetReason | undefined {
  if (sent === undefined) return 'no_cursor';
  if (cursor === undefined) return 'bad_cursor';
  if (cursor.epoch !== journal.epoch) return 'epoch';
  if (cursor.seq < journal.floor) return 'too_old';
  if (cursor.seq > journal.head) return 'ahead';
  return cursor.chain === journal.chainAt(cursor.seq) ? undefined : 'diverged';
}
