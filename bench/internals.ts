/**
 * What the benchmarks take from inside the services. A service is a process with an HTTP API; these are the parts
 * that a benchmark drives directly, where HTTP would measure its client instead.
 */
export {
  applyEvent,
  createApp,
  createLogger,
  destroyerOf,
  encodeFrame,
  encodeText,
  EventStream,
  FailureLimiter,
  type FeedChange,
  firstChain,
  formatCursor,
  frameText,
  guard,
  type Heartbeat,
  type Hello,
  LiveDigest,
  nextChain,
  openDatabase,
  type Page,
  type Reset,
  serveApp,
  type ShownAgent,
  type SnapshotEnd,
  type Task,
  type TaskEvent,
} from '@holdfast/shared';
export { Events } from '../packages/agent/src/events.ts';
export { Journal } from '../packages/agent/src/journal.ts';
export { startFeed } from '../packages/web/src/feed.ts';
export { keepHeapSmall } from '../packages/shared/src/heap.ts';
export { showTask } from '../packages/web/src/shown.ts';
export { openSqliteSessionStore } from '../packages/web/src/sqlite-session-store.ts';
export { startSubscription } from '../packages/web/src/subscription.ts';
