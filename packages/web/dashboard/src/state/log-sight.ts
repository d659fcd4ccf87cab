/** What of a log is in sight, for those who ask and for those who want to see something else. */
import { signal } from '@preact/signals';

export class LogSight {
  /** The place that is to be brought into sight: where its line begins. The body takes it back when it has done so. */
  readonly goal = signal<{ at: number } | undefined>(undefined);
  /** Where the first line in sight begins; the body keeps it up to date. */
  topAt = 0;

  show(at: number): void {
    this.goal.value = { at };
  }
}
