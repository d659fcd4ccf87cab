/**
 * The contract of a SessionStore, as tests: every implementation must pass `describeSessionStore`.
 */
import { test } from 'vitest';
import { describeDoubts } from './store/contract/doubts.ts';
import { describeEvents } from './store/contract/events.ts';
import { describeHistories } from './store/contract/histories.ts';
import { describeIntents } from './store/contract/intents.ts';
import type { OpenStore, Sentence } from './store/contract/kit.ts';
import { describeMarks } from './store/contract/marks.ts';
import { describeShown } from './store/contract/shown.ts';
import { describeSnapshots } from './store/contract/snapshots.ts';

export type { OpenStore, StoreUnderTest } from './store/contract/kit.ts';

/** `open` gives an empty store. */
export function describeSessionStore(name: string, open: OpenStore): void {
  const it: Sentence = (sentence, run) => {
    // oxlint-disable-next-line vitest/expect-expect -- each sentence brings its own
    test(`${name}: ${sentence}`, async () => {
      await using under = await open();
      await run(under);
    });
  };
  describeEvents(it);
  describeSnapshots(it);
  describeDoubts(it);
  describeIntents(it);
  describeShown(it);
  describeMarks(it);
  describeHistories(it, open);
}
