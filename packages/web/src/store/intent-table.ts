/**
 * What people ask: intents, the rows that they make visible at once, and verdicts. All of it is web's own.
 *
 * An intent's row exists while it is open. A submit's secrets are only in its body, so they go with the row, off the disk
 * too (secret-wipe.ts).
 */
import {
  DEFAULT_QUEUE,
  hashContent,
  isTerminal,
  parseCursor,
  publicSpec,
  type IntentAction,
  type Submit,
  type Task,
} from '@holdfast/shared';
import {
  StoreError,
  type Intent,
  type IntentBody,
  type NewIntent,
  type RecordedIntent,
  type TaskRow,
} from '../session-store.ts';
import type { SecretWipe } from './secret-wipe.ts';
import { knownTask, newDraft, type TaskDraft, type TaskRecord } from './task-table.ts';
import { UnitOfWork, type Tables } from './unit-of-work.ts';

interface IntentRecord {
  ordinal: number;
  id: string;
  task_id: string;
  action: IntentAction;
  agent_id: string | null;
  body: string;
  created_at: number;
  asked_generation: number | null;
  sent_at: number | null;
  sent_generation: number | null;
  tries: number;
  last_error: string | null;
}

export class IntentTable {
  readonly #tables: Tables;
  readonly #wipe: Pick<SecretWipe, 'owe'>;
  readonly #load;
  readonly #ofTask;
  readonly #insert;
  readonly #due;
  readonly #assign;
  readonly #send;
  readonly #fail;
  readonly #delete;
  readonly #generation;
  readonly #removedAsOf;

  constructor(tables: Tables, wipe: Pick<SecretWipe, 'owe'>) {
    this.#tables = tables;
    this.#wipe = wipe;
    const { database } = tables;
    this.#load = database.prepare<[string], IntentRecord>('SELECT * FROM intents WHERE id = ?');
    this.#ofTask = database.prepare<[string], IntentRecord>(
      'SELECT * FROM intents WHERE task_id = ? ORDER BY ordinal',
    );
    this.#insert = database.prepare(
      `INSERT INTO intents (id, task_id, action, agent_id, body, created_at, asked_generation)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#due = database.prepare<[], IntentRecord>(
      `SELECT * FROM intents AS i
       WHERE ordinal = (SELECT min(ordinal) FROM intents AS first WHERE first.task_id = i.task_id) ORDER BY ordinal`,
    );
    this.#assign = database.prepare('UPDATE intents SET agent_id = ? WHERE task_id = ? AND agent_id IS NULL');
    this.#send = database.prepare(
      'UPDATE intents SET sent_at = ?, sent_generation = ? WHERE id = ? AND sent_at IS NULL',
    );
    this.#fail = database.prepare('UPDATE intents SET tries = tries + 1, last_error = ? WHERE id = ?');
    this.#delete = database.prepare('DELETE FROM intents WHERE id = ?');
    this.#generation = database
      .prepare<[string], number>('SELECT generation FROM agents WHERE id = ?')
      .pluck();
    this.#removedAsOf = database
      .prepare<[string], number>('SELECT as_of FROM agents WHERE id = ? AND removed = 1')
      .pluck();
  }

  due(taskId?: string): Intent[] {
    if (taskId === undefined) return this.#due.all().map(toIntent);
    const first = this.#ofTask.get(taskId);
    return first === undefined ? [] : [toIntent(first)];
  }

  record(intent: NewIntent): RecordedIntent {
    const unit = new UnitOfWork(this.#tables, intent.at);
    const { body } = intent;
    switch (body.action) {
      case 'submit':
        return this.#recordNew(unit, intent, submittedTask(body.submit, intent.at), hashContent(body.submit));
      case 'retry': {
        const old = unit.load(body.of);
        if (old === undefined) throw noSuchTask(body.of);
        const task = repeatedTask(knownTask(old.record), intent.taskId, intent.at);
        const agentId = intent.agentId ?? old.record.agent_id ?? undefined;
        const owned = agentId === undefined ? intent : { ...intent, agentId };
        return this.#recordNew(unit, owned, task, hashContent({ retryOf: body.of }));
      }
      case 'cancel':
      case 'reclaim':
        return this.#recordAction(unit, intent);
      default:
        return body satisfies never;
    }
  }

  #recordNew(unit: UnitOfWork, intent: NewIntent, task: Task, hash: string): RecordedIntent {
    const known = unit.load(task.id);
    if (known !== undefined) {
      const { submit_hash } = known.record;
      // A task that web did not take itself is known without the values of its environment: those are the agent's to compare.
      const isSame = submit_hash === null ? isSameTask(knownTask(known.record), task) : submit_hash === hash;
      return { outcome: isSame ? 'repeated' : 'conflict', row: this.#row(known) };
    }
    const draft = newDraft({ ...task, agentId: intent.agentId ?? '' }, intent.agentId ?? null, 'submitted');
    draft.record.submit_hash = hash;
    draft.happenedAt = intent.at;
    unit.add(draft);
    return this.#open(unit, draft, intent);
  }

  #recordAction(unit: UnitOfWork, intent: NewIntent): RecordedIntent {
    const draft = unit.load(intent.taskId);
    if (draft === undefined) throw noSuchTask(intent.taskId);
    const agentId = intent.agentId ?? draft.record.agent_id ?? undefined;
    const generation = this.#generationOf(draft.record, agentId);
    const open = this.#ofTask.all(intent.taskId);
    if (open.some((other) => isRepeat(intent.body, generation, other))) {
      return { outcome: 'repeated', row: this.#row(draft) };
    }
    return this.#open(unit, draft, agentId === undefined ? intent : { ...intent, agentId });
  }

  #open(unit: UnitOfWork, draft: TaskDraft, intent: NewIntent): RecordedIntent {
    const { record } = draft;
    const { id, taskId, agentId, body, at } = intent;
    const asked = body.action === 'reclaim' ? this.#generationOf(record, agentId) : null;
    this.#insert.run(id, taskId, body.action, agentId ?? null, JSON.stringify(body), at, asked);
    if (intent.sentAt !== undefined) this.markSent(id, intent.sentAt);
    record.pending += 1;
    record.refused_action = null;
    record.refused_message = null;
    record.refused_at = null;
    draft.changed = true;
    unit.flush();
    return { outcome: 'recorded', row: this.#row(draft) };
  }

  /** In which journal the row's attempt was known: its agent's of that time, or of now where only an answer named it. */
  #generationOf(record: TaskRecord, agentId: string | undefined): number | null {
    if (record.generation > 0) return record.generation;
    const known = agentId === undefined ? 0 : (this.#generation.get(agentId) ?? 0);
    return known > 0 ? known : null;
  }

  #row(draft: TaskDraft): TaskRow {
    return this.#tables.tasks.toRow(draft.record);
  }

  assign(intentId: string, agentId: string, at: number): void {
    const intent = this.#need(intentId);
    if (intent.agent_id === agentId) return;
    if (intent.agent_id !== null) {
      throw new StoreError('assigned', `intent ${intentId} belongs to agent ${intent.agent_id}`);
    }
    this.#assign.run(agentId, intent.task_id);
    const unit = new UnitOfWork(this.#tables, at);
    const draft = unit.load(intent.task_id)!;
    if (draft.record.agent_id !== null) return;
    draft.record.agent_id = agentId;
    draft.task = { ...draft.task, agentId };
    draft.taskChanged = true;
    draft.identityChanged = true;
    draft.changed = true;
    unit.flush();
  }

  markSent(intentId: string, at: number): void {
    const { agent_id, asked_generation } = this.#need(intentId);
    const generation = agent_id === null ? undefined : this.#generation.get(agent_id);
    if (asked_generation !== null && asked_generation !== generation) {
      throw new StoreError('other_journal', `the journal of agent ${agent_id ?? ''} is another one now`);
    }
    this.#send.run(at, generation ?? null, intentId);
  }

  recordFailure(intentId: string, error: string, at: number): void {
    const intent = this.#need(intentId);
    this.#fail.run(error, intentId);
    if (intent.last_error === error) return;
    const unit = new UnitOfWork(this.#tables, at);
    unit.load(intent.task_id)!.changed = true;
    unit.flush();
  }

  settle(intentId: string, at: number, answer: Task | undefined): void {
    const intent = this.#load.get(intentId);
    if (intent === undefined) return;
    const unit = new UnitOfWork(this.#tables, at);
    const draft = unit.load(intent.task_id)!;
    this.#remove(intent);
    draft.record.pending -= 1;
    draft.changed = true;
    if (answer !== undefined && answer.id === intent.task_id) this.#answer(unit, draft, intent, answer);
    unit.flush();
  }

  #answer(unit: UnitOfWork, draft: TaskDraft, intent: IntentRecord, answer: Task): void {
    const { record } = draft;
    const { tasks } = this.#tables;
    const generation = intent.agent_id === null ? 0 : (this.#generation.get(intent.agent_id) ?? 0);
    const sent = intent.sent_generation ?? 0;
    if (sent !== 0 && sent !== generation && !isTerminal(answer.status)) {
      if (record.seq !== 0 || record.status !== 'submitted') return;
      record.status = answer.status;
      tasks.doubt(draft, 'not_on_agent', intent.sent_at ?? unit.at, unit.at);
      return;
    }
    if (isTerminal(record.stated_status) && record.seq !== 0) return;
    if (answer.seq <= Math.max(record.seq, record.answer_seq ?? 0)) return;
    record.answer = JSON.stringify(answer);
    record.answer_seq = answer.seq;
    if (record.status === 'unknown' && !isTerminal(answer.status)) {
      // An answer vouches for nothing but itself: the doubt ends when the stream does.
      record.last_status = answer.status;
    } else if (record.status !== 'lost' || isTerminal(answer.status)) {
      tasks.show(draft, answer.status, unit.at);
      const removedAsOf = intent.agent_id === null ? undefined : this.#removedAsOf.get(intent.agent_id);
      // The answer was on its way when its agent was removed: what was live then is doubted, and so is this.
      if (removedAsOf !== undefined && !isTerminal(answer.status)) {
        tasks.doubt(draft, 'agent_removed', removedAsOf, unit.at);
      }
    }
  }

  refuse(intentId: string, message: string, at: number): void {
    const intent = this.#load.get(intentId);
    if (intent === undefined) return;
    const unit = new UnitOfWork(this.#tables, at);
    const draft = unit.load(intent.task_id)!;
    const { record } = draft;
    const makesTask = intent.action === 'submit' || intent.action === 'retry';
    if (makesTask && record.status === 'submitted') {
      this.#end(draft, 'failed', at);
    } else {
      this.#remove(intent);
      record.pending -= 1;
    }
    record.refused_action = intent.action;
    record.refused_message = message;
    record.refused_at = at;
    draft.changed = true;
    unit.flush();
  }

  cancelUnsent(taskId: string, at: number): boolean {
    const first = this.#ofTask.get(taskId);
    const unit = new UnitOfWork(this.#tables, at);
    const draft = unit.load(taskId);
    if (first === undefined || draft === undefined) return false;
    if (draft.record.status !== 'submitted' || first.sent_at !== null) return false;
    if (first.action !== 'submit' && first.action !== 'retry') return false;
    this.#end(draft, 'cancelled', at);
    unit.flush();
    return true;
  }

  /** Web's own verdict on a task that no agent ever stated: it yields to an agent's word. */
  #end(draft: TaskDraft, status: 'failed' | 'cancelled', at: number): void {
    const { record } = draft;
    for (const intent of this.#ofTask.all(record.id)) this.#remove(intent);
    record.pending = 0;
    record.status = status;
    record.stated_status = status;
    draft.task = { ...draft.task, status, endedAt: at };
    draft.taskChanged = true;
    draft.changed = true;
    draft.happenedAt = at;
  }

  resolveLost(taskId: string, note: string | undefined, at: number): boolean {
    const unit = new UnitOfWork(this.#tables, at);
    const draft = unit.load(taskId);
    if (draft === undefined) return false;
    const { record } = draft;
    const isAbandoned =
      record.status === 'submitted' &&
      record.agent_id !== null &&
      this.#removedAsOf.get(record.agent_id) !== undefined;
    if (record.status !== 'unknown' && !isAbandoned) return false;
    if (isAbandoned) {
      // What was asked of it is answered by nobody any more.
      for (const intent of this.#ofTask.all(taskId)) this.#remove(intent);
      record.pending = 0;
    }
    this.#tables.tasks.show(draft, 'lost', at);
    record.verdict_at = at;
    record.verdict_note = note ?? null;
    draft.happenedAt = at;
    unit.flush();
    return true;
  }

  #remove({ id, body }: IntentRecord): void {
    // Of the name alone: that a prompt has it too only cuts the log once more.
    if (body.includes('"env"')) this.#wipe.owe();
    this.#delete.run(id);
  }

  #need(intentId: string): IntentRecord {
    const intent = this.#load.get(intentId);
    if (intent === undefined) throw new StoreError('no_such_intent', `no open intent ${intentId}`);
    return intent;
  }
}

function noSuchTask(id: string): StoreError {
  return new StoreError('no_such_task', `no task ${id} is known`);
}

/**
 * A second cancel asks for nothing more; nor does a second reclaim of the same attempt, which is the one of this number
 * in the same journal (`generation`, and the cursor's epoch) alone.
 */
function isRepeat(body: IntentBody, generation: number | null, other: IntentRecord): boolean {
  if (body.action !== other.action) return false;
  if (body.action !== 'reclaim') return true;
  const known = parseBody(other.body);
  return (
    known.action === 'reclaim' &&
    known.attempt === body.attempt &&
    other.asked_generation === generation &&
    epochOf(known.cursor) === epochOf(body.cursor)
  );
}

function epochOf(cursor: string | undefined): string | undefined {
  return cursor === undefined ? undefined : parseCursor(cursor)?.epoch;
}

function toIntent(record: IntentRecord): Intent {
  return {
    id: record.id,
    taskId: record.task_id,
    action: record.action,
    ...(record.agent_id === null ? {} : { agentId: record.agent_id }),
    body: parseBody(record.body),
    createdAt: record.created_at,
    ...(record.sent_at === null ? {} : { sentAt: record.sent_at }),
    tries: record.tries,
    ...(record.last_error === null ? {} : { lastError: record.last_error }),
  };
}

/** A body that this store wrote. */
function parseBody(text: string): IntentBody {
  const body: IntentBody = JSON.parse(text);
  return body;
}

function submittedTask(submit: Submit, at: number): Task {
  return {
    id: submit.id,
    sessionId: submit.sessionId,
    ...(submit.externalId === undefined ? {} : { externalId: submit.externalId }),
    agentId: '',
    ...(submit.title === undefined ? {} : { title: submit.title }),
    spec: publicSpec(submit.spec),
    status: 'queued',
    attempt: 0,
    queue: submit.queue ?? DEFAULT_QUEUE,
    priority: submit.priority ?? 0,
    labels: submit.labels ?? {},
    seq: 0,
    createdAt: at,
    outputBytes: 0,
  };
}

function repeatedTask(old: Task, id: string, at: number): Task {
  return {
    id,
    sessionId: old.sessionId,
    agentId: '',
    ...(old.title === undefined ? {} : { title: old.title }),
    spec: old.spec,
    status: 'queued',
    attempt: 0,
    queue: old.queue,
    priority: old.priority,
    labels: old.labels,
    retryOf: old.id,
    seq: 0,
    createdAt: at,
    outputBytes: 0,
  };
}

/** Whether two tasks were asked for in the same words, as far as readers see them. */
function isSameTask(a: Task, b: Task): boolean {
  return hashContent(words(a)) === hashContent(words(b));
}

function words(task: Task): unknown {
  const { id, sessionId, title, spec, queue, priority, labels, retryOf } = task;
  return { id, sessionId, title, spec, queue, priority, labels, retryOf };
}
