/**
 * The log of one attempt: which attempt, the bar above the output, and the output. Guarantees: attempt and marked lines
 * are in the address; what is not loaded is said with its size, at the end where it is missing.
 */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ShownTask } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import { plainOf } from '../model/ansi.ts';
import { byTasksClock } from '../model/certainty.ts';
import { markText, markToHash, type LogMark } from '../model/log-mark.ts';
import { placeToUrl } from '../model/place.ts';
import { isUnderWay } from '../model/stale.ts';
import { ageText, bytesText, plural, timeText } from '../model/words.ts';
import { certaintyNow } from '../state/agents.ts';
import { webNow } from '../state/clock.ts';
import { copyText } from '../state/copy.ts';
import { LogFollower, type LogView } from '../state/log-follower.ts';
import { LogSearch } from '../state/log-search.ts';
import { missedSource } from '../state/log-source.ts';
import { LogSight } from '../state/log-sight.ts';
import { go, place } from '../state/navigation.ts';
import { unmark } from '../state/log-marks.ts';
import { isWrapping, toggleWrapping } from '../state/log-preferences.ts';
import { outputUrl } from '../transport/api.ts';
import { LogBody } from './log-body.tsx';
import { LogSearchBar } from './log-search-bar.tsx';

export function TaskLog({ task }: { task: ShownTask }): JSX.Element {
  if (task.attempt === 0) {
    return (
      <div class="empty" data-testid="task-log">
        <p class="dim">{nothingText(task)}</p>
      </div>
    );
  }
  const { logAttempt } = place.value;
  // An attempt that does not exist, in a hand-written address, is the newest one.
  const attempt = logAttempt !== undefined && logAttempt < task.attempt ? logAttempt : task.attempt;
  return <AttemptLog key={attempt} task={task} attempt={attempt} />;
}

function nothingText(task: ShownTask): string {
  if (isEnded(task.status)) return 'It never started: there is no output.';
  return certaintyNow(task).state === 'live'
    ? 'No output yet: it has not started.'
    : 'It had not started when it was last heard of: no output is known.';
}

interface AttemptLogProps {
  task: ShownTask;
  attempt: number;
}

/** What one look at a log needs: who reads it and who searches it. */
interface Reader {
  follower: LogFollower;
  search: LogSearch;
  sight: LogSight;
}

function AttemptLog({ task, attempt }: AttemptLogProps): JSX.Element {
  const [reader, setReader] = useState<Reader>();
  useEffect(() => {
    const follower = new LogFollower({ task, attempt });
    setReader({ follower, search: new LogSearch(follower), sight: new LogSight() });
    return () => follower.close();
    // A new row is taken by `update`, not by a new follower.
  }, [task.id, attempt]);
  useEffect(() => reader?.follower.update(task), [reader, task]);
  const wraps = isWrapping.value;
  return (
    <div class={`log${wraps ? '' : ' no-wrap'}`} data-testid="task-log">
      <div class="log-bar">
        {task.attempt > 1 && <AttemptSwitch task={task} attempt={attempt} />}
        {reader !== undefined && <LogSearchBar {...reader} missed={missedSource(task)} />}
        <Marked />
        <span class="log-facts dim num">
          {reader !== undefined && reader.follower.view.value.state !== 'loading' && (
            <span data-testid="log-size">{sizeText(reader.follower.view.value)}</span>
          )}
          <LastOutput task={task} attempt={attempt} />
        </span>
        <span class="log-tools">
          <button
            type="button"
            class="small"
            aria-pressed={wraps}
            data-testid="log-wrap"
            title="Break long lines"
            onClick={toggleWrapping}
          >
            Wrap
          </button>
          <button
            type="button"
            class="small"
            data-testid="log-link"
            title="Copy a link to the marked lines, else to the first line in sight"
            onClick={() => reader !== undefined && copyLink(reader)}
          >
            Link
          </button>
          <button
            type="button"
            class="small"
            data-testid="log-copy"
            title="Copy the marked lines, else all that is loaded"
            onClick={() => reader !== undefined && copyLines(reader.follower.view.peek())}
          >
            Copy
          </button>
          <a
            class="tool"
            href={outputUrl(task.id, attempt)}
            download={`${task.id}-${attempt}.log`}
            data-testid="log-download"
            title="The whole log, byte for byte"
          >
            Download
          </a>
        </span>
      </div>
      {reader !== undefined && <LogBody {...reader} task={task} attempt={attempt} />}
    </div>
  );
}

/** Which lines are marked, and the way back to none. */
function Marked(): JSX.Element | null {
  const { mark } = place.value;
  if (mark === undefined) return null;
  return (
    <button
      type="button"
      class="small"
      data-testid="log-unmark"
      title="Unmark (Esc)"
      aria-label={`Unmark ${markToHash(mark).slice(1)}`}
      onClick={unmark}
    >
      <span class="num">{markToHash(mark).slice(1)}</span> <span aria-hidden="true">✕</span>
    </button>
  );
}

function AttemptSwitch({ task, attempt }: AttemptLogProps): JSX.Element {
  const choose = (chosen: number): void => {
    const { mark: _, logAttempt: _newest, ...rest } = place.peek();
    go(chosen === task.attempt ? rest : { ...rest, logAttempt: chosen });
  };
  return (
    <label>
      Attempt{' '}
      <select
        value={attempt}
        data-testid="log-attempt"
        onChange={(event) => choose(Number(event.currentTarget.value))}
      >
        {Array.from({ length: task.attempt }, (_, index) => (
          <option key={index} value={index + 1}>
            {index + 1}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The age of an attempt under way grows only while somebody vouches for it. */
function LastOutput({ task, attempt }: AttemptLogProps): JSX.Element | null {
  if (attempt !== task.attempt || task.lastOutputAt === undefined) return null;
  const certainty = certaintyNow(task);
  const now = byTasksClock(webNow.value, certainty);
  const isGrowing = isUnderWay(task) && certainty.state === 'live';
  return (
    <span data-testid="log-last" title={new Date(task.lastOutputAt).toISOString()}>
      last output{' '}
      {isGrowing ? `${ageText(now - task.lastOutputAt)} ago` : `at ${timeText(task.lastOutputAt, now)}`}
    </span>
  );
}

function sizeText({ start, end, totalBytes }: LogView): string {
  return end - start < totalBytes
    ? `${bytesText(end - start)} of ${bytesText(totalBytes)}`
    : bytesText(totalBytes);
}

function copyLink({ follower, sight }: Reader): void {
  const { lines, firstNumber } = follower.view.peek();
  const index = lines.findIndex((line) => line.at === sight.topAt);
  const number = firstNumber === undefined ? undefined : firstNumber + Math.max(0, index);
  const inSight: LogMark =
    number === undefined
      ? { kind: 'byte', offset: sight.topAt }
      : { kind: 'lines', from: number, to: number };
  const mark = place.peek().mark ?? inSight;
  copyText(`${location.origin}${placeToUrl({ ...place.peek(), mark })}`, `a link to ${markText(mark)}`);
}

function copyLines({ lines, firstNumber, start, end, totalBytes }: LogView): void {
  const { mark } = place.peek();
  let chosen = lines;
  let what = start === 0 && end >= totalBytes ? 'all of the log' : 'all that is loaded';
  if (mark?.kind === 'lines' && firstNumber !== undefined && mark.from >= firstNumber) {
    const marked = lines.slice(mark.from - firstNumber, mark.to - firstNumber + 1);
    if (marked.length > 0) {
      chosen = marked;
      what = 'what is marked';
    }
  }
  const text = chosen.map((line) => `${plainOf(line.text)}\n`).join('');
  copyText(text, `${plural(chosen.length, 'line')}, ${what}`);
}
