/** A part of a task's record, read when it is looked at, again whenever the task has moved, and when web is heard again. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ShownTask } from '@holdfast/shared';
import type { Problem } from '../model/problem.ts';
import { linkNow } from '../state/clock.ts';
import type { Answer } from '../transport/api.ts';

/** `value` stays while a later read fails: `problem` then says that it may be out of date. */
export interface Read<T> {
  value?: T;
  problem?: Problem;
}

export function useRecord<T>(task: ShownTask, read: (id: string) => Promise<Answer<T>>): Read<T> {
  const held = useSignal<{ id: string; read: Read<T> }>({ id: task.id, read: {} });
  const again = useSignal(0);
  const isHeard = linkNow.value.state === 'live';
  useEffect(() => {
    if (isHeard && held.peek().read.problem !== undefined) again.value += 1;
  }, [isHeard, held, again]);
  useEffect(() => {
    let isWanted = true;
    void read(task.id).then((answer) => {
      if (!isWanted) return;
      const before = held.peek().id === task.id ? held.peek().read : {};
      held.value = {
        id: task.id,
        read: answer.ok ? { value: answer.value } : { ...before, problem: answer.problem },
      };
    });
    return () => {
      isWanted = false;
    };
  }, [task.id, task.seq, task.status, again.value, held, read]);
  return held.value.id === task.id ? held.value.read : {};
}
