/**
 * What web adds to an agent's refusal of an id for the time in it: the agent sees two clocks that differ, its own and that
 * of whoever made the id; web knows how far the agent's is from its own.
 */
import { durationText, ProblemError, type ShownAgent } from '@holdfast/shared';

/** The refusal, with the agent's clock named in front if it is known to differ; else as it is. */
export function noteClock(problem: ProblemError, view: ShownAgent | undefined): ProblemError {
  const aheadMs = view?.clockAheadMs;
  const isOfId =
    problem.code === 'invalid' && problem.options.errors?.some(({ pointer }) => pointer === '/id');
  if (view === undefined || aheadMs === undefined || isOfId !== true) return problem;
  const { name } = view;
  const note =
    `The clock of agent ${name} is ${durationText(Math.abs(aheadMs))} ${aheadMs < 0 ? 'behind' : 'ahead of'} web's: ` +
    `set it, then submit again. ${name} says: `;
  return new ProblemError(problem.code, note + problem.message, problem.options);
}
