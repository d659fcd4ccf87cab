/**
 * How far a stop is, in steps: asked, acknowledged, gone. Guarantees: pure; a step is done only when web or the agent said
 * so. A reclaim has steps of its own (reclaim.ts).
 */
import type { ShownAgent, ShownTask } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import { byTasksClock, type Certainty } from './certainty.ts';
import { ageText, capitalized, clockText, secondText } from './words.ts';

export interface StopStep {
  name: 'asked' | 'acknowledged' | 'gone';
  /** `now`: this is what is waited for. */
  state: 'done' | 'now' | 'waiting';
  text: string;
}

/** `now` is web's clock. */
export function stopSteps(
  task: ShownTask,
  agent: ShownAgent | undefined,
  certainty: Certainty,
  now: number,
): StopStep[] | undefined {
  if (isEnded(task.status)) return undefined;
  const name = agent?.name ?? 'its agent';
  const { stopRequested } = task;
  if (stopRequested === undefined) {
    const asked = task.pending?.find((intent) => intent.action === 'cancel');
    if (asked === undefined) return undefined;
    return [
      { name: 'asked', state: 'done', text: `Cancel asked ${ageText(now - asked.sinceAt)} ago` },
      {
        name: 'acknowledged',
        state: 'now',
        text:
          certainty.heardAt !== undefined
            ? 'Whether it was delivered is not known: web is not heard'
            : agent?.state === 'live'
              ? `${name} has not answered yet`
              : `Waits for ${name} to return`,
      },
      { name: 'gone', state: 'waiting', text: 'Its processes are gone' },
    ];
  }
  if (stopRequested.cause === 'reclaim' || task.status === 'queued') return undefined;
  const at = secondText(stopRequested.at);
  return [
    { name: 'asked', state: 'done', text: causeText(stopRequested.cause, stopRequested.message) },
    { name: 'acknowledged', state: 'done', text: `On record at ${name} since ${at}` },
    {
      name: 'gone',
      state: 'now',
      text: ladderText(task, certainty, byTasksClock(now, certainty) - stopRequested.at),
    },
  ];
}

/** A limit that was passed is named. */
function causeText(cause: keyof typeof causeTexts, message: string | undefined): string {
  return cause === 'output_limit' && message !== undefined ? capitalized(message) : causeTexts[cause];
}

const causeTexts = {
  cancel: 'Cancel asked',
  timeout: 'Its time is over',
  idle_timeout: 'Silent for too long',
  output_limit: 'Printed too much',
} as const;

function ladderText(task: ShownTask, certainty: Certainty, forMs: number): string {
  if (certainty.state !== 'live') return 'Whether its processes are gone is not known';
  const stuck = task.attention?.find(({ code }) => code === 'unkillable');
  if (stuck !== undefined) return stuck.message;
  const clock = clockText(forMs);
  return task.claim === undefined
    ? `Its processes were sent SIGTERM ${clock} ago; those that stay get SIGKILL after the agent’s grace`
    : `Its worker is told with its next heartbeat (${clock} so far); if it stays silent, the lease decides`;
}
