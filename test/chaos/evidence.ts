/** What the tasks themselves wrote down, in the order in which they wrote it (task.sh). */
import { readFileSync } from 'node:fs';

export interface EvidenceLine {
  /** Position in the file: one append each, so this order is the order in time. */
  index: number;
  word: string;
  taskId: string;
  attempt: number;
  pid: number;
  /** Seconds since boot. */
  uptime: number;
  detail: string;
}

/** Throws if a line is not whole: one append cannot tear. */
export function parseEvidence(text: string): EvidenceLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => {
      const [word, taskId, attempt, pid, uptime, detail, ...more] = line.split(' ');
      if (detail === undefined || more.length > 0) throw new Error(`evidence line ${index + 1}: ${line}`);
      return {
        index,
        word: word!,
        taskId: taskId!,
        attempt: Number(attempt),
        pid: Number(pid),
        uptime: Number(uptime),
        detail,
      };
    });
}

export function readEvidence(path: string): EvidenceLine[] {
  return parseEvidence(readFileSync(path, 'utf8'));
}
