#!/usr/bin/env node
/**
 * The entry: the process's own streams and signals around `runCli`. Guarantees: a reader that has gone away ends the
 * program quietly; a child of `up` is never left behind for that.
 */
import { runCli } from './cli.ts';
import { processIo } from './io.ts';

/**
 * Whoever wrote is told of the same error, and ends with what it means (a reader that is gone, a full disk); without a
 * listener the event would end the process before that, with a stack.
 */
function leaveToWriter(): void {
  // Nothing is lost: `runCli` makes it the exit code.
}

process.stdout.on('error', leaveToWriter);
process.stderr.on('error', leaveToWriter);
process.exitCode = await runCli(processIo());
