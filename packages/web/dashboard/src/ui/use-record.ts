/**
 * A part of a task's record, read when it is looked at, again whenever the task has moved and when web is heard again, and
 * until it was answered with all that the row tells of.
 */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ShownTask } from '@holdfast/shared';
import { isPassing, type Problem } from '../model/problem.ts';
import { linkNow } from '../state/clock.ts';
import type { Answer } from '../transport/api.ts';

/** `value` stays while a later read fails: `problem` then says that it may be out of date. */
export interface Read<T> {
  value?: T;
  problem?: Problem;
}

/** It is read again after this time, then after twice as long each time. */
const AGAIN_MS = 500;
const MOST_AGAIN_MS = 30_000;

const neverBehind = (): boolean => false;

/** `isBehind`: the row tells of more than what was read has. An agent's answer to web may be faster than its stream. */
export function useRecord<T>(
  task: ShownTask,
  read: (id: string) => Promise<Answer<T>>,
  isBehind: (value: T, task: ShownTask) => boolean = neverBehind,
): Read<T> {
  const held = useSignal<{ id: string; read: Read<T> }>({ id: task.id, read: {} });
  const again = useSignal(0);
  const isHeard = linkNow.value.state === 'live';
  // Whatever was said while web was not heard, a row that has not moved since does not tell of.
  useEffect(
    () =>
      isHeard
        ? undefined
        : () => {
            again.value += 1;
          },
    [isHeard, again],
  );
  useEffect(() => {
    let isWanted = true;
    let timer: number | undefined;
    const ask = async (againMs: number): Promise<void> => {
      const answer = await read(task.id);
      if (!isWanted) return;
      if (answer.ok ? isBehind(answer.value, task) : isPassing(answer.problem)) {
        timer = window.setTimeout(() => void ask(Math.min(2 * againMs, MOST_AGAIN_MS)), againMs);
      }
      const before = held.peek().id === task.id ? held.peek().read : {};
      held.value = {
        id: task.id,
        read: answer.ok ? { value: answer.value } : { ...before, problem: answer.problem },
      };
    };
    void ask(AGAIN_MS);
    return () => {
      isWanted = false;
      window.clearTimeout(timer);
    };
  }, [task.id, task.seq, task.status, again.value, held, read, isBehind]);
  return held.value.id === task.id ? held.value.read : {};
}
