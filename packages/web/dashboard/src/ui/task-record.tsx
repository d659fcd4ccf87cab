/** The record of a task: its events, its attempts, what was submitted. Read when they are looked at, and again when it moves. */
import type { JSX } from 'preact';
import type { Attempt, ShownTask, TaskEvent } from '@holdfast/shared';
import type { Problem } from '../model/problem.ts';
import { outcomeText } from '../model/sentence.ts';
import { bytesText, preciseTimeText, spanText, timeText } from '../model/words.ts';
import { webNow } from '../state/clock.ts';
import { readAttempts, type EventRecord } from '../transport/api.ts';
import { useRecord, type Read } from './use-record.ts';

function Trouble({ problem }: { problem: Problem | undefined }): JSX.Element | null {
  return problem === undefined ? null : <p class="banner is-problem">{problem.detail}</p>;
}

export function EventsTab({ events }: { events: Read<EventRecord> }): JSX.Element {
  const { value, problem } = events;
  const receivedAt = new Map(value?.received.map((entry) => [entry.seq, entry.receivedAt]));
  return (
    <div class="record">
      <Trouble problem={problem} />
      <table>
        <thead>
          <tr>
            <th scope="col">Seq</th>
            <th scope="col">Agent’s clock</th>
            <th scope="col">Web received</th>
            <th scope="col">Event</th>
            <th scope="col">Status</th>
            <th scope="col">Detail</th>
          </tr>
        </thead>
        <tbody>
          {value?.items.map((event) => (
            <tr key={event.seq}>
              <td class="num dim">{event.seq}</td>
              <td class="num" title={new Date(event.at).toISOString()}>
                {preciseTimeText(event.at)}
              </td>
              <td class="num dim">{timeOf(receivedAt.get(event.seq))}</td>
              <td>{eventNames[event.kind] ?? event.kind}</td>
              <td>{event.from === event.to ? <span class="dim">{event.to}</span> : event.to}</td>
              <td class="dim">{eventDetail(event)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {value !== undefined && value.items.length === 0 && (
        <p class="dim">No agent has said anything about it yet.</p>
      )}
    </div>
  );
}

function timeOf(at: number | undefined): string {
  return at === undefined ? '' : preciseTimeText(at);
}

/** An agent of a newer version may send a kind that is not named here: it is shown as it is. */
const eventNames: Partial<Record<TaskEvent['kind'], string>> = {
  submitted: 'Accepted',
  claimed: 'Claimed',
  started: 'Started',
  adopted: 'Adopted',
  requeued: 'Requeued',
  stopRequested: 'Stop requested',
  reported: 'Reported its id',
  attention: 'Attention',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

function eventDetail(event: TaskEvent): string {
  switch (event.kind) {
    case 'submitted':
      return '';
    case 'claimed':
      return event.data?.claim === undefined
        ? `attempt ${event.attempt}`
        : `attempt ${event.attempt}, worker ${event.data.claim.worker}`;
    case 'started':
      return event.data?.process === undefined ? '' : `pid ${event.data.process.pid}`;
    case 'adopted':
      return `pid ${event.data.process.pid}, verified alive`;
    case 'requeued':
      return `${outcomeText(event.data.outcome)}${event.data.charged ? '' : ', not charged'}`;
    case 'stopRequested':
      return event.data.message ?? event.data.cause.replaceAll('_', ' ');
    case 'reported':
      return event.data.externalId;
    case 'attention':
      return 'cleared' in event.data ? `${event.data.code} cleared` : event.data.message;
    case 'completed':
    case 'failed':
    case 'cancelled':
      return outcomeText(event.data.outcome);
    default:
      return event satisfies never;
  }
}

export function AttemptsTab({ task }: { task: ShownTask }): JSX.Element {
  const { value, problem } = useRecord(task, readAttempts);
  const now = webNow.value;
  return (
    <div class="record">
      <Trouble problem={problem} />
      <table>
        <thead>
          <tr>
            <th scope="col">Attempt</th>
            <th scope="col">Claimed</th>
            <th scope="col">Ran</th>
            <th scope="col">Pid</th>
            <th scope="col">Output</th>
            <th scope="col">Outcome</th>
          </tr>
        </thead>
        <tbody>
          {value?.items.map((attempt) => (
            <tr key={attempt.attempt}>
              <td class="num">{attempt.attempt}</td>
              <td class="num">{timeText(attempt.claimedAt, now)}</td>
              <td class="num">{ranText(attempt)}</td>
              <td class="num dim">{attempt.pid ?? ''}</td>
              <td class="num dim">{bytesText(attempt.outputBytes)}</td>
              <td>{outcomeText(attempt.outcome)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {value !== undefined && value.items.length === 0 && <p class="dim">It was not attempted yet.</p>}
    </div>
  );
}

function ranText(attempt: Attempt): string {
  if (attempt.startedAt === undefined) return 'never started';
  return attempt.endedAt === undefined ? 'not ended' : spanText(attempt.endedAt - attempt.startedAt);
}

export function SpecTab({ task, cli }: { task: ShownTask; cli: string }): JSX.Element {
  return (
    <div class="record">
      <h2>As a command line</h2>
      <pre class="code">{cli}</pre>
      {task.spec.env !== undefined && task.spec.env.length > 0 && (
        <p class="dim">
          Its environment also sets {task.spec.env.join(', ')}; the values never leave the agent.
        </p>
      )}
      <h2>Spec</h2>
      <pre class="code">{JSON.stringify(task.spec, null, 2)}</pre>
      <h2>The whole row</h2>
      <pre class="code">{JSON.stringify(task, null, 2)}</pre>
    </div>
  );
}
