/** Counts by status, each the link to its tasks, the search field, and the way to a new task. */
import type { JSX } from 'preact';
import { isSameFilter, noFilter, tallies } from '../model/filter.ts';
import { placeToUrl } from '../model/place.ts';
import { openDialog } from '../state/dialogs.ts';
import { place } from '../state/navigation.ts';
import { isPhone } from '../state/screen.ts';
import { countOf, shownCount } from '../state/views.ts';
import { Icon } from './icons.tsx';
import { SearchField } from './search-field.tsx';
import { AgentChips } from './truth-bar.tsx';

export function FilterBar(): JSX.Element {
  return (
    <div class="filter-bar">
      <div class="agents-and-counts">
        {isPhone.value && <AgentChips />}
        <nav class="views" aria-label="Tasks by status">
          {tallies.map((tally) => (
            <TallyLink key={tally.id} tally={tally} />
          ))}
        </nav>
      </div>
      <SearchField />
      <button
        type="button"
        class="primary"
        onClick={() => openDialog('submit')}
        data-testid="submit-open"
        title="New task (n)"
      >
        <Icon name="plus" />
        <span>New task</span>
      </button>
    </div>
  );
}

/** The counts are of all tasks; the link keeps nothing of the present filter but its own status. */
function TallyLink({ tally }: { tally: (typeof tallies)[number] }): JSX.Element | null {
  const count = countOf(tally.statuses);
  const filter = { ...noFilter, statuses: tally.statuses };
  const isCurrent = isSameFilter(place.value.filter, filter);
  const { text, className } = shownCount(filter, count);
  if (tally.isQuiet && (count ?? 0) === 0 && !isCurrent) return null;
  return (
    <a
      href={placeToUrl({ filter, tab: 'log' })}
      class={`view view-${tally.id}${className}`}
      aria-current={isCurrent ? 'page' : undefined}
      data-testid={`tally-${tally.id}`}
    >
      <span>{tally.name}</span> <span class="num count">{text}</span>
    </a>
  );
}
