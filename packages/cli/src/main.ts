#!/usr/bin/env node
/**
 * The entry: the process's own streams and signals around `runCli`. Guarantees: a reader that has gone away ends the
 * program quietly; a child of `up` is never left behind for that.
 */
import { runCli } from './cli.ts';
import { processIo } from './io.ts';

/** Writes report this to whoever wrote; the event says it a second time. Anything else is a fault. */
function ignoreGoneReader(error: NodeJS.ErrnoException): void {
  // EIO: the terminal itself is gone.
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
}

process.stdout.on('error', ignoreGoneReader);
process.stderr.on('error', ignoreGoneReader);
process.exitCode = await runCli(processIo());
