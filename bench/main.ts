/**
 * `pnpm bench [name …]`: answers the questions of the benchmarks, all or those that are named, and prints a table for
 * each. Ratios within one run count; absolute figures are the machine's. It asserts nothing: a goal that is missed is
 * printed as such.
 */
import { measureAgentThroughput } from './agent-throughput.ts';
import { measureDashboard } from './dashboard.ts';
import { measureAgentFanOut, measureWebFanOut } from './fan-out.ts';
import { measureIngest } from './ingest.ts';
import { measureLatency } from './latency.ts';
import { measureMemory } from './memory.ts';
import { measureResync } from './resync.ts';
import { measureStarts } from './start.ts';
import { measureSubscriberMemory } from './subscriber-memory.ts';
import { formatTable, type Table } from './table.ts';

const QUESTIONS: Readonly<Record<string, () => Promise<Table>>> = {
  'fan-out-agent': measureAgentFanOut,
  'fan-out-web': measureWebFanOut,
  ingest: measureIngest,
  'agent-throughput': measureAgentThroughput,
  latency: measureLatency,
  resync: measureResync,
  'memory-subscriber': measureSubscriberMemory,
  memory: measureMemory,
  start: measureStarts,
  dashboard: measureDashboard,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => QUESTIONS[name] === undefined);
if (unknown.length > 0) {
  console.error(
    `There is no benchmark ${unknown.join(', ')}. There are: ${Object.keys(QUESTIONS).join(', ')}.`,
  );
  process.exitCode = 2;
} else {
  for (const [name, answer] of Object.entries(QUESTIONS)) {
    if (asked.length === 0 || asked.includes(name)) console.log(formatTable(await answer()));
  }
}
