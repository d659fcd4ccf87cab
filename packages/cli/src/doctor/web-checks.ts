/** Checks of web, and of every agent as web sees it. */
import type { ShownAgent } from '@holdfast/shared';
import { VERSION } from '../version.ts';
import { ageText, countText, plainText, spanText } from '../words.ts';
import {
  type Check,
  type CheckContext,
  CLOCK_HINT,
  fail,
  type Finding,
  ok,
  warn,
  type WebSight,
} from './check.ts';
import { checkReady } from './readiness.ts';

export const webChecks: readonly Check[] = [
  { name: 'web', of: 'web', run: checkAnswer },
  { name: 'web-ready', of: 'web', run: checkWebReady },
  { name: 'link', of: 'web', run: (context) => ofAnswering(context, checkLinks) },
  { name: 'agent-clock', of: 'web', run: (context) => ofAnswering(context, checkClocks) },
  { name: 'digest', of: 'web', run: (context) => ofAnswering(context, checkDigests) },
  { name: 'unknown', of: 'web', run: (context) => ofAnswering(context, checkUnknown) },
  { name: 'notifications', of: 'web', run: (context) => ofAnswering(context, checkNotifications) },
];

type Answering = Extract<WebSight, { kind: 'answers' }>;

async function ofAnswering(
  context: CheckContext,
  run: (sight: Answering, now: number) => Finding[] | Promise<Finding[]>,
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
      return lag > 0 ? ok(`${text}, ${countText(lag, 'event')} behind`) : ok(text);
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

/** Web says it only of clocks that differ by more than delays on the way explain. */
function checkClocks({ agents }: Answering): Finding[] {
  return agents
    .filter(({ state }) => state === 'live')
    .flatMap(({ name, clockAheadMs }) => {
      if (clockAheadMs === undefined) return [];
      const which = clockAheadMs > 0 ? 'ahead of' : 'behind';
      const by = spanText(Math.abs(clockAheadMs));
      return [fail(`the clock of ${plainText(name)} is ${by} ${which} that of web`, CLOCK_HINT)];
    });
}

function checkDigests({ agents }: Answering, now: number): Finding[] {
  return agents.filter((agent) => agent.digestOk !== undefined).map((agent) => digestFinding(agent, now));
}

/** What was compared over a link that is not live any more says nothing about now. */
function digestFinding({ name, state, asOf, digestOk }: ShownAgent, now: number): Finding {
  const pair = `web and ${plainText(name)}`;
  if (state !== 'live') {
    const then = digestOk === true ? 'they did' : 'they did not';
    return warn(
      `whether ${pair} agree on its live tasks is not known; ${then} as of ${ageText(now - asOf)} ago`,
      'Look again when the link is live.',
    );
  }
  return digestOk === true
    ? ok(`${pair} agree on its live tasks`)
    : fail(
        `${pair} do not agree on its live tasks`,
        'Web reads them again by itself. If this stays, please report it with the logs of both.',
      );
}

function checkUnknown({ agents, counts }: Answering): Finding[] {
  const unknown = counts.unknown ?? 0;
  if (unknown > 0)
    return [
      warn(
        `the status of ${countText(unknown, 'task')} is not known`,
        'See them: holdfast list --status unknown. If their agent is gone for good: holdfast resolve ID --lost',
      ),
    ];
  const silent = agents.filter((agent) => agent.state !== 'live');
  if (silent.length === 0) return [ok('the status of every task is known')];
  const names = silent.map((agent) => plainText(agent.name)).join(', ');
  return [
    warn(`no task is unknown yet, but nobody vouches for those of ${names} now`, 'See: holdfast agents list'),
  ];
}

interface Channel {
  name: string;
  host: string;
  state: 'untried' | 'ok' | 'failing';
  lastTry?: { at: number; error?: string };
  waiting: number;
  dropped: number;
}

async function checkNotifications({ client }: Answering, now: number): Promise<Finding[]> {
  type Page = { channels: Channel[] };
  const { channels } = (await client.call<Page>('GET', '/notifications?limit=1')).value;
  return channels.map((channel) => channelFinding(channel, now));
}

function channelFinding({ name, host, state, lastTry, waiting, dropped }: Channel, now: number): Finding {
  const where = plainText(`channel ${name} (${host})`);
  const tried = lastTry === undefined ? '' : `, last try ${ageText(now - lastTry.at)} ago`;
  const left = [
    waiting > 0 ? `, ${countText(waiting, 'message waits', 'messages wait')}` : '',
    dropped > 0 ? `, ${countText(dropped, 'message')} of the last 7 days given up` : '',
  ].join('');
  switch (state) {
    case 'failing': {
      const why = lastTry?.error === undefined ? '' : `: ${plainText(lastTry.error)}`;
      return fail(
        `${where} is not reached${why}${tried}${left}`,
        'Correct it in config.json of web’s home ("notifications") and restart web; then test it in the dashboard, under “Channels and alerts”. What waits is sent again by itself.',
      );
    }
    case 'untried':
      return ok(`${where} has not been needed yet${left}`);
    case 'ok':
      return dropped > 0
        ? warn(
            `${where} is reached again${tried}${left}`,
            'Alerts are listed in the dashboard, under “Channels and alerts”, whether or not they were delivered.',
          )
        : ok(`${where} is reached${tried}${left}`);
    default:
      return state satisfies never;
  }
}
