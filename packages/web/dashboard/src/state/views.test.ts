// oxlint-disable-next-line import/no-unassigned-import -- It stands for the page.
import './fake-page.ts';
import { expect, test } from 'vitest';
import { takeCounts } from './agents.ts';
import { countOf } from './views.ts';

test('before web has told a count there is none, and none is not 0', () => {
  expect([countOf(['running']), countOf([])]).toEqual([undefined, undefined]);
  takeCounts({ running: 2, lost: 1 }, 0);
  expect([countOf(['running']), countOf(['failed']), countOf([])]).toEqual([2, 0, 3]);
});
