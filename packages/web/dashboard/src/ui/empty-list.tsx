/** What stands where there is no row. Guarantees: it says why there is none, and what to do next. */
import type { JSX } from 'preact';
import { isEmptyFilter, isSameFilter, needsYouView, viewShowing } from '../model/filter.ts';
import { agents, sessionNames } from '../state/agents.ts';
import { openDialog } from '../state/dialogs.ts';
import { go, place } from '../state/navigation.ts';
import { missingSessions } from '../state/sessions.ts';
import { hasState } from '../state/store.ts';
import { Empty } from './empty.tsx';
import { Icon } from './icons.tsx';

/** The address names no page of this one. */
export function NowherePane({ path }: { path: string }): JSX.Element {
  return (
    <section class="list-pane" aria-label="Tasks">
      <Empty title={`There is no page at ${path}`}>
        <p>Tasks, sessions and agents have pages; the address may be mistyped, or cut off.</p>
        <a class="clear" href="/" data-testid="nowhere">
          All tasks
        </a>
      </Empty>
    </section>
  );
}

/** Once the list was read. */
export function EmptyList(): JSX.Element {
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
  const { sessionId } = place.value.filter;
  if (sessionId !== undefined && missingSessions.value.has(sessionId) && !sessionNames.value.has(sessionId)) {
    return (
      <Empty title={`There is no session ${sessionId}`}>
        <p>It has been removed with its last task, or the address is wrong.</p>
        <a class="clear" href="/" data-testid="no-session">
          All tasks
        </a>
      </Empty>
    );
  }
  const view = viewShowing(place.value.filter);
  if (view?.empty !== undefined) {
    return (
      <Empty title={view.empty}>
        <p>{view.help} One that does appears here by itself.</p>
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
        <p class="dim">
          From a clone: <code>npx -y pnpm@12 holdfast agent</code>. It appears in the bar above by itself.
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No task yet">
      <p>Submit the first one here, or from a terminal:</p>
      <pre>holdfast run --session hello -- echo hello</pre>
      <p class="dim">
        Where it runs from a clone: <code>npx -y pnpm@12 holdfast run --session hello -- echo hello</code>
      </p>
      <button type="button" class="primary" onClick={() => openDialog('submit')}>
        <Icon name="plus" /> New task
      </button>
    </Empty>
  );
}
