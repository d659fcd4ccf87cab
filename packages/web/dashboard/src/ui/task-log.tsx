/**
 * The log of one attempt. Guarantees: a bounded number of elements; follows the end until a person scrolls away;
 * says at its end whether the output is complete or the stream only stopped.
 */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ShownTask } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import type { Segment } from '../model/ansi.ts';
import type { LogLine } from '../model/log-lines.ts';
import { outcomeText, statusHelp } from '../model/sentence.ts';
import { bytesText, countText } from '../model/words.ts';
import { LogFollower, type LogView } from '../state/log-follower.ts';
import { certaintyNow } from '../state/agents.ts';
import { linkNow } from '../state/clock.ts';
import { outputUrl } from '../transport/api.ts';
import { Icon } from './icons.tsx';
import { useVirtual } from './use-virtual.ts';

const LINE_PX = 18;
/** How near to the end counts as being there. */
const END_PX = 24;
/** A scroll this soon after a touch of wheel, key or pointer is a person's. */
const TOUCH_MS = 1000;

export function TaskLog({ task }: { task: ShownTask }): JSX.Element {
  /** An older attempt that was chosen; else the newest one, whichever that is. */
  const [older, setOlder] = useState<number>();
  const attempt = older ?? task.attempt;
  if (task.attempt === 0) {
    return (
      <div class="empty" data-testid="task-log">
        <p class="dim">{nothingText(task)}</p>
      </div>
    );
  }
  return (
    <AttemptLog
      key={attempt}
      task={task}
      attempt={attempt}
      onAttempt={(chosen) => setOlder(chosen === task.attempt ? undefined : chosen)}
    />
  );
}

function nothingText(task: ShownTask): string {
  if (isEnded(task.status)) return 'It never started: there is no output.';
  return certaintyNow(task).state === 'live'
    ? 'No output yet: it has not started.'
    : 'It had not started when it was last heard of: no output is known.';
}

function sizeText({ readBytes, totalBytes }: LogView): string {
  return readBytes < totalBytes
    ? `${bytesText(readBytes)} of ${bytesText(totalBytes)}`
    : bytesText(readBytes);
}

interface AttemptLogProps {
  task: ShownTask;
  attempt: number;
  onAttempt: (attempt: number) => void;
}

function AttemptLog({ task, attempt, onAttempt }: AttemptLogProps): JSX.Element {
  const [from, setFrom] = useState<'tail' | 'start'>('tail');
  const [follower, setFollower] = useState<LogFollower>();
  useEffect(() => {
    const made = new LogFollower(task, attempt, from);
    setFollower(made);
    return () => made.close();
    // A new row is taken by `update`, not by a new follower.
  }, [task.id, attempt, from]);
  useEffect(() => follower?.update(task), [follower, task]);
  const view = follower?.view.value;
  return (
    <div class="log" data-testid="task-log">
      <div class="log-bar">
        {task.attempt > 1 && (
          <label>
            Attempt{' '}
            <select value={attempt} onChange={(event) => onAttempt(Number(event.currentTarget.value))}>
              {Array.from({ length: task.attempt }, (_, index) => (
                <option key={index} value={index + 1}>
                  {index + 1}
                </option>
              ))}
            </select>
          </label>
        )}
        {view !== undefined && <span class="dim num">{sizeText(view)}</span>}
        {view !== undefined && view.skippedBytes > 0 && (
          <button type="button" class="small" onClick={() => setFrom('start')}>
            First {bytesText(view.skippedBytes)} left out: read from the start
          </button>
        )}
        <a class="push" href={outputUrl(task.id, attempt)} target="_blank" rel="noreferrer">
          Raw
        </a>
      </div>
      {view !== undefined && <LogBody view={view} task={task} attempt={attempt} />}
    </div>
  );
}

function LogBody({ view, task, attempt }: { view: LogView; task: ShownTask; attempt: number }): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const isFollowing = useSignal(true);
  const columns = useSignal(120);
  const { lines } = view;
  const first = lines[0]?.number ?? 1;
  const virtual = useVirtual({
    count: lines.length,
    getScrollElement: () => scroller.current,
    // Monospace, broken at any character: the number of rows is the length over the columns.
    estimateSize: (index) => LINE_PX * Math.max(1, Math.ceil((lines[index]?.length ?? 0) / columns.value)),
    getItemKey: (index) => first + index,
    overscan: 20,
  });

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => {
      const probe = element.querySelector('.log-probe');
      const charPx = (probe?.getBoundingClientRect().width ?? 72) / 10;
      const gutterPx = 64;
      const fit = Math.max(20, Math.floor((element.clientWidth - gutterPx) / charPx));
      if (fit !== columns.peek()) {
        columns.value = fit;
        virtual.measure();
      }
      if (isFollowing.peek()) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [columns, isFollowing, virtual]);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element !== null && isFollowing.value) element.scrollTop = element.scrollHeight;
  }, [view.revision, isFollowing.value, virtual.getTotalSize()]);

  // Only a person ends the following: the list also scrolls by itself when lines are measured or appended.
  const touchedAt = useRef(0);
  const onTouch = (): void => {
    touchedAt.current = performance.now();
  };
  const onScroll = (): void => {
    const element = scroller.current;
    if (element === null) return;
    const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < END_PX;
    if (isAtEnd) isFollowing.value = true;
    else if (performance.now() - touchedAt.current < TOUCH_MS) isFollowing.value = false;
  };

  return (
    <>
      {/* role=log without announcements: a screen reader would be flooded; the end of the output is announced. */}
      <div
        class="log-scroller mono"
        ref={scroller}
        onScroll={onScroll}
        onWheel={onTouch}
        onTouchMove={onTouch}
        onKeyDown={onTouch}
        onPointerDown={onTouch}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Output"
      >
        <span class="log-probe" aria-hidden="true">
          0000000000
        </span>
        {view.skippedLines > 0 && <p class="log-note">{countText(view.skippedLines)} lines skipped</p>}
        <div class="runway" style={{ height: `${virtual.getTotalSize()}px` }}>
          {virtual.getVirtualItems().map((item) => (
            <Line
              key={item.key}
              line={lines[item.index]!}
              index={item.index}
              top={item.start}
              measure={virtual.measureElement}
            />
          ))}
        </div>
        <LogEnd view={view} task={task} attempt={attempt} />
      </div>
      {!isFollowing.value && (
        <button
          type="button"
          class="follow"
          onClick={() => {
            isFollowing.value = true;
          }}
        >
          <Icon name="down" size={13} /> {view.state === 'ended' ? 'To the end' : 'Follow'}
        </button>
      )}
    </>
  );
}

interface LineProps {
  line: LogLine;
  index: number;
  top: number;
  measure: (element: HTMLElement | null) => void;
}

function Line({ line, index, top, measure }: LineProps): JSX.Element {
  return (
    <div class="line" ref={measure} data-index={index} style={{ transform: `translateY(${top}px)` }}>
      <span class="line-number" data-number={line.number} aria-hidden="true" />
      <span class="line-text">
        {line.segments.map((segment, at) => (
          <Piece key={at} segment={segment} />
        ))}
      </span>
    </div>
  );
}

function Piece({ segment }: { segment: Segment }): JSX.Element {
  const { text, href, classes, colour, background, isBold, isFaint, isItalic, isUnderlined } = segment;
  if (href !== undefined) {
    return (
      <a href={href} target="_blank" rel="noreferrer noopener">
        {text}
      </a>
    );
  }
  const names = [
    classes,
    isBold && 'bold',
    isFaint && 'faint',
    isItalic && 'italic',
    isUnderlined && 'underline',
    colour !== undefined && 'given-fg',
    background !== undefined && 'given-bg',
  ].filter(Boolean);
  if (names.length === 0) return <>{text}</>;
  return (
    <span class={names.join(' ')} style={{ '--given-fg': colour ?? '', '--given-bg': background ?? '' }}>
      {text}
    </span>
  );
}

/** The last line says how complete the log is. */
function LogEnd({ view, task, attempt }: { view: LogView; task: ShownTask; attempt: number }): JSX.Element {
  switch (view.state) {
    case 'loading':
      return <p class="log-end dim">Reading …</p>;
    case 'ended': {
      const isNewest = attempt === task.attempt;
      const how = !isNewest
        ? `attempt ${attempt}`
        : outcomeText(task.outcome) ||
          (isEnded(task.status) ? statusHelp[task.status].word.toLowerCase() : '');
      return (
        <p class="log-end" data-testid="log-end" data-end="complete">
          End of output{how === '' ? '' : ` · ${how}`}
          {view.totalBytes === 0 ? ' · nothing was printed' : ''}
        </p>
      );
    }
    case 'stopped':
      return (
        <p class="log-end is-stopped" data-testid="log-end" data-end="stopped">
          Stream stopped, not ended. {view.problem?.detail ?? ''} It is tried again by itself.
        </p>
      );
    case 'following':
      // Silence is not the end: what is printed now, if anything, is not seen.
      return certaintyNow(task).state === 'live' ? (
        <p class="log-end dim" data-testid="log-end" data-end="following">
          <span class="caret" aria-hidden="true" />
          {view.totalBytes === 0 ? 'Nothing printed yet' : 'Following'}
        </p>
      ) : (
        <p class="log-end is-stopped" data-testid="log-end" data-end="stopped">
          Stream stopped, not ended: {linkNow.value.state === 'live' ? 'its agent' : 'the web service'} is not
          heard.
        </p>
      );
    default:
      return view.state satisfies never;
  }
}
