/**
 * The list, windowed. Guarantees: only the rows in sight exist as elements; nothing moves under the pointer or while
 * the list is scrolled; an empty list says what to do next.
 */
import type { JSX } from 'preact';
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { isEmptyFilter, isSameFilter, needsYouView, noFilter, views, type Filter } from '../model/filter.ts';
import { placeToUrl } from '../model/place.ts';
import { troubleOf } from '../model/agent-trouble.ts';
import { countText, plural } from '../model/words.ts';
import { openDialog } from '../state/dialogs.ts';
import { failingChannels } from '../state/failing-channels.ts';
import { agentUrl, go, place } from '../state/navigation.ts';
import { clearMarks, isChoosing, marked, markedCount, selected } from '../state/selection.ts';
import { agents } from '../state/agents.ts';
import { hasState, reread } from '../state/store.ts';
import { needyAgents } from '../state/views.ts';
import { holdList, list, listProblem, loading, readMore, releaseList, settleList } from '../state/tasks.ts';
import { Icon } from './icons.tsx';
import { SelectionBar } from './selection-bar.tsx';
import { SessionHead } from './session-head.tsx';
import { TaskRow } from './task-row.tsx';
import { useVirtual } from './use-virtual.ts';

const ROW_PX = 36;
const CARD_PX = 56;
/** Below this width a row has two lines. */
const CARD_BELOW_PX = 760;
const READ_AHEAD_ROWS = 60;

export function TaskListPane(): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const [isCard, setCard] = useState(false);
  const { order, waiting, hasMore } = list.value;
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
    const observer = new ResizeObserver(() => setCard(element.clientWidth < CARD_BELOW_PX));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => virtual.measure(), [heightPx, virtual]);

  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && lastShown > order.length - READ_AHEAD_ROWS) void readMore();
  }, [hasMore, lastShown, order.length]);

  const isHovered = useRef(false);
  const settleHold = (): void => {
    const isScrolled = (scroller.current?.scrollTop ?? 0) > 4;
    if (isHovered.current || isScrolled) holdList();
    else releaseList();
  };

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
      <SelectionBar />
      {isSameFilter(place.value.filter, needsYouView.filter) && <NeedyAgents />}
      {!isCard && order.length > 0 && <ColumnHeads />}
      {waiting > 0 && (
        <button
          type="button"
          class="waiting"
          data-testid="waiting"
          onClick={() => {
            settleList();
            scroller.current?.scrollTo({ top: 0 });
          }}
        >
          {countText(waiting)} new
        </button>
      )}
      <div
        class="scroller"
        ref={scroller}
        tabIndex={0}
        {...(order.length === 0
          ? {}
          : {
              role: 'table',
              'aria-label': `Tasks, ${place.value.filter.order ?? 'newest'} first`,
              'aria-rowcount': hasMore ? -1 : order.length,
            })}
        onScroll={settleHold}
      >
        <div
          class="runway"
          role={order.length === 0 ? 'presentation' : 'rowgroup'}
          style={{ height: `${virtual.getTotalSize()}px` }}
        >
          {items.map((item) => {
            const id = order[item.index];
            if (id === undefined) return null;
            return (
              <TaskRow
                key={id}
                id={id}
                index={item.index}
                top={item.start}
                height={heightPx}
                isSelected={id === chosen}
                isOpen={id === place.value.taskId}
                isMarked={marked.value.has(id)}
              />
            );
          })}
        </div>
        {order.length === 0 && <EmptyList />}
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
        <button
          type="button"
          class="small"
          onClick={() => go({ ...place.peek(), filter: reversed(filter) })}
          title="Turn the order round"
          data-testid="order"
        >
          {filter.order === 'oldest' ? 'Oldest first' : 'Newest first'}
        </button>
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

function viewName(filter: Filter): string {
  const { order: _order, ...restricting } = filter;
  const view = views.find((one) => isSameFilter(one.filter, restricting));
  return view === undefined || view.id === 'all' ? 'Tasks' : view.name;
}

function reversed({ order, ...filter }: Filter): Filter {
  return order === undefined ? { ...filter, order: 'oldest' } : filter;
}

/** The view says what it holds, which agents wait for a person, and which channels do not reach one. */
function NeedyAgents(): JSX.Element {
  return (
    <div class="needy" data-testid="needy">
      <p class="hint">{needsYouView.help}</p>
      {needyAgents.value.map((agent) => (
        <p key={agent.id} class="banner is-attention">
          <a href={agentUrl(agent.id)} data-testid="needy-agent">
            {agent.name}
          </a>
          : {troubleOf(agent)?.text}
        </p>
      ))}
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

/** For the eye; each cell says in its own words what it is. */
function ColumnHeads(): JSX.Element {
  return (
    <div class="column-heads" aria-hidden="true">
      <span />
      <span>Status</span>
      <span>Task</span>
      <span>Session</span>
      <span>Agent</span>
      <span class="right">Last output</span>
      <span class="right">Try</span>
      <span class="right">Exit</span>
      <span class="right">Time</span>
    </div>
  );
}

function EmptyList(): JSX.Element | null {
  if (listProblem.value !== undefined) {
    return (
      <Empty title="The list could not be read">
        <p>{listProblem.value.detail}</p>
        <button type="button" onClick={reread}>
          Read again
        </button>
      </Empty>
    );
  }
  if (loading.value === 'first') return <p class="empty dim">Reading …</p>;
  if (isSameFilter(place.value.filter, needsYouView.filter)) {
    return (
      <Empty title="No task needs you">
        <p>What comes to need you appears here by itself, in the title of this page and on its icon.</p>
        <a class="clear" href="/">
          All tasks
        </a>
      </Empty>
    );
  }
  if (!isEmptyFilter(place.value.filter)) {
    return (
      <Empty title="Nothing matches">
        <p>No task matches this filter now. One that does will appear here by itself.</p>
        <button
          type="button"
          data-testid="clear-empty"
          onClick={() => go({ filter: { statuses: [] }, tab: 'log' })}
        >
          Clear the filter
        </button>
      </Empty>
    );
  }
  if (hasState.value && agents.value.length === 0) {
    return (
      <Empty title="No agent yet">
        <p>
          An agent runs the tasks of one machine. Start one beside this web service, or add one that runs
          elsewhere:
        </p>
        <pre>holdfast agent</pre>
        <pre>holdfast agents add http://build-2:7401 --token-file agent.token</pre>
        <p class="dim">It appears in the bar above by itself.</p>
      </Empty>
    );
  }
  return (
    <Empty title="No task yet">
      <p>Submit the first one here, or from a terminal:</p>
      <pre>holdfast run --session hello -- echo hello</pre>
      <button type="button" class="primary" onClick={() => openDialog('submit')}>
        <Icon name="plus" /> New task
      </button>
    </Empty>
  );
}

function Empty({ title, children }: { title: string; children: JSX.Element | JSX.Element[] }): JSX.Element {
  return (
    <div class="empty" data-testid="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}
