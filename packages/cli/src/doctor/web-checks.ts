/** Checks of web, and of every agent as web sees it. */
import type { ShownAgent } from '@holdfast/shared';
import { VERSION } from '../version.ts';
import { ageText, plainText } from '../words.ts';
import { type Check, type CheckContext, fail, type Finding, ok, warn, type WebSight } from './check.ts';
import { checkReady } from './readiness.ts';

export const webChecks: readonly Check[] = [
  { name: 'web', of: 'web', run: checkAnswer },
  { name: 'web-ready', of: 'web', run: checkWebReady },
  { name: 'link', of: 'web', run: (context) => ofAnswering(context, checkLinks) },
  { name: 'digest', of: 'web', run: (context) => ofAnswering(context, checkDigests) },
  { name: 'unknown', of: 'web', run: (context) => ofAnswering(context, checkUnknown) },
];

type Answering = Extract<WebSight, { kind: 'answers' }>;

async function ofAnswering(
  context: CheckContext,
  run: (sight: Answering, now: number) => Finding[],
): Promise<Finding[]> {
  const sight = await context.web();
  return sight.kind === 'answers' ? run(sight, context.io.now()) : [];
}

async function checkAnswer(context: CheckContext): Promise<Finding[]> {
  const sight = await context.web();
  if (sight.kind === 'absent') return [];
  if (sight.kind === 'silent') return [sight.finding];
  const where = `web at ${sight.client.url}`;
  if (sight.version !== VERSION) {
    return [
      fail(
        `${where} is of version ${plainText(sight.version)}, this program of ${VERSION}`,
        'Restart web with this version.',
      ),
    ];
  }
  return [ok(`${where} answers, version ${sight.version}`)];
}

async function checkWebReady(context: CheckContext): Promise<Finding[]> {
  const sight = await context.web();
  if (sight.kind === 'absent' || sight.client === undefined) return [];
  return checkReady(sight.client, context.io.fetch);
}

function checkLinks({ agents }: Answering, now: number): Finding[] {
  if (agents.length === 0) return [warn('web follows no agent', 'Start one with: holdfast up')];
  return agents.map((agent) => linkFinding(agent, now));
}

function linkFinding(agent: ShownAgent, now: number): Finding {
  const { state, asOf, version, lag } = agent;
  const name = plainText(agent.name);
  const proof = asOf === 0 ? 'no proof yet' : `last proof ${ageText(now - asOf)} ago`;
  const detail = agent.detail === undefined ? '' : `: ${plainText(agent.detail)}`;
  const text = `web’s link to ${name} is ${state}, ${proof}${detail}`;
  switch (state) {
    case 'live':
      if (version !== undefined && version !== VERSION) {
        return warn(
          `${text}, but it is of version ${plainText(version)}, this program of ${VERSION}`,
          `Update ${name}; tasks that are running go on.`,
        );
      }
      return lag > 0 ? ok(`${text}, ${lag} events behind`) : ok(text);
    case 'connecting':
    case 'resyncing':
    case 'late':
      return warn(text, 'Its tasks are stale until it is live. Look again.');
    case 'stopped':
      return fail(text, `Start it again; if ${name} is gone for good: holdfast agents remove ${name}`);
    case 'lost':
      return fail(
        text,
        `See that it runs at ${agent.url} and can be reached from here; if it is gone for good: holdfast agents remove ${name}`,
      );
    case 'refused':
      return fail(
        text,
        `It takes another token, or speaks another protocol: holdfast agents add ${agent.url} --token-file FILE`,
      );
    default:
      return state satisfies never;
  }
}

function checkDigests({ agents }: Answering): Finding[] {
  return agents
    .filter((agent) => agent.digestOk !== undefined)
    .map((agent) =>
      agent.digestOk === true
        ? ok(`web and ${plainText(agent.name)} agree on its live tasks`)
        : fail(
            `web and ${plainText(agent.name)} do not agree on its live tasks`,
            'Web reads them again by itself. If this stays, please report it with the logs of both.',
          ),
    );
}

function checkUnknown({ counts }: Answering): Finding[] {
  const unknown = counts.unknown ?? 0;
  if (unknown === 0) return [ok('the status of every task is known')];
  return [
    warn(
      unknown === 1 ? 'the status of 1 task is not known' : `the status of ${unknown} tasks is not known`,
      'See them: holdfast list --status unknown. If their agent is gone for good: holdfast resolve ID --lost',
    ),
  ];
}
