/**
 * Room on the disk of the home: while there is little, nothing is started, so that what runs can write its output
 * and the journal its events.
 *
 * "Little" is less than `lowDiskBytes`, but never more than a twentieth of the disk: a small disk is not low because
 * it is small. It ends when a tenth more than that is free, so that it does not come and go with every file. A look
 * that fails is no verdict (P10): what was known stays.
 *
 * The look is synchronous: it takes microseconds, and the journal that is asked in the same breath lies on the same
 * disk.
 */
import type { Attention, Logger } from '@holdfast/shared';

/** What statfs(2) tells: blocks in all, those that this user may still fill, and their size. */
export interface DiskStats {
  blocks: number;
  bavail: number;
  bsize: number;
}

export interface DiskOptions {
  /** A directory on the disk. */
  path: string;
  lowDiskBytes: number;
  logger: Logger;
  statfs: (path: string) => DiskStats;
  now: () => number;
  monotonic: () => number;
}

const DISK_SHARE = 20;
/** How much more than the threshold must be free for the trouble to be over. */
const ENOUGH = 1.1;
/** An answer is at most this old. */
const FRESH_MS = 1000;

export class Disk {
  readonly #options: DiskOptions;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #low: Attention | undefined;
  #failing = false;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  /** `low_disk`, with numbers and what to do, while there is little room; looks if the last look is a second old. */
  get attention(): Attention | undefined {
    const at = this.#options.monotonic();
    if (at - this.#lookedAt >= FRESH_MS) {
      this.#lookedAt = at;
      this.#look();
    }
    return this.#low;
  }

  #look(): void {
    const { path, lowDiskBytes, logger, statfs, now } = this.#options;
    let stats: DiskStats;
    try {
      stats = statfs(path);
    } catch (error) {
      if (!this.#failing) logger.warn({ err: error }, 'the room on the disk of the home cannot be told');
      this.#failing = true;
      return;
    }
    this.#failing = false;
    const freeBytes = stats.bavail * stats.bsize;
    const least = Math.min(lowDiskBytes, (stats.blocks * stats.bsize) / DISK_SHARE);
    const enough = least * ENOUGH;
    const isLow = freeBytes < (this.#low === undefined ? least : enough);
    if (isLow) {
      const message =
        `${inMiB(freeBytes)} are free on the disk of HOLDFAST_HOME, less than ${inMiB(least)}: nothing is started, ` +
        `what runs goes on. Make room; at ${inMiB(enough)} starting goes on by itself. (The limit is HOLDFAST_LOW_DISK_BYTES.)`;
      if (this.#low === undefined)
        logger.warn({ freeBytes, least }, 'the disk is nearly full: nothing is started');
      this.#low = { code: 'low_disk', message, sinceAt: this.#low?.sinceAt ?? now() };
    } else if (this.#low !== undefined) {
      logger.info({ freeBytes }, 'there is room on the disk again');
      this.#low = undefined;
    }
  }
}

function inMiB(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`;
}
