/** The spans of the evidence timeline in words. Guarantees: pure; whose clock a time is from is said; a gap says whose. */
import { outcomeText } from './sentence.ts';
import type { Lane, Phase, Span } from './timeline.ts';
import { dayText, preciseTimeText, spanText } from './words.ts';

const phaseWords: Record<Phase, string> = {
  queued: 'Queued',
  starting: 'Starting',
  running: 'Running',
  stopping: 'Being stopped',
};

const phases: readonly Phase[] = ['queued', 'starting', 'running', 'stopping'];

/** `Running, not seen, 40 s`: a span in a list of them. */
export function spanName(span: Span): string {
  const word = phaseWords[span.phase];
  const said = !span.isDoubted
    ? word
    : isSilence(span)
      ? `Was ${word.toLowerCase()}, ${unheardWord(span)}`
      : span.isOpen
        ? `Was ${word.toLowerCase()}, now not known`
        : `${word}, not seen`;
  return `${said}, ${spanText(span.toAt - span.fromAt)}`;
}

/** Everything that is known of a span. `now` by the task's clock, which is `aheadMs` ahead of web's. */
export function spanExplanation(span: Span, agentName: string, now: number, aheadMs = 0): string {
  const time = (at: number): string => `${dayText(at, now)}${preciseTimeText(at)}`;
  const until = span.isOpen ? 'until now' : `to ${time(span.toAt)}`;
  const attempt = span.phase === 'queued' ? waitText(span.attempt) : `, attempt ${span.attempt}`;
  const word = phaseWords[span.phase];
  const isUnknown = span.isDoubted && span.isOpen;
  const said = `${isUnknown ? `Was ${word.toLowerCase()}` : word}${attempt}, ${isUnknown ? `${unheardWord(span)} ` : ''}for ${spanText(span.toAt - span.fromAt)}: ${time(span.fromAt)} ${until}`;
  if (span.doubt !== undefined) return `${said}. ${doubtText(span, agentName)}`;
  if (span.receivedAt === undefined) return `${said}, ${agentName}’s clock.`;
  const lag = span.receivedAt + aheadMs - span.fromAt;
  const how =
    lag >= 0 || aheadMs !== 0
      ? `${spanText(Math.max(0, lag))} later`
      : `${spanText(-lag)} earlier, so the two clocks differ by at least that`;
  return `${said}, ${agentName}’s clock. Web had it on record at ${time(span.receivedAt)} of its own clock, ${how}.`;
}

/** Its agent is heard, but who works on it is not. */
function isSilence({ doubt }: Span): boolean {
  return doubt?.by === 'worker' || doubt?.by === 'agent';
}

function unheardWord({ doubt }: Span): string {
  return doubt?.by === 'worker' ? 'not heard' : doubt?.by === 'agent' ? 'not verified' : 'not seen';
}

function waitText(attempt: number): string {
  return attempt > 1 ? ` for attempt ${attempt}` : '';
}

function doubtText({ doubt, isOpen }: Span, agentName: string): string {
  const reason = doubt?.reason;
  const learned = isOpen ? 'It is not known what happens now.' : 'What happened was learned afterwards.';
  if (doubt?.by === 'page') return `This page did not hear web. ${learned}`;
  if (doubt?.by === 'worker') return `Its worker was not heard. ${learned}`;
  if (doubt?.by === 'agent') return `${agentName} could not verify its process. ${learned}`;
  switch (reason) {
    case 'agent_stopped':
      return `${agentName} was stopped: nobody here saw it. ${learned}`;
    case 'agent_degraded':
      return `${agentName} answered, but could not vouch for its tasks. ${learned}`;
    case 'not_on_agent':
      return `${agentName} did not know this task. ${learned}`;
    case 'agent_removed':
      return `Its agent was not followed. ${learned}`;
    case 'web_down':
      return `Web was down: nobody here saw it. ${learned}`;
    case 'agent_unreachable':
    case 'web_unreachable':
    case undefined:
      return `Web heard nothing from ${agentName}: nobody here saw it. ${learned}`;
    default:
      return reason satisfies never;
  }
}

/** The time of each phase that was seen, and what nobody saw: `Queued 2.0 s · Running 4:22 · not seen 40 s`. */
export function lanesSummary(lanes: readonly Lane[]): string {
  const sums = new Map<Phase, number>();
  for (const span of lanes.flatMap((lane) => lane.spans)) {
    if (span.isDoubted) continue;
    sums.set(span.phase, (sums.get(span.phase) ?? 0) + span.toAt - span.fromAt);
  }
  const unseen = new Map<string, number>();
  for (const span of lanes.flatMap((lane) => lane.spans)) {
    if (!span.isDoubted) continue;
    const word = unheardWord(span);
    unseen.set(word, (unseen.get(word) ?? 0) + span.toAt - span.fromAt);
  }
  const parts = phases
    .filter((phase) => sums.has(phase))
    .map((phase) => `${phaseWords[phase]} ${spanText(sums.get(phase) ?? 0)}`);
  return [...parts, ...Array.from(unseen, ([word, ms]) => `${word} ${spanText(ms)}`)].join(' · ');
}

/** How an attempt ended, in a few words: `exit 7`, `lost, queued again`; '' while it goes on. */
export function laneEndText({ end }: Lane): string {
  if (end === undefined) return '';
  const how = outcomeText(end.outcome) || end.kind;
  if (end.kind !== 'requeued') return how;
  return `${how}, queued again${end.isCharged === false ? ' (not charged)' : ''}`;
}
