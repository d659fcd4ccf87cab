/** Faults between agent and web: cut at a byte offset, cut at once, refused, half-open. */
import type { Step } from './plan.ts';
import { type FaultContext, pause } from './service-faults.ts';

/** An offset is within the first frames of a stream as often as deep in a replay. */
const MOST_BYTES = 12_000;

export async function makeNetworkFault(step: Step<'network'>, context: FaultContext): Promise<void> {
  const { world, ledger, halt } = context;
  const { proxy } = world;
  const { kind, forMs, pick } = step;
  switch (kind) {
    case 'cutAtByte': {
      const before = proxy.cuts;
      const bytes = 1 + Math.floor(pick ** 2 * MOST_BYTES);
      proxy.cutEach(() => bytes);
      proxy.cutAll();
      await world.call('web', 'POST', `/api/agents/${world.agentId}/reconnect`, undefined, 500);
      await pause(Math.min(forMs, 300), halt);
      proxy.cutEach(undefined);
      ledger.fault(kind, `after ${bytes} bytes: ${proxy.cuts - before} connections`);
      return undefined;
    }
    case 'cutAll':
      ledger.fault(kind);
      proxy.cutAll();
      return undefined;
    case 'refuse':
      ledger.fault(kind, `for ${forMs} ms`);
      proxy.refuse(true);
      await pause(forMs, halt);
      proxy.refuse(false);
      return undefined;
    case 'halfOpen':
      ledger.fault(kind, `for ${forMs} ms`);
      proxy.freeze();
      await pause(forMs, halt);
      proxy.thaw();
      return undefined;
    default:
      return kind satisfies never;
  }
}
