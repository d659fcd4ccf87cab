/** How far something that takes several steps is. Guarantees: what is done, waited for and to come differ in sign and word. */
import type { JSX } from 'preact';
import type { ReclaimStep } from '../model/reclaim.ts';
import type { StopStep } from '../model/stopping.ts';

type Step = ReclaimStep | StopStep;

const words: Record<Step['state'], { sign: string; word: string }> = {
  done: { sign: '✓', word: 'done' },
  now: { sign: '…', word: 'waiting for this' },
  waiting: { sign: '○', word: 'not yet' },
};

export function Steps({
  label,
  testId,
  steps,
}: {
  label: string;
  testId: string;
  steps: readonly Step[];
}): JSX.Element {
  return (
    <ol class="steps" aria-label={label} data-testid={testId}>
      {steps.map(({ name, state, text }) => (
        <li key={name} class={`is-${state}`} data-step={name} data-state={state}>
          <span aria-hidden="true">{words[state].sign}</span> {text}
          <span class="sr"> ({words[state].word})</span>
        </li>
      ))}
    </ol>
  );
}
