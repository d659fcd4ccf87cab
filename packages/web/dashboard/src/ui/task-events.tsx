/** The record of a task: every event with both clocks, and the gaps in what web saw. Each opens to its JSON. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import type { ShownTask } from '@holdfast/shared';
import { eventText, eventWord, gapText, recordOf, type RecordEntry } from '../model/events.ts';
import { preciseTimeText, spanText, timeText } from '../model/words.ts';
import { agentOf } from '../state/agents.ts';
import { webNow } from '../state/clock.ts';
import { readDoubts, type EventRecord } from '../transport/api.ts';
import { Trouble } from './task-record.tsx';
import { useRecord, type Read } from './use-record.ts';

export function EventsTab({ task, events }: { task: ShownTask; events: Read<EventRecord> }): JSX.Element {
  const { value, problem } = events;
  const doubts = useRecord(task, readDoubts);
  const entries = recordOf(value?.items ?? [], value?.received ?? [], doubts.value?.items ?? []);
  const json = `/api/tasks/${encodeURIComponent(task.id)}/events`;
  return (
    <div class="record" data-testid="events" tabIndex={0} role="region" aria-label="Events">
      <Trouble problem={problem} />
      <p class="record-bar dim">
        <span>
          {value === undefined
            ? 'Reading …'
            : `${value.items.length} events, as the agent put them on record`}
        </span>
        <a href={json} target="_blank" rel="noreferrer" data-testid="events-json">
          Raw JSON
        </a>
      </p>
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
          {entries.map((entry) =>
            entry.kind === 'gap' ? (
              <GapRow key={`gap ${entry.doubt.since}`} task={task} entry={entry} />
            ) : (
              <EventRow key={entry.event.seq} entry={entry} />
            ),
          )}
        </tbody>
      </table>
      {value !== undefined && value.items.length === 0 && (
        <p class="dim">No agent has said anything about it yet.</p>
      )}
    </div>
  );
}

function GapRow({ task, entry }: { task: ShownTask; entry: RecordEntry & { kind: 'gap' } }): JSX.Element {
  return (
    <tr class="is-gap" data-testid="event-gap">
      <td colSpan={6}>
        <span aria-hidden="true">? </span>
        {gapText(entry.doubt, agentOf(task)?.name ?? 'its agent', webNow.value)}
      </td>
    </tr>
  );
}

function EventRow({ entry: { event, receivedAt } }: { entry: RecordEntry & { kind: 'event' } }): JSX.Element {
  const isOpen = useSignal(false);
  const now = webNow.value;
  return (
    <>
      <tr data-testid="event" data-kind={event.kind}>
        <td class="num">
          <button
            type="button"
            class="disclosure"
            aria-expanded={isOpen.value}
            aria-label={`Event ${event.seq} as JSON`}
            onClick={() => {
              isOpen.value = !isOpen.value;
            }}
          >
            <span aria-hidden="true">{isOpen.value ? '▾' : '▸'}</span> {event.seq}
          </button>
        </td>
        <td class="num" title={new Date(event.at).toISOString()}>
          {timeText(event.at, now).includes(',') && `${timeText(event.at, now).split(',')[0]}, `}
          {preciseTimeText(event.at)}
        </td>
        <td class="num wraps dim" title={receivedAt === undefined ? '' : new Date(receivedAt).toISOString()}>
          {receivedAt !== undefined && (
            <>
              {preciseTimeText(receivedAt)} <span class="lag">{lagText(receivedAt - event.at)}</span>
            </>
          )}
        </td>
        <td>
          {eventWord(event.kind)}
          {event.reason !== undefined && <span class="dim"> {event.reason.replaceAll('_', ' ')}</span>}
        </td>
        <td>{event.from === event.to ? <span class="dim">{event.to}</span> : event.to}</td>
        <td class="dim">{eventText(event)}</td>
      </tr>
      {isOpen.value && (
        <tr>
          <td colSpan={6}>
            <pre class="code">{JSON.stringify(event, null, 2)}</pre>
          </td>
        </tr>
      )}
    </>
  );
}

/** How much later web had it; two clocks may disagree. */
function lagText(lag: number): string {
  return `${lag < 0 ? '−' : '+'}${spanText(Math.abs(lag))}`;
}
