/**
 * Two clocks that disagree, in words. Guarantees: pure; nothing is said of clocks that agree; which of the two is wrong is
 * not claimed.
 */
import { ageText } from './words.ts';

/** `the clock of build-2 is 58 min ahead of web’s`; undefined where they agree. `aheadMs`: of `ShownAgent.clockAheadMs`. */
export function clockHint(agentName: string, aheadMs: number | undefined): string | undefined {
  if (aheadMs === undefined) return undefined;
  const side = aheadMs > 0 ? 'ahead of' : 'behind';
  return `the clock of ${agentName} is ${ageText(Math.round(Math.abs(aheadMs) / 1000) * 1000)} ${side} web’s`;
}
