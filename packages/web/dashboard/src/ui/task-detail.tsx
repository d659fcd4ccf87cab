/**
 * One task. Guarantees: the sentence on top says what is known and since when; an action that web has promised but
 * not delivered is shown as pending, never as done.
 */
import type { JSX } from 'preact';
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ShownTask, TaskEvent } from '@holdfast/shared';
import { withoutBidi } from '../model/bidi.ts';
import { byTasksClock, type Certainty } from '../model/certainty.ts';
import { lacksEventOf } from '../model/events.ts';
import { elapsedText, isWaiting } from '../model/elapsed.ts';
import { taskName } from '../model/filter.ts';
import { placeToUrl, tabs, type Tab } from '../model/place.ts';
import { isStaleCode, staleOf } from '../model/stale.ts';
import { pendingText, taskSentence } from '../model/sentence.ts';
import { stopSteps } from '../model/stopping.ts';
import { ageText, capitalized } from '../model/words.ts';
import { closeTask, place } from '../state/navigation.ts';
import { agentOf, certaintyNow } from '../state/agents.ts';
import { linkNow, webNow } from '../state/clock.ts';
import { takeOpenedByKey } from '../state/keys.ts';
import { isWide } from '../state/log-preferences.ts';
import { loadTask, taskProblem, watchTask } from '../state/tasks.ts';
import { readEvents, type EventRecord } from '../transport/api.ts';
import { Icon, StatusIcon } from './icons.tsx';
import { Steps } from './steps.tsx';
import { Evidence, ReclaimPanel, StaleBadge } from './task-evidence.tsx';
import { Actions } from './task-actions.tsx';
import { EventsTab } from './task-events.tsx';
import { TaskFacts } from './task-facts.tsx';
import { AttemptsTab, CommandTab, RawTab } from './task-record.tsx';
import { TaskLog } from './task-log.tsx';
import { TaskTimeline } from './task-timeline.tsx';
import { StatusWord, weakest } from './task-row.tsx';
import { useKeptFocus } from './use-kept-focus.ts';
import { useRecord, type Read } from './use-record.ts';

export function TaskDetail({ id }: { id: string }): JSX.Element {
  const task = watchTask(id).value;
  useEffect(() => {
    taskProblem.value = undefined;
    if (watchTask(id).peek() === undefined) void loadTask(id);
  }, [id]);
  useEffect(() => {
    document.documentElement.toggleAttribute('data-wide', isWide.value);
    return () => document.documentElement.removeAttribute('data-wide');
  }, [isWide.value]);
  if (task === undefined) return <Missing id={id} />;
  return <Task task={task} />;
}

const lacksEvents = ({ items }: EventRecord, task: ShownTask): boolean => lacksEventOf(items, task);

function Task({ task }: { task: ShownTask }): JSX.Element {
  const certainty = certaintyNow(task);
  const events = useRecord(task, readEvents, lacksEvents);
  const section = useRef<HTMLElement>(null);
  useKeptFocus(section);
  useEffect(() => {
    if (takeOpenedByKey(task.id)) section.current?.focus({ preventScroll: true });
  }, [task.id]);
  return (
    <section
      ref={section}
      tabIndex={-1}
      class={`detail knows-${certainty.state}`}
      aria-label={`Task ${taskName(task)}`}
      data-testid="task-detail"
      data-task-id={task.id}
    >
      <div class="detail-top">
        <Head task={task} certainty={certainty} events={events.value?.items} />
        <TaskTimeline task={task} certainty={certainty} record={events.value} />
      </div>
      <Tabs task={task} events={events} />
    </section>
  );
}

function Missing({ id }: { id: string }): JSX.Element {
  const problem = taskProblem.value;
  return (
    <section class="detail" aria-label="Task">
      <div class="empty">
        {problem === undefined ? (
          <p class="dim">Reading …</p>
        ) : (
          <>
            <h2>{problem.status === 404 ? 'No such task' : 'The task could not be read'}</h2>
            <p>{problem.detail}</p>
            <p class="mono dim">{id}</p>
            <button type="button" onClick={() => void loadTask(id)}>
              Read again
            </button>
            <button type="button" onClick={closeTask}>
              Back to the list
            </button>
          </>
        )}
      </div>
    </section>
  );
}

function Head({
  task,
  certainty,
  events,
}: {
  task: ShownTask;
  certainty: Certainty;
  events: readonly TaskEvent[] | undefined;
}): JSX.Element {
  const agent = agentOf(task);
  const now = webNow.value;
  const stale = staleOf(task, certainty, now);
  const isReclaimOpen = useSignal(false);
  const requeuedAt = events?.findLast(({ kind }) => kind === 'requeued')?.at;
  const elapsed = elapsedText(task, certainty, now, requeuedAt);
  const pending = pendingText(task, agent, webHeardAt());
  return (
    <header class="detail-head">
      <div class="detail-bar">
        <a
          class="icon-button"
          href={placeToUrl({ filter: place.value.filter, tab: 'log' })}
          aria-label="Close the task"
          title="Close (Esc)"
        >
          <span class="narrow-only">
            <Icon name="back" />
          </span>
          <span class="wide-only">
            <Icon name="close" />
          </span>
        </a>
        <span
          class={`status-badge is-${task.status}`}
          data-testid="task-status"
          data-status={task.status}
          data-knowledge={certainty.state}
        >
          <StatusIcon status={task.status} certainty={weakest(certainty, stale)} />
          <StatusWord task={task} certainty={certainty} />
        </span>
        {stale !== undefined && <StaleBadge stale={stale} />}
        <span class="num dim">
          {elapsed !== '' && isWaiting(task) && 'waits '}
          {elapsed}
        </span>
        <Actions task={task} isStale={stale !== undefined} isReclaimOpen={isReclaimOpen} />
      </div>
      <h1 class={task.title === undefined ? 'mono' : ''} title={taskName(task)}>
        {taskName(task)}
      </h1>
      <p class="sentence" data-testid="sentence">
        {taskSentence({ task, agent, certainty, now })}
      </p>
      {place.value.tab !== 'log' && task.lastLine !== undefined && (
        <p class="last-line mono dim" data-testid="last-line" title="The last line of its output">
          {withoutBidi(task.lastLine)}
        </p>
      )}
      <StopSteps task={task} certainty={certainty} />
      {pending !== undefined && (
        <p class="banner is-pending" data-testid="pending">
          {pending}
        </p>
      )}
      {task.refused !== undefined && (
        <p class="banner is-problem" data-testid="refused">
          {capitalized(task.refused.action)} was refused {ageText(now - task.refused.at)} ago:{' '}
          {task.refused.message}
        </p>
      )}
      <ReclaimPanel task={task} certainty={certainty} events={events} isOpen={isReclaimOpen.value} />
      {task.attention
        ?.filter(({ code }) => stale === undefined || !isStaleCode(code))
        .map((entry) => (
          <p key={entry.code} class="banner is-attention">
            {entry.message}{' '}
            <span class="dim">
              ({entry.code}, for {ageText(byTasksClock(now, certainty) - entry.sinceAt)})
            </span>
          </p>
        ))}
      <TaskFacts task={task} />
      <Evidence task={task} certainty={certainty} isReclaimOpen={isReclaimOpen.value} />
    </header>
  );
}

/** When web was last heard, while it is not. */
function webHeardAt(): number | undefined {
  const link = linkNow.value;
  return link.state === 'stale' || link.state === 'blind' ? webNow.value - link.ageMs : undefined;
}

function StopSteps({ task, certainty }: { task: ShownTask; certainty: Certainty }): JSX.Element | null {
  const steps = stopSteps(task, agentOf(task), certainty, webNow.value);
  return steps === undefined ? null : <Steps label="Stopping" testId="stop-steps" steps={steps} />;
}

const tabNames: Record<Tab, string> = {
  log: 'Log',
  events: 'Events',
  attempts: 'Attempts',
  command: 'Command',
  raw: 'Raw',
};

/** The attempt whose log is looked at is kept for the way back; marked lines are not. */
function tabUrl(tab: Tab): string {
  const { mark: _, ...rest } = place.value;
  return placeToUrl({ ...rest, tab });
}

function Tabs({ task, events }: { task: ShownTask; events: Read<EventRecord> }): JSX.Element {
  const current = place.value.tab;
  return (
    <>
      <nav class="tabs" aria-label="Parts of the task">
        {tabs.map((tab) => (
          <a
            key={tab}
            href={tabUrl(tab)}
            aria-current={tab === current ? 'page' : undefined}
            data-testid={`tab-${tab}`}
          >
            {tabNames[tab]}
          </a>
        ))}
      </nav>
      <div class="tab-body">
        {current === 'log' && <TaskLog key={task.id} task={task} />}
        {current === 'events' && <EventsTab task={task} events={events} />}
        {current === 'attempts' && <AttemptsTab task={task} record={events.value} />}
        {current === 'command' && <CommandTab task={task} />}
        {current === 'raw' && <RawTab task={task} />}
      </div>
    </>
  );
}
