/** What is marked, and what can be done with it. Guarantees: the exact count is said before anything is asked. */
import type { JSX } from 'preact';
import type { ShownTask } from '@holdfast/shared';
import { actionWords, type BulkAction } from '../model/bulk.ts';
import { countText, plural } from '../model/words.ts';
import { forecastBulk, isExplained, reopenBulk } from '../state/bulk.ts';
import { linkNow } from '../state/clock.ts';
import {
  clearMarks,
  isAllMarked,
  markAllMatching,
  marked,
  markedCount,
  setMarks,
} from '../state/selection.ts';
import { copyCli } from '../state/copy-cli.ts';
import { list, peekTask } from '../state/tasks.ts';

const actions: readonly { action: BulkAction; key?: string }[] = [
  { action: 'cancel', key: 'c' },
  { action: 'retry', key: 'r' },
  { action: 'reclaim' },
  { action: 'resolve' },
];

function knownTasks(ids: readonly string[]): ShownTask[] {
  return ids.flatMap((id) => peekTask(id) ?? []);
}

export function SelectionBar(): JSX.Element {
  const count = markedCount.value;
  const { total } = list.value;
  const order = new Set(list.value.order);
  const absent = isAllMarked.value ? [] : [...marked.value].filter((id) => !order.has(id));
  const isDeaf = linkNow.value.state === 'blind';
  return (
    <div class="selection-bar" role="group" aria-label="Marked tasks" data-testid="selection-bar">
      <span class="num" data-testid="marked-count">
        {isAllMarked.value ? `All ${countText(total)} that match` : `${plural(count, 'task')} marked`}
        {absent.length > 0 &&
          `, ${absent.length === count ? '' : `${countText(absent.length)} `}not in this list`}
      </span>
      {absent.length > 0 && isExplained(absent) && (
        <button
          type="button"
          class="link"
          title="The result that left them marked, with each of them and why"
          onClick={reopenBulk}
          data-testid="show-absent"
        >
          Show them
        </button>
      )}
      {absent.length > 0 && absent.length < count && (
        <button
          type="button"
          class="link"
          onClick={() => setMarks(new Set([...marked.value].filter((id) => order.has(id))))}
          data-testid="unmark-absent"
        >
          Unmark those
        </button>
      )}
      {!isAllMarked.value && total > marked.value.size && (
        <button type="button" class="small" onClick={markAllMatching} data-testid="mark-all">
          All {countText(total)} that match
        </button>
      )}
      <span class="selection-actions">
        {actions.map(({ action, key }) => (
          <button
            key={action}
            type="button"
            class="small"
            disabled={count === 0 || isDeaf}
            title={
              isDeaf
                ? 'The web service is not heard: nothing can be asked now'
                : `${actionWords[action].help} A dry run first.${key === undefined ? '' : ` (${key})`}`
            }
            onClick={() => void forecastBulk(action)}
            data-testid={`bulk-${action}`}
          >
            {actionWords[action].verb} …
          </button>
        ))}
        {!isAllMarked.value && (
          <button
            type="button"
            class="small"
            disabled={count === 0}
            title="The commands that submit the same again, one on a line (y)"
            onClick={() => copyCli(...knownTasks([...marked.value]))}
            data-testid="copy-marked"
          >
            Copy as CLI
          </button>
        )}
      </span>
      <button type="button" class="small" onClick={clearMarks} data-testid="unmark">
        Unmark
      </button>
    </div>
  );
}
