/** The process of an agent: `node main.ts [--agent-port 0] …`. Exits as `runService` says. */
import { runAgent } from './index.ts';

process.exitCode = await runAgent({ argv: process.argv.slice(2) });
