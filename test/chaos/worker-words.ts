/**
 * What workers wrote down: each grant they were given, and each word of theirs with the answer to it. One line of
 * JSON by one append each, written by the worker itself.
 */
import { existsSync, readFileSync } from 'node:fs';

export interface WorkerWord {
  /** When it was sent, and when it was written down. */
  sentAt: number;
  at: number;
  worker: string;
  /** `late`: whether the worker itself believes that its lease is over. */
  word: 'grant' | 'heartbeat' | 'complete' | 'fail' | 'release';
  late: boolean;
  taskId: string;
  attempt: number;
  token: string;
  /** Of the answer; 0: none came. */
  status: number;
}

export function readWorkerWords(path: string): WorkerWord[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as WorkerWord);
}
