/** What the agent's tests share: a journal in a folder of its own, and tasks to put into it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Submit, Task } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { Journal, type JournalOptions, type TaskRecord } from './journal.ts';

export interface TestJournal extends Disposable {
  journal: Journal;
  folder: string;
  path: string;
  /** Closes it and opens it again, as a restart of the agent does. */
  reopen: () => Journal;
}

export function openTestJournal(options: Partial<JournalOptions> = {}): TestJournal {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-journal-'));
  const path = join(folder, 'agent.db');
  const opened: TestJournal = {
    journal: new Journal({ path, ...options }),
    folder,
    path,
    reopen() {
      opened.journal.close();
      opened.journal = new Journal({ path, ...options });
      return opened.journal;
    },
    [Symbol.dispose]() {
      opened.journal.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return opened;
}

export function makeTask(more: Partial<Task> = {}): Task {
  return {
    id: uuidv7(),
    sessionId: 'session',
    agentId: 'agent',
    spec: { command: ['true'] },
    status: 'queued',
    attempt: 0,
    queue: 'default',
    priority: 0,
    labels: {},
    seq: 0,
    createdAt: 1_700_000_000_000,
    outputBytes: 0,
    ...more,
  };
}

export function makeSubmit(more: Partial<Submit> = {}): Submit {
  return { id: uuidv7(), sessionId: 'session', spec: { command: ['true'] }, ...more };
}

/** Puts a task into the journal and brings it to `running`. */
export async function makeRunning(journal: Journal, more: Partial<Task> = {}): Promise<TaskRecord> {
  return journal.change(() => {
    const record = journal.appendSubmitted(makeTask(more), { env: undefined, submitHash: 'hash' });
    journal.append(record, { kind: 'claimed' });
    journal.append(record, { kind: 'started' });
    return record;
  });
}

/** For tests of what is not claimed. */
export const noClaims = {
  judge: () => Promise.resolve(),
};
