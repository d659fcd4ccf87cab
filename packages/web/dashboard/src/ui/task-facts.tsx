/** The facts at the head of a task: one line where there is little room, all of them on demand. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import type { ShownTask } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import { withoutBidi } from '../model/bidi.ts';
import { placeToUrl } from '../model/place.ts';
import { outcomeText } from '../model/sentence.ts';
import { bytesText, timeText } from '../model/words.ts';
import { agentUrl, taskUrl } from '../state/navigation.ts';
import { agentOf, sessionNames } from '../state/agents.ts';
import { webNow } from '../state/clock.ts';
import { readTasks, type Answer, type FirstTaskPage } from '../transport/api.ts';
import { useRecord } from './use-record.ts';

export function TaskFacts({ task }: { task: ShownTask }): JSX.Element {
  const isUnfolded = useSignal(false);
  const agent = agentOf(task);
  const now = webNow.value;
  const isOver = isEnded(task.status);
  const outcome = outcomeText(task.outcome);
  const { maxAttempts } = task.spec.retry ?? {};
  const facts = (
    <dl class="strip">
      <Fact name="Session">
        <a href={`/sessions/${encodeURIComponent(task.sessionId)}`} title={task.sessionId}>
          <bdi>{withoutBidi(sessionNames.value.get(task.sessionId) ?? task.sessionId)}</bdi>
        </a>
      </Fact>
      <Fact name="Agent">
        {agent === undefined ? 'not chosen yet' : <a href={agentUrl(agent.id)}>{agent.name}</a>}
      </Fact>
      <Fact name="Attempt">
        {task.attempt > 0 ? String(task.attempt) : isOver ? 'none' : 'none yet'}
        {maxAttempts !== undefined && <span class="dim"> of at most {maxAttempts}</span>}
      </Fact>
      {outcome !== '' && <Fact name={isOver ? 'Outcome' : 'Last attempt'}>{outcome}</Fact>}
      <Fact name="Output">{bytesText(task.outputBytes)}</Fact>
      <Fact name="Submitted">{timeText(task.createdAt, now)}</Fact>
      {task.retryOf !== undefined && (
        <Fact name="Retry of">
          <TaskLink id={task.retryOf} />
        </Fact>
      )}
      {isOver && <RetriedAs task={task} />}
      {Object.entries(task.labels).map(([key, value]) => (
        <Fact key={key} name={key}>
          <a href={placeToUrl({ filter: { statuses: [], label: `${key}=${value}` }, tab: 'log' })}>
            {withoutBidi(value)}
          </a>
        </Fact>
      ))}
    </dl>
  );
  return (
    <div class={`facts-fold${isUnfolded.value ? ' is-unfolded' : ''}`} data-testid="facts">
      {facts}
      <button
        type="button"
        class="small"
        data-testid="facts-more"
        aria-expanded={isUnfolded.value}
        onClick={() => {
          isUnfolded.value = !isUnfolded.value;
        }}
      >
        {isUnfolded.value ? 'Less' : 'More'}
      </button>
    </div>
  );
}

/** So many fit; whoever retried it more often finds them in the session. */
const RETRIES_SHOWN = 10;

const readRetries = (id: string): Promise<Answer<FirstTaskPage>> =>
  readTasks(new URLSearchParams({ retryOf: id, limit: String(RETRIES_SHOWN) }));

/** A retry makes a new task that names this one. */
function RetriedAs({ task }: { task: ShownTask }): JSX.Element | null {
  const page = useRecord(task, readRetries);
  const retries = page.value?.items ?? [];
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
