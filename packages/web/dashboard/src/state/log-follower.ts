/**
 * The output of one attempt, followed. Guarantees: bytes are read by exact range, one request at a time, driven by
 * what the feed says of the task; "end of output" is said only when the agent said that the attempt is settled and
 * every byte was read; otherwise it is said that the stream stopped, and it is taken up again.
 */
import { signal } from '@preact/signals';
import { isEnded } from '@holdfast/shared/status';
import type { ShownTask } from '@holdfast/shared';
import { LogLines, type LogLine } from '../model/log-lines.ts';
import type { Problem } from '../model/problem.ts';
import { readOutput } from '../transport/api.ts';

export interface LogView {
  lines: readonly LogLine[];
  /** Lines let go to bound memory. */
  skippedLines: number;
  /** Bytes at the head of the file that were not read. */
  skippedBytes: number;
  readBytes: number;
  totalBytes: number;
  state: 'loading' | 'following' | 'ended' | 'stopped';
  problem?: Problem;
  /** Changes whenever `lines` does. */
  revision: number;
}

const PIECE_BYTES = 256 * 1024;
/** Of a long log the newest part is read first. */
const TAIL_BYTES = 1024 * 1024;
const RETRY_MS = 3000;

export class LogFollower {
  readonly view = signal<LogView>({
    lines: [],
    skippedLines: 0,
    skippedBytes: 0,
    readBytes: 0,
    totalBytes: 0,
    state: 'loading',
    revision: 0,
  });
  readonly taskId: string;
  readonly attempt: number;
  #log: LogLines;
  #total: number;
  #isComplete = false;
  #isEnded = false;
  #isReading = false;
  #isClosed = false;
  #timer: number | undefined;

  constructor(task: Pick<ShownTask, 'id' | 'outputBytes'>, attempt: number, from: 'tail' | 'start') {
    this.taskId = task.id;
    this.attempt = attempt;
    this.#total = task.outputBytes;
    this.#log = new LogLines(from === 'tail' ? Math.max(0, task.outputBytes - TAIL_BYTES) : 0);
  }

  /** Takes the newest row of the task. */
  update(task: ShownTask): void {
    // Rows tell of their newest attempt only; an older one is settled.
    const isNewest = task.attempt === this.attempt;
    if (isNewest) this.#total = Math.max(this.#total, task.outputBytes);
    this.#isEnded = !isNewest || isEnded(task.status) || task.status === 'queued';
    void this.#read();
  }

  close(): void {
    this.#isClosed = true;
    window.clearTimeout(this.#timer);
  }

  async #read(): Promise<void> {
    if (this.#isReading || this.#isClosed || this.#isComplete) return;
    const isFirst = this.view.value.state === 'loading';
    if (!isFirst && this.#log.offset >= this.#total && !this.#isEnded) return;
    this.#isReading = true;
    window.clearTimeout(this.#timer);
    try {
      for (;;) {
        const { offset } = this.#log;
        const answer = await readOutput(this.taskId, { attempt: this.attempt, offset, limit: PIECE_BYTES });
        if (this.#isClosed) return;
        if (!answer.ok) {
          this.#publish('stopped', answer.problem);
          this.#again();
          return;
        }
        const { bytes, totalBytes, isComplete } = answer.value;
        if (bytes.length > 0) this.#log.append(bytes);
        this.#total = Math.max(this.#total, totalBytes);
        this.#isComplete = isComplete && this.#log.offset >= totalBytes;
        this.#publish(this.#isComplete ? 'ended' : 'following');
        if (this.#isComplete) return;
        if (bytes.length === 0 || this.#log.offset >= this.#total) {
          // Ended by its row, not yet by its log: the agent is still collecting.
          if (this.#isEnded) this.#again();
          return;
        }
      }
    } finally {
      this.#isReading = false;
    }
  }

  #again(): void {
    this.#timer = window.setTimeout(() => void this.#read(), RETRY_MS);
  }

  #publish(state: LogView['state'], problem?: Problem): void {
    this.view.value = {
      lines: this.#log.lines,
      skippedLines: this.#log.skipped,
      skippedBytes: this.#log.startOffset,
      readBytes: this.#log.offset,
      totalBytes: this.#total,
      state,
      revision: this.view.value.revision + 1,
      ...(problem === undefined ? {} : { problem }),
    };
  }
}
