/**
 * `holdfast doctor`: checks everything that can be checked from here, and says what to do about what is wrong.
 *
 * Guarantees: changes nothing; each check is one entry of a table; one that cannot be carried out is a finding and
 * keeps no other from its turn; exit code 1 if anything failed, 0 with warnings.
 */
import type { Command } from 'commander';
import { textOf, usageError } from '../cli-error.ts';
import { agentChecks } from '../doctor/agent-checks.ts';
import {
  type AgentSight,
  type Check,
  type CheckContext,
  type Finding,
  type Level,
  warn,
  type WebSight,
} from '../doctor/check.ts';
import { homeChecks } from '../doctor/home-checks.ts';
import { seeAgent, seeLocalAgent, seeWeb } from '../doctor/sights.ts';
import { webChecks } from '../doctor/web-checks.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { type Style, wrapText } from '../render.ts';
import { plainText } from '../words.ts';

const checks: readonly Check[] = [...homeChecks, ...agentChecks, ...webChecks];

type NamedFinding = { check: string } & Finding;

export function defineDoctor(command: Command, invocation: Invocation): void {
  command.action(async () => {
    const findings: NamedFinding[] = [];
    const context = openContext(invocation);
    const isRemote = invocation.options.agentUrl !== undefined;
    for (const check of checks) {
      if (isRemote && check.of !== 'agent') continue;
      for (const finding of await runCheck(check, context)) {
        findings.push({ check: check.name, ...finding });
        if (!invocation.isJson) await printFinding(invocation, check.name, finding);
      }
    }
    if (invocation.isJson) await invocation.printJson(findings);
    conclude(invocation, findings);
  });
  addManual(command, {
    guarantees: [
      'Changes nothing. Looks at the home and its files (modes, free space, whether the databases are whole), at its agent (version, clock, readiness, pool, and its audit: ghosts are live rows that nothing works on, strays are processes that belong to no live row), and at web with its link to every agent (state, and whether both agree on the live tasks) and its notification channels.',
      'A check that cannot be carried out is a finding, and keeps no other from its turn. What is known only over a link that is not live says as of when. With --agent-url that agent alone is looked at.',
    ],
    exits: { ok: 'no check failed; there may be warnings', failed: 'a check failed; → says what to do' },
    examples: [
      'holdfast doctor',
      'holdfast doctor --json | jq \'.[] | select(.level != "ok")\'',
      'holdfast doctor --agent-url http://build-2.lan:7401 --token-file build-2.token',
    ],
  });
}

function openContext(invocation: Invocation): CheckContext {
  const { home, io, options } = invocation;
  if (options.agentUrl === undefined && options.tokenFile !== undefined)
    throw usageError('--token-file goes with --agent-url');
  let agent: Promise<AgentSight> | undefined;
  let web: Promise<WebSight> | undefined;
  const see = (): Promise<AgentSight> =>
    options.agentUrl === undefined ? seeLocalAgent(home, io) : seeAgent(invocation.openClient(), io);
  return {
    home,
    io,
    agent: () => (agent ??= see()),
    web: () => (web ??= seeWeb(home, io)),
  };
}

/** A check that fails to look has found that out, and nothing about what it looks at (P10). */
async function runCheck(check: Check, context: CheckContext): Promise<Finding[]> {
  try {
    return await check.run(context);
  } catch (error) {
    return [warn(`it could not be checked: ${textOf(error)}`, 'That says nothing about it; try again.')];
  }
}

const shapes: Record<Level, { text: string; style: Style }> = {
  ok: { text: '✓ ok', style: 'green' },
  warn: { text: '! warn', style: 'yellow' },
  fail: { text: '✗ fail', style: 'red' },
};
const LEVEL_WIDTH = 6;
const LEAST_WORDS_WIDTH = 40;
const NAME_WIDTH = Math.max(...checks.map((check) => check.name.length));

function printFinding(
  invocation: Invocation,
  name: string,
  { level, message, hint }: Finding,
): Promise<void> {
  const { text, style } = shapes[level];
  const { paint } = invocation;
  const space = ' '.repeat(LEVEL_WIDTH - text.length);
  const lead = `${paint(style, text)}${space}  ${paint('dim', name.padEnd(NAME_WIDTH))}  `;
  const indent = ' '.repeat(LEVEL_WIDTH + NAME_WIDTH + 4);
  // On a narrow terminal the words begin below their check's name.
  const isNarrow = invocation.width !== undefined && invocation.width < indent.length + LEAST_WORDS_WIDTH;
  const margin = isNarrow ? '  ' : indent;
  const width = invocation.width === undefined ? Infinity : invocation.width - margin.length;
  const words = [
    ...wrapText(plainText(message), width),
    ...(hint === undefined ? [] : wrapText(`→ ${plainText(hint)}`, width)),
  ].map((line) => margin + line);
  if (isNarrow) return invocation.print([lead.trimEnd(), ...words].join('\n'));
  return invocation.print(lead + words.join('\n').slice(margin.length));
}

function conclude(invocation: Invocation, findings: readonly Finding[]): void {
  const failed = findings.filter((one) => one.level === 'fail').length;
  const warned = findings.filter((one) => one.level === 'warn').length;
  if (failed > 0) invocation.exitCode = exitCodes.failed;
  if (failed + warned === 0) invocation.say('Everything that was checked is well.');
  else invocation.say(`${failed} failed, ${warned} to look at; → says what to do.`);
}
