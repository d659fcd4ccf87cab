/** The process of the web service: `node main.ts [--web-port 0] …`. Exits as `runService` says. */
import { runWeb } from './index.ts';

process.exitCode = await runWeb({ argv: process.argv.slice(2) });
