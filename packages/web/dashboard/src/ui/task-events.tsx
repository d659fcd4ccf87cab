/**
 * The record of a task, as sentences by attempt: every event with both clocks, and the gaps in what web saw. Guarantees:
 * each event opens to its JSON; what a filter leaves out is counted beside it.
 */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import type { ShownTask } from '@holdfast/shared';
import { attemptRows, type AttemptRow } from '../model/attempts.ts';
import {
  eventSentence,
  eventWord,
  gapText,
  groupsOf,
  kindCounts,
  lagText,
  recordOf,
  skewText,
  type RecordEntry,
} from '../model/events.ts';
import { outcomeText } from '../model/sentence.ts';
import { dayText, plural, preciseTimeText, spanText } from '../model/words.ts';
import { agentOf, certaintyNow } from '../state/agents.ts';
import { webNow } from '../state/clock.ts';
import { readDoubts, type EventRecord } from '../transport/api.ts';
import { attemptLogUrl, Trouble } from './task-record.tsx';
import { useRecord, type Read } from './use-record.ts';

/** So many can be read through; more are worth a choice. */
const MANY_EVENTS = 15;

export function EventsTab({ task, events }: { task: ShownTask; events: Read<EventRecord> }): JSX.Element {
  const { value, problem } = events;
  const doubts = useRecord(task, readDoubts);
  const chosen = useSignal('');
  const all = value?.items ?? [];
  const received = value?.received ?? [];
  const name = agentOf(task)?.name ?? 'its agent';
  const { aheadMs } = certaintyNow(task);
  const skew = skewText(all, received, name, aheadMs);
  const entries = recordOf(all, received, doubts.value?.items ?? []).filter(
    (entry) => chosen.value === '' || (entry.kind === 'event' && entry.event.kind === chosen.value),
  );
  const attempts = new Map(attemptRows(all).map((row) => [row.attempt, row]));
  const json = `/api/tasks/${encodeURIComponent(task.id)}/events`;
  return (
    <div class="record" data-testid="events" tabIndex={0} role="region" aria-label="Events">
      <Trouble problem={problem} />
      <div class="record-bar">
        <span class="dim">
          {value === undefined
            ? 'Reading …'
            : `${plural(all.length, 'event')}, as the agent put them on record`}
        </span>
        {all.length > MANY_EVENTS && (
          <label>
            Show{' '}
            <select
              value={chosen.value}
              data-testid="event-kinds"
              onChange={(event) => {
                chosen.value = event.currentTarget.value;
              }}
            >
              <option value="">all of them</option>
              {kindCounts(all).map(([kind, count]) => (
                <option key={kind} value={kind}>
                  {eventWord(kind)} ({count})
                </option>
              ))}
            </select>
          </label>
        )}
        <a href={json} target="_blank" rel="noreferrer" data-testid="events-json">
          Raw JSON
        </a>
      </div>
      {skew !== undefined && (
        <p class="banner is-attention" data-testid="skew">
          {skew}
        </p>
      )}
      <table class="events">
        <thead>
          <tr>
            <th scope="col">Seq</th>
            <th scope="col">Agent’s clock</th>
            <th scope="col">Web’s clock</th>
            <th scope="col">What happened</th>
          </tr>
        </thead>
        {groupsOf(entries).map((group) => (
          <tbody key={`${group.attempt} ${keyOf(group.entries[0])}`}>
            {task.attempt > 1 && (
              <GroupHead task={task} attempt={group.attempt} row={attempts.get(group.attempt)} />
            )}
            {group.entries.map((entry) =>
              entry.kind === 'gap' ? (
                <GapRow key={keyOf(entry)} task={task} entry={entry} />
              ) : (
                <EventRow key={keyOf(entry)} entry={entry} aheadMs={aheadMs ?? 0} />
              ),
            )}
          </tbody>
        ))}
      </table>
      {value !== undefined && all.length === 0 && <p class="dim">No agent has said anything about it yet.</p>}
    </div>
  );
}

function keyOf(entry: RecordEntry | undefined): string {
  if (entry === undefined) return '';
  return entry.kind === 'gap' ? `gap ${entry.doubt.since}` : String(entry.event.seq);
}

/** Which attempt it is about, how that went, and the way to its log. */
function GroupHead({
  task,
  attempt,
  row,
}: {
  task: ShownTask;
  attempt: number;
  row: AttemptRow | undefined;
}): JSX.Element {
  if (attempt === 0 || row === undefined) {
    return (
      <tr class="record-group">
        <th scope="rowgroup" colSpan={4}>
          Before the first attempt
        </th>
      </tr>
    );
  }
  const took =
    row.startedAt !== undefined && row.endedAt !== undefined
      ? spanText(Math.max(0, row.endedAt - row.startedAt))
      : '';
  const how = [row.worker === undefined ? '' : `worker ${row.worker}`, took, outcomeText(row.outcome)];
  return (
    <tr class="record-group" data-testid="event-group" data-attempt={attempt}>
      <th scope="rowgroup" colSpan={4}>
        Attempt {attempt}{' '}
        <span class="dim">{how.filter((part) => part !== '').map((part) => `· ${part} `)}</span>
        <a href={attemptLogUrl(task, attempt)}>Log</a>
      </th>
    </tr>
  );
}

function GapRow({ task, entry }: { task: ShownTask; entry: RecordEntry & { kind: 'gap' } }): JSX.Element {
  return (
    <tr class="is-gap" data-testid="event-gap">
      <td colSpan={4}>
        <span aria-hidden="true">? </span>
        {gapText(entry.doubt, agentOf(task)?.name ?? 'its agent', webNow.value)}
      </td>
    </tr>
  );
}

function EventRow({
  entry: { event, receivedAt },
  aheadMs,
}: {
  entry: RecordEntry & { kind: 'event' };
  aheadMs: number;
}): JSX.Element {
  const isOpen = useSignal(false);
  const now = webNow.value;
  const lag = receivedAt === undefined ? '' : lagText(receivedAt + aheadMs - event.at);
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
          {dayText(event.at, now)}
          {preciseTimeText(event.at)}
        </td>
        <td class="num wraps dim" title={receivedAt === undefined ? '' : new Date(receivedAt).toISOString()}>
          {receivedAt !== undefined && preciseTimeText(receivedAt)}
          {lag !== '' && <span class="lag"> {lag}</span>}
        </td>
        <td>
          {eventSentence(event)}
          {event.from !== event.to && <span class="dim"> → {event.to}</span>}
        </td>
      </tr>
      {isOpen.value && (
        <tr>
          <td colSpan={4}>
            <pre class="code">{JSON.stringify(event, null, 2)}</pre>
          </td>
        </tr>
      )}
    </>
  );
}
