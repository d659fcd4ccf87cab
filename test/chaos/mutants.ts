/**
 * Mutants: faults planted in the product itself, as text. Each takes away one thing that a promise rests on; the
 * checker has to notice it, or the run proves nothing.
 */

export interface Edit {
  /** Below `packages/`. */
  file: string;
  /** Found exactly once, or the mutant is out of date. */
  find: string;
  replace: string;
}

export interface Mutant {
  about: string;
  edits: readonly Edit[];
}

export const mutants: Readonly<Record<string, Mutant>> = {
  ticket: {
    about: 'the launch ticket never refuses: a recovering agent takes it as its own without taking it',
    edits: [
      {
        file: 'agent/src/run-directory.ts',
        find: "    const ticket = join(this.path, 'ticket');\n",
        replace: "    if (this.path !== '') return 'agent';\n    const ticket = join(this.path, 'ticket');\n",
      },
    ],
  },
  fence: {
    about: 'an end, and the last word of a worker, count for whatever attempt the task is in by now',
    edits: [
      {
        file: 'agent/src/claims.ts',
        find: 'if (claim === undefined || record?.task.attempt !== claim.attempt || ',
        replace: 'if (claim === undefined || record === undefined || ',
      },
      {
        file: 'agent/src/settle.ts',
        find: 'if (record === undefined || record.task.attempt !== ending.attempt) return undefined;',
        replace: 'if (record === undefined) return undefined;',
      },
    ],
  },
  fsync: {
    about: 'a change is answered and published 50 ms before it is committed',
    edits: [
      {
        file: 'shared/src/group-commit.ts',
        find: '      this.#begin.run();\n      onBegin?.();',
        replace:
          '      if (database.inTransaction) this.#commit.run();\n      this.#begin.run();\n      onBegin?.();',
      },
      {
        file: 'shared/src/group-commit.ts',
        find: '      onEnd?.();\n      this.#commit.run();',
        replace:
          '      onEnd?.();\n      setTimeout(() => {\n        if (database.open && database.inTransaction) this.#commit.run();\n      }, 50);',
      },
    ],
  },
  order: {
    about: 'a look reads the exit record first and the processes second',
    edits: [
      {
        file: 'agent/src/look.ts',
        find: '      const table = await this.processes();',
        replace: '      const record = watch.run.readRecord();\n      const table = await this.processes();',
      },
      {
        file: 'agent/src/look.ts',
        find: '      const others = table.othersOf(watch.run.path, shim);\n      const record = watch.run.readRecord();\n',
        replace: '      const others = table.othersOf(watch.run.path, shim);\n',
      },
    ],
  },
  deadline: {
    about: 'web waits a minute more before it doubts',
    edits: [
      {
        file: 'web/src/connection-state.ts',
        find: '  return deadlineOf(link.heartbeatMs, link.settings.lostAfterMs);',
        replace: '  return 60_000 + deadlineOf(link.heartbeatMs, link.settings.lostAfterMs);',
      },
    ],
  },
  marker: {
    about: 'what a task starts in a session of its own is not looked for',
    edits: [
      {
        file: 'agent/src/process-table.ts',
        find: 'const found = new Set<SeenProcess>(this.#byAttempt.get(attemptOf(run)));',
        replace: 'const found = new Set<SeenProcess>();',
      },
    ],
  },
};
