import { fakeWeb } from './fake-page.ts';
import { expect, test } from 'vitest';
import { bulk, forecastBulk } from './bulk.ts';
import { setMarks } from './selection.ts';

test('a forecast that got no answer still knows which tasks it is about, for asking again', async () => {
  setMarks(new Set(['marked']));
  fakeWeb.answer = () => Response.error();
  await forecastBulk('reclaim', ['one']);
  expect(bulk.value).toMatchObject({ ids: ['one'], stage: { kind: 'failed' } });
});
