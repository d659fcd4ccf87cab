/**
 * What to do about a service that gives no answer. Guarantees: nobody is told to start what runs, nor to end a process
 * that has ended.
 */
import { isAlive } from './find-services.ts';
import type { NoAnswer } from '@holdfast/shared/no-answer';

export interface Silent {
  kind: 'web' | 'agent';
  url: string;
  /** Whose announcement the address is from; absent for an address that was given by hand. */
  pid?: number | undefined;
  /** Of web: an agent that could be asked instead. */
  agentUrl?: string | undefined;
}

export function unreachableHint({ kind, url, pid, agentUrl }: Silent, why: NoAnswer): string {
  const start = 'Start it with: holdfast up';
  if (pid === undefined) {
    const address = kind === 'web' ? 'the address' : '--agent-url';
    return why.kind === 'silent'
      ? `Something listens at ${url} and says nothing: check ${address}, and the log of the service there.`
      : `Check ${address}, and that the ${kind === 'web' ? 'service' : 'agent'} runs.`;
  }
  if (!isAlive(pid)) return `Its process (pid ${pid}) is gone. ${start}`;
  if (why.kind === 'silent') {
    const round = agentUrl === undefined ? '' : ` Until then go round it: --agent-url ${agentUrl}`;
    return stuckHint(pid) + round;
  }
  // A number that the system has given to another program since is not to be killed.
  if (why.kind === 'refused')
    return `${start}. (A process ${pid} is there; if ps -fp ${pid} shows that it is Holdfast’s, it is starting or stopping.)`;
  return `Its process (pid ${pid}) is there: try again; if it stays so, see its log.`;
}

/** A process that is there and does not answer: SIGTERM would not reach one that was stopped (SIGSTOP). */
export function stuckHint(pid: number): string {
  return `Its process (pid ${pid}) is there, but stopped, stuck or overloaded. Wake it with: kill -CONT ${pid}. If it stays so: kill -KILL ${pid}, then holdfast up; tasks go on, and nothing that was accepted is lost.`;
}
