/** `holdfast help`: the help of a command, and what is the same for all of them. */
import type { Command } from 'commander';
import { usageError } from '../cli-error.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import { meantText } from '../suggest.ts';

const jsonText = `JSON

With --json a command prints one document on standard output and nothing else there: two-space indented, ended by a
newline; watch alone prints a document a line. Words for people stay on standard error, and the exit code is the same.
Names and shapes are those of the services' APIs (PROTOCOL.md; /openapi.json of each service) and stable within a
protocol version: fields may be added, none is renamed or removed. Times are milliseconds since 1970 in fields named
…At, durations end in Ms, sizes in Bytes. ? marks what may be absent. Statuses are those of holdfast list --help.

  run                 Task; with --wait as it ended
  list                Task[]
  show                Task
  events              { items: Event[], received?: { seq, generation, receivedAt }[] }; received is web's: when it had
                      each, in the same order
  cancel ID, retry ID,
  reclaim ID,
  resolve             { ref, id, task: Task }[] in the order given; of one that was refused, or whose answer was lost
                      { ref, id?, problem: Problem }
  cancel, retry of all
  that fit            { items: BulkItem[], matched }; matched is how many fit
  reclaim --stale     { items: ReclaimItem[], unreachable: { agentId, name, state, message }[] }
  wait                { ref, id, task: Task | null, exitCode }[]; of one that could not be waited for
                      { ref, id?, exitCode, problem: Problem }
  watch               Task, one line for each change
  stats               { counts: { [status]: number }, oldestRunning: Task | null, notVouchedFor, stale: ReclaimItem[],
                      unreachable: { name, message }[] }
  pool status         SeenPool[]
  pool pause, drain,
  resume, slots       SeenPool
  runners             { agentId, agentName, name, command, resume?, executable?, source }[]
  agents list         Agent[]; add, remove: Agent
  sessions list       Session[]; rename, archive, unarchive: Session[] as they are now
  doctor              { check, level: "ok" | "warn" | "fail", message, hint? }[]
  backup              { home, files: { name, path, bytes }[] }
  config show         { name, value, source, env?, flag? }[]
  service print       { service, path, text }[]
  up                  { dashboardUrl, home, agent: Service, web: Service }

  Task                { id, sessionId, externalId?, agentId?, title?, spec, status, attempt, queue, priority, labels,
                      retryOf?, seq, createdAt, statusAt?, startedAt?, endedAt?, notBeforeAt?, stopRequested?, claim?,
                      process?, outcome?, outputBytes, lastOutputAt?, lastLine?, attention?, updatedAt, knowledge,
                      pending?, lastStatus?, unknownSince?, refused?, verdict? }; with --agent-url without what is
                      web's: updatedAt, knowledge and what follows them
  Agent               { id, name, url, version?, state, asOf, reason?, detail?, pool?, lag, digestOk?, heartbeatMs?,
                      clockAheadMs?, reconnects, progress? }
  Session             { id, title?, archived, createdAt, updatedAt, status, counts }
  Pool                { slots, running, queued, paused, draining, claimed?, attention? }
  SeenPool            { agentId, agentName, state, asOf, pool: Pool | null, waitingForWorkers? }; what it says holds
                      as of asOf, and for now only if state is "live". pool.queued wait for a slot, pool.claimed are
                      held by workers, waitingForWorkers wait in named queues
  Event               { seq, kind, taskId, sessionId, attempt, from, to, at, reason?, data? }
  BulkItem            { id, title?, result: "done" | "promised" | "refused" | "wouldDo", code?, message?, newId? };
                      done: the request was taken
  ReclaimItem         { taskId, attempt, evidence: { code, message, sinceAt }, action, result, message?, agentId?,
                      agentName? }
  Problem             { code?, status?, detail }; code is the service's, or answer_lost: whether it was done is not
                      known; or unreachable: it was not sent
  Service             { url, pid, id?, name?, isOurs }

An error prints no document, but for commands that take several ids. logs, completion and run --follow print what they
print as it is, and refuse --json.`;

const exitText = `Exit codes

  ${String(exitCodes.ok).padEnd(4)}done
  ${String(exitCodes.failed).padEnd(4)}failed
  ${String(exitCodes.usage).padEnd(4)}the command line or the configuration is wrong; nothing was asked of anyone
  ${String(exitCodes.refused).padEnd(4)}refused: a service understood and said no; nothing was changed
  ${String(exitCodes.unknown).padEnd(4)}not known: what became of the request, or the outcome of a task, or what an agent that is out of
      sight would have said. Nothing that is unknown is ever reported as done or failed.

run --wait, run --follow and wait end with the task's own exit code; 128+n if signal n ended it, 1 if it was cancelled
or failed without a code. A Ctrl-C that ends a wait is 130.

With several ids (cancel, retry, reclaim, resolve) what fails for one is done for the others all the same, each has its
own line, and the code is that of the first that failed; but 75 if of any it is not known what became of it.`;

const topics: Record<string, string> = { json: jsonText, 'exit-codes': exitText };

export function defineHelp(command: Command, invocation: Invocation): void {
  command
    .argument('[topic...]', `a command, or: ${Object.keys(topics).join(', ')}`)
    .action(async (words: string[]) => {
      const program = command.parent!;
      const topic = words.length === 1 ? topics[words[0]!] : undefined;
      if (topic !== undefined) {
        await invocation.print(topic);
        return;
      }
      let found: Command = program;
      for (const [index, word] of words.entries()) {
        const next = found.commands.find((one) => one.name() === word || one.aliases().includes(word));
        if (next === undefined) {
          const names = found.commands.map((one) => one.name());
          const meant = meantText(word, index === 0 ? [...names, ...Object.keys(topics)] : names);
          const path = ['holdfast', ...words.slice(0, index)].join(' ');
          throw usageError(
            `there is no help on "${words.join(' ')}"${meant}`,
            `See which commands there are: ${path} --help`,
          );
        }
        found = next;
      }
      found.outputHelp();
    });
  addManual(command, {
    guarantees: [
      'Prints, and asks nobody. holdfast COMMAND --help prints the same as holdfast help COMMAND.',
    ],
    exits: { ok: 'printed' },
    examples: ['holdfast help run', 'holdfast help pool drain', 'holdfast help json'],
  });
}
