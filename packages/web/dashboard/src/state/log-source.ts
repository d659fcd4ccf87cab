/** Whether the rest of a log can be had now. Guarantees: what is known of both links decides, before anybody waits. */
import type { ShownTask } from '@holdfast/shared';
import { agentOf } from './agents.ts';
import { linkNow } from './clock.ts';

/** Who of those between here and the log is not heard; undefined while everybody is. */
export function missedSource(task: ShownTask): string | undefined {
  const { state } = linkNow.value;
  if (state === 'blind' || state === 'connecting' || state === 'signedOut') return 'The web service';
  const agent = agentOf(task);
  if (agent === undefined) return 'Its agent';
  switch (agent.state) {
    case 'live':
    case 'late':
    case 'resyncing':
      return undefined;
    case 'lost':
      // It answers, but cannot vouch: its logs can be read.
      return agent.reason === 'agent_degraded' ? undefined : agent.name;
    case 'connecting':
    case 'stopped':
    case 'refused':
      return agent.name;
    default:
      return agent.state satisfies never;
  }
}
