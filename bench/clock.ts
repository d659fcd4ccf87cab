/**
 * The wall clock in milliseconds with a fraction, the same in every process of this machine: `Date.now` cuts the fraction
 * off, so the largest difference to the monotonic clock that is seen in a few milliseconds is the true one.
 */
const LOOK_MS = 5;

let offset = Number.NEGATIVE_INFINITY;
for (const end = performance.now() + LOOK_MS; performance.now() < end;) {
  offset = Math.max(offset, Date.now() - performance.now());
}

export function clock(): number {
  return offset + performance.now();
}
