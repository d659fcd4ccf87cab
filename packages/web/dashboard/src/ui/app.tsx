/** The page. */
import type { JSX } from 'preact';
import { dismissNotice, notices } from '../state/actions.ts';
import { politeWords, urgentWords } from '../state/attention.ts';
import { dialog } from '../state/dialogs.ts';
import { place } from '../state/navigation.ts';
import { linkNow } from '../state/clock.ts';
import { hasNewVersion } from '../state/store.ts';
import { FilterBar } from './filter-bar.tsx';
import { HelpDialog } from './help.tsx';
import { Icon } from './icons.tsx';
import { Rail } from './rail.tsx';
import { SignIn } from './sign-in.tsx';
import { SubmitDialog } from './submit.tsx';
import { TaskDetail } from './task-detail.tsx';
import { TaskListPane } from './task-list.tsx';
import { TruthBar } from './truth-bar.tsx';

export function App({ signInProblem }: { signInProblem: string | undefined }): JSX.Element {
  const link = linkNow.value.state;
  if (link === 'signedOut') return <SignIn reason={signInProblem} />;
  const { taskId } = place.value;
  const isWeak = link === 'stale' || link === 'blind';
  return (
    <div class={`app${taskId === undefined ? '' : ' has-detail'}${isWeak ? ' weak' : ''}`} data-link={link}>
      <header class="top">
        <TruthBar />
        {hasNewVersion.value && (
          <p class="banner is-pending new-version" data-testid="new-version">
            The web service has a new version.{' '}
            <button type="button" class="small" onClick={() => location.reload()}>
              Reload
            </button>
          </p>
        )}
        <FilterBar />
      </header>
      <div class="panes">
        <Rail />
        <main class="list-main">
          <TaskListPane />
        </main>
        {taskId !== undefined && (
          <aside class="detail-pane" aria-label="Task">
            <TaskDetail key={taskId} id={taskId} />
          </aside>
        )}
      </div>
      {dialog.value === 'submit' && <SubmitDialog />}
      {dialog.value === 'help' && <HelpDialog />}
      <div class="notices">
        {notices.value.map((notice) => (
          <div
            key={notice.id}
            class={`notice is-${notice.tone}`}
            role={notice.tone === 'problem' ? 'alert' : 'status'}
            data-testid="notice"
          >
            <span>{notice.text}</span>
            <button
              type="button"
              class="icon-button tiny"
              aria-label="Dismiss"
              onClick={() => dismissNotice(notice.id)}
            >
              <Icon name="close" size={12} />
            </button>
          </div>
        ))}
      </div>
      <p class="sr" role="status">
        {politeWords.value}
      </p>
      <p class="sr" role="alert">
        {urgentWords.value}
      </p>
    </div>
  );
}
