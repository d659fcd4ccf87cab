/** The facts at the head of a task. Guarantees: an age that nobody vouches for does not grow. */
import type { ComponentChildren, JSX } from 'preact';
import { useCallback } from 'preact/hooks';
import type { ShownTask } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import type { Certainty } from '../model/certainty.ts';
import { placeToUrl } from '../model/place.ts';
import { outcomeText } from '../model/sentence.ts';
import { ageText, bytesText, timeText } from '../model/words.ts';
import { agentUrl, taskUrl } from '../state/navigation.ts';
import { agentOf } from '../state/agents.ts';
import { webNow } from '../state/clock.ts';
import { readTasks, type Answer, type TaskPage } from '../transport/api.ts';
import { useRecord } from './use-record.ts';

export function TaskFacts({ task, certainty }: { task: ShownTask; certainty: Certainty }): JSX.Element {
  const agent = agentOf(task);
  const now = webNow.value;
  const isOver = isEnded(task.status);
  const outcome = outcomeText(task.outcome);
  const { maxAttempts } = task.spec.retry ?? {};
  return (
    <dl class="strip">
      <Fact name="Session">
        <a href={`/sessions/${encodeURIComponent(task.sessionId)}`}>{task.sessionId}</a>
      </Fact>
      <Fact name="Agent">
        {agent === undefined ? 'not chosen yet' : <a href={agentUrl(agent.id)}>{agent.name}</a>}
      </Fact>
      <Fact name="Attempt">
        {task.attempt === 0 ? 'none yet' : String(task.attempt)}
        {maxAttempts !== undefined && <span class="dim"> of at most {maxAttempts}</span>}
      </Fact>
      {outcome !== '' && <Fact name={isOver ? 'Outcome' : 'Last attempt'}>{outcome}</Fact>}
      <Fact name="Output">{bytesText(task.outputBytes)}</Fact>
      {!isOver && task.process !== undefined && (
        <Fact name="Process">
          pid {task.process.pid}, {seenText(task.process.verifiedAt, certainty, now)}
        </Fact>
      )}
      <Fact name="Submitted">{timeText(task.createdAt, now)}</Fact>
      {task.retryOf !== undefined && (
        <Fact name="Retry of">
          <TaskLink id={task.retryOf} />
        </Fact>
      )}
      {isOver && <RetriedAs task={task} />}
      {Object.entries(task.labels).map(([key, value]) => (
        <Fact key={key} name={key}>
          <a href={placeToUrl({ filter: { statuses: [], label: `${key}=${value}` }, tab: 'log' })}>{value}</a>
        </Fact>
      ))}
    </dl>
  );
}

function seenText(verifiedAt: number, certainty: Certainty, now: number): string {
  if (certainty.state !== 'live') return `seen at ${timeText(Math.max(verifiedAt, certainty.asOf), now)}`;
  return `seen ${ageText(now - Math.max(verifiedAt, certainty.asOf))} ago`;
}

/** How many of a session's newest tasks are looked through for one that was made by a retry. */
const SESSION_TASKS = 200;

/** A retry makes a new task that names this one, in the same session. */
function RetriedAs({ task }: { task: ShownTask }): JSX.Element | null {
  const { sessionId } = task;
  const read = useCallback(
    (): Promise<Answer<TaskPage>> =>
      readTasks(new URLSearchParams({ sessionId, limit: String(SESSION_TASKS) })),
    [sessionId],
  );
  const page = useRecord(task, read);
  const retries = page.value?.items.filter((other) => other.retryOf === task.id) ?? [];
  if (retries.length === 0) return null;
  return (
    <Fact name="Retried as">
      {retries.map((retry) => (
        <TaskLink key={retry.id} id={retry.id} />
      ))}
    </Fact>
  );
}

function TaskLink({ id }: { id: string }): JSX.Element {
  return (
    <a href={taskUrl(id)} class="mono" title={id} data-testid="task-link">
      …{id.slice(-8)}
    </a>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
