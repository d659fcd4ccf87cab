/**
 * One task. Guarantees: the sentence on top says what is known and since when; an action that web has promised but
 * not delivered is shown as pending, never as done.
 */
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { ShownTask } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import type { Certainty } from '../model/certainty.ts';
import { cliText } from '../model/cli.ts';
import { taskName } from '../model/filter.ts';
import { placeToUrl, tabs, type Tab } from '../model/place.ts';
import { outcomeText, pendingText, taskSentence } from '../model/sentence.ts';
import { ageText, bytesText } from '../model/words.ts';
import { cancel, isAsking, notify, reclaim, resolveLost, retry } from '../state/actions.ts';
import { closeTask, place } from '../state/navigation.ts';
import { agentOf, certaintyNow } from '../state/agents.ts';
import { webNow } from '../state/clock.ts';
import { loadTask, taskProblem, watchTask } from '../state/tasks.ts';
import { readEvents, type EventRecord } from '../transport/api.ts';
import { Icon, StatusIcon } from './icons.tsx';
import { AttemptsTab, EventsTab, SpecTab } from './task-record.tsx';
import { TaskLog } from './task-log.tsx';
import { TaskTimeline } from './task-timeline.tsx';
import { StatusWord, elapsed } from './task-row.tsx';
import { useRecord, type Read } from './use-record.ts';

export function TaskDetail({ id }: { id: string }): JSX.Element {
  const task = watchTask(id).value;
  useEffect(() => {
    taskProblem.value = undefined;
    if (watchTask(id).peek() === undefined) void loadTask(id);
  }, [id]);
  if (task === undefined) return <Missing id={id} />;
  return <Task task={task} />;
}

function Task({ task }: { task: ShownTask }): JSX.Element {
  const certainty = certaintyNow(task);
  const events = useRecord(task, readEvents);
  return (
    <section
      class={`detail knows-${certainty.state}`}
      aria-label={`Task ${taskName(task)}`}
      data-testid="task-detail"
      data-task-id={task.id}
    >
      <Head task={task} certainty={certainty} />
      <TaskTimeline task={task} certainty={certainty} record={events.value} />
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

function Head({ task, certainty }: { task: ShownTask; certainty: Certainty }): JSX.Element {
  const agent = agentOf(task);
  const now = webNow.value;
  const pending = pendingText(task, agent);
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
          <StatusIcon status={task.status} certainty={certainty.state} />
          <StatusWord task={task} certainty={certainty} />
        </span>
        <span class="num dim">{elapsed(task, certainty, now)}</span>
        <Actions task={task} />
      </div>
      <h1 class={task.title === undefined ? 'mono' : ''}>{taskName(task)}</h1>
      <p class="sentence" data-testid="sentence">
        {taskSentence({ task, agent, certainty, now })}
      </p>
      {pending !== undefined && (
        <p class="banner is-pending" data-testid="pending">
          {pending}
        </p>
      )}
      {task.refused !== undefined && (
        <p class="banner is-problem" data-testid="refused">
          {task.refused.action} was refused {ageText(now - task.refused.at)} ago: {task.refused.message}
        </p>
      )}
      {task.attention?.map((entry) => (
        <p key={entry.code} class="banner is-attention">
          {entry.message}{' '}
          <span class="dim">
            ({entry.code}, for {ageText(now - entry.sinceAt)})
          </span>
        </p>
      ))}
      <dl class="strip">
        <Fact name="Session">
          <a href={`/sessions/${encodeURIComponent(task.sessionId)}`}>{task.sessionId}</a>
        </Fact>
        <Fact name="Agent">{agent?.name ?? 'not chosen yet'}</Fact>
        <Fact name="Attempt">{task.attempt === 0 ? 'none yet' : String(task.attempt)}</Fact>
        {isEnded(task.status) && outcomeText(task.outcome) !== '' && (
          <Fact name="Outcome">{outcomeText(task.outcome)}</Fact>
        )}
        <Fact name="Output">{bytesText(task.outputBytes)}</Fact>
        {task.process !== undefined && (
          <Fact name="Process">
            pid {task.process.pid}, seen{' '}
            {ageText(
              now - Math.max(task.process.verifiedAt, certainty.state === 'live' ? certainty.asOf : 0),
            )}{' '}
            ago
          </Fact>
        )}
        {task.retryOf !== undefined && (
          <Fact name="Retry of">
            <a href={`/tasks/${encodeURIComponent(task.retryOf)}`} class="mono">
              …{task.retryOf.slice(-8)}
            </a>
          </Fact>
        )}
        {Object.entries(task.labels).map(([key, value]) => (
          <Fact key={key} name={key}>
            <a href={placeToUrl({ filter: { statuses: [], label: `${key}=${value}` }, tab: 'log' })}>
              {value}
            </a>
          </Fact>
        ))}
      </dl>
    </header>
  );
}

function Fact({
  name,
  children,
}: {
  name: string;
  children: JSX.Element | string | (string | number)[];
}): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Actions({ task }: { task: ShownTask }): JSX.Element {
  const isOver = isEnded(task.status);
  const isStopping =
    task.stopRequested?.cause === 'cancel' || task.pending?.some((intent) => intent.action === 'cancel');
  const isClaimSilent = task.claim !== undefined && task.claim.leaseExpiresAt < webNow.value;
  return (
    <div class="actions">
      {!isOver && (
        <AskButton
          testId="cancel"
          name={isStopping === true ? 'Cancel asked' : 'Cancel'}
          hint="Stop it (c)"
          isAsking={isAsking('cancel', task.id)}
          isDisabled={isStopping === true}
          onClick={() => cancel(task.id)}
          icon="stop"
        />
      )}
      {isClaimSilent && !isOver && (
        <AskButton
          testId="reclaim"
          name="Reclaim"
          hint="Fence this attempt off and start a new one"
          isAsking={isAsking('reclaim', task.id)}
          isDisabled={false}
          onClick={() => reclaim(task.id)}
          icon="again"
        />
      )}
      {task.status === 'unknown' && (
        <AskButton
          testId="resolve"
          name="Give up as lost"
          hint="Your verdict, kept on record; the agent’s word would still replace it"
          isAsking={isAsking('resolve', task.id)}
          isDisabled={false}
          onClick={() => resolveLost(task.id)}
          icon="close"
        />
      )}
      {isOver && (
        <AskButton
          testId="retry"
          name="Retry"
          hint="Submit it again as a new task (r)"
          isAsking={isAsking('retry', task.id)}
          isDisabled={false}
          onClick={() => void retry(task.id)}
          icon="again"
        />
      )}
      <button
        type="button"
        class="icon-button wide-only"
        title="Copy as CLI"
        aria-label="Copy as a command line"
        onClick={() => copyCli(task)}
      >
        <Icon name="copy" />
      </button>
    </div>
  );
}

interface AskButtonProps {
  testId: string;
  name: string;
  hint: string;
  isAsking: boolean;
  isDisabled: boolean;
  icon: 'stop' | 'again' | 'close';
  onClick: () => void;
}

function AskButton({ testId, name, hint, isAsking, isDisabled, icon, onClick }: AskButtonProps): JSX.Element {
  return (
    <button
      type="button"
      data-testid={testId}
      title={hint}
      disabled={isAsking || isDisabled}
      onClick={onClick}
    >
      <Icon name={icon} size={14} />
      <span>{isAsking ? 'Requesting …' : name}</span>
    </button>
  );
}

export function copyCli(task: ShownTask): void {
  const text = cliText(task, agentOf(task)?.name);
  navigator.clipboard.writeText(text).then(
    () => notify('Copied as a command line.'),
    () => notify('The browser did not allow copying; the command is under Spec.', 'problem'),
  );
}

const tabNames: Record<Tab, string> = { log: 'Log', events: 'Events', attempts: 'Attempts', spec: 'Spec' };

function Tabs({ task, events }: { task: ShownTask; events: Read<EventRecord> }): JSX.Element {
  const current = place.value.tab;
  return (
    <>
      <nav class="tabs" aria-label="Parts of the task">
        {tabs.map((tab) => (
          <a
            key={tab}
            href={placeToUrl({ ...place.value, tab })}
            aria-current={tab === current ? 'page' : undefined}
            data-testid={`tab-${tab}`}
          >
            {tabNames[tab]}
          </a>
        ))}
      </nav>
      <div class="tab-body">
        {current === 'log' && <TaskLog key={task.id} task={task} />}
        {current === 'events' && <EventsTab events={events} />}
        {current === 'attempts' && <AttemptsTab task={task} />}
        {current === 'spec' && <SpecTab task={task} cli={cliText(task, agentOf(task)?.name)} />}
      </div>
    </>
  );
}
