/**
 * The evidence timeline: what the task did, attempt by attempt, and when nobody could see it. Guarantees: each span can be
 * reached and explained with the pointer, a finger and the arrow keys; what is not to scale says so.
 */
import type { JSX } from 'preact';
import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ShownTask, TaskClaim } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import { byTasksClock, type Certainty } from '../model/certainty.ts';
import { statusHelp } from '../model/sentence.ts';
import { staleOf } from '../model/stale.ts';
import { axisOf, lanesOf, type Lane, type Scale, type Span } from '../model/timeline.ts';
import { laneEndText, lanesSummary, spanExplanation, spanName } from '../model/timeline-words.ts';
import { ageText, preciseTimeText, secondText, spanText, timeText } from '../model/words.ts';
import { agentOf } from '../state/agents.ts';
import { webNow } from '../state/clock.ts';
import { isWide } from '../state/log-preferences.ts';
import { ownGaps } from '../state/own-gaps.ts';
import { readDoubts, type EventRecord } from '../transport/api.ts';
import { useRecord } from './use-record.ts';

/** More attempts than this are folded, the newest in sight; all of them, with the whole page, when somebody asks. */
const LANES_SHOWN = 4;

interface TaskTimelineProps {
  task: ShownTask;
  certainty: Certainty;
  record: EventRecord | undefined;
}

export function TaskTimeline({ task, certainty, record }: TaskTimelineProps): JSX.Element | null {
  const doubts = useRecord(task, readDoubts);
  const explained = useSignal<number | undefined>(undefined);
  const stop = useSignal(0);
  const isUnfolded = useSignal(false);
  const isAll = isUnfolded.value;
  useEffect(() => {
    if (!isAll) return undefined;
    const wasWide = isWide.peek();
    isWide.value = true;
    return () => {
      isWide.value = wasWide;
    };
  }, [isAll]);
  const { aheadMs } = certainty;
  const now = byTasksClock(webNow.value, certainty);
  const receivedAt = new Map(record?.received.map((entry) => [entry.seq, entry.receivedAt]));
  const events = record?.items.map((event) => ({ ...event, receivedAt: receivedAt.get(event.seq) })) ?? [];
  const all = lanesOf({
    events,
    doubts: doubts.value?.items ?? [],
    ownGaps: ownGaps.value,
    certainty,
    stale: staleOf(task, certainty, webNow.value),
    now: webNow.value,
    givenUpAt: task.status === 'lost' ? task.verdict?.at : undefined,
  });
  const hidden = isAll ? 0 : Math.max(0, all.length - LANES_SHOWN);
  const lanes = all.slice(hidden);
  const spans = lanes.flatMap((lane) => lane.spans);
  const first = spans[0];
  const last = spans.at(-1);
  if (first === undefined || last === undefined) return null;
  const isOver = isEnded(task.status);
  const claim = isOver ? undefined : task.claim;
  const { scale, toAt, nowAt } = axisOf(spans, claim?.leaseExpiresAt);
  const agentName = agentOf(task)?.name ?? 'its agent';
  const chosen = Math.min(stop.value, spans.length - 1);
  const told = explained.value === undefined ? undefined : spans[explained.value];

  const onKeyDown = (event: KeyboardEvent): void => {
    const to = stepOf(event.key, chosen, spans.length);
    if (to === undefined) return;
    event.preventDefault();
    // Else the list beside it would move too.
    event.stopPropagation();
    stop.value = to;
    const figure = event.currentTarget;
    if (figure instanceof HTMLElement) figure.querySelectorAll<HTMLElement>('.span')[to]?.focus();
  };

  let index = -1;
  return (
    <figure
      class={`timeline${all.length > 1 ? ' many-lanes' : ''}${isAll ? ' is-unfolded' : ''}`}
      aria-label={`Timeline of ${all.length === 1 ? 'its only attempt' : `${all.length} attempts`}: ${lanesSummary(all)}`}
      data-testid="timeline"
      onKeyDown={onKeyDown}
      onPointerLeave={() => {
        explained.value = undefined;
      }}
    >
      {all.length > LANES_SHOWN && (
        <button
          type="button"
          class="small"
          data-testid="timeline-fold"
          aria-expanded={isAll}
          onClick={() => {
            isUnfolded.value = !isUnfolded.value;
          }}
        >
          {isAll
            ? `Only the last ${LANES_SHOWN} attempts`
            : `${hidden} earlier ${hidden === 1 ? 'attempt' : 'attempts'}`}
        </button>
      )}
      <div class="lanes">
        {lanes.map((lane) => (
          <div class="lane" key={lane.attempt}>
            {all.length > 1 && <span class="lane-name num dim">{lane.attempt}</span>}
            <div class="lane-track">
              {lane.spans.map((span) => {
                index += 1;
                return (
                  <SpanButton
                    key={`${span.fromAt} ${span.phase}`}
                    span={span}
                    scale={scale}
                    isCut={scale.cuts.some((cut) => cut.fromAt <= span.fromAt && cut.toAt >= span.toAt)}
                    index={index}
                    isStop={index === chosen}
                    text={spanExplanation(span, agentName, now, aheadMs)}
                    explained={explained}
                    stop={stop}
                  />
                );
              })}
              {claim !== undefined && lane === lanes.at(-1) && <Lease claim={claim} scale={scale} />}
              {nowAt !== undefined && lane === lanes.at(-1) && (
                <span
                  class="now-line"
                  style={{ left: `${scale.position(nowAt) * 100}%` }}
                  aria-hidden="true"
                />
              )}
              <LaneEnd lane={lane} scale={scale} task={task} />
            </div>
            {all.length > 1 && (
              <span class="lane-end dim" title={laneEndText(lane)}>
                {laneEndText(lane)}
              </span>
            )}
          </div>
        ))}
      </div>
      <Axis from={first.fromAt} to={toAt} nowAt={nowAt} task={task} scale={scale} now={now} />
      <p class="span-text" data-testid="timeline-text" aria-hidden="true">
        {told === undefined ? lanesSummary(all) : spanExplanation(told, agentName, now, aheadMs)}
        {told === undefined && claim !== undefined && (
          <span class="dim">
            {' '}
            · lease of {claim.worker} until {secondText(claim.leaseExpiresAt)}
          </span>
        )}
      </p>
    </figure>
  );
}

function stepOf(key: string, from: number, count: number): number | undefined {
  switch (key) {
    case 'ArrowRight':
    case 'ArrowDown':
      return Math.min(count - 1, from + 1);
    case 'ArrowLeft':
    case 'ArrowUp':
      return Math.max(0, from - 1);
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    default:
      return undefined;
  }
}

interface SpanButtonProps {
  span: Span;
  scale: Scale;
  /** Drawn shorter than it was. */
  isCut: boolean;
  index: number;
  isStop: boolean;
  text: string;
  explained: Signal<number | undefined>;
  stop: Signal<number>;
}

function SpanButton(props: SpanButtonProps): JSX.Element {
  const { span, scale, isCut, index, isStop, text, explained, stop } = props;
  const doubted = span.doubt === undefined ? '' : ` is-doubted by-${span.doubt.by}`;
  const explain = (): void => {
    explained.value = index;
  };
  return (
    <button
      type="button"
      class={`span span-${span.phase}${doubted}${isCut ? ' is-cut' : ''}`}
      style={place(scale, span.fromAt, span.toAt)}
      aria-label={`${spanName(span)}. ${text}`}
      data-phase={span.phase}
      data-doubt={span.doubt?.by}
      tabIndex={isStop ? 0 : -1}
      onPointerEnter={explain}
      onFocus={() => {
        stop.value = index;
        explain();
      }}
      onClick={explain}
    />
  );
}

function place(scale: Scale, fromAt: number, toAt: number): { left: string; width: string } {
  const left = scale.position(fromAt);
  return { left: `${left * 100}%`, width: `${(scale.position(toAt) - left) * 100}%` };
}

/** How far the claim’s worker has spoken for it: its last heartbeat, and until when that holds. */
function Lease({ claim, scale }: { claim: TaskClaim; scale: Scale }): JSX.Element {
  return (
    <>
      <span
        class="lease"
        style={place(scale, claim.lastHeartbeatAt, claim.leaseExpiresAt)}
        aria-hidden="true"
      />
      <span
        class="lease-beat"
        style={{ left: `${scale.position(claim.lastHeartbeatAt) * 100}%` }}
        title={`Last heartbeat of ${claim.worker} at ${preciseTimeText(claim.lastHeartbeatAt)}`}
        aria-hidden="true"
      />
    </>
  );
}

function LaneEnd({ lane, scale, task }: { lane: Lane; scale: Scale; task: ShownTask }): JSX.Element | null {
  if (lane.end === undefined) return null;
  const kind = lane.end.kind === 'requeued' ? 'requeued' : task.status;
  return (
    <span
      class={`span-end is-${kind}`}
      style={{ left: `${scale.position(lane.end.at) * 100}%` }}
      title={laneEndText(lane)}
      aria-hidden="true"
    />
  );
}

interface AxisProps {
  from: number;
  to: number;
  /** Where the axis goes on beyond the present, the present. */
  nowAt: number | undefined;
  task: ShownTask;
  scale: Scale;
  now: number;
}

function Axis({ from, to, nowAt, task, scale, now }: AxisProps): JSX.Element {
  const isOver = isEnded(task.status);
  const endedAt = task.endedAt ?? to;
  return (
    <figcaption class={`num dim${nowAt === undefined ? '' : ' has-now'}`} aria-hidden="true">
      {nowAt !== undefined && (
        <span class="now" data-testid="timeline-now" style={{ '--now': `${scale.position(nowAt) * 100}%` }}>
          now
        </span>
      )}
      <span>{timeText(from, now)}</span>
      {scale.cuts.length > 0 && (
        <span
          data-testid="timeline-cut"
          title="So long beside the rest that it is drawn shorter than it was. Each stretch tells its length."
        >
          // {spanText(scale.cuts.reduce((length, cut) => length + cut.toAt - cut.fromAt, 0))} of waiting,
          drawn shorter //
        </span>
      )}
      <span>
        {isOver
          ? `${timeText(endedAt, now)} · ${statusHelp[task.status].word.toLowerCase()}, ${ageText(now - endedAt)} ago`
          : nowAt === undefined
            ? 'now'
            : `lease ends ${secondText(to)}`}
      </span>
    </figcaption>
  );
}
