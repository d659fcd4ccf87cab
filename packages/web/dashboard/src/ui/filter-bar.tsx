/** Counts by status, each the link to its filter, and the search field. The URL is the state of both. */
import { useComputed, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { shownStatuses, type ShownStatus } from '@holdfast/shared/status';
import { isSameFilter, views, type Filter, type View } from '../model/filter.ts';
import { placeToUrl } from '../model/place.ts';
import { formatSearch, parseSearch, suggest, type Suggestion } from '../model/search.ts';
import { countText } from '../model/words.ts';
import { openDialog } from '../state/dialogs.ts';
import { go, place } from '../state/navigation.ts';
import { agents, counts, sessions } from '../state/agents.ts';
import { list, peekTask } from '../state/tasks.ts';
import { Icon } from './icons.tsx';

export function FilterBar(): JSX.Element {
  return (
    <div class="filter-bar">
      <nav class="views" aria-label="Tasks by status">
        {views.map((view) => (
          <ViewLink key={view.name} view={view} />
        ))}
      </nav>
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

/** The counts are of all tasks; a view keeps nothing of the present filter but its own status. */
function ViewLink({ view }: { view: View }): JSX.Element | null {
  const known = counts.value;
  const chosen: readonly ShownStatus[] = view.statuses.length === 0 ? shownStatuses : view.statuses;
  const count = chosen.reduce((sum, status) => sum + (known[status] ?? 0), 0);
  const filter: Filter = { statuses: view.statuses };
  const isCurrent = isSameFilter(place.value.filter, filter);
  if (view.quiet === true && count === 0 && !isCurrent) return null;
  return (
    <a
      href={placeToUrl({ filter, tab: 'log' })}
      class={`view view-${view.name.toLowerCase()}${count === 0 ? ' is-zero' : ''}`}
      aria-current={isCurrent ? 'page' : undefined}
      data-testid={`view-${view.name.toLowerCase()}`}
    >
      <span>{view.name}</span> <span class="num count">{countText(count)}</span>
    </a>
  );
}

const TYPING_PAUSE_MS = 250;

function SearchField(): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const text = useSignal(formatSearch(place.value.filter));
  const isFocused = useSignal(false);
  const chosen = useSignal(-1);
  const timer = useRef<number>(undefined);
  const { filter } = place.value;

  // The URL moved by other means: the field says what is shown.
  useEffect(() => {
    if (!isSameFilter(parseSearch(text.peek()), filter)) text.value = formatSearch(filter);
  }, [filter, text]);

  const suggestions = useComputed(() =>
    isFocused.value
      ? suggest(text.value, {
          status: shownStatuses,
          agent: agents.value.map((agent) => agent.name),
          session: sessions.value.map((session) => session.id),
          label: knownLabels(list.value.order),
        })
      : [],
  );

  const apply = (value: string, how: 'soon' | 'now'): void => {
    text.value = value;
    chosen.value = -1;
    window.clearTimeout(timer.current);
    const act = (): void => go({ ...place.peek(), filter: parseSearch(value) }, 'replace');
    if (how === 'now') act();
    else timer.current = window.setTimeout(act, TYPING_PAUSE_MS);
  };
  const take = (suggestion: Suggestion): void => {
    apply(suggestion.text, suggestion.text.endsWith(':') ? 'soon' : 'now');
    field.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const options = suggestions.value;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      if (options.length === 0) return;
      event.preventDefault();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      chosen.value = (chosen.value + step + options.length + 1) % (options.length + 1);
      if (chosen.value === options.length) chosen.value = -1;
      return;
    }
    const option = options[chosen.value];
    if (event.key === 'Enter') {
      if (option === undefined) {
        apply(text.value, 'now');
        field.current?.blur();
      } else take(option);
      return;
    }
    if (event.key === 'Tab' && option !== undefined) {
      event.preventDefault();
      take(option);
    }
    if (event.key === 'Escape') {
      event.stopPropagation();
      if (text.value === '') field.current?.blur();
      else apply('', 'now');
    }
  };

  return (
    <div class="search" role="search">
      <Icon name="search" />
      <input
        id="search"
        ref={field}
        type="text"
        role="combobox"
        autocomplete="off"
        spellcheck={false}
        placeholder="Search, or status: agent: session: label:"
        aria-label="Search tasks"
        aria-expanded={suggestions.value.length > 0}
        aria-controls="search-suggestions"
        aria-autocomplete="list"
        {...(chosen.value >= 0 ? { 'aria-activedescendant': `suggestion-${chosen.value}` } : {})}
        value={text.value}
        data-testid="search"
        onInput={(event) => apply(event.currentTarget.value, 'soon')}
        onFocus={() => {
          isFocused.value = true;
        }}
        onBlur={() => {
          isFocused.value = false;
        }}
        onKeyDown={onKeyDown}
      />
      {text.value === '' ? (
        <kbd class="wide-only">/</kbd>
      ) : (
        <button
          type="button"
          class="icon-button tiny"
          aria-label="Clear the search"
          onClick={() => apply('', 'now')}
        >
          <Icon name="close" size={12} />
        </button>
      )}
      <ul
        id="search-suggestions"
        role="listbox"
        aria-label="Suggestions"
        hidden={suggestions.value.length === 0}
      >
        {suggestions.value.map((suggestion, index) => (
          <li
            key={suggestion.text}
            id={`suggestion-${index}`}
            role="option"
            aria-selected={index === chosen.value}
            onPointerDown={(event) => {
              event.preventDefault();
              take(suggestion);
            }}
          >
            <span class="mono">{suggestion.label}</span>
            <span class="dim">{suggestion.hint}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Labels of the newest tasks in the list: enough to suggest from. */
function knownLabels(ids: readonly string[]): string[] {
  const found = new Set<string>();
  for (const id of ids.slice(0, 200)) {
    for (const [key, value] of Object.entries(peekTask(id)?.labels ?? {})) found.add(`${key}=${value}`);
  }
  return [...found];
}
