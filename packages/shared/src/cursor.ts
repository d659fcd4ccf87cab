/**
 * Cursors: a reader's position in a log, with a proof of the content before it.
 *
 * An agent's cursor is `<epoch>.<seq>.<chain>`. `chain` is a running hash over every event's JSON text up to
 * `seq`, so that an equal cursor proves equal *content*: a journal that was restored from a backup, or lost its
 * tail, is noticed although epoch and seq look right. (The chaining is that of a hash-linked log, as in
 * Haber & Stornetta 1991; 64 bits are enough against accident, and nobody gains by a forgery here.)
 */
import { hash } from 'node:crypto';

export interface Cursor {
  epoch: string;
  seq: number;
  chain: string;
}

const HASH_DIGITS = 16;
const CURSOR = /^([0-9a-f]{16})\.(0|[1-9][0-9]{0,15})\.([0-9a-f]{16})$/;

export function formatCursor(cursor: Cursor): string {
  return `${cursor.epoch}.${cursor.seq}.${cursor.chain}`;
}

/** The cursor in `text`, or undefined if it is not one. Never throws: a reader may send anything. */
export function parseCursor(text: string): Cursor | undefined {
  const match = CURSOR.exec(text);
  if (match === null) return undefined;
  const seq = Number(match[2]);
  return Number.isSafeInteger(seq) ? { epoch: match[1]!, seq, chain: match[3]! } : undefined;
}

/** The chain after an event: SHA-256(chain before + the event's JSON text), its first 16 hex digits. */
export function nextChain(chain: string, eventJson: string): string {
  return hash('sha256', chain + eventJson, 'hex').slice(0, HASH_DIGITS);
}

/** The chain before the first event of a log is its epoch. */
export function firstChain(epoch: string): string {
  return epoch;
}

/** A reader's position in web's feed: `<epoch>.<version>`. The feed sends state, not a log, so no chain is needed. */
export interface FeedCursor {
  epoch: string;
  version: number;
}

const FEED_CURSOR = /^([0-9a-f]{16})\.(0|[1-9][0-9]{0,15})$/;

export function formatFeedCursor(cursor: FeedCursor): string {
  return `${cursor.epoch}.${cursor.version}`;
}

export function parseFeedCursor(text: string): FeedCursor | undefined {
  const match = FEED_CURSOR.exec(text);
  if (match === null) return undefined;
  const version = Number(match[2]);
  return Number.isSafeInteger(version) ? { epoch: match[1]!, version } : undefined;
}
