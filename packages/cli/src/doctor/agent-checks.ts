/** Checks of the agent of a home, or of the one behind `--agent-url`: what it says of itself. */
import type { Audit } from '@holdfast/shared';
import type { Client } from '../client.ts';
import { RefusedError, UnreachableError } from '../service-error.ts';
import { waitingForWorkers } from '../queue-counts.ts';
import { VERSION } from '../version.ts';
import { ageText, countText, plainText, spanText } from '../words.ts';
import {
  type AgentSight,
  type Check,
  type CheckContext,
  CLOCK_HINT,
  fail,
  type Finding,
  ok,
  warn,
} from './check.ts';
import { checkReady } from './readiness.ts';

export const agentChecks: readonly Check[] = [
  { name: 'agent', of: 'agent', run: checkAnswer },
  { name: 'agent-ready', of: 'agent', run: checkAgentReady },
  { name: 'clock', of: 'agent', run: (context) => ofAnswering(context, checkClock) },
  { name: 'journal-writable', of: 'agent', run: (context) => ofAnswering(context, checkVouching) },
  { name: 'pool', of: 'agent', run: (context) => ofAnswering(context, checkPool) },
  { name: 'audit', of: 'agent', run: (context) => ofAnswering(context, checkAudit) },
];

type Answering = Extract<AgentSight, { kind: 'answers' }>;

async function ofAnswering(
  context: CheckContext,
  run: (sight: Answering) => Finding[] | Promise<Finding[]>,
): Promise<Finding[]> {
  const sight = await context.agent();
  return sight.kind === 'answers' ? run(sight) : [];
}

async function checkAnswer(context: CheckContext): Promise<Finding[]> {
  const sight = await context.agent();
  if (sight.kind === 'absent') {
    if ((await context.web()).kind !== 'absent') return [];
    return [fail('this home has no agent and no web yet', 'Start them with: holdfast up')];
  }
  if (sight.kind === 'silent') return [sight.finding];
  const { name, version } = sight.info;
  const where = `the agent ${plainText(name)} at ${sight.client.url}`;
  if (version !== VERSION) {
    return [
      fail(
        `${where} is of version ${plainText(version)}, this program of ${VERSION}`,
        'Restart the agent with this version; tasks that are running go on.',
      ),
    ];
  }
  return [ok(`${where} answers, version ${version}`)];
}

async function checkAgentReady(context: CheckContext): Promise<Finding[]> {
  const sight = await context.agent();
  if (sight.kind === 'absent' || sight.client === undefined) return [];
  return checkReady(sight.client, context.io.fetch);
}

/** What a clock may be off before people and retention notice, ms. */
const MOST_SKEW_MS = 2000;
/** Of an agent that does not say how often it sweeps. */
const DEFAULT_SWEEP_MS = 5000;

/** Its answer was made between our question and its arrival: that is as exact as one exchange can be (Cristian 1989). */
function checkClock({ info, askedAt, answeredAt, client }: Answering): Finding[] {
  const earlyMs = askedAt - info.at;
  const lateMs = info.at - answeredAt;
  const skewMs = Math.max(earlyMs, lateMs, 0);
  const tripText = `round trip ${spanText(answeredAt - askedAt)}`;
  if (skewMs <= MOST_SKEW_MS) return [ok(`its clock agrees with this one (${tripText})`)];
  const which = lateMs > 0 ? 'ahead of' : 'behind';
  const who = `the agent ${plainText(info.name)} at ${client.url}`;
  return [fail(`the clock of ${who} is ${spanText(skewMs)} ${which} this one (${tripText})`, CLOCK_HINT)];
}

/** What P2 asks of an agent before anybody believes it. */
function checkVouching({ info }: Answering): Finding[] {
  const findings: Finding[] = [];
  if (!info.journalOk) {
    findings.push(
      fail('its journal cannot be written', 'See the agent’s log; most often the disk is full or read-only.'),
    );
  }
  const sweptAgoMs = info.at - info.sweptAt;
  const sweepMs = info.sweepMs ?? DEFAULT_SWEEP_MS;
  if (info.sweptAt > 0 && sweptAgoMs > 2 * sweepMs + MOST_SKEW_MS) {
    findings.push(
      fail(
        `it looked at its tasks ${ageText(sweptAgoMs)} ago, and should every ${spanText(sweepMs)}`,
        'See the agent’s log; the machine may be overloaded.',
      ),
    );
  }
  return findings.length > 0
    ? findings
    : [
        ok(
          `its journal can be written (${countText(info.live, 'task')} not ended)${info.sweptAt > 0 ? ', its sweep is on time' : ''}`,
        ),
      ];
}

function checkPool({ info }: Answering): Finding[] {
  const { slots, running, queued, paused, draining, attention = [] } = info.pool;
  const findings = attention.map((one) =>
    fail(
      plainText(`it starts nothing: ${one.message} (${one.code})`),
      'Starting goes on by itself when that is over.',
    ),
  );
  const waiting = `${countText(queued, 'task waits', 'tasks wait')} for a slot`;
  if (paused || draining) {
    findings.push(
      warn(
        `it is ${paused ? 'paused' : 'draining'}: ${waiting}`,
        'Start tasks again with: holdfast pool resume',
      ),
    );
  } else if (slots === 0 && queued > 0) {
    findings.push(warn(`it has no slots: ${waiting}`, 'Give it some: holdfast pool slots 4'));
  }
  return findings.length > 0
    ? findings
    : [
        ok(
          `${countText(slots, 'slot')}, ${running} running, ${queued} waiting for a slot${workersText(info)}`,
        ),
      ];
}

/** What is there for workers; nothing where there is none. */
function workersText(info: Answering['info']): string {
  const waiting = waitingForWorkers(info) ?? 0;
  const claimed = info.pool.claimed ?? 0;
  if (waiting + claimed === 0) return '';
  return `; ${claimed} held by workers, ${waiting} waiting for one`;
}

async function checkAudit({ client }: Answering): Promise<Finding[]> {
  let audit: Audit;
  try {
    audit = await readAudit(client);
  } catch (error) {
    if (!(error instanceof RefusedError) && !(error instanceof UnreachableError)) throw error;
    return [fail(`the audit was not answered: ${error.message}`, error.hint ?? 'See the agent’s log.')];
  }
  const { tasks, ghosts, strays } = audit;
  const unseen = tasks.filter((task) => task.proof.kind === 'unseen');
  const findings = [
    ...ghosts.map((ghost) =>
      fail(
        plainText(
          `ghost: task ${ghost.taskId} is ${ghost.status} (attempt ${ghost.attempt}) and nothing works on it: ${ghost.message}`,
        ),
        `The next sweeps should settle it. If it stays: holdfast reclaim ${ghost.taskId} --reason "ghost"`,
      ),
    ),
    ...strays.map((stray) =>
      fail(
        plainText(
          `stray: process ${stray.pid} belongs to no live task (task ${stray.taskId}, attempt ${stray.attempt}): ${stray.message}`,
        ),
        `See what it is with ps -fp ${stray.pid}, then stop it if it should not run.`,
      ),
    ),
    ...unseen.map(({ taskId, proof }) =>
      warn(
        plainText(
          `task ${taskId} could not be looked at${proof.kind === 'unseen' ? `: ${proof.message}` : ''}`,
        ),
        'That says nothing about it; the next sweep looks again.',
      ),
    ),
  ];
  const counts = [
    countText(tasks.length, 'live task'),
    countText(ghosts.length, 'ghost'),
    countText(strays.length, 'stray'),
  ];
  return findings.length > 0 ? findings : [ok(counts.join(', '))];
}

async function readAudit(client: Client): Promise<Audit> {
  return (await client.call<Audit>('GET', '/audit')).value;
}
