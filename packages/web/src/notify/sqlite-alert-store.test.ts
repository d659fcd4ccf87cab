import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteSessionStore } from '../sqlite-session-store.ts';
import { describeAlertStore } from './alert-store.contract.ts';

describeAlertStore('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-alerts-'));
  const path = join(folder, 'web.db');
  const under = {
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
});
