/**
 * The search field with its suggestions. Guarantees: the URL is its state: what is typed is applied after a short pause, and
 * what moves the URL otherwise is what the field then says; what cannot be understood is told beneath it and filters
 * nothing; a search is one step of the history, however many keys made it.
 */
import { useComputed, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { shownStatuses } from '@holdfast/shared/status';
import { isSameFilter, type Filter } from '../model/filter.ts';
import {
  fixedValues,
  formatSearch,
  type Known,
  readSearch,
  suggest,
  type Suggestion,
} from '../model/search.ts';
import { statusHelp } from '../model/sentence.ts';
import { plural } from '../model/words.ts';
import { agents, sessions } from '../state/agents.ts';
import { goSearching, place } from '../state/navigation.ts';
import { hasState } from '../state/store.ts';
import { list, peekTask } from '../state/tasks.ts';
import { labels } from '../state/views.ts';
import { Icon } from './icons.tsx';

const TYPING_PAUSE_MS = 250;

export function SearchField(): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const text = useSignal(formatSearch(place.value.filter));
  const isFocused = useSignal(false);
  /** Esc put the suggestions away; the next letter brings them back. */
  const isShut = useSignal(false);
  const chosen = useSignal(-1);
  const timer = useRef<number>(undefined);
  const { filter } = place.value;

  // The URL moved by other means: the field says what is shown. What it applied itself may be older than its text.
  const applied = useRef<Filter | undefined>(filter);
  useEffect(() => {
    if (applied.current !== undefined && isSameFilter(applied.current, filter)) return;
    applied.current = undefined;
    // What was typed last is not applied over it.
    window.clearTimeout(timer.current);
    text.value = formatSearch(filter);
  }, [filter, text]);

  const suggestions = useComputed(() =>
    isFocused.value && !isShut.value ? suggest(text.value, knownValues()) : [],
  );
  const problems = useComputed(() =>
    text.value === '' ? [] : readSearch(text.value, knownValues(), isFocused.value).problems,
  );

  const apply = (value: string, how: 'soon' | 'now'): void => {
    text.value = value;
    isShut.value = false;
    chosen.value = -1;
    window.clearTimeout(timer.current);
    const act = (): void => {
      applied.current = readSearch(value, knownValues(), how === 'soon').filter;
      goSearching(applied.current);
    };
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
      if (options.length > 0) isShut.value = true;
      else if (text.value === '') field.current?.blur();
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
        placeholder="Search, or is: agent: label: since: …"
        aria-label="Search tasks"
        aria-expanded={suggestions.value.length > 0}
        aria-controls="search-suggestions"
        aria-autocomplete="list"
        aria-invalid={problems.value.length > 0}
        aria-describedby="search-problems"
        {...(chosen.value >= 0 ? { 'aria-activedescendant': `suggestion-${chosen.value}` } : {})}
        value={text.value}
        data-testid="search"
        onInput={(event) => apply(event.currentTarget.value, 'soon')}
        onFocus={() => {
          isFocused.value = true;
        }}
        onBlur={() => {
          isFocused.value = false;
          // Nobody goes on typing: the last word is as whole as it will be.
          if (text.value !== formatSearch(place.value.filter)) apply(text.value, 'now');
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
      <p
        id="search-problems"
        role="status"
        hidden={problems.value.length === 0 || suggestions.value.length > 0}
        data-testid="search-problems"
      >
        {problems.value.map((problem) => (
          <span key={problem}>{problem} </span>
        ))}
      </p>
    </div>
  );
}

/** Names and ids of agents; absent while none is read: nobody can say then that one does not exist. */
function agentNames(): Known {
  if (!hasState.value) return {};
  return {
    agent: agents.value.flatMap(({ id, name, state }) => [
      { value: name, hint: `tasks on this agent${state === 'live' ? '' : ` (${state})`}` },
      { value: id, hint: `tasks on ${name}`, isAlias: true as const },
    ]),
  };
}

function knownValues(): Known {
  return {
    ...fixedValues,
    ...agentNames(),
    status: shownStatuses.map((value) => ({ value, hint: statusHelp[value].help })),
    session: sessions.value.map(({ id, title }) => ({
      value: id,
      ...(title === undefined ? {} : { hint: title, name: title }),
    })),
    queue: knownQueues(list.value.order).map((value) => ({ value })),
    label: labels.value.map(({ label, tasks }) => ({ value: label, hint: plural(tasks, 'task') })),
  };
}

/** Queues of the newest tasks in the list: enough to suggest from. */
function knownQueues(ids: readonly string[]): string[] {
  const found = ids.slice(0, 200).map((id) => peekTask(id)?.queue);
  return [...new Set(found.filter((queue) => queue !== undefined))];
}
