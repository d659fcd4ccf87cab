/**
 * Ids for new tasks. Guarantees: the time in an id is web's, so that a browser whose clock is ahead can submit: web and
 * agents refuse ids from the future.
 */
import { V7Generator } from 'uuidv7';
import { webNow } from './clock.ts';

const generator = new V7Generator();

export function newId(): string {
  return generator.generateOrResetWithTs(Math.floor(webNow.peek())).toString();
}
