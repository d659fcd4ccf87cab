/** The marked lines of the log that is looked at. */
import { go, place } from './navigation.ts';

export function unmark(): void {
  const { mark: _, ...rest } = place.peek();
  go(rest, 'replace');
}
