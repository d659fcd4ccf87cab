/**
 * One contestant of the resync benchmark as a process; it prints how many ms it took.
 * `node resync-sink.ts store <database> <url> <token> <agent>`: web's subscription into an empty store, until the agent's
 * heartbeat vouches for all of it. `node resync-sink.ts copy <database> <copy>`: better-sqlite3 alone, every row of the store's
 * tables into an empty database of the same schema.
 */
import { followUntilLive } from './follow.ts';
import { openDatabase, openSqliteSessionStore } from './internals.ts';

const MIGRATIONS = new URL('../packages/web/drizzle', import.meta.url).pathname;
const PATIENCE_MS = 180_000;
/** Rows in one transaction: as many as the store takes of a snapshot. */
const BATCH = 500;

async function resync([path, url, token, id]: readonly string[]): Promise<void> {
  const store = openSqliteSessionStore({ path: path! });
  const agent = { id: id!, name: 'bench', url: url!, token: token! };
  const subscription = await followUntilLive({ store, agent, patienceMs: PATIENCE_MS });
  await subscription.stop();
  await store.close();
}

function copy([path, to]: readonly string[]): void {
  const source = openDatabase({ path: path!, migrations: MIGRATIONS });
  const target = openDatabase({ path: to!, migrations: MIGRATIONS });
  const tables = source
    .prepare<[], string>(
      `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'`,
    )
    .pluck()
    .all();
  for (const table of tables) {
    const select = source.prepare<[], unknown[]>(`SELECT * FROM ${table}`).raw();
    const values = select.columns().map(() => '?');
    const insert = target.prepare(`INSERT INTO ${table} VALUES (${values.join(', ')})`);
    const write = target.transaction((rows: readonly unknown[][]) => {
      for (const row of rows) insert.run(row);
    });
    let rows: unknown[][] = [];
    for (const row of select.iterate()) {
      rows.push(row);
      if (rows.length < BATCH) continue;
      write.immediate(rows);
      rows = [];
    }
    write.immediate(rows);
  }
  source.close();
  target.close();
}

const [kind, ...args] = process.argv.slice(2);
const began = performance.now();
if (kind === 'copy') copy(args);
else await resync(args);
console.log(performance.now() - began);
