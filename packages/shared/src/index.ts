/**
 * What agent, web and their clients share: the contract (task, events, protocol, errors), the pure machines over
 * it (transition, cursor, digest, knowledge), and the mechanisms that both services run on (database, event
 * stream, access, service). The dashboard takes types from here, and code from `./status` only.
 */
export {
  agentStates,
  changedAt,
  doubtReasons,
  isEnded,
  isTerminal,
  isUnderWay,
  knowledgeOf,
  lengthRank,
  sessionStatus,
  shownStatuses,
  taskStatuses,
  worstFirst,
} from './status.ts';
export type {
  AgentState,
  DoubtReason,
  Knowledge,
  ShownStatus,
  TaskStatus,
  TaskTimes,
  TerminalStatus,
} from './status.ts';
export {
  AuditSchema,
  AuditTaskSchema,
  ClaimCompleteSchema,
  ClaimFailSchema,
  ClaimHeartbeatSchema,
  ClaimRequestSchema,
  ReclaimFenceSchema,
  GrantSchema,
  LeaseSchema,
  ProofSchema,
  ReclaimItemSchema,
  ReclaimSchema,
  ReclaimStaleSchema,
  RunnerInfoSchema,
  WorkerReleaseSchema,
} from './agent-api.ts';
export type {
  Audit,
  AuditTask,
  ClaimRequest,
  FencedReclaim,
  Grant,
  Lease,
  Proof,
  Reclaim,
  ReclaimItem,
  ReclaimStale,
  RunnerInfo,
  StaleEvidence,
} from './agent-api.ts';
export {
  AttemptSchema,
  DEFAULT_QUEUE,
  publicSpec,
  reasons,
  SessionIdSchema,
  stopCauses,
  SubmitSchema,
  TaskIdSchema,
  taskIdTime,
  TaskSchema,
  TaskSpecSchema,
  TitleSchema,
} from './task.ts';
export type {
  Attempt,
  Attention,
  Outcome,
  PublicSpec,
  Reason,
  StopCause,
  Submit,
  Task,
  TaskClaim,
  TaskProcess,
  TaskSpec,
  Workspace,
} from './task.ts';
export { eventKinds, TaskEventSchema } from './events.ts';
export type { EventKind, EventOf, TaskEvent } from './events.ts';
export { applyEvent, IllegalTransitionError, nextStatus, transitions } from './transition.ts';
export {
  firstChain,
  formatCursor,
  formatFeedCursor,
  nextChain,
  parseCursor,
  parseFeedCursor,
} from './cursor.ts';
export type { Cursor, FeedCursor } from './cursor.ts';
export { hashContent } from './content-hash.ts';
export { durationText } from './duration.ts';
export { LiveDigest } from './digest.ts';
export type { DigestEntry } from './digest.ts';
export {
  ActivitySchema,
  AgentInfoSchema,
  ByeSchema,
  CountsSchema,
  FeedChangeSchema,
  FeedHeartbeatSchema,
  FeedHelloSchema,
  FeedResetSchema,
  HeartbeatSchema,
  HelloSchema,
  intentActions,
  isNewGeneration,
  KnowledgeSchema,
  PoolSchema,
  PROTOCOL_VERSION,
  resetReasons,
  ResetSchema,
  ShownAgentSchema,
  ShownSessionSchema,
  ShownTaskSchema,
  SNAPSHOT_PAGE,
  SnapshotEndSchema,
  SnapshotSchema,
  StateSchema,
} from './protocol.ts';
export type {
  Activity,
  ActivityEntry,
  AgentInfo,
  Bye,
  Counts,
  FeedChange,
  FeedHeartbeat,
  FeedHello,
  FeedReset,
  Heartbeat,
  Hello,
  IntentAction,
  Pool,
  Reset,
  ResetReason,
  ShownAgent,
  ShownSession,
  ShownTask,
  Snapshot,
  SnapshotEnd,
  State,
} from './protocol.ts';
export { messageOf, ProblemError, ProblemSchema, problemTypes } from './errors.ts';
export type { Problem, ProblemCode } from './errors.ts';
export { ConfigError, flagOf, loadConfig, settings } from './config.ts';
export type { Config, LoadedConfig, Runner, SettingName, Source } from './config.ts';
export { alertKinds, DEFAULT_ALERTS } from './notification-config.ts';
export type { AlertKind, NotificationChannel, NotificationsConfig } from './notification-config.ts';
export { Secret } from './secret.ts';
export { COPY_MARK, DatabaseError, isStorageError, openDatabase } from './database.ts';
export type { SqliteDatabase } from './database.ts';
export { GroupCommit } from './group-commit.ts';
export { encodeFrame, encodeText, EventStream, frameText, SSE_HEADERS } from './event-stream.ts';
export type { Note, Page, StreamSource } from './event-stream.ts';
export {
  FailureLimiter,
  guard,
  isAllowedHost,
  isLoopbackAddress,
  loadToken,
  refusal,
  secretsEqual,
} from './access.ts';
export { createApp, createLogger, createMetrics, destroyerOf, serveApp, VERSION } from './service.ts';
export type { Logger, RunningServer } from './service.ts';
export { AlreadyRunningError, takeInstanceLock } from './instance-lock.ts';
export { refuseOpenDoor, runService } from './run-service.ts';
export type { RunOptions } from './run-service.ts';
export { writeFileDurably } from './write-file.ts';
