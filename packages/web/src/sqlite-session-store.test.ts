import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeSessionStore, type StoreUnderTest } from './session-store.contract.ts';
import { taskId } from './fake-journal.ts';
import { openSqliteSessionStore } from './sqlite-session-store.ts';

function openInFolder(): StoreUnderTest & { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
  const path = join(folder, 'web.db');
  const under = {
    folder,
    path,
    store: openSqliteSessionStore({ path }),
    async reopen() {
      await under.store.close();
      under.store = openSqliteSessionStore({ path });
      return under.store;
    },
    async [Symbol.asyncDispose]() {
      await under.store.close();
      rmSync(folder, { recursive: true });
    },
  };
  return under;
}

describeSessionStore('sqlite', async () => openInFolder());

test('the values of an environment are nowhere on the disk once the submit is delivered', async () => {
  const secret = 'hunter2-hunter2-hunter2';
  await using under = openInFolder();
  const { store } = under;
  const submit = { id: taskId(1), sessionId: 's', spec: { command: ['true'], env: { TOKEN: secret } } };
  await store.recordIntent({ id: 'i', taskId: taskId(1), body: { action: 'submit', submit }, at: 1 });
  expect(readAll(under.folder)).toContain(secret);
  await store.settleIntent('i', 2);
  await under.reopen();
  expect(readAll(under.folder)).not.toContain(secret);
});

test('a listener that throws keeps nobody from being answered', async () => {
  await using under = openInFolder();
  const heard = Promise.withResolvers<Error>();
  process.once('uncaughtExceptionMonitor', heard.resolve);
  const caught = Promise.withResolvers<unknown>();
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', caught.resolve);
  under.store.onChange(() => {
    throw new Error('listener');
  });
  await under.store.rememberAgent({ id: 'a', name: 'a', url: 'http://a' }, 1);
  expect(await caught.promise).toMatchObject({ message: 'listener' });
  for (const listener of others) process.on('uncaughtException', listener);
  expect(await under.store.agents()).toHaveLength(1);
});

function readAll(folder: string): string {
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('');
}
