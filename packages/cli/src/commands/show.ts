/** `holdfast show`: one task, with how its status is known. `--json` prints the API's task. */
import type { Command } from 'commander';
import { isEnded } from '@holdfast/shared/status';
import type { SeenAgent, SeenTask } from '../client.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { renderFields } from '../render.ts';
import { resolveTaskId } from '../task-ref.ts';
import { doubtText, elapsedText, endText, mayRunText, statusText } from '../task-text.ts';
import { ageText, bytesText, plainText, quoteWord, spanText, timeText } from '../words.ts';

export function defineShow(command: Command, invocation: Invocation): void {
  command.argument('<id>', 'the task’s id, or the beginning of it').action(async (ref: string) => {
    const client = invocation.openClient();
    const id = await resolveTaskId(client, ref);
    const [task, agents] = await Promise.all([client.readTask(id), client.readAgents()]);
    if (invocation.isJson) return invocation.printJson(task);
    const { paint, io } = invocation;
    const status = statusText(task, io.now());
    const fields = describeTask(task, agents, io.now());
    return invocation.print(`${paint(status.style, status.text)}\n${renderFields(fields, paint)}`);
  });
  addManual(command, {
    guarantees: [
      'Says how the status is known: who vouches for it and since when, or since when nobody does, why, and that the task may run. Times of a task that nobody vouches for stand still at the last proof.',
    ],
    exits: { ok: 'the task was found', refused: 'there is no task of that id' },
    examples: ['holdfast show 0199aa3c', 'holdfast show 0199aa3c --json | jq .outcome'],
  });
}

type Field = readonly [name: string, value: string];

/** What there is to say of a task, most wanted first. */
function describeTask(task: SeenTask, agents: readonly SeenAgent[], now: number): Field[] {
  const fields: (Field | undefined)[] = [
    ['id', task.id],
    field('title', task.title),
    ...workFields(task),
    ['session', task.sessionId],
    [
      'agent',
      plainText(agents.find((one) => one.id === task.agentId)?.name ?? task.agentId ?? 'not chosen yet'),
    ],
    ...knowledgeFields(task, now),
    isEnded(task.status) ? ['ended as', endText(task)] : undefined,
    timeField('created', task.createdAt, now),
    timeField('started', task.startedAt, now),
    timeField('ended', task.endedAt, now),
    field('took', elapsedText(task, now) || undefined),
    ['attempt', String(task.attempt)],
    field(
      'not before',
      task.notBeforeAt === undefined || isEnded(task.status) ? undefined : timeText(task.notBeforeAt),
    ),
    field(
      'process',
      task.process && `${task.process.pid}, seen ${ageText(now - task.process.verifiedAt)} ago`,
    ),
    ...claimFields(task, now),
    field('result', task.outcome?.result === undefined ? undefined : JSON.stringify(task.outcome.result)),
    ['output', outputText(task, now)],
    field(
      'labels',
      Object.entries(task.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(' ') || undefined,
    ),
    task.queue === 'default' ? undefined : ['queue', task.queue],
    task.priority === 0 ? undefined : ['priority', String(task.priority)],
    field('retry of', task.retryOf),
    field('external id', task.externalId),
    ...(task.attention ?? []).map((one): Field => ['attention', plainText(`${one.message} (${one.code})`)]),
  ];
  return fields.filter((one) => one !== undefined);
}

function field(name: string, value: string | undefined): Field | undefined {
  return value === undefined ? undefined : [name, plainText(value)];
}

function timeField(name: string, at: number | undefined, now: number): Field | undefined {
  return at === undefined ? undefined : [name, `${timeText(at)}, ${ageText(now - at)} ago`];
}

function workFields({ spec }: SeenTask): (Field | undefined)[] {
  return [
    field('command', spec.command?.map(quoteWord).join(' ')),
    field('shell', spec.shell),
    field('runner', spec.runner),
    field('prompt', spec.prompt),
    field('directory', spec.cwd),
    field('environment', spec.env?.join(' ')),
    field('time limit', spec.timeoutMs === undefined ? undefined : spanText(spec.timeoutMs)),
  ];
}

function knowledgeFields(task: SeenTask, now: number): (Field | undefined)[] {
  const { knowledge, pending = [], refused, verdict, stopRequested } = task;
  const doubt = doubtText(task);
  return [
    knowledge !== undefined && doubt !== undefined
      ? [
          'doubt',
          `${doubt}; last proof ${knowledge.asOf === 0 ? 'never' : `${ageText(now - knowledge.asOf)} ago`}; ${mayRunText(task)}`,
        ]
      : undefined,
    stopRequested !== undefined && !isEnded(task.status)
      ? ['stopping', `${stopRequested.cause}, asked ${ageText(now - stopRequested.at)} ago`]
      : undefined,
    ...pending.map((one): Field => [
      'pending',
      plainText(
        `${one.action}, asked ${ageText(now - one.sinceAt)} ago, not acknowledged yet${one.lastError === undefined ? '' : `: ${one.lastError}`}`,
      ),
    ]),
    field('refused', refused && `${refused.action}: ${refused.message}`),
    field(
      'verdict',
      verdict &&
        `lost, said ${ageText(now - verdict.at)} ago${verdict.note === undefined ? '' : `: ${verdict.note}`}`,
    ),
  ];
}

function claimFields({ claim }: SeenTask, now: number): (Field | undefined)[] {
  if (claim === undefined) return [];
  const { worker, leaseExpiresAt, lastHeartbeatAt, progress } = claim;
  const lease =
    leaseExpiresAt > now ? `until ${timeText(leaseExpiresAt)}` : `over for ${ageText(now - leaseExpiresAt)}`;
  return [
    field('worker', `${worker}, heard ${ageText(now - lastHeartbeatAt)} ago, lease ${lease}`),
    field('progress', progress === undefined ? undefined : JSON.stringify(progress)),
  ];
}

function outputText(task: SeenTask, now: number): string {
  const last = task.lastOutputAt === undefined ? '' : `, last ${ageText(now - task.lastOutputAt)} ago`;
  return `${bytesText(task.outputBytes)}${last}`;
}
