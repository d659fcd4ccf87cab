/**
 * The order of the list: its menu, and the heads of its columns. Guarantees: both say the same, and each order is reached by
 * the keyboard.
 */
import type { JSX, Ref } from 'preact';
import { isOrder, type Order } from '../model/filter.ts';
import { go, place } from '../state/navigation.ts';

const orderNames: Record<Order | 'newest', string> = {
  newest: 'Newest first',
  oldest: 'Oldest first',
  changed: 'Recently changed',
  longest: 'Longest first',
};
const orderHelp: Record<Order | 'newest', string> = {
  newest: 'By creation, the newest first',
  oldest: 'By creation, the oldest first',
  changed: 'What came to its status last comes first',
  longest: 'What is in hand for longest, then what waits for longest, then what took longest',
};

function orderBy(order: string): void {
  const here = place.peek();
  const { order: _, ...filter } = here.filter;
  go({ ...here, filter: isOrder(order) ? { ...filter, order } : filter });
}

/** `newest first`: in the midst of a sentence. */
export function orderName(order: Order | undefined): string {
  return orderNames[order ?? 'newest'].toLowerCase();
}

export function OrderMenu(): JSX.Element {
  const order = place.value.filter.order ?? 'newest';
  return (
    <select
      aria-label="Order"
      title={orderHelp[order]}
      value={order}
      onChange={(event) => orderBy(event.currentTarget.value)}
      data-testid="order"
    >
      {Object.entries(orderNames).map(([order, name]) => (
        <option key={order} value={order}>
          {name}
        </option>
      ))}
    </select>
  );
}

/** A head that the list can be ordered by: pressed again, it turns the order of creation round. */
export function ColumnHeads({ nameHead }: { nameHead: Ref<HTMLSpanElement> }): JSX.Element {
  const order = place.value.filter.order ?? 'newest';
  const head = (
    name: string,
    orders: readonly (Order | 'newest')[],
    className = '',
    ref?: Ref<HTMLSpanElement>,
  ): JSX.Element => {
    const at = orders.indexOf(order);
    const next = orders[(at + 1) % orders.length]!;
    return (
      <span
        role="columnheader"
        class={className}
        ref={ref ?? null}
        {...(at < 0 ? {} : { 'aria-sort': order === 'oldest' ? 'ascending' : 'descending' })}
      >
        <button
          type="button"
          onClick={() => orderBy(next)}
          title={orderHelp[next]}
          data-testid={`by-${next}`}
        >
          {name}
          <span aria-hidden="true">{at < 0 ? '' : order === 'oldest' ? '↑' : '↓'}</span>
        </button>
      </span>
    );
  };
  return (
    <div role="rowgroup">
      <div class="column-heads" role="row" aria-rowindex={1}>
        <span role="columnheader">
          <span class="sr">Mark</span>
        </span>
        {head('Status', ['changed'])}
        {head('Task', ['newest', 'oldest'], '', nameHead)}
        <span role="columnheader">{order === 'changed' ? 'Last change' : 'Last output or end'}</span>
        <span role="columnheader">Session</span>
        <span role="columnheader">Agent</span>
        <span role="columnheader" class="right">
          Try
        </span>
        <span role="columnheader" class="right">
          Exit
        </span>
        {head('Time', ['longest'], 'right')}
      </div>
    </div>
  );
}
