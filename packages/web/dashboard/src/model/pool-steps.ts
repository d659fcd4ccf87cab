/**
 * A change of an agent's pool in steps. Guarantees: pure; a step is done only when the agent said so: with its answer
 * for the second, with its heartbeat for the third.
 */
import type { Pool, ShownAgent } from '@holdfast/shared';
import type { Problem } from './problem.ts';
import { plural } from './words.ts';

export type PoolAsk = { verb: 'pause' | 'drain' | 'resume' } | { verb: 'slots'; slots: number };

export interface PoolAsked {
  ask: PoolAsk;
  /** The agent's answer, and when it came (web's clock, ms). */
  answer?: { pool: Pool; at: number };
  /** Why it was not done, or is not known to be. */
  problem?: Pick<Problem, 'status' | 'detail'>;
}

export interface PoolStep {
  name: 'asked' | 'acknowledged' | 'in-effect';
  /** `now`: this is what is waited for. */
  state: 'done' | 'now' | 'waiting' | 'failed';
  text: string;
}

/** Of an agent that has not said how often it speaks. */
const HEARTBEAT_MS = 5000;

const asked: Record<PoolAsk['verb'], string> = {
  pause: 'Pause asked',
  drain: 'Drain asked',
  resume: 'Resume asked',
  slots: 'Slots asked',
};

export function poolSteps(
  { ask, answer, problem }: PoolAsked,
  agent: Pick<ShownAgent, 'name' | 'pool' | 'state' | 'asOf' | 'heartbeatMs'>,
): PoolStep[] {
  const first: PoolStep = { name: 'asked', state: 'done', text: asked[ask.verb] };
  if (problem !== undefined) {
    const known = problem.status === 0 ? 'It is not known whether it arrived' : 'Nothing was changed';
    return [first, { name: 'acknowledged', state: 'failed', text: `${known}: ${problem.detail}` }];
  }
  if (answer === undefined) {
    return [
      first,
      { name: 'acknowledged', state: 'now', text: `${agent.name} has not answered yet` },
      { name: 'in-effect', state: 'waiting', text: 'In effect' },
    ];
  }
  const acknowledged: PoolStep = { name: 'acknowledged', state: 'done', text: `${agent.name} acknowledged` };
  const { pool } = agent;
  if (pool === undefined || !isInEffect(ask, pool)) {
    // What it said long after its answer knows of the change, and tells of a later one.
    if (agent.asOf - answer.at > 2 * (agent.heartbeatMs ?? HEARTBEAT_MS)) {
      const text = 'Changed again since, by somebody else';
      return [first, acknowledged, { name: 'in-effect', state: 'failed', text }];
    }
    const text =
      agent.state === 'live'
        ? 'Waits for its next heartbeat'
        : `${agent.name} is not heard: in effect unseen`;
    return [first, acknowledged, { name: 'in-effect', state: 'now', text }];
  }
  if (ask.verb === 'drain' && pool.running > 0) {
    const text = `It starts nothing; ${plural(pool.running, 'task')} to end`;
    return [first, acknowledged, { name: 'in-effect', state: 'now', text }];
  }
  return [first, acknowledged, { name: 'in-effect', state: 'done', text: effect(ask, pool) }];
}

function isInEffect(ask: PoolAsk, pool: Pool): boolean {
  switch (ask.verb) {
    case 'pause':
      return pool.paused;
    case 'drain':
      return pool.draining;
    case 'resume':
      return !pool.paused && !pool.draining;
    case 'slots':
      return pool.slots === ask.slots;
    default:
      return ask satisfies never;
  }
}

function effect(ask: PoolAsk, pool: Pool): string {
  switch (ask.verb) {
    case 'pause':
      return 'Paused: it starts nothing';
    case 'drain':
      return 'Drained: nothing runs';
    case 'resume':
      return 'It starts tasks again';
    case 'slots':
      return pool.running > pool.slots
        ? `${plural(pool.slots, 'slot')}; ${pool.running - pool.slots} more still run`
        : plural(pool.slots, 'slot');
    default:
      return ask satisfies never;
  }
}
