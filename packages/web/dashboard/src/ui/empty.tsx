/** A heading and what to do next, in the place of a list. Part of the first load: it is needed when web is gone. */
import type { JSX } from 'preact';
import { reread } from '../state/store.ts';
import { listProblem, loading } from '../state/tasks.ts';

export function Empty({
  title,
  children,
}: {
  title: string;
  children: JSX.Element | JSX.Element[];
}): JSX.Element {
  return (
    <div class="empty" data-testid="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** While the list is not read: that it is being read, or why it could not be. */
export function Unread(): JSX.Element | null {
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
  return loading.value === 'first' ? <p class="empty dim">Reading …</p> : null;
}
