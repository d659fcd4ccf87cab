/**
 * The lines of a log. Guarantees: a bounded number of elements; follows the end until a person scrolls away, and then
 * what they read stays where it is, whatever is added or given up at either side; its last line says how complete it is.
 */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { ShownTask } from '@holdfast/shared';
import { logAction, type LogAction } from '../model/log-keys.ts';
import type { LogMark } from '../model/log-mark.ts';
import { bytesText, plural } from '../model/words.ts';
import type { LogFollower, LogView } from '../state/log-follower.ts';
import { unmark } from '../state/log-marks.ts';
import { isWrapping, toggleWrapping } from '../state/log-preferences.ts';
import type { LogSearch } from '../state/log-search.ts';
import type { LogSight } from '../state/log-sight.ts';
import { missedSource } from '../state/log-source.ts';
import { place } from '../state/navigation.ts';
import { notify } from '../state/notices.ts';
import { Icon } from './icons.tsx';
import { Line } from './log-line.tsx';
import { After, Before, Gaps, LogEndLine, Seeking } from './log-notes.tsx';
import { goToMatch } from './log-search-bar.tsx';
import { useColumns } from './use-columns.ts';
import { useVirtual } from './use-virtual.ts';

const LINE_PX = 18;
/** How near to the end counts as being there. */
const END_PX = 24;
const UPWARDS = new Set(['ArrowUp', 'PageUp', 'Home']);
/** A scroll this soon after a touch of wheel, key or pointer is a person's. */
const TOUCH_MS = 1000;
/** Of no-longer-loaded text so near, more is read without being asked for. */
const NEAR_PX = 300;

interface LogBodyProps {
  follower: LogFollower;
  search: LogSearch;
  sight: LogSight;
  task: ShownTask;
  attempt: number;
}

export function LogBody({ follower, search, sight, task, attempt }: LogBodyProps): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const runway = useRef<HTMLDivElement>(null);
  const isFollowing = useSignal(place.peek().mark === undefined);
  const columns = useSignal(120);
  const view = follower.view.value;
  const wraps = isWrapping.value;
  const { lines, firstNumber } = view;
  const missed = missedSource(task);
  // Read once, not for each of the lines.
  const fit = columns.value;
  const virtual = useVirtual({
    count: lines.length,
    getScrollElement: () => scroller.current,
    // Monospace, broken at any character: the number of rows is the length over the columns.
    estimateSize: (index) =>
      wraps ? LINE_PX * Math.max(1, Math.ceil((lines[index]?.text.length ?? 0) / fit)) : LINE_PX,
    getItemKey: (index) => lines[index]?.at ?? -1,
    overscan: 20,
  });
  const follow = (): void => {
    isFollowing.value = true;
  };

  useEffect(() => follower.setFollowing(isFollowing.value), [follower, isFollowing.value]);
  useColumns({ scroller, columns, isFollowing, virtual });
  useLayoutEffect(() => virtual.measure(), [virtual, wraps]);

  // ── What is in sight stays in sight ──────────────────────────────────────────────────────────────────────
  /** The first line in sight while nobody follows, and how far above it the edge is. */
  const anchor = useRef<{ at: number; px: number } | undefined>(undefined);
  const firstAt = lines[0]?.at;
  const startOf = (index: number): number =>
    (runway.current?.offsetTop ?? 0) + (virtual.measurementsCache[index]?.start ?? 0);
  const indexOf = (at: number): number => lines.findIndex((line) => line.at === at);
  const topIndex = (): number => {
    const scrollTop = (scroller.current?.scrollTop ?? 0) - (runway.current?.offsetTop ?? 0);
    return virtual.getVirtualItems().find((item) => item.end > scrollTop)?.index ?? 0;
  };
  const noteAnchor = (): void => {
    const index = topIndex();
    const line = lines[index];
    anchor.current =
      line === undefined
        ? undefined
        : { at: line.at, px: (scroller.current?.scrollTop ?? 0) - startOf(index) };
  };
  useLayoutEffect(() => {
    const kept = anchor.current;
    if (isFollowing.peek() || kept === undefined || scroller.current === null) return;
    const index = indexOf(kept.at);
    if (index >= 0) scroller.current.scrollTop = startOf(index) + kept.px;
  }, [firstAt, view.start]);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element !== null && isFollowing.value) element.scrollTop = element.scrollHeight;
  }, [view.revision, isFollowing.value, virtual.getTotalSize()]);

  const goal = sight.goal.value;
  useLayoutEffect(() => {
    if (goal === undefined) return;
    isFollowing.value = false;
    const index = indexOf(goal.at);
    if (index < 0) return;
    sight.goal.value = undefined;
    anchor.current = undefined;
    virtual.scrollToIndex(index, { align: 'center' });
  }, [goal, view.revision]);
  useEffect(() => {
    sight.topAt = lines[topIndex()]?.at ?? 0;
  });
  const { mark } = place.value;
  useEffect(() => {
    if (mark === undefined) return;
    isFollowing.value = false;
    void seekMark(follower, mark).then((at) => {
      if (at !== undefined) sight.show(at);
    });
  }, [follower, mark]);

  // ── Who scrolls ──────────────────────────────────────────────────────────────────────────────────────────
  // Only a person ends the following: the list also scrolls by itself when lines are measured or appended.
  const touchedAt = useRef(Number.NEGATIVE_INFINITY);
  const leftAt = useSignal<number | undefined>(undefined);
  const busy = useRef(false);
  /** What scrolling asks for, one at a time; who presses a button is never ignored. */
  const load = (read: () => Promise<void>): void => {
    if (busy.current) return;
    busy.current = true;
    void read().finally(() => {
      busy.current = false;
    });
  };
  const onTouch = (): void => {
    touchedAt.current = performance.now();
  };
  const leave = (): void => {
    if (!isFollowing.peek()) return;
    isFollowing.value = false;
    leftAt.value = lines.at(-1)?.at;
  };
  /** A wish to go up counts at once: should output come before the scroll does, it would be taken back to the end. */
  const onWheel = (event: WheelEvent): void => {
    onTouch();
    if (event.deltaY < 0 && (scroller.current?.scrollTop ?? 0) > 0) leave();
  };
  const onScroll = (): void => {
    const element = scroller.current;
    if (element === null) return;
    const below = element.scrollHeight - element.scrollTop - element.clientHeight;
    const isTouched = performance.now() - touchedAt.current < TOUCH_MS;
    const isWhole = view.end >= view.totalBytes;
    if (below < END_PX && isWhole && (isTouched || isFollowing.peek())) isFollowing.value = true;
    else if (isTouched) leave();
    if (isFollowing.peek()) return;
    noteAnchor();
    if (missed !== undefined) return;
    if (isTouched && element.scrollTop < NEAR_PX && view.start > 0) load(() => follower.loadBefore());
    else if (isTouched && below < NEAR_PX && !isWhole) load(() => follower.loadAfter());
  };
  const goToEnd = (): void => {
    if (missed === undefined || view.end >= view.totalBytes) follow();
    else scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  };
  const goToStart = (): void => {
    leave();
    if (missed === undefined && view.start > 0) void follower.loadBeginning();
    scroller.current?.scrollTo({ top: 0 });
    noteAnchor();
  };
  const act = (action: LogAction): boolean => {
    switch (action) {
      case 'start':
        goToStart();
        return true;
      case 'end':
        goToEnd();
        return true;
      case 'follow':
        if (isFollowing.peek()) leave();
        else goToEnd();
        return true;
      case 'search':
        scroller.current?.closest('.log')?.querySelector<HTMLElement>('[data-testid=log-search]')?.focus();
        return true;
      case 'next':
      case 'previous':
        if (search.text.peek() === '') return false;
        goToMatch({ search, sight }, action === 'next' ? 1 : -1);
        return true;
      case 'wrap':
        toggleWrapping();
        return true;
      case 'unmark':
        if (place.peek().mark === undefined) return false;
        unmark();
        return true;
      default:
        return action satisfies never;
    }
  };
  const lastKey = useRef({ key: '', at: 0 });
  const onKeyDown = (event: KeyboardEvent): void => {
    onTouch();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isUpwards = UPWARDS.has(event.key) || (event.key === ' ' && event.shiftKey);
    if (isUpwards && (scroller.current?.scrollTop ?? 0) > 0) leave();
    const before = performance.now() - lastKey.current.at < TOUCH_MS ? lastKey.current.key : '';
    lastKey.current = { key: event.key, at: performance.now() };
    const action = logAction(before, event.key);
    // What is done here is not done by the rest of the page as well.
    if (action !== undefined && act(action)) event.preventDefault();
  };

  const needle = search.text.value;
  const currentAt = search.currentAt.value;
  return (
    <>
      {/* role=log without announcements: a screen reader would be flooded; the end of the output is announced. */}
      <div
        class="log-scroller mono"
        ref={scroller}
        onScroll={onScroll}
        onWheel={onWheel}
        onTouchMove={onTouch}
        onKeyDown={onKeyDown}
        onPointerDown={onTouch}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Output"
      >
        <span class="log-probe" aria-hidden="true">
          0000000000
        </span>
        <Gaps view={view} />
        <Before follower={follower} view={view} missed={missed} />
        <div class="runway" ref={runway} style={{ height: `${virtual.getTotalSize()}px` }}>
          {virtual.getVirtualItems().map((item) => {
            const line = lines[item.index];
            if (line === undefined) return null;
            const number = firstNumber === undefined ? undefined : firstNumber + item.index;
            return (
              <Line
                key={item.key}
                line={line}
                index={item.index}
                number={number}
                top={item.start}
                measure={wraps ? virtual.measureElement : undefined}
                isMarked={isMarked(mark, line.at, number)}
                isCurrent={line.at === currentAt}
                needle={needle}
              />
            );
          })}
        </div>
        <After
          view={view}
          missed={missed}
          isFollowing={isFollowing.value}
          load={() => void follower.loadAfter()}
          follow={follow}
        />
        <LogEndLine view={view} task={task} attempt={attempt} isFollowing={isFollowing.value} />
      </div>
      <Seeking follower={follower} />
      {!isFollowing.value && (view.lines.length > 0 || view.totalBytes > 0) && (
        <button type="button" class="follow" data-testid="log-follow" onClick={goToEnd}>
          <Icon name="down" size={13} /> {followText(view, leftAt.value)}
        </button>
      )}
    </>
  );
}

/** Loads what is marked; resolves to where its first line begins, or to nothing when it is not there. */
async function seekMark(follower: LogFollower, mark: LogMark): Promise<number | undefined> {
  if (mark.kind === 'byte') {
    await follower.seekPlace({ at: mark.offset });
    return mark.offset;
  }
  const found = await follower.seekLine(mark.from);
  if (found === undefined) return undefined;
  if ('at' in found) return found.at;
  const soFar = follower.view.peek().state === 'ended' ? '' : ' so far';
  notify(`There is no line ${mark.from}: the log has ${plural(found.tooFew, 'line')}${soFar}.`);
  return undefined;
}

function isMarked(mark: LogMark | undefined, at: number, number: number | undefined): boolean {
  if (mark === undefined) return false;
  if (mark.kind === 'byte') return mark.offset === at;
  return number !== undefined && number >= mark.from && number <= mark.to;
}

function followText(view: LogView, leftAt: number | undefined): string {
  const left = leftAt === undefined ? -1 : view.lines.findLastIndex((line) => line.at <= leftAt);
  const newLines = left < 0 ? 0 : view.lines.length - 1 - left;
  const beyond = view.end < view.totalBytes ? ` and ${bytesText(view.totalBytes - view.end)}` : '';
  if (newLines > 0) return `${plural(newLines, 'new line')}${beyond}`;
  return view.state === 'ended' ? 'To the end' : 'Follow';
}
