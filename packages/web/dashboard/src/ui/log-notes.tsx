/**
 * What is said around the lines of a log: what is missing at either side and why, and how complete it is. Guarantees: what
 * cannot be read now is not offered, and says who is missed; it is offered again when they are back.
 */
import type { JSX } from 'preact';
import type { ShownTask } from '@holdfast/shared';
import { logEnd } from '../model/log-end.ts';
import { bytesText, plural, timeText } from '../model/words.ts';
import { agentOf, certaintyNow } from '../state/agents.ts';
import { linkNow, webNow } from '../state/clock.ts';
import type { LogFollower, LogView } from '../state/log-follower.ts';

export function Gaps({ view }: { view: LogView }): JSX.Element {
  return (
    <>
      {view.gaps.map((gap) => (
        <p key={gap.at} class="log-note is-gap" data-testid="log-gap">
          <span aria-hidden="true">⚡</span> {timeText(gap.at, webNow.value)}: {gap.text}
        </p>
      ))}
    </>
  );
}

interface BeforeProps {
  follower: LogFollower;
  view: LogView;
  /** Who is missed, when nothing more can be read now. */
  missed: string | undefined;
}

function Missed({ who }: { who: string | undefined }): JSX.Element | null {
  if (who === undefined) return null;
  return <span data-testid="log-missed"> {who} is not heard: more can be read when it is back.</span>;
}

/** What is before the first line that is loaded. */
export function Before({ follower, view, missed }: BeforeProps): JSX.Element | null {
  const { start, firstNumber, lines } = view;
  if (start === 0 || (lines.length === 0 && view.state === 'loading')) return null;
  const what =
    firstNumber === undefined
      ? `${bytesText(start)} skipped`
      : `${plural(firstNumber - 1, 'line')} skipped (${bytesText(start)})`;
  return (
    <p class="log-note" data-testid="log-skipped">
      {what}{' '}
      <button
        type="button"
        class="small"
        data-testid="log-load-before"
        disabled={missed !== undefined}
        onClick={() => void follower.loadBefore()}
      >
        Load more
      </button>{' '}
      <button
        type="button"
        class="small"
        data-testid="log-load-start"
        disabled={missed !== undefined}
        onClick={() => void follower.loadBeginning()}
      >
        From the start
      </button>
      <Missed who={missed} />
    </p>
  );
}

/** What is behind the last line that is loaded. */
export function After({
  view,
  missed,
  isFollowing,
  load,
  follow,
}: {
  view: LogView;
  /** Then the rest comes by itself, and the last line says how much that is. */
  isFollowing: boolean;
  missed: string | undefined;
  load: () => void;
  follow: () => void;
}): JSX.Element | null {
  const left = view.totalBytes - view.end;
  if (isFollowing && view.state === 'following' && missed === undefined) return null;
  // Where nothing was read at all, the last line says so.
  if (left <= 0 || view.state === 'loading' || (view.state === 'stopped' && view.lines.length === 0))
    return null;
  return (
    <p class="log-note" data-testid="log-rest">
      {bytesText(left)} below are not loaded{' '}
      <button
        type="button"
        class="small"
        data-testid="log-load-after"
        disabled={missed !== undefined}
        onClick={load}
      >
        Load more
      </button>{' '}
      <button
        type="button"
        class="small"
        data-testid="log-to-end"
        disabled={missed !== undefined}
        onClick={follow}
      >
        To the end
      </button>
      <Missed who={missed} />
    </p>
  );
}

/** The way to a line that is far: it has to be counted. */
export function Seeking({ follower }: { follower: LogFollower }): JSX.Element | null {
  const scan = follower.scan.value;
  if (scan?.kind !== 'line') return null;
  return (
    <p class="log-seeking num" role="status">
      Counting lines: {bytesText(scan.doneBytes)} of {bytesText(scan.ofBytes)}{' '}
      <button type="button" class="small" onClick={() => follower.stopScan()}>
        Stop
      </button>
    </p>
  );
}

interface LogEndLineProps {
  view: LogView;
  task: ShownTask;
  attempt: number;
  isFollowing: boolean;
}

/** The last line says how complete the log is. Elsewhere in the log there is none. */
export function LogEndLine({ view, task, attempt, isFollowing }: LogEndLineProps): JSX.Element | null {
  if (view.end < view.totalBytes && view.state === 'ended') return null;
  const { firstNumber, lines } = view;
  const end = logEnd({
    state: view.state,
    problem: view.problem,
    readAt: view.readAt,
    totalBytes: view.totalBytes,
    behindBytes: isFollowing ? view.totalBytes - view.end : 0,
    lineCount: firstNumber === undefined ? undefined : firstNumber + lines.length - 1,
    task,
    attempt,
    agentName: agentOf(task)?.name ?? 'its agent',
    certainty: certaintyNow(task),
    link: linkNow.value.state,
    now: webNow.value,
  });
  if (end.kind === 'reading') return <p class="log-end dim">{end.text}</p>;
  return (
    <p class={`log-end is-${end.kind}`} data-testid="log-end" data-end={end.kind} data-who={end.who}>
      {end.kind === 'following' && <span class="caret" aria-hidden="true" />}
      {end.kind === 'stopped' && <span aria-hidden="true">⚠ </span>}
      {end.text}
    </p>
  );
}
