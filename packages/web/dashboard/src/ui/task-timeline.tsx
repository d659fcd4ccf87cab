/** The evidence timeline: what the task did and when nobody could see it. Lengths are to scale, with a least width. */
import type { JSX } from 'preact';
import type { ShownTask } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import type { Certainty } from '../model/certainty.ts';
import { statusHelp } from '../model/sentence.ts';
import { spansOf, type Span } from '../model/timeline.ts';
import { spanText, timeText } from '../model/words.ts';
import { webNow } from '../state/clock.ts';
import { readDoubts, type EventRecord } from '../transport/api.ts';
import { useRecord } from './use-record.ts';

interface TaskTimelineProps {
  task: ShownTask;
  certainty: Certainty;
  record: EventRecord | undefined;
}

export function TaskTimeline({ task, certainty, record }: TaskTimelineProps): JSX.Element | null {
  const doubts = useRecord(task, readDoubts);
  const now = webNow.value;
  const receivedAt = new Map(record?.received.map((entry) => [entry.seq, entry.receivedAt]));
  const events = record?.items.map((event) => ({ ...event, receivedAt: receivedAt.get(event.seq) })) ?? [];
  const spans = spansOf({ events, doubts: doubts.value?.items ?? [], certainty, now });
  const first = spans[0];
  const last = spans.at(-1);
  if (first === undefined || last === undefined) return null;
  const isOver = isEnded(task.status);
  return (
    <figure class="timeline" aria-label={`Timeline: ${spans.map(spanLabel).join(', ')}`}>
      <div class="spans" aria-hidden="true">
        {spans.map((span) => (
          <span
            key={`${span.fromAt} ${span.phase}`}
            class={`span span-${span.phase}${span.isDoubted ? ' is-doubted' : ''}`}
            style={{ flexGrow: String(span.toAt - span.fromAt) }}
            title={`${spanLabel(span)}, from ${timeText(span.fromAt, now)}`}
          />
        ))}
        <span class={`span-end is-${isOver ? task.status : 'open'}`} />
      </div>
      <figcaption class="num dim" aria-hidden="true">
        <span>{timeText(first.fromAt, now)}</span>
        <span>
          {isOver ? `${timeText(last.toAt, now)} · ${statusHelp[task.status].word.toLowerCase()}` : 'now'}
        </span>
      </figcaption>
    </figure>
  );
}

function spanLabel(span: Span): string {
  const attempt = span.attempt > 1 ? ` (attempt ${span.attempt})` : '';
  const doubt = span.isDoubted ? ', not seen' : '';
  return `${span.phase}${attempt}${doubt} ${spanText(span.toAt - span.fromAt)}`;
}
