import { expect, test, vi } from 'vitest';
import { taskIdTime } from '@holdfast/shared';
import { noteFrame } from './clock.ts';
import { newId } from './new-id.ts';

test('the time in an id is web’s, however wrong this machine’s clock is, and no id comes twice', () => {
  vi.useFakeTimers({ now: new Date(2027, 0, 1) });
  try {
    const webAt = new Date(2026, 10, 21, 14, 2).getTime();
    noteFrame(webAt);
    const ids = [newId(), newId(), newId()];
    for (const id of ids) expect(taskIdTime(id)).toBe(webAt);
    expect(new Set(ids).size).toBe(3);
  } finally {
    vi.useRealTimers();
  }
});
