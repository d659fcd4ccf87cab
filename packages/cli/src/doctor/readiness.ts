/** `/readyz` of a service, check by check. */
import type { Client } from '../client.ts';
import { isObject, parseObject } from '../json.ts';
import { explainNoAnswer } from '@holdfast/shared/no-answer';
import { fail, type Finding, ok } from './check.ts';

const TIMEOUT_MS = 5000;

const hints: Record<string, string> = {
  journal: 'See the agent’s log; most often the disk is full or read-only.',
  swept: 'It has just started: its first look at its tasks is not over. If that lasts, see its log.',
  store: 'See web’s log; most often the disk is full or read-only.',
};

export async function checkReady(client: Client, fetch: typeof globalThis.fetch): Promise<Finding[]> {
  const who = client.kind === 'web' ? 'web' : 'the agent';
  let text: string;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch(`${client.url}/readyz`, { redirect: 'manual', signal });
    text = await answer.text();
  } catch (error) {
    // fetch rejects for every way in which no answer comes.
    return [
      fail(`${who} does not answer /readyz: ${explainNoAnswer(error, TIMEOUT_MS).text}`, 'See its log.'),
    ];
  }
  const checks = parseObject(text)?.checks;
  if (!isObject(checks))
    return [fail(`what answers at ${client.url}/readyz is not Holdfast`, 'See what listens there.')];
  const failed = Object.keys(checks).filter((name) => checks[name] !== true);
  if (failed.length === 0) return [ok(`${who} is ready (${Object.keys(checks).join(', ')})`)];
  return failed.map((name) => fail(`${who} is not ready: ${name}`, hints[name] ?? 'See its log.'));
}
