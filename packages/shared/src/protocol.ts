/**
 * The frames of both streams, protocol version 1.
 *
 * Versions:
 * - 1: hello, reset, snapshot, snapshotEnd, task, activity, heartbeat, bye (agent → web);
 *      hello, change, heartbeat, reset, bye (web → browser).
 *
 * Adding a field or an event name needs no new version: readers ignore what they do not know.
 */
import { z } from '@hono/zod-openapi';
import { agentStates, doubtReasons, shownStatuses, taskStatuses } from './status.ts';
import { AttentionSchema, TaskSchema } from './task.ts';

export const PROTOCOL_VERSION = 1;
/** Most tasks in one `snapshot` frame. */
export const SNAPSHOT_PAGE = 500;

const time = z.number().int();

// ── Agent → web ────────────────────────────────────────────────────────────────────────────────────────────

export const resetReasons = ['no_cursor', 'bad_cursor', 'epoch', 'too_old', 'ahead', 'diverged'] as const;
export type ResetReason = (typeof resetReasons)[number];

/** After these resets the journal is another one: what the reader held of it is replaced, whatever its seq. */
export function isNewGeneration(reason: ResetReason): boolean {
  return reason === 'epoch' || reason === 'ahead' || reason === 'diverged';
}

export const PoolSchema = z
  .object({
    slots: z.number().int(),
    running: z.number().int(),
    queued: z.number().int(),
    paused: z.boolean(),
    draining: z.boolean(),
    /** Tasks that workers hold; they take no slot. */
    claimed: z.number().int().optional(),
    /** Why the agent itself starts nothing, or what else of it a person should see (`low_disk`). */
    attention: z.array(AttentionSchema).optional(),
  })
  .openapi('Pool');
export type Pool = z.infer<typeof PoolSchema>;

export const HelloSchema = z
  .object({
    protocol: z.number().int(),
    agentId: z.string(),
    name: z.string(),
    version: z.string(),
    epoch: z.string(),
    instance: z.string(),
    head: z.number().int(),
    floor: z.number().int(),
    heartbeatMs: z.number().int(),
    /** Time between two sweeps of the agent over its live tasks: what `sweptAt` is measured by. */
    sweepMs: z.number().int().optional(),
    resume: z.enum(['replay', 'reset']),
  })
  .openapi('AgentHello');
export type Hello = z.infer<typeof HelloSchema>;

export const ResetSchema = z
  .object({
    reason: z.enum(resetReasons),
    floor: z.number().int(),
    floorChain: z.string(),
    tasks: z.number().int(),
  })
  .openapi('AgentReset');
export type Reset = z.infer<typeof ResetSchema>;

export const SnapshotSchema = z
  .object({ tasks: z.array(TaskSchema).max(SNAPSHOT_PAGE) })
  .openapi('AgentSnapshot');
export type Snapshot = z.infer<typeof SnapshotSchema>;

export const SnapshotEndSchema = z
  .object({ seq: z.number().int(), chain: z.string(), tasks: z.number().int() })
  .openapi('AgentSnapshotEnd');
export type SnapshotEnd = z.infer<typeof SnapshotEndSchema>;

export const ActivitySchema = z
  .object({
    tasks: z.array(
      z.object({
        id: z.string(),
        attempt: z.number().int(),
        outputBytes: z.number().int(),
        lastOutputAt: time.optional(),
        lastLine: z.string().optional(),
        /** Of a claim: what its worker said with its last heartbeat, and how long that holds. */
        progress: z.unknown().optional(),
        leaseExpiresAt: time.optional(),
        lastHeartbeatAt: time.optional(),
      }),
    ),
  })
  .openapi('AgentActivity');
export type Activity = z.infer<typeof ActivitySchema>;
export type ActivityEntry = Activity['tasks'][number];

export const HeartbeatSchema = z
  .object({
    at: time,
    head: z.number().int(),
    chain: z.string(),
    floor: z.number().int(),
    liveDigest: z.string(),
    live: z.number().int(),
    journalOk: z.boolean(),
    sweptAt: time,
    pool: PoolSchema,
  })
  .openapi('AgentHeartbeat');
export type Heartbeat = z.infer<typeof HeartbeatSchema>;

export const ByeSchema = z
  .object({ reason: z.enum(['shutdown', 'slow']), retryMs: z.number().int() })
  .openapi('Bye');
export type Bye = z.infer<typeof ByeSchema>;

/** `GET /agent`: who the agent is, and its last heartbeat. */
export const AgentInfoSchema = HelloSchema.omit({ resume: true })
  .extend(HeartbeatSchema.omit({ head: true, floor: true }).shape)
  .openapi('AgentInfo');
export type AgentInfo = z.infer<typeof AgentInfoSchema>;

// ── Web → people ───────────────────────────────────────────────────────────────────────────────────────────

export const intentActions = ['submit', 'cancel', 'retry', 'reclaim'] as const;
export type IntentAction = (typeof intentActions)[number];

export const KnowledgeSchema = z
  .object({
    state: z.enum(['live', 'stale', 'unknown']),
    asOf: time,
    reason: z.enum(doubtReasons).optional(),
  })
  .openapi('Knowledge');

/** A task as web shows it. `agentId` is absent until an agent was chosen. */
export const ShownTaskSchema = TaskSchema.omit({ status: true, agentId: true })
  .extend({
    agentId: z.string().optional(),
    status: z.enum(shownStatuses),
    /** When web last changed this row. */
    updatedAt: time,
    knowledge: KnowledgeSchema,
    pending: z
      .array(
        z.object({
          intent: z.string(),
          action: z.enum(intentActions),
          sinceAt: time,
          lastError: z.string().optional(),
        }),
      )
      .optional(),
    /** What was known last, while a doubt or a person's verdict stands in its place. */
    lastStatus: z.enum([...taskStatuses, 'submitted']).optional(),
    unknownSince: time.optional(),
    /** The newest action that the agent refused, until the next one. */
    refused: z.object({ action: z.enum(intentActions), message: z.string(), at: time }).optional(),
    /** A person's verdict on an unknown task. */
    verdict: z.object({ at: time, note: z.string().optional() }).optional(),
  })
  .openapi('ShownTask');
export type ShownTask = z.infer<typeof ShownTaskSchema>;

export const CountsSchema = z.partialRecord(z.enum(shownStatuses), z.number().int()).openapi('Counts');
export type Counts = z.infer<typeof CountsSchema>;

export const ShownSessionSchema = z
  .object({
    id: z.string(),
    title: z.string().optional(),
    archived: z.boolean(),
    createdAt: time,
    updatedAt: time,
    status: z.enum([...shownStatuses, 'empty']),
    counts: CountsSchema,
  })
  .openapi('Session');
export type ShownSession = z.infer<typeof ShownSessionSchema>;

export const ShownAgentSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    url: z.string(),
    version: z.string().optional(),
    state: z.enum(agentStates),
    /** The last time the agent vouched for its tasks; 0 if it never did. */
    asOf: time,
    reason: z.enum(doubtReasons).optional(),
    /** What went wrong with the link, in words for a person. */
    detail: z.string().optional(),
    pool: PoolSchema.optional(),
    /** Events that the agent has and web has not applied yet, as of the last heartbeat. */
    lag: z.number().int(),
    /** Whether the live digests were equal when they were last compared; absent if they never were. */
    digestOk: z.boolean().optional(),
    heartbeatMs: z.number().int().optional(),
    /**
     * How far the agent's clock is ahead of web's, as its heartbeats show it; negative: behind. Absent while it is not
     * known, and within 2 s, which delays on the way explain as well.
     */
    clockAheadMs: z.number().int().optional(),
    reconnects: z.number().int(),
    /** While resyncing: how far. */
    progress: z.object({ done: z.number().int(), of: z.number().int() }).optional(),
  })
  .openapi('ShownAgent');
export type ShownAgent = z.infer<typeof ShownAgentSchema>;

export const StateSchema = z
  .object({
    agents: z.array(ShownAgentSchema),
    counts: CountsSchema,
    cursor: z.string(),
    version: z.string(),
    /** Notification channels whose newest message was not delivered. */
    failingChannels: z.array(z.string()).optional(),
  })
  .openapi('State');
export type State = z.infer<typeof StateSchema>;

export const FeedHelloSchema = z
  .object({
    protocol: z.number().int(),
    version: z.string(),
    epoch: z.string(),
    at: time,
    heartbeatMs: z.number().int(),
    /** The newest version as the connection begins: how far a reader that is behind has to go. */
    head: z.number().int().optional(),
  })
  .openapi('FeedHello');
export type FeedHello = z.infer<typeof FeedHelloSchema>;

/** Rows whose version is above the reader's, each in its newest state. */
export const FeedChangeSchema = z
  .object({
    tasks: z.array(ShownTaskSchema).optional(),
    sessions: z.array(ShownSessionSchema).optional(),
    agents: z.array(ShownAgentSchema).optional(),
    removed: z.array(z.object({ kind: z.enum(['task', 'session', 'agent']), id: z.string() })).optional(),
    counts: CountsSchema.optional(),
  })
  .openapi('FeedChange');
export type FeedChange = z.infer<typeof FeedChangeSchema>;

export const FeedHeartbeatSchema = z
  .object({
    at: time,
    version: z.number().int(),
    agents: z.array(z.object({ id: z.string(), state: z.enum(agentStates), asOf: time })),
    /** As in `State`. */
    failingChannels: z.array(z.string()).optional(),
  })
  .openapi('FeedHeartbeat');
export type FeedHeartbeat = z.infer<typeof FeedHeartbeatSchema>;

export const FeedResetSchema = z
  .object({ reason: z.enum(['no_cursor', 'bad_cursor', 'epoch', 'too_old', 'ahead']) })
  .openapi('FeedReset');
export type FeedReset = z.infer<typeof FeedResetSchema>;
