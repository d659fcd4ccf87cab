/**
 * A browser that follows web's feed through everything that happens to web: it holds the rows that it was sent, comes
 * back behind its cursor, and reads all of them again only where web says `reset`. At the end its rows must be web's.
 */
import { EventSource } from 'eventsource';
import type { FeedChange, ShownTask } from '@holdfast/shared';
import type { World } from './world.ts';

const AGAIN_MS = 150;

export class Browser implements AsyncDisposable {
  readonly #world: World;
  readonly rows = new Map<string, ShownTask>();
  #source: EventSource | undefined;
  #cursor: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #readers: (() => void)[] = [];
  connections = 0;
  resets = 0;

  constructor(world: World) {
    this.#world = world;
    this.#again();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  /** Resolves when its rows change next, or after `withinMs` without a change. */
  news(withinMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, withinMs);
    this.#readers.push(() => {
      clearTimeout(timer);
      resolve();
    });
    return promise;
  }

  #tell(): void {
    for (const tell of this.#readers.splice(0)) tell();
  }

  #again(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      if (this.#cursor === undefined) void this.#readAll().then(() => this.#again());
      else this.#follow(this.#cursor);
    }, AGAIN_MS);
  }

  /** All rows, page by page, and the cursor that the first page was read at. Without an answer there is none. */
  async #readAll(): Promise<void> {
    const rows: ShownTask[] = [];
    let cursor: string | undefined;
    for (let after = ''; ;) {
      const answer = await this.#world.call('web', 'GET', `/api/tasks?limit=500${after}`);
      if (answer.status !== 200 || answer.body === undefined) return;
      const page = answer.body as { items: ShownTask[]; next?: string; cursor: string };
      cursor ??= page.cursor;
      rows.push(...page.items);
      if (page.next === undefined) break;
      after = `&after=${encodeURIComponent(page.next)}`;
    }
    this.rows.clear();
    for (const row of rows) this.rows.set(row.id, row);
    this.#cursor = cursor;
    this.#tell();
  }

  #follow(cursor: string): void {
    const { web } = this.#world;
    this.connections += 1;
    const source = new EventSource(`${web.url}/api/events?cursor=${cursor}`, {
      fetch: (url, init) =>
        fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${web.token}` } }),
    });
    this.#source = source;
    source.addEventListener('change', (event) => {
      const { tasks = [], removed = [] } = JSON.parse(event.data as string) as FeedChange;
      for (const task of tasks) this.rows.set(task.id, task);
      for (const { kind, id } of removed) if (kind === 'task') this.rows.delete(id);
      this.#cursor = event.lastEventId;
      this.#tell();
    });
    source.addEventListener('reset', () => {
      this.resets += 1;
      this.#cursor = undefined;
      this.#again();
    });
    source.addEventListener('error', () => {
      // A new connection with a cursor of its own: the package stops for good on any answer but 200.
      if (this.#source === source) this.#again();
    });
  }
}
