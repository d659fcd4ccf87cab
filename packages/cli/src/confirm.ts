/**
 * A question at the terminal. Guarantees: only a typed yes is a yes; an empty line, the end of the input and anything
 * else are a no. The question goes to standard error: standard output holds data alone.
 */
import { createInterface } from 'node:readline';
import type { Io } from './io.ts';

export async function confirm(io: Pick<Io, 'stdin' | 'stderr'>, question: string): Promise<boolean> {
  io.stderr.write(`${question} [y/N] `);
  // Not as a terminal: Ctrl-C stays the kernel's, and ends the program.
  const lines = createInterface({ input: io.stdin, terminal: false });
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim());
    io.stderr.write('\n');
    return false;
  } finally {
    lines.close();
  }
}
