/** Whether an agent waits for a person. Guarantees: pure; one sentence that says what is wrong. */
import type { ShownAgent } from '@holdfast/shared';

export interface Trouble {
  /** In a word or two. */
  word: string;
  text: string;
  /** Since when (web's clock, ms), where that is known. */
  sinceAt?: number;
}

/** Refused, degraded or unequal agents, and those that ask for it. One that is silent shows by its unknown tasks. */
export function troubleOf(agent: ShownAgent): Trouble | undefined {
  const [entry] = agent.pool?.attention ?? [];
  if (agent.state === 'refused') {
    return { word: 'refused', text: agent.detail ?? 'It refuses web: check its token and version.' };
  }
  if (agent.state === 'lost' && agent.reason === 'agent_degraded') {
    const text = agent.detail ?? 'It answers, but cannot vouch for its tasks.';
    return { word: 'degraded', text, sinceAt: agent.asOf };
  }
  if (entry !== undefined) {
    return { word: entry.code.replaceAll('_', ' '), text: entry.message, sinceAt: entry.sinceAt };
  }
  if (agent.digestOk === false) {
    return { word: 'digest differs', text: 'Web’s copy of its tasks differs; web reads it anew.' };
  }
  return undefined;
}
