/** One row of the list. Guarantees: it looks exactly as certain as `certaintyNow` says; its clock stands still on doubt. */
import type { JSX } from 'preact';
import type { ShownTask } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import { withoutBidi } from '../model/bidi.ts';
import { assertedStatus, type Certainty } from '../model/certainty.ts';
import { elapsedText, isWaiting } from '../model/elapsed.ts';
import { taskName } from '../model/filter.ts';
import { countFitting, labelsOf } from '../model/labels.ts';
import { rowAge, type RowAge } from '../model/row-age.ts';
import { isStaleCode, staleOf, type Stale } from '../model/stale.ts';
import { outcomeText, statusHelp, taskSentence } from '../model/sentence.ts';
import { absoluteText } from '../model/words.ts';
import { openTask, taskUrl } from '../state/navigation.ts';
import { agentOf, certaintyNow, sessionNames } from '../state/agents.ts';
import { webNow } from '../state/clock.ts';
import { markRange, selected, toggleMark } from '../state/selection.ts';
import { isLeaving, watchTask } from '../state/tasks.ts';
import { StatusIcon } from './icons.tsx';
import { StaleBadge } from './stale-badge.tsx';

interface TaskRowProps {
  id: string;
  index: number;
  top: number;
  height: number;
  isSelected: boolean;
  isOpen: boolean;
  isMarked: boolean;
  /** Width of the cell of the name; undefined where labels have no place. */
  nameRoomPx: number | undefined;
  /** The list is ordered by changes: each row tells when its own was. */
  isByChange: boolean;
}

export function TaskRow({
  id,
  index,
  top,
  height,
  isSelected,
  isOpen,
  isMarked,
  nameRoomPx,
  isByChange,
}: TaskRowProps): JSX.Element | null {
  const task = watchTask(id).value;
  if (task === undefined) return null;
  const certainty = certaintyNow(task);
  const agent = agentOf(task);
  const now = webNow.value;
  const stale = staleOf(task, certainty, now);
  const elapsed = elapsedText(task, certainty, now);
  const age = rowAge(task, certainty, now, isByChange);
  const waits = isWaiting(task) && elapsed !== '';
  const session = sessionNames.value.get(task.sessionId) ?? task.sessionId;
  const classes = ['row', `is-${task.status}`, `knows-${certainty.state}`];
  if (isSelected) classes.push('is-selected');
  if (isMarked) classes.push('is-marked');
  if (isOpen) classes.push('is-open');
  if (isLeaving(id)) classes.push('is-leaving');
  return (
    <div
      class={classes.join(' ')}
      role="row"
      aria-rowindex={index + 1}
      style={{ transform: `translateY(${top}px)`, height: `${height}px` }}
      data-testid="task-row"
      data-task-id={id}
      data-status={task.status}
      data-knowledge={certainty.state}
      onClick={(event) => {
        if (event.target instanceof Element && event.target.closest('a, label') !== null) return;
        if (window.getSelection()?.isCollapsed !== false) openTask(id);
      }}
    >
      <span class="cell c-mark" role="cell">
        <label>
          <input
            type="checkbox"
            checked={isMarked}
            aria-label={`Mark ${taskName(task)}`}
            onClick={(event) => {
              selected.value = id;
              if (event.shiftKey) markRange(id);
              else toggleMark(id);
            }}
            data-testid="mark"
          />
        </label>
      </span>
      <span
        class="cell c-status"
        role="cell"
        onPointerEnter={(event) => {
          event.currentTarget.title = taskSentence({ task, agent, certainty, now });
        }}
      >
        <StatusIcon status={task.status} certainty={weakest(certainty, stale)} />
        <StatusWord task={task} certainty={certainty} />
      </span>
      <span class="cell c-name" role="cell">
        <a
          href={taskUrl(id)}
          dir="auto"
          class={task.title === undefined ? 'name mono' : 'name'}
          title={taskName(task)}
        >
          {taskName(task)}
        </a>
        {nameRoomPx !== undefined && <Labels task={task} stale={stale} roomPx={nameRoomPx} />}
        <Marks task={task} stale={stale} />
      </span>
      <span class="cell c-output dim" role="cell" title={outputTitle(task, age)}>
        {age !== undefined && (
          <span class={`age num is-${age.kind}`} data-testid="age">
            {age.text}
          </span>
        )}
        {task.lastLine !== undefined && (
          <bdi class="last-said mono" data-testid="last-line">
            {withoutBidi(task.lastLine)}
          </bdi>
        )}
      </span>
      <span class="cell c-session dim" role="cell">
        <a
          href={`/sessions/${encodeURIComponent(task.sessionId)}`}
          title={`Session ${task.sessionId}: ${session}`}
        >
          {session}
        </a>
      </span>
      <span class="cell c-agent dim" role="cell" title={agent?.name}>
        {agent?.name ?? '–'}
      </span>
      <span class="cell c-attempt dim num" role="cell" title={`Attempt ${task.attempt}`}>
        {task.attempt > 1 ? `#${task.attempt}` : ''}
      </span>
      <span class="cell c-exit num" role="cell">
        {isEnded(task.status) ? shortOutcome(task) : ''}
      </span>
      <span class={`cell c-elapsed num${waits ? ' dim' : ''}`} role="cell" title={timesTitle(task)}>
        {waits && <span class="waits">waits </span>}
        {elapsed}
      </span>
    </div>
  );
}

/** The last asserted status in words; what is doubted says so. */
export function StatusWord({ task, certainty }: { task: ShownTask; certainty: Certainty }): JSX.Element {
  const { word } = statusHelp[task.status];
  if (certainty.state === 'unknown') {
    const was = assertedStatus(task);
    return <span class="word">Unknown{was === 'unknown' ? '' : <span class="was">was {was}</span>}</span>;
  }
  return (
    <span class="word">
      {task.stopRequested !== undefined && !isEnded(task.status) && task.status !== 'queued'
        ? 'Stopping'
        : word}
      {certainty.state === 'stale' && <span class="was">stale</span>}
    </span>
  );
}

function timesTitle({ createdAt, startedAt, endedAt }: ShownTask): string {
  const times = [
    ['Created', createdAt],
    ['started', startedAt],
    ['ended', endedAt],
  ] as const;
  return times.flatMap(([what, at]) => (at === undefined ? [] : `${what} ${absoluteText(at)}`)).join('; ');
}

function outputTitle({ lastLine }: ShownTask, age: RowAge | undefined): string | undefined {
  const parts = [age?.title ?? '', withoutBidi(lastLine ?? '')].filter((part) => part !== '');
  return parts.length === 0 ? undefined : parts.join(': ');
}

/** As many labels as there is room for beside the whole title, and how many more there are. */
function Labels({
  task,
  stale,
  roomPx,
}: {
  task: ShownTask;
  stale: Stale | undefined;
  roomPx: number;
}): JSX.Element | null {
  const labels = labelsOf(task.labels);
  if (labels.length === 0) return null;
  const badges = stale === undefined ? [] : [stale.badge];
  const name = taskName(task);
  const count = countFitting({ name, isMono: task.title === undefined, labels, badges, roomPx });
  return (
    <>
      {labels.slice(0, count).map((label) => (
        <span key={label} class="label" title={label}>
          {label}
        </span>
      ))}
      {count < labels.length && (
        <span class="label more" title={labels.slice(count).join('\n')} data-testid="more-labels">
          +{labels.length - count}
        </span>
      )}
    </>
  );
}

/** A stale task looks no more certain than a stale row, whoever vouches for what was said of it. */
export function weakest(certainty: Certainty, stale: Stale | undefined): Certainty['state'] {
  return certainty.state === 'live' && stale !== undefined ? 'stale' : certainty.state;
}

function Marks({ task, stale }: { task: ShownTask; stale: Stale | undefined }): JSX.Element | null {
  const pending = task.pending?.some((intent) => intent.action !== 'submit') === true;
  const others = task.attention?.filter(({ code }) => !isStaleCode(code)) ?? [];
  if (!pending && stale === undefined && others.length === 0) return null;
  return (
    <>
      {pending && <span class="label is-pending">{task.pending?.at(-1)?.action} pending</span>}
      {stale !== undefined && <StaleBadge stale={stale} />}
      {others.slice(0, 1).map((entry) => (
        <span key={entry.code} class="label is-attention" title={entry.message}>
          {entry.code.replaceAll('_', ' ')}
        </span>
      ))}
    </>
  );
}

function shortOutcome({ outcome, refused }: ShownTask): string {
  if (outcome === undefined) return refused?.action === 'submit' ? 'refused' : '';
  if (outcome.exitCode !== undefined && outcome.reason === 'exit') return `exit ${outcome.exitCode}`;
  if (outcome.reason === 'cancelled_by_user') return '';
  return outcomeText(outcome).split(':', 1)[0]!;
}
