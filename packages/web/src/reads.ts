/**
 * Reading for people: the store's rows with the links' state laid over them, and the ETag under which a read may be
 * kept. The tag names the store's version and the links' revision: nothing that is shown changes without one of
 * them, but for the time of the last proof, which a kept answer understates.
 */
import { randomBytes } from 'node:crypto';
import { formatFeedCursor, ProblemError, type ShownTask, type State, VERSION } from '@holdfast/shared';
import type { Agents } from './agents.ts';
import type { Notifications } from './notify.ts';
import {
  type PageRequest,
  type SessionStore,
  StoreError,
  type TaskFilter,
  type TaskRow,
} from './session-store.ts';
import { showTask } from './shown.ts';

export interface Reads {
  etag(): string;
  cursor(): string;
  state(): State;
  show(row: TaskRow): ShownTask;
  /** Throws `ProblemError` `no_such_task`. */
  row(taskId: string): Promise<TaskRow>;
  /** `total`: how many the filter finds in all; on the first page only, for it may take longer than the page. */
  tasks(
    filter: TaskFilter,
    page: PageRequest,
  ): Promise<{ items: ShownTask[]; next?: string; total?: number; cursor: string }>;
}

export function createReads(options: {
  store: SessionStore;
  agents: Agents;
  notifications: Pick<Notifications, 'failing'>;
}): Reads {
  const { store, agents, notifications } = options;
  // The revision begins anew with each start of web.
  const start = randomBytes(6).toString('base64url');
  const reads: Reads = {
    etag: () => {
      const failing = notifications.failing().join('+');
      return `W/"${store.epoch}.${store.version()}.${start}.${agents.revision()}.${failing}"`;
    },
    cursor: () => formatFeedCursor({ epoch: store.epoch, version: store.version() }),
    state: () => ({
      agents: agents.views(),
      counts: store.counts(),
      cursor: reads.cursor(),
      version: VERSION,
      failingChannels: notifications.failing(),
    }),
    show: (row) => showTask(row, (id) => agents.viewOf(id)),
    async row(taskId) {
      const row = await store.task(taskId);
      if (row === undefined) throw new ProblemError('no_such_task', `There is no task ${taskId}.`);
      return row;
    },
    async tasks(filter, page) {
      const { items, ...rest } = await pageOf(
        page.after === undefined ? store.tasks(filter, page) : more(filter, page),
      );
      return { ...rest, items: items.map((row) => reads.show(row)) };
    },
  };
  /** The cursor is that of before the read: what the feed tells from there on may repeat, and lacks nothing. */
  const more = async (filter: TaskFilter, page: PageRequest) => {
    const cursor = reads.cursor();
    return { ...(await store.moreTasks(filter, page)), cursor };
  };
  return reads;
}

/** A page of a list; an `after` that no page gave is the caller's fault. */
export async function pageOf<T>(page: Promise<T>): Promise<T> {
  try {
    return await page;
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'bad_page') throw error;
    const detail = 'must be the "next" of an earlier page of the same list';
    throw new ProblemError('invalid', `The query is not valid: /after ${detail}`, {
      errors: [{ pointer: '/after', detail }],
      cause: error,
    });
  }
}
