/** The page. */
import type { JSX } from 'preact';
import { politeWords, urgentWords } from '../state/attention.ts';
import { closeDialog, dialog } from '../state/dialogs.ts';
import { closeTask, place } from '../state/navigation.ts';
import { dismissNotice, notices } from '../state/notices.ts';
import { linkNow } from '../state/clock.ts';
import { hasNewVersion } from '../state/store.ts';
import { FilterBar } from './filter-bar.tsx';
import { Icon } from './icons.tsx';
import { lazy } from './lazy.tsx';
import { Rail } from './rail.tsx';
import { TaskListPane } from './task-list.tsx';
import { TruthBar } from './truth-bar.tsx';

const SignIn = lazy(
  async () => (await import('./sign-in.tsx')).SignIn,
  () => undefined,
);
const AgentPanel = lazy(async () => (await import('./agent-panel.tsx')).AgentPanel, closeTask);
const BulkDialog = lazy(async () => (await import('./bulk-dialog.tsx')).BulkDialog, closeDialog);
const HelpDialog = lazy(async () => (await import('./help.tsx')).HelpDialog, closeDialog);
const MenuDialog = lazy(async () => (await import('./menu.tsx')).MenuDialog, closeDialog);
const NotificationsDialog = lazy(
  async () => (await import('./notifications.tsx')).NotificationsDialog,
  closeDialog,
);
const PaletteDialog = lazy(async () => (await import('./palette.tsx')).PaletteDialog, closeDialog);
const SubmitDialog = lazy(async () => (await import('./submit.tsx')).SubmitDialog, closeDialog);
const TaskDetail = lazy(async () => (await import('./task-detail.tsx')).TaskDetail, closeTask);

export function App({ signInProblem }: { signInProblem: string | undefined }): JSX.Element {
  const link = linkNow.value.state;
  if (link === 'signedOut') return <SignIn reason={signInProblem} />;
  const { taskId, agentId } = place.value;
  const isWeak = link === 'stale' || link === 'blind';
  const hasDetail = taskId !== undefined || agentId !== undefined;
  return (
    <div class={`app${hasDetail ? ' has-detail' : ''}${isWeak ? ' weak' : ''}`} data-link={link}>
      <a class="skip" href="#tasks" onClick={skipToTasks} data-testid="skip">
        Skip to tasks
      </a>
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
          <aside class="detail-pane" aria-label="Task" tabIndex={-1}>
            <TaskDetail key={taskId} id={taskId} />
          </aside>
        )}
        {agentId !== undefined && (
          <aside class="detail-pane" aria-label="Agent" tabIndex={-1}>
            <AgentPanel key={agentId} id={agentId} />
          </aside>
        )}
      </div>
      {dialog.value === 'submit' && <SubmitDialog />}
      {dialog.value === 'help' && <HelpDialog />}
      {dialog.value === 'palette' && <PaletteDialog />}
      {dialog.value === 'bulk' && <BulkDialog />}
      {dialog.value === 'menu' && <MenuDialog />}
      {dialog.value === 'notifications' && <NotificationsDialog />}
      <Notices />
      <p class="sr" role="status">
        {politeWords.value}
      </p>
      <p class="sr" role="alert">
        {urgentWords.value}
      </p>
    </div>
  );
}

/** Where a task or an agent has all of the room, that is what it leads to. */
function skipToTasks(event: Event): void {
  // The address names what is shown: a place on the page is no part of it.
  event.preventDefault();
  for (const place of document.querySelectorAll<HTMLElement>('#tasks, .detail-pane')) {
    if (!place.checkVisibility()) continue;
    place.focus();
    return;
  }
}

function Notices(): JSX.Element {
  return (
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
  );
}
