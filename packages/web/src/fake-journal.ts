/**
 * An agent's journal in memory, for tests: it numbers, chains and folds events as an agent does, so that what a
 * reader made of them can be compared with it, row by row and event by event.
 */
import {
  applyEvent,
  firstChain,
  formatCursor,
  isTerminal,
  LiveDigest,
  nextChain,
  TaskEventSchema,
  type EventKind,
  type Reason,
  type Task,
  type TaskEvent,
} from '@holdfast/shared';
import type { AgentPosition, ReceivedEvent, SnapshotInput } from './session-store.ts';

export interface JournalledEvent extends ReceivedEvent {
  event: TaskEvent;
}

const DEFAULT_AT = 1_800_000_000_000;

/** A valid task id: a UUIDv7 whose time is `DEFAULT_AT` + n. */
export function taskId(n: number): string {
  const time = (DEFAULT_AT + n).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, '0')}`;
}

export class FakeJournal {
  readonly agentId: string;
  epoch: string;
  chain: string;
  floor = 0;
  floorChain: string;
  now = DEFAULT_AT;
  log: JournalledEvent[] = [];
  tasks = new Map<string, Task>();

  constructor(agentId = 'agent-a', epoch = '00000000000000aa') {
    this.agentId = agentId;
    this.epoch = epoch;
    this.chain = firstChain(epoch);
    this.floorChain = this.chain;
  }

  get head(): number {
    return this.floor + this.log.length;
  }

  get cursor(): string {
    return formatCursor({ epoch: this.epoch, seq: this.head, chain: this.chain });
  }

  get liveDigest(): string {
    const digest = new LiveDigest();
    for (const task of this.tasks.values()) digest.move(undefined, task);
    return digest.toString();
  }

  /** The whole journal as another one holds it: a copy made behind its back. */
  copy(): FakeJournal {
    const copy = new FakeJournal(this.agentId, this.epoch);
    copy.chain = this.chain;
    copy.floor = this.floor;
    copy.floorChain = this.floorChain;
    copy.now = this.now;
    copy.log = [...this.log];
    copy.tasks = new Map(this.tasks);
    return copy;
  }

  submit(id: string, more: Partial<Task> = {}): JournalledEvent {
    const task: Task = {
      id,
      sessionId: 'session-1',
      agentId: this.agentId,
      spec: { command: ['true'] },
      status: 'queued',
      attempt: 0,
      queue: 'default',
      priority: 0,
      labels: {},
      seq: this.head + 1,
      createdAt: this.now + 1,
      outputBytes: 0,
      ...more,
    };
    return this.#append(id, 'submitted', { task });
  }

  claim(id: string): JournalledEvent {
    return this.#append(id, 'claimed', undefined, (this.tasks.get(id)?.attempt ?? 0) + 1);
  }

  start(id: string): JournalledEvent {
    return this.#append(id, 'started', { process: { pid: 1, startedAt: this.now, verifiedAt: this.now } });
  }

  adopt(id: string): JournalledEvent {
    return this.#append(id, 'adopted', { process: { pid: 1, startedAt: this.now, verifiedAt: this.now } });
  }

  requeue(id: string): JournalledEvent {
    return this.#append(id, 'requeued', {
      charged: true,
      outcome: { reason: 'process_vanished' },
      outputBytes: 0,
    });
  }

  attend(id: string, code: string): JournalledEvent {
    return this.#append(id, 'attention', { code, message: `see ${code}` });
  }

  end(
    id: string,
    kind: 'completed' | 'failed' | 'cancelled' = 'completed',
    outputBytes = 7,
  ): JournalledEvent {
    const reason: Reason = kind === 'cancelled' ? 'cancelled_by_user' : 'exit';
    return this.#append(id, kind, { outcome: { reason, exitCode: 0 }, endedAt: this.now + 1, outputBytes });
  }

  /** submit, claim and start in one. */
  run(id: string, more: Partial<Task> = {}): void {
    this.submit(id, more);
    this.claim(id);
    this.start(id);
  }

  /** An entry of the log as a newer agent may write it: chained, folded by nobody. */
  appendForeign(id: string): JournalledEvent {
    const fields = {
      seq: this.head + 1,
      kind: 'teleported',
      taskId: id,
      sessionId: 'session-1',
      at: this.now,
    };
    const event: TaskEvent = JSON.parse(JSON.stringify(fields));
    return this.#chain(event);
  }

  /** Forgets the first events up to `floor`, and the ended tasks whose last event was among them. */
  prune(floor: number): void {
    const gone = this.log.splice(0, floor - this.floor);
    this.floorChain = gone.at(-1)?.chain ?? this.floorChain;
    this.floor = floor;
    for (const task of this.tasks.values()) {
      if (isTerminal(task.status) && task.seq <= floor) this.tasks.delete(task.id);
    }
  }

  after(seq: number): JournalledEvent[] {
    return this.log.slice(seq - this.floor);
  }

  chainAt(seq: number): string {
    return seq === this.floor ? this.floorChain : this.log[seq - this.floor - 1]!.chain;
  }

  positionAt(seq: number, generation = 1): AgentPosition {
    return { generation, epoch: this.epoch, seq, chain: this.chainAt(seq) };
  }

  snapshot(reason: SnapshotInput['reason'] = 'no_cursor', receivedAt = this.now): SnapshotInput {
    return {
      agentId: this.agentId,
      reason,
      epoch: this.epoch,
      floor: this.floor,
      floorChain: this.floorChain,
      seq: this.head,
      chain: this.chain,
      tasks: [...this.tasks.values()],
      receivedAt,
    };
  }

  #append(id: string, kind: EventKind, data: unknown, attempt?: number): JournalledEvent {
    this.now += 1;
    const known = this.tasks.get(id);
    const event = TaskEventSchema.parse({
      seq: this.head + 1,
      kind,
      taskId: id,
      sessionId: known?.sessionId ?? 'session-1',
      attempt: attempt ?? known?.attempt ?? 0,
      from: known?.status ?? null,
      to: 'queued',
      at: this.now,
      ...(data === undefined ? {} : { data }),
    });
    const task = applyEvent(known, event);
    event.to = task.status;
    event.sessionId = task.sessionId;
    this.tasks.set(id, task);
    return this.#chain(event);
  }

  #chain(event: TaskEvent): JournalledEvent {
    const json = JSON.stringify(event);
    this.chain = nextChain(this.chain, json);
    const entry = { event, json, chain: this.chain };
    this.log.push(entry);
    return entry;
  }
}
