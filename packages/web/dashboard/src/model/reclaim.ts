/**
 * A reclaim in words and steps. Guarantees: pure; a step is done only when web or the agent said so; what would
 * happen is said before it is asked for.
 */
import type { ShownAgent, ShownTask, TaskClaim, TaskEvent } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import { byTasksClock, type Certainty } from './certainty.ts';
import { progressText } from './proof.ts';
import { isUnderWay, type Stale } from './stale.ts';
import { ageText, timeText } from './words.ts';

/** Names and values, as they are shown. */
export type Facts = [name: string, value: string][];

export interface ReclaimStep {
  name: 'asked' | 'acknowledged' | 'next';
  /** `now`: this is what is waited for. */
  state: 'done' | 'now' | 'waiting';
  text: string;
}

export interface ReclaimProgress {
  /** The attempt that is given up. */
  attempt: number;
  steps: ReclaimStep[];
}

/**
 * How far the newest reclaim is: asked → acknowledged by the agent → next attempt. It is shown until the attempt
 * after the next one begins or the task ends. `events` are the agent's, oldest first; without them the task itself
 * says what it can.
 */
export function reclaimProgress(
  task: ShownTask,
  events: readonly TaskEvent[] | undefined,
  agent: ShownAgent | undefined,
  now: number,
): ReclaimProgress | undefined {
  if (isEnded(task.status)) return undefined;
  const name = agent?.name ?? 'its agent';
  const asked = task.pending?.find((intent) => intent.action === 'reclaim');
  if (asked !== undefined) {
    return {
      attempt: task.attempt,
      steps: [
        { name: 'asked', state: 'done', text: `Asked ${ageText(now - asked.sinceAt)} ago` },
        {
          name: 'acknowledged',
          state: 'now',
          text: agent?.state === 'live' ? `${name} has not answered yet` : `Waits for ${name} to return`,
        },
        { name: 'next', state: 'waiting', text: 'Next attempt' },
      ],
    };
  }
  const given = givenUp(task, events);
  if (given === undefined || task.attempt > given.attempt + 1) return undefined;
  const isStopping = task.attempt === given.attempt && task.status !== 'queued';
  const steps: ReclaimStep[] = [{ name: 'asked', state: 'done', text: 'Asked' }];
  if (isStopping) {
    steps.push(
      {
        name: 'acknowledged',
        state: 'now',
        text: `Acknowledged by ${name}; its processes are being stopped`,
      },
      { name: 'next', state: 'waiting', text: 'Next attempt' },
    );
    return { attempt: given.attempt, steps };
  }
  const at = given.at === undefined ? '' : ` at ${timeText(given.at, now)}`;
  steps.push({
    name: 'acknowledged',
    state: 'done',
    text: `Attempt ${given.attempt} given up by ${name}${at}`,
  });
  steps.push(
    task.attempt === given.attempt
      ? { name: 'next', state: 'now', text: `Waits for attempt ${given.attempt + 1}` }
      : {
          name: 'next',
          state: 'done',
          text: `Attempt ${task.attempt} began${task.claim === undefined ? '' : `, worker ${task.claim.worker}`}`,
        },
  );
  return { attempt: given.attempt, steps };
}

/** The newest attempt that was given up, or is being. */
function givenUp(
  task: ShownTask,
  events: readonly TaskEvent[] | undefined,
): { attempt: number; at?: number } | undefined {
  if (task.stopRequested?.cause === 'reclaim') return { attempt: task.attempt, at: task.stopRequested.at };
  const last = events?.findLast(
    (event) => event.kind === 'requeued' && event.data.outcome.reason === 'reclaimed',
  );
  if (last !== undefined) return { attempt: last.attempt, at: last.at };
  if (task.status === 'queued' && task.outcome?.reason === 'reclaimed') return { attempt: task.attempt };
  return undefined;
}

/** Whether a reclaim of the present attempt can be asked for now. */
export function canReclaim(task: ShownTask): boolean {
  return (
    isUnderWay(task) &&
    task.attempt > 0 &&
    task.stopRequested?.cause !== 'reclaim' &&
    task.pending?.some((intent) => intent.action === 'reclaim') !== true
  );
}

/** What a person should know before reclaiming: how things stand, since when, which attempt, whose. */
export function reclaimEvidence(
  task: ShownTask,
  stale: Stale | undefined,
  certainty: Certainty,
  now: number,
): Facts {
  const { claim, process } = task;
  const facts: Facts = [
    ...(stale === undefined
      ? []
      : ([['Stale since', agoText(stale.sinceAt, certainty, now)]] satisfies Facts)),
    ['Attempt', String(task.attempt)],
  ];
  if (claim !== undefined) facts.push(...claimFacts(claim, certainty, now));
  else if (process !== undefined) {
    facts.push([
      'Process',
      `pid ${process.pid}, put on record ${agoText(process.verifiedAt, certainty, now)}`,
    ]);
  }
  return facts;
}

/** How a task stands that is not stale. */
export function notStaleText(certainty: Certainty): string {
  return certainty.state === 'live'
    ? 'It is not stale: its agent vouches for it. Reclaim it only if you know better.'
    : 'It was not stale when it was last vouched for; what holds now is not known.';
}

/** Who holds a claim, and for how long. */
export function claimFacts(claim: TaskClaim, certainty: Certainty, now: number): Facts {
  return [
    ['Worker', claim.worker],
    ['Last heartbeat', agoText(claim.lastHeartbeatAt, certainty, now)],
    ['Lease', leaseText(claim.leaseExpiresAt, certainty, now)],
    ...(claim.progress === undefined ? [] : ([['Progress', progressText(claim.progress)]] satisfies Facts)),
  ];
}

function leaseText(expiresAt: number, certainty: Certainty, webNow: number): string {
  const now = byTasksClock(webNow, certainty);
  if (certainty.state !== 'live') return `until ${timeText(expiresAt, now)}, if it was not renewed`;
  return expiresAt > now ? `for ${ageText(expiresAt - now)} more` : `over for ${ageText(now - expiresAt)}`;
}

/** What a reclaim does, before it is asked for. */
export function reclaimConsequence(task: ShownTask, agent: ShownAgent | undefined): string {
  const act =
    task.claim === undefined
      ? 'Its processes are stopped first; a new attempt starts when all of them are gone.'
      : 'The claim is taken back at once, and whatever its worker still says is refused; the task waits for a worker again.';
  const away =
    agent === undefined || agent.state === 'live'
      ? ''
      : ` ${agent.name} cannot be reached now: this is delivered when it returns, and does nothing if attempt ${task.attempt} is over by then.`;
  return `${act} It does not count against the task’s attempts.${away}`;
}

/** An age that nobody vouches for would go on growing: a time of day does not. */
function agoText(at: number, certainty: Certainty, webNow: number): string {
  const now = byTasksClock(webNow, certainty);
  return certainty.state === 'live' ? `${ageText(now - at)} ago` : `at ${timeText(at, now)}`;
}
