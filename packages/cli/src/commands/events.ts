/**
 * `holdfast events`: what happened to a task, fact by fact, as its agent recorded it. Guarantees: the events are the
 * agent's own, in their order and numbered by it, each with the agent's clock and, through web, with the time at which
 * web had it on disk: differences between machines show. `--json` prints the API's answer.
 */
import type { Command } from 'commander';
import type { TaskEvent } from '@holdfast/shared';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import type { Cell, Column } from '../render.ts';
import { resolveTaskId } from '../task-ref.ts';
import { bytesText, plainText, stampText } from '../words.ts';

interface EventsAnswer {
  items: TaskEvent[];
  /** Of each, in the same order, when web had it; web's alone. */
  received?: { seq: number; receivedAt: number }[];
}

export function defineEvents(command: Command, invocation: Invocation): void {
  command.argument('<id>', 'the task’s id, or the beginning of it').action(async (ref: string) => {
    const client = invocation.openClient();
    const id = await resolveTaskId(client, ref);
    const { value } = await client.call<EventsAnswer>('GET', `/tasks/${id}/events`);
    if (invocation.isJson) return invocation.printJson(value);
    return printEvents(invocation, value);
  });
  addManual(command, {
    guarantees: [
      'Each event as the agent recorded it: SEQ numbers the agent’s whole log, AT is the agent’s clock, RECEIVED is web’s, when it had the event on disk. Nothing is left out that the agent still retains; a pruned beginning is missing, and so is what web has not heard yet.',
    ],
    exits: { ok: 'what is known was printed', refused: 'there is no task of that id' },
    examples: [
      'holdfast events 0199aa3c',
      'holdfast events 0199aa3c --json | jq \'.items[] | select(.kind == "requeued") | .reason\'',
    ],
  });
}

const columns: readonly Column[] = [
  { head: 'SEQ', align: 'right' },
  { head: 'AT' },
  { head: 'RECEIVED', dropAt: 1 },
  { head: 'ATTEMPT', align: 'right', dropAt: 2 },
  { head: 'EVENT' },
  { head: 'STATUS' },
  { head: 'WHY', least: 12 },
];

async function printEvents(invocation: Invocation, { items, received }: EventsAnswer): Promise<void> {
  if (items.length === 0) {
    invocation.say('There are no events yet: its agent has not acknowledged it, or no longer retains them.');
    return;
  }
  const heard = new Map(received?.map(({ seq, receivedAt }) => [seq, receivedAt]));
  const rows = items.map((event): Cell[] => {
    const receivedAt = heard.get(event.seq);
    return [
      String(event.seq),
      stampText(event.at),
      receivedAt === undefined ? '' : stampText(receivedAt),
      String(event.attempt),
      event.kind,
      event.from === event.to ? event.to : `${event.from === null ? '' : `${event.from} → `}${event.to}`,
      plainText(whyText(event)),
    ];
  });
  const isHeard = received !== undefined;
  const shown = isHeard ? columns : columns.filter(({ head }) => head !== 'RECEIVED');
  await invocation.printTable(shown, isHeard ? rows : rows.map((row) => row.toSpliced(2, 1)));
}

/** What its kind has to say, in a few words. */
function whyText(event: TaskEvent): string {
  switch (event.kind) {
    case 'submitted':
      return event.data.task.retryOf === undefined ? '' : `retry of ${event.data.task.retryOf}`;
    case 'claimed': {
      const worker = event.data?.claim?.worker;
      return worker === undefined ? '' : `by ${worker}`;
    }
    case 'started': {
      const { process, claim } = event.data ?? {};
      if (process !== undefined) return `process ${process.pid}`;
      return claim === undefined ? '' : `by ${claim.worker}`;
    }
    case 'adopted':
      return `process ${event.data.process.pid}`;
    case 'requeued':
      return `${outcomeText(event.data.outcome, event.reason)}, ${event.data.charged ? 'charged' : 'not charged'}`;
    case 'stopRequested':
      return event.data.message === undefined
        ? event.data.cause
        : `${event.data.cause}: ${event.data.message}`;
    case 'reported':
      return `external id ${event.data.externalId}`;
    case 'attention':
      return 'cleared' in event.data
        ? `${event.data.code} is over`
        : `${event.data.code}: ${event.data.message}`;
    case 'completed':
    case 'failed':
    case 'cancelled':
      return `${outcomeText(event.data.outcome, event.reason)}, ${bytesText(event.data.outputBytes)} of output`;
    default:
      return event satisfies never;
  }
}

type Ended = Extract<TaskEvent, { kind: 'completed' | 'failed' | 'cancelled' }>;

function outcomeText(outcome: Ended['data']['outcome'], reason: TaskEvent['reason']): string {
  const { exitCode, signal, message } = outcome;
  const code = exitCode === undefined ? '' : ` ${exitCode}`;
  const named = signal === undefined ? '' : ` (${signal})`;
  return `${reason ?? outcome.reason}${code}${named}${message === undefined ? '' : `: ${message}`}`;
}
