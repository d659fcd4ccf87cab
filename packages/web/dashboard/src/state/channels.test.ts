import { fakeWeb } from './fake-page.ts';
import { expect, test } from 'vitest';
import { loadNotifications, notifications } from './channels.ts';

test('an answer that takes longer than the next question comes is shown all the same', async () => {
  const slow = Promise.withResolvers<Response>();
  fakeWeb.answer = () => slow.promise;
  const reads = [loadNotifications(), loadNotifications()];
  slow.resolve(Response.json({ channels: [], alerts: [] }));
  fakeWeb.answer = () => new Promise(() => undefined);
  await reads[0];
  expect(notifications.value).toEqual({ channels: [], alerts: [] });
  expect(fakeWeb.asked).toHaveLength(1);
});
