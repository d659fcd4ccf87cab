/**
 * One action on several tasks. Guarantees: a task that is refused does not keep the others from theirs; each has its
 * result, in the order given; the exit code is that of the first that failed, but 75 if of any it is not known what
 * became of it. `--json` prints an array of `{ ref, id, task }` or `{ ref, id?, problem }`.
 */
import { CliError } from './cli-error.ts';
import type { Client, SeenTask } from './client.ts';
import { exitCodes } from './exit-codes.ts';
import { type ProblemReport, reportOf } from './service-error.ts';
import type { Invocation } from './invocation.ts';
import { resolveTaskId } from './task-ref.ts';

type Result =
  | { ref: string; id: string; task: SeenTask }
  | { ref: string; id?: string; problem: ProblemReport };

export interface EachOptions {
  refs: readonly string[];
  act: (client: Client, id: string) => Promise<SeenTask>;
  /** What to print of a task that was not refused. */
  describe: (task: SeenTask) => string;
}

export async function actOnEach(invocation: Invocation, { refs, act, describe }: EachOptions): Promise<void> {
  const client = invocation.openClient();
  const results: Result[] = [];
  for (const ref of refs) {
    let id: string | undefined;
    try {
      id = await resolveTaskId(client, ref);
      const task = await act(client, id);
      results.push({ ref, id, task });
      if (!invocation.isJson) await invocation.print(describe(task));
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      if (error.exitCode === exitCodes.unknown) invocation.exitCode = error.exitCode;
      invocation.exitCode ||= error.exitCode;
      results.push({ ref, ...(id === undefined ? {} : { id }), problem: reportOf(error) });
      invocation.sayErrorOf(ref, error);
    }
  }
  if (invocation.isJson) await invocation.printJson(results);
}
