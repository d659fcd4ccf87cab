/** What a task is made of: its attempts, its command, its whole row. Read when it is looked at, and again when it moves. */
import type { ComponentChildren, JSX } from 'preact';
import type { ShownTask } from '@holdfast/shared';
import { attemptRows, type AttemptRow } from '../model/attempts.ts';
import { withoutBidi } from '../model/bidi.ts';
import { byTasksClock } from '../model/certainty.ts';
import { cliOf } from '../model/cli.ts';
import { placeToUrl } from '../model/place.ts';
import type { Problem } from '../model/problem.ts';
import { outcomeText } from '../model/sentence.ts';
import { bytesText, clockText, dayText, secondText, spanText } from '../model/words.ts';
import { agentOf, certaintyNow } from '../state/agents.ts';
import { webNow } from '../state/clock.ts';
import { copyText } from '../state/copy.ts';
import { place } from '../state/navigation.ts';
import { readAttempts, type EventRecord } from '../transport/api.ts';
import { useRecord } from './use-record.ts';

export function Trouble({ problem }: { problem: Problem | undefined }): JSX.Element | null {
  return problem === undefined ? null : <p class="banner is-problem">{problem.detail}</p>;
}

export function AttemptsTab({
  task,
  record,
}: {
  task: ShownTask;
  record: EventRecord | undefined;
}): JSX.Element {
  const { value, problem } = useRecord(task, readAttempts);
  const rows = attemptRows(record?.items ?? [], value?.items);
  const name = agentOf(task)?.name ?? 'its agent';
  return (
    <div class="record" data-testid="attempts" tabIndex={0} role="region" aria-label="Attempts">
      {problem !== undefined && (
        <p class="banner is-attention">
          {name} cannot be asked now, so this is what its events say. {problem.detail}
        </p>
      )}
      <table>
        <thead>
          <tr>
            <th scope="col">Attempt</th>
            <th scope="col">By</th>
            <th scope="col">Claimed</th>
            <th scope="col">Started</th>
            <th scope="col">Ended</th>
            <th scope="col">Ran</th>
            <th scope="col">Outcome</th>
            <th scope="col">Counts</th>
            <th scope="col">Log</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <AttemptLine key={row.attempt} task={task} row={row} />
          ))}
        </tbody>
      </table>
      {task.attempt === 0 && <p class="dim">It was not attempted yet.</p>}
    </div>
  );
}

/** The log of one attempt, the list beside it staying as it is. */
export function attemptLogUrl(task: ShownTask, attempt: number): string {
  const { mark: _, logAttempt: _older, ...here } = place.value;
  return placeToUrl({ ...here, tab: 'log', ...(attempt === task.attempt ? {} : { logAttempt: attempt }) });
}

function AttemptLine({ task, row }: { task: ShownTask; row: AttemptRow }): JSX.Element {
  const now = webNow.value;
  const at = (time: number | undefined): JSX.Element | string =>
    time === undefined ? (
      '–'
    ) : (
      <span title={new Date(time).toISOString()}>{`${dayText(time, now)}${secondText(time)}`}</span>
    );
  return (
    <tr data-testid="attempt" data-attempt={row.attempt}>
      <td class="num">{row.attempt}</td>
      <td class="num">{row.worker ?? (row.pid === undefined ? '–' : `pid ${row.pid}`)}</td>
      <td class="num dim">{at(row.claimedAt)}</td>
      <td class="num">
        {row.startedAt === undefined && row.endedAt !== undefined ? 'never' : at(row.startedAt)}
      </td>
      <td class="num">{at(row.endedAt)}</td>
      <td class="num">{ranText(task, row, now)}</td>
      <td>{outcomeText(row.outcome) || (row.endedAt === undefined ? 'goes on' : '')}</td>
      <td class="dim">{chargeText(row)}</td>
      <td class="num">
        <a href={attemptLogUrl(task, row.attempt)} data-testid="attempt-log">
          {row.outputBytes === undefined ? 'Log' : bytesText(row.outputBytes)}
        </a>
      </td>
    </tr>
  );
}

/** A clock that nobody vouches for stands still. */
function ranText(task: ShownTask, { startedAt, endedAt }: AttemptRow, now: number): string {
  if (startedAt === undefined) return '';
  if (endedAt !== undefined) return spanText(endedAt - startedAt);
  const certainty = certaintyNow(task);
  return certainty.state === 'live'
    ? clockText(byTasksClock(now, certainty) - startedAt)
    : `${clockText(Math.max(0, byTasksClock(certainty.asOf, certainty) - startedAt))}+`;
}

function chargeText({ isCharged, endedAt }: AttemptRow): string {
  if (isCharged === undefined) return endedAt === undefined ? '' : 'its last';
  return isCharged ? 'charged' : 'not charged';
}

export function CommandTab({ task }: { task: ShownTask }): JSX.Element {
  const { spec } = task;
  const cli = cliOf(task, agentOf(task)?.name ?? task.agentId);
  return (
    <div class="record" data-testid="command" tabIndex={0} role="region" aria-label="Command">
      <div class="record-bar">
        <h2>As a command line</h2>
        <CopyButton text={cli.line} what="the command line" testId="copy-cli" />
      </div>
      <pre class="code" data-testid="cli">
        {withoutBidi(cli.line)}
      </pre>
      {cli.leftOut.length > 0 && (
        <>
          <p class="dim">What this line leaves out:</p>
          <ul class="left-out" data-testid="cli-left-out">
            {cli.leftOut.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </>
      )}
      {spec.command !== undefined && (
        <>
          <h2>Arguments, exactly</h2>
          <ol class="argv mono" start={0} data-testid="argv">
            {spec.command.map((word, index) => (
              <li key={index}>
                <code>{word === '' ? <span class="dim">(empty)</span> : withoutBidi(word)}</code>
              </li>
            ))}
          </ol>
        </>
      )}
      {spec.shell !== undefined && <Block name="Shell line, given to sh">{withoutBidi(spec.shell)}</Block>}
      {spec.prompt !== undefined && (
        <Block name={`Prompt for ${spec.runner ?? 'its runner'}`}>{withoutBidi(spec.prompt)}</Block>
      )}
      {spec.payload !== undefined && (
        <Block name="Payload">{withoutBidi(JSON.stringify(spec.payload, null, 2))}</Block>
      )}
      <dl class="facts">
        {commandFacts(task).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function Block({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <>
      <h2>{name}</h2>
      <pre class="code">{children}</pre>
    </>
  );
}

function commandFacts(task: ShownTask): [name: string, value: string][] {
  const { spec } = task;
  const { workspace, retry } = spec;
  const facts: [string, string | undefined][] = [
    ['Title', task.title],
    ['Directory', spec.cwd ?? 'the agent’s own choice'],
    [
      'Environment',
      spec.env && spec.env.length > 0
        ? `${spec.env.join(', ')} (the values never leave the agent)`
        : undefined,
    ],
    [
      'Workspace',
      workspace === undefined
        ? undefined
        : 'dir' in workspace
          ? workspace.dir
          : `a worktree of ${workspace.worktree.repo} at ${workspace.worktree.ref}`,
    ],
    ['Queue', task.queue],
    ['Priority', task.priority === 0 ? undefined : String(task.priority)],
    ['Time limit', spec.timeoutMs === undefined ? undefined : spanText(spec.timeoutMs)],
    ['Limit on silence', spec.idleTimeoutMs === undefined ? undefined : spanText(spec.idleTimeoutMs)],
    [
      'Retries',
      retry === undefined
        ? undefined
        : `${retry.maxAttempts === undefined ? 'as its agent is set' : `at most ${retry.maxAttempts} attempts`}${retry.on === undefined ? '' : `, when ${retry.on.join(' or ')}`}`,
    ],
    ['One at a time with', spec.concurrencyKey],
    ['Leftover processes', spec.keepLeftovers === true ? 'kept' : undefined],
    ['Its runner’s own id', task.externalId],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
}

export function RawTab({ task }: { task: ShownTask }): JSX.Element {
  const json = JSON.stringify(task, null, 2);
  return (
    <div class="record" data-testid="raw" tabIndex={0} role="region" aria-label="Raw">
      <div class="record-bar">
        <h2>The row, as web shows it</h2>
        <CopyButton text={json} what="the row as JSON" testId="copy-raw" />
        <a href={`/api/tasks/${encodeURIComponent(task.id)}`} target="_blank" rel="noreferrer">
          Raw JSON
        </a>
      </div>
      <pre class="code">{json}</pre>
    </div>
  );
}

function CopyButton({ text, what, testId }: { text: string; what: string; testId: string }): JSX.Element {
  return (
    <button type="button" class="small" data-testid={testId} onClick={() => copyText(text, what)}>
      Copy
    </button>
  );
}
