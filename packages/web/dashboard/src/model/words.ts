/**
 * Numbers as words for people. Guarantees: pure, never negative, never more digits than a glance can use, and a
 * text that only changes when a person would say something else.
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `0.8 s`, `12 s`, `4 min`, `3 h`, `2 d`: how long ago, coarse. */
export function ageText(ms: number): string {
  const age = Math.max(0, ms);
  if (age < SECOND) return `${(age / SECOND).toFixed(1)} s`;
  if (age < MINUTE) return `${Math.floor(age / SECOND)} s`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h`;
  return `${Math.floor(age / DAY)} d`;
}

/** `0:07`, `12:40`, `3:02:11`, `2 d 3 h`: how long something took, as a clock. */
export function clockText(ms: number): string {
  const total = Math.max(0, Math.floor(ms / SECOND));
  const seconds = String(total % 60).padStart(2, '0');
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  if (hours >= 24) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  if (hours > 0) return `${hours}:${String(minutes).padStart(2, '0')}:${seconds}`;
  return `${minutes}:${seconds}`;
}

/** `84 ms`, `1.4 s`, then as `clockText`: the length of something that has ended. */
export function spanText(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.round(ms / SECOND)} s`;
  return clockText(ms);
}

/** `512 B`, `1.4 kB`, `18 MB`; decimal, as disks and networks count. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = -1;
  do {
    value /= 1000;
    unit += 1;
  } while (value >= 999.5 && unit < units.length - 1);
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** `12,408`: grouped by thousands. */
export function countText(count: number): string {
  return count.toLocaleString('en-US');
}

/** `1 task`, `3 tasks`; `nouns` where an s is not enough. */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${countText(count)} ${count === 1 ? noun : nouns}`;
}

/** With a capital first, as a sentence begins. */
export function capitalized(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;
}

/** Without the full stop at its end, to go on in a longer sentence. */
export function withoutStop(text: string): string {
  return text.replace(/\.$/, '');
}

/** `14:02` on the same day, else `3 Nov, 14:02`; the viewer's own time zone. */
export function timeText(at: number, now: number): string {
  const date = new Date(at);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return `${dayText(at, now)}${time}`;
}

/** `3 Nov, `, to stand before a time; '' on the same day. */
export function dayText(at: number, now: number): string {
  const date = new Date(at);
  if (date.toDateString() === new Date(now).toDateString()) return '';
  return `${date.getDate()} ${months[date.getMonth()]}, `;
}

/** `14:02:11`. */
export function secondText(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `14:02:11.042`: for the record of events. */
export function preciseTimeText(at: number): string {
  return `${secondText(at)}.${String(new Date(at).getMilliseconds()).padStart(3, '0')}`;
}

/** `21 Nov 2026, 14:02:11`: leaves nothing to guess; the viewer's own time zone. */
export function absoluteText(at: number): string {
  const date = new Date(at);
  const day = `${date.getDate()} ${months[date.getMonth()]} ${date.getFullYear()}`;
  return `${day}, ${secondText(at)}`;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function two(n: number): string {
  return String(n).padStart(2, '0');
}
