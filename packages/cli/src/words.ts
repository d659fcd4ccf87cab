/**
 * Words for people, and back. Guarantees: pure; text that a task brought along cannot move the cursor, change
 * colours or break a line; never a negative age.
 */
import { stripVTControlCharacters } from 'node:util';
import { usageError } from './cli-error.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const units: Record<string, number> = { ms: 1, s: SECOND, m: MINUTE, min: MINUTE, h: HOUR, d: DAY };

/** `500ms`, `60s`, `30m`, `1.5h`, `2d` in ms. Throws a usage error that names `option`. */
export function parseDuration(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|min|h|d)$/.exec(text);
  if (match === null)
    throw usageError(`${option} is "${text}"`, 'Write a number and its unit: 500ms, 60s, 30m, 2h, 1d.');
  return Math.round(Number(match[1]) * units[match[2]!]!);
}

/** A whole number within bounds. Throws a usage error that names `option`. */
export function parseWhole(text: string, option: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^-?\d+$/.test(text) || value < least || value > most) {
    throw usageError(`${option} is "${text}"`, `Write a whole number from ${least} to ${most}.`);
  }
  return value;
}

/** `12 s`, `4 min`, `3 h`, `2 d`: how long ago, coarse. */
export function ageText(ms: number): string {
  const age = Math.max(0, ms);
  if (age < MINUTE) return `${Math.floor(age / SECOND)} s`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h`;
  return `${Math.floor(age / DAY)} d`;
}

/** `84 ms`, `1.4 s`, `0:42`, `12:40`, `3:02:11`: how long something took. */
export function spanText(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  const total = Math.floor(ms / SECOND);
  const seconds = two(total % 60);
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours > 0 ? `${hours}:${two(minutes)}:${seconds}` : `${minutes}:${seconds}`;
}

/** `2026-11-21 14:02:11`, in the reader's own time zone. */
export function timeText(at: number): string {
  const date = new Date(at);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** The same to the millisecond: `2026-11-21 14:02:11.042`. */
export function stampText(at: number): string {
  return `${timeText(at)}.${String(new Date(at).getMilliseconds()).padStart(3, '0')}`;
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}

/** `512 B`, `1.4 kB`, `18 MB`: decimal, as disks count. */
export function bytesText(bytes: number): string {
  const names = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let name = 0;
  while (value >= 999.5 && name < names.length - 1) {
    value /= 1000;
    name += 1;
  }
  return `${name > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${names[name]}`;
}

/** One line of text that is safe to print: no escape sequences, no control characters. */
export function plainText(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, ' ')
    .trim();
}

/** `1 live task`, `2 live tasks`; `many` where an s is not enough. */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** A word as a POSIX shell would need it. */
export function quoteWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
