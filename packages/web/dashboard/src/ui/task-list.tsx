/**
 * The list, windowed. Guarantees: only the rows in sight exist as elements; nothing moves under the pointer or while
 * the list is scrolled; an empty list says what to do next.
 */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { isEmptyFilter } from '../model/filter.ts';
import { countText, plural } from '../model/words.ts';
import { openDialog } from '../state/dialogs.ts';
import { go, place } from '../state/navigation.ts';
import { selected } from '../state/selection.ts';
import { agents } from '../state/agents.ts';
import { hasState, reread } from '../state/store.ts';
import { holdList, list, listProblem, loading, readMore, releaseList, settleList } from '../state/tasks.ts';
import { Icon } from './icons.tsx';
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
  const virtual = useVirtual({
    count: order.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => heightPx,
    getItemKey: (index) => order[index] ?? index,
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

  return (
    <section class={`list-pane${isCard ? ' is-cards' : ''}`} aria-label="Tasks">
      <ListHead />
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
        role="table"
        aria-label="Tasks, newest first"
        aria-rowcount={hasMore ? -1 : order.length}
        onScroll={settleHold}
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
        <div class="runway" role="rowgroup" style={{ height: `${virtual.getTotalSize()}px` }}>
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
              />
            );
          })}
        </div>
        {order.length === 0 && <EmptyList />}
      </div>
    </section>
  );
}

function ListHead(): JSX.Element {
  const { order, total, hasMore } = list.value;
  const { filter } = place.value;
  return (
    <div class="list-head">
      <h1>{filter.sessionId ?? 'Tasks'}</h1>
      <span class="dim num">
        {loading.value === 'first'
          ? 'reading …'
          : hasMore
            ? `${countText(order.length)} of ${countText(total)}`
            : plural(total, 'task')}
      </span>
      {!isEmptyFilter(filter) && (
        <a class="clear" href="/" data-testid="clear-filter">
          Clear filter
        </a>
      )}
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

/** For the eye; each cell says in its own words what it is. */
function ColumnHeads(): JSX.Element {
  return (
    <div class="column-heads" aria-hidden="true">
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
