/**
 * The list, windowed. Guarantees: only the rows in sight exist as elements; nothing moves under the pointer, while the
 * keyboard is on a row, or while the list is scrolled; an empty list says what to do next.
 */
import type { JSX } from 'preact';
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import {
  isEmptyFilter,
  isSameFilter,
  needsYouView,
  noFilter,
  viewName,
  type Filter,
} from '../model/filter.ts';
import { placeToUrl } from '../model/place.ts';
import { troubleOf } from '../model/agent-trouble.ts';
import { countText, plural } from '../model/words.ts';
import { openDialog } from '../state/dialogs.ts';
import { failingChannels } from '../state/failing-channels.ts';
import { agentUrl, place } from '../state/navigation.ts';
import { clearMarks, isChoosing, marked, markedCount, selected } from '../state/selection.ts';
import { agents, sessionNames } from '../state/agents.ts';
import { reread } from '../state/store.ts';
import { needyAgents } from '../state/views.ts';
import { areSessionsRead, nameSessions } from '../state/sessions.ts';
import {
  holdList,
  list,
  listProblem,
  loading,
  peekTask,
  readMore,
  releaseList,
  settleList,
} from '../state/tasks.ts';
import { Unread } from './empty.tsx';
import { ColumnHeads, orderName, OrderMenu } from './list-order.tsx';
import { lazy } from './lazy.tsx';
import { SessionHead } from './session-head.tsx';
import { TaskRow } from './task-row.tsx';
import { useVirtual } from './use-virtual.ts';

const nothing = (): void => undefined;
const EmptyList = lazy(async () => (await import('./empty-list.tsx')).EmptyList, nothing);
const NowherePane = lazy(async () => (await import('./empty-list.tsx')).NowherePane, nothing);
const SelectionBar = lazy(async () => (await import('./selection-bar.tsx')).SelectionBar, nothing);

const ROW_PX = 36;
const CARD_PX = 56;
/** Below this width a row has two lines. */
const CARD_BELOW_PX = 760;
const READ_AHEAD_ROWS = 60;
/** The width of the names is known to this. */
const STEP_PX = 8;

export function TaskListPane(): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const [isCard, setCard] = useState(false);
  const nameHead = useRef<HTMLSpanElement>(null);
  const [nameRoomPx, setNameRoomPx] = useState(0);
  const { order, waiting, moved, hasMore } = list.value;
  const { nowhere } = place.value;
  const heightPx = isCard ? CARD_PX : ROW_PX;
  // Another function would have every row measured anew, with each frame.
  const keyOf = useCallback((index: number) => order[index] ?? index, [order]);
  const heightOf = useCallback(() => heightPx, [heightPx]);
  const virtual = useVirtual({
    count: order.length,
    getScrollElement: () => scroller.current,
    estimateSize: heightOf,
    getItemKey: keyOf,
    overscan: 8,
  });

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => {
      setCard(element.clientWidth < CARD_BELOW_PX);
      // By steps: a window that is drawn wider does not have every row laid out with each pixel.
      setNameRoomPx(Math.floor((nameHead.current?.clientWidth ?? 0) / STEP_PX) * STEP_PX);
    });
    observer.observe(element);
    if (nameHead.current !== null) observer.observe(nameHead.current);
    return () => observer.disconnect();
  }, [isCard, order.length === 0, nowhere === undefined]);
  useLayoutEffect(() => virtual.measure(), [heightPx, virtual]);

  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && lastShown > order.length - READ_AHEAD_ROWS) void readMore();
    // With each new picture: one that was asked for may have failed, or not have been taken.
  }, [hasMore, lastShown, order]);

  const areNamesDue = areSessionsRead.value;
  useEffect(() => {
    if (!areNamesDue) return;
    void nameSessions(items.flatMap(({ index }) => peekTask(order[index] ?? '')?.sessionId ?? []));
  });

  const isHovered = useRef(false);
  /** What the keyboard is on within the rows: it stays where it is, like what is under the pointer. */
  const focused = useRef<HTMLElement>(undefined);
  const settleHold = (): void => {
    const isScrolled = (scroller.current?.scrollTop ?? 0) > 4;
    if (isHovered.current || isScrolled || focused.current !== undefined) holdList();
    else releaseList();
  };
  useLayoutEffect(() => {
    if (focused.current === undefined || focused.current.isConnected) return;
    focused.current = undefined;
    // The row has left, and the keyboard's place with it: the list itself is the nearest one.
    if (document.activeElement === document.body) scroller.current?.focus({ preventScroll: true });
    settleHold();
  });

  const chosen = selected.value;
  useEffect(() => {
    const index = chosen === undefined ? -1 : list.peek().order.indexOf(chosen);
    if (index >= 0) virtual.scrollToIndex(index, { align: 'auto' });
  }, [chosen, virtual]);

  // What is marked was in sight: another list marks nothing.
  const shownFilter = useRef<Filter>(place.value.filter);
  useEffect(() => {
    if (isSameFilter(shownFilter.current, place.value.filter)) return;
    shownFilter.current = place.value.filter;
    clearMarks();
    scroller.current?.scrollTo({ top: 0 });
  }, [place.value.filter]);

  if (nowhere !== undefined) return <NowherePane path={nowhere} />;

  const isMarking = isChoosing.value || markedCount.value > 0;
  const classes = `list-pane${isCard ? ' is-cards' : ''}${isMarking ? ' is-marking' : ''}`;
  return (
    <section
      class={classes}
      aria-label="Tasks"
      onPointerEnter={(event) => {
        if (event.pointerType !== 'mouse') return;
        isHovered.current = true;
        settleHold();
      }}
      onPointerLeave={() => {
        isHovered.current = false;
        settleHold();
      }}
    >
      <ListHead isCard={isCard} />
      {isMarking && <SelectionBar />}
      {isSameFilter(place.value.filter, needsYouView.filter) && <NeedyAgents />}
      {waiting + moved > 0 && (
        <div class="waiting-place">
          <button
            type="button"
            class="waiting"
            data-testid="waiting"
            onClick={() => {
              settleList();
              scroller.current?.scrollTo({ top: 0 });
            }}
          >
            {[waiting > 0 && `${countText(waiting)} new`, moved > 0 && `${countText(moved)} moved`]
              .filter(Boolean)
              .join(', ')}
          </button>
        </div>
      )}
      <div
        class="table"
        style={columnWidths()}
        {...(order.length === 0
          ? {}
          : {
              role: 'table',
              'aria-label': `Tasks: ${orderName(place.value.filter.order)}`,
              'aria-rowcount': hasMore ? -1 : order.length + (isCard ? 0 : 1),
            })}
      >
        {!isCard && order.length > 0 && <ColumnHeads nameHead={nameHead} />}
        <div
          class="scroller"
          id="tasks"
          ref={scroller}
          tabIndex={0}
          role={order.length === 0 ? undefined : 'rowgroup'}
          aria-label={order.length === 0 ? undefined : 'Tasks'}
          onScroll={settleHold}
          onFocusIn={(event) => {
            const { target } = event;
            if (!(target instanceof HTMLElement) || target === scroller.current) return;
            focused.current = target.matches(':focus-visible') ? target : undefined;
            settleHold();
          }}
          onFocusOut={(event) => {
            if (event.relatedTarget === null && focused.current?.isConnected !== true) return;
            focused.current = undefined;
            settleHold();
          }}
        >
          <div class="runway" role="presentation" style={{ height: `${virtual.getTotalSize()}px` }}>
            {items.map((item) => {
              const id = order[item.index];
              if (id === undefined) return null;
              return (
                <TaskRow
                  key={id}
                  id={id}
                  index={item.index + (isCard ? 0 : 1)}
                  top={item.start}
                  height={heightPx}
                  isSelected={id === chosen}
                  isOpen={id === place.value.taskId}
                  isMarked={marked.value.has(id)}
                  nameRoomPx={isCard ? undefined : nameRoomPx}
                  isByChange={place.value.filter.order === 'changed'}
                />
              );
            })}
          </div>
          {order.length === 0 &&
            (loading.value === 'first' || listProblem.value !== undefined ? <Unread /> : <EmptyList />)}
        </div>
      </div>
    </section>
  );
}

function ListHead({ isCard }: { isCard: boolean }): JSX.Element {
  const { order, total, hasMore } = list.value;
  const { filter } = place.value;
  return (
    <div class="list-head">
      {filter.sessionId === undefined ? (
        <h1>{viewName(filter)}</h1>
      ) : (
        <SessionHead key={filter.sessionId} id={filter.sessionId} />
      )}
      <span class="dim num">
        {loading.value === 'first'
          ? 'reading …'
          : listProblem.value !== undefined && order.length === 0
            ? 'not read'
            : hasMore
              ? `${countText(order.length)} of ${countText(total)}`
              : plural(total, 'task')}
      </span>
      {!isEmptyFilter(filter) && (
        <a class="clear" href={placeToUrl({ filter: noFilter, tab: 'log' })} data-testid="clear-filter">
          Clear filter
        </a>
      )}
      <span class="list-tools">
        {isCard && (
          <button
            type="button"
            class="small"
            aria-pressed={isChoosing.value}
            onClick={() => {
              if (isChoosing.value) clearMarks();
              else isChoosing.value = true;
            }}
            data-testid="choose"
          >
            Select
          </button>
        )}
        <OrderMenu />
      </span>
      {listProblem.value !== undefined && order.length > 0 && (
        <span class="problem-text">
          {listProblem.value.detail}{' '}
          <button type="button" class="small" onClick={reread}>
            Read again
          </button>
        </span>
      )}
    </div>
  );
}

/** As wide as what is in them, within bounds: the task and what it says have the rest. */
function columnWidths(): Record<string, string> {
  const longest = (names: Iterable<string>, least: number, most: number): string => {
    let width = least;
    for (const name of names) width = Math.max(width, Math.min(most, name.length));
    return String(width);
  };
  return {
    '--session-chars': longest(sessionNames.value.values(), 7, 18),
    '--agent-chars': longest(
      agents.value.map(({ name }) => name),
      6,
      14,
    ),
  };
}

/** So that the tasks below them stay in sight. */
const MOST_NEEDY = 3;

/** The view says what it holds, which agents wait for a person, and which channels do not reach one. */
function NeedyAgents(): JSX.Element {
  const [isWhole, setWhole] = useState(false);
  const agents = needyAgents.value;
  return (
    <div class="needy" data-testid="needy">
      <p class="hint">{needsYouView.help}</p>
      {(isWhole ? agents : agents.slice(0, MOST_NEEDY)).map((agent) => (
        <p key={agent.id} class="banner is-attention">
          <a href={agentUrl(agent.id)} data-testid="needy-agent">
            {agent.name}
          </a>
          : {troubleOf(agent)?.text}
        </p>
      ))}
      {agents.length > MOST_NEEDY && (
        <button
          type="button"
          class="link"
          aria-expanded={isWhole}
          onClick={() => setWhole(!isWhole)}
          data-testid="needy-all"
        >
          {isWhole ? 'Fewer' : `All ${countText(agents.length)} agents that need a hand`}
        </button>
      )}
      {failingChannels.value.map((name) => (
        <p key={`channel ${name}`} class="banner is-attention" data-testid="needy-channel">
          Notification channel {name}: its newest message was not delivered.{' '}
          <button type="button" class="small" onClick={() => openDialog('notifications')}>
            See why
          </button>
        </p>
      ))}
    </div>
  );
}
