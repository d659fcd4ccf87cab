/** Searching in a log: the field, the count and what it covers, next and previous, and all of the log on demand. */
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { bytesText, countText, plural } from '../model/words.ts';
import type { LogFollower } from '../state/log-follower.ts';
import type { LogSearch } from '../state/log-search.ts';
import type { LogSight } from '../state/log-sight.ts';

interface ScopeProps {
  follower: LogFollower;
  search: LogSearch;
  /** Who is missed, when nothing more can be read now. */
  missed: string | undefined;
}

/** To the next match, or to the one before; it is loaded if it has to be. */
export function goToMatch(
  { search, sight }: { search: LogSearch; sight: LogSight },
  direction: 1 | -1,
): void {
  void search.step(direction, sight.topAt).then((at) => {
    if (at !== undefined) sight.show(at);
  });
}

export function LogSearchBar({
  follower,
  search,
  sight,
  missed,
}: ScopeProps & { sight: LogSight }): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const text = search.text.value;
  const { places, count } = search.found.value;
  const step = (direction: 1 | -1): void => goToMatch({ search, sight }, direction);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter') step(event.shiftKey ? -1 : 1);
    else if (event.key === 'Escape') {
      if (text === '') field.current?.closest('.log')?.querySelector<HTMLElement>('.log-scroller')?.focus();
      else search.setText('');
    } else return;
    event.preventDefault();
  };
  return (
    <search class="log-search">
      <input
        ref={field}
        type="search"
        value={text}
        placeholder="Search the log"
        aria-label="Search the log"
        data-testid="log-search"
        title="Enter: next. Shift-Enter: previous. Esc: clear. In the output: n and N."
        onInput={(event) => search.setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {text !== '' && (
        <>
          <button
            type="button"
            class="small"
            aria-label="Previous match"
            data-testid="log-previous"
            disabled={places.length === 0}
            onClick={() => step(-1)}
          >
            ↑
          </button>
          <button
            type="button"
            class="small"
            aria-label="Next match"
            data-testid="log-next"
            disabled={places.length === 0}
            onClick={() => step(1)}
          >
            ↓
          </button>
          <span class="num" role="status" data-testid="log-found">
            {foundText(search, count)}
          </span>
          <Scope follower={follower} search={search} missed={missed} />
        </>
      )}
    </search>
  );
}

function foundText(search: LogSearch, count: number): string {
  const { places } = search.found.value;
  if (count === 0) return 'no lines';
  const current = search.currentAt.value;
  const at = current === undefined ? -1 : places.indexOf(current);
  const total = plural(count, 'line');
  return at < 0 ? total : `${countText(at + 1)} of ${total}`;
}

/** Where was searched, and the way to search the rest. */
function Scope({ follower, search, missed }: ScopeProps): JSX.Element {
  const scan = follower.scan.value;
  const { start, end, totalBytes } = follower.view.value;
  if (scan?.kind === 'search') {
    return (
      <span class="dim num" data-testid="log-scope">
        {bytesText(scan.doneBytes)} of {bytesText(scan.ofBytes)} searched{' '}
        <button type="button" class="small" onClick={() => follower.stopScan()}>
          Stop
        </button>
      </span>
    );
  }
  const { isWhole, places, count } = search.found.value;
  if (isWhole) {
    return (
      <span class="dim num" data-testid="log-scope">
        in all {bytesText(totalBytes)}
        {places.length < count && `; the first ${countText(places.length)} can be gone to`}
      </span>
    );
  }
  return (
    <span class="dim num" data-testid="log-scope">
      in the {bytesText(end - start)} that are loaded{' '}
      <button
        type="button"
        class="small"
        data-testid="log-search-all"
        disabled={missed !== undefined}
        title={
          missed === undefined
            ? 'Reads all of the log'
            : `${missed} is not heard: only what is loaded can be searched`
        }
        onClick={() => void search.searchAll()}
      >
        Search all {bytesText(totalBytes)}
      </button>
    </span>
  );
}
