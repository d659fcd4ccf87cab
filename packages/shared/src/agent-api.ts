/**
 * What the agent's REST takes and answers besides tasks (PROTOCOL.md §3), shared by the agent, by web that passes
 * some of it on, and by the CLI.
 */
import { z } from '@hono/zod-openapi';
import { parseCursor } from './cursor.ts';
import { jsonValueSchema } from './json-value.ts';
import { DEFAULT_QUEUE, QueueSchema, TaskIdSchema, TaskSchema } from './task.ts';

const time = z.number().int();

// ── Claims: tasks of a named queue, worked on by somebody whom the agent did not start ─────────────────────

/** Lease bounds, ms. */
const LEAST_LEASE_MS = 5000;
const MOST_LEASE_MS = 3_600_000;
/** How long a claim may wait for a task, ms. */
const MOST_CLAIM_WAIT_MS = 60_000;

/** Of the progress of a claim, which every reader is told of once a second. */
const MOST_PROGRESS_BYTES = 16 * 1024;

const WorkerSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$/,
    'must be 1 to 128 of A–Z a–z 0–9 . _ : @ / - and begin with a letter or digit',
  );

export const ClaimRequestSchema = z
  .strictObject({
    /** Chosen by the worker: the same id gets the same claim again, so a lost answer is harmless. */
    claimId: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'must be 1 to 128 of A–Z a–z 0–9 . _ -'),
    queue: QueueSchema.refine(
      (queue) => queue !== DEFAULT_QUEUE,
      'the tasks of "default" are run by the agent itself; claim from a queue of your own',
    ),
    worker: WorkerSchema,
    leaseMs: z.number().int().min(LEAST_LEASE_MS).max(MOST_LEASE_MS).optional(),
    /** How long to wait for a task, if there is none now; 0 by default. */
    waitMs: z.number().int().min(0).max(MOST_CLAIM_WAIT_MS).optional(),
  })
  .openapi('ClaimRequest');
export type ClaimRequest = z.infer<typeof ClaimRequestSchema>;

/** A claim that was granted. `token` is the fence: only its holder may say how this attempt went. */
export const GrantSchema = z
  .object({
    task: TaskSchema,
    /** The values of `spec.env`: whoever runs the task needs them; no other reader gets them. */
    env: z.record(z.string(), z.string()).optional(),
    claim: z.object({ token: z.string(), attempt: z.number().int(), leaseExpiresAt: time }),
  })
  .openapi('Grant');
export type Grant = z.infer<typeof GrantSchema>;

export const ClaimHeartbeatSchema = z
  .strictObject({ progress: jsonValueSchema(MOST_PROGRESS_BYTES).optional() })
  .openapi('ClaimHeartbeat');
export const LeaseSchema = z
  .object({ leaseExpiresAt: time, cancelRequested: z.boolean() })
  .openapi('ClaimLease');
export type Lease = z.infer<typeof LeaseSchema>;

export const ClaimCompleteSchema = z
  .strictObject({ result: jsonValueSchema().optional() })
  .openapi('ClaimComplete');
export const ClaimFailSchema = z
  .strictObject({ message: z.string().min(1).max(4000), retryable: z.boolean().optional() })
  .openapi('ClaimFail');
export const WorkerReleaseSchema = z.strictObject({ worker: WorkerSchema }).openapi('WorkerRelease');

// ── Reclaim ────────────────────────────────────────────────────────────────────────────────────────────────

export const ReclaimSchema = z
  .strictObject({
    /** The attempt to be given up: another one is left alone. */
    attempt: z.number().int().min(1),
    /** Why, in a person's words. */
    reason: z.string().min(1).max(500),
  })
  .openapi('Reclaim');
export type Reclaim = z.infer<typeof ReclaimSchema>;

/**
 * Of which journal the attempt of a reclaim is. In the query and not in the body: an agent that does not know it ignores it,
 * where it would refuse a body with a field that it does not know.
 */
export const ReclaimFenceSchema = z.object({
  /**
   * A place in the log in which the attempt has this number: attempts are numbered anew in another journal. The reclaim
   * is refused by a journal that does not continue it.
   */
  cursor: z
    .string()
    .refine((text) => parseCursor(text) !== undefined, 'must be a cursor, "<epoch>.<seq>.<chain>"')
    .optional(),
});
export type FencedReclaim = Reclaim & z.infer<typeof ReclaimFenceSchema>;

/** Why an attempt counts as stale. A task whose process was verified is never stale, however quiet. */
const staleEvidence = ['lease_expired', 'claim_silent', 'probe_failed'] as const;
export type StaleEvidence = (typeof staleEvidence)[number];

export const ReclaimStaleSchema = z
  .strictObject({
    /** Only attempts that began at least so long ago. */
    olderThanMs: z.number().int().min(0).optional(),
    /** Only tasks that have used at most so many attempts. */
    maxAttempts: z.number().int().min(1).optional(),
    /** Say what would be done, and do nothing. */
    dryRun: z.boolean().optional(),
  })
  .openapi('ReclaimStale');
export type ReclaimStale = z.infer<typeof ReclaimStaleSchema>;

export const ReclaimItemSchema = z
  .object({
    taskId: TaskIdSchema,
    attempt: z.number().int(),
    evidence: z.object({ code: z.enum(staleEvidence), message: z.string(), sinceAt: time }),
    /** What is done to it: a claim is taken back at once, a process is stopped first. */
    action: z.enum(['requeue', 'stop']),
    /**
     * `wouldReclaim`: a dry run. `reclaimed`: it waits for its next attempt. `stopping`: it will, once its processes
     * are gone. `changed`: it was no longer stale. `cancelled`, `failed`: so it ended, since it was cancelled before or
     * had been given up too often. Else the code of the problem that came up.
     */
    result: z.string(),
    message: z.string().optional(),
  })
  .openapi('ReclaimItem');
export type ReclaimItem = z.infer<typeof ReclaimItemSchema>;

// ── Audit ──────────────────────────────────────────────────────────────────────────────────────────────────

/** What proves that somebody works on a live task, as it was seen just now. */
export const ProofSchema = z
  .discriminatedUnion('kind', [
    /** This agent is preparing or launching it. */
    z.object({ kind: z.literal('dispatching'), sinceAt: time }),
    /** Its shim was verified: pid, start time, boot. `others`: further living processes of the attempt. */
    z.object({
      kind: z.literal('process'),
      pid: z.number().int(),
      startedAt: time,
      bootId: z.string(),
      others: z.number().int(),
    }),
    /** It has ended and is about to be put on record. */
    z.object({ kind: z.literal('record'), exitCode: z.number().int(), endedAt: time }),
    /** It is being stopped: the ladder holds these processes. */
    z.object({ kind: z.literal('stopping'), pids: z.array(z.number().int()) }),
    /** A worker holds a lease that has not run out. */
    z.object({
      kind: z.literal('lease'),
      worker: z.string(),
      leaseExpiresAt: time,
      lastHeartbeatAt: time,
    }),
    /** The look failed: that says nothing (P10). */
    z.object({ kind: z.literal('unseen'), message: z.string() }),
  ])
  .openapi('Proof');
export type Proof = z.infer<typeof ProofSchema>;

export const AuditTaskSchema = z
  .object({ taskId: z.string(), attempt: z.number().int(), proof: ProofSchema, verifiedAt: time })
  .openapi('AuditTask');
export type AuditTask = z.infer<typeof AuditTaskSchema>;

export const AuditSchema = z
  .object({
    at: time,
    /** Every `starting` or `running` task with its proof. */
    tasks: z.array(AuditTaskSchema),
    /** Live rows that nothing works on. */
    ghosts: z.array(
      z.object({
        taskId: z.string(),
        attempt: z.number().int(),
        status: z.string(),
        message: z.string(),
      }),
    ),
    /** Living processes with this agent's marker that belong to no live row. */
    strays: z.array(
      z.object({
        pid: z.number().int(),
        startedAt: time,
        taskId: z.string(),
        attempt: z.number().int(),
        message: z.string(),
      }),
    ),
    /**
     * Worktrees of attempts that are over, kept because they hold work that is nowhere else. The agent never removes
     * them, not even when it forgets the task: `git worktree remove` is for a person.
     */
    worktrees: z
      .array(z.object({ taskId: z.string(), attempt: z.number().int(), path: z.string() }))
      .optional(),
  })
  .openapi('Audit');
export type Audit = z.infer<typeof AuditSchema>;

// ── Runners ────────────────────────────────────────────────────────────────────────────────────────────────

export const RunnerInfoSchema = z
  .object({
    name: z.string(),
    command: z.array(z.string()),
    resume: z.array(z.string()).optional(),
    /** Where the program was found; absent if it is not on the PATH that tasks get. */
    executable: z.string().optional(),
    /** From config.json, or one that comes with Holdfast. */
    source: z.enum(['config', 'builtin']),
  })
  .openapi('RunnerInfo');
export type RunnerInfo = z.infer<typeof RunnerInfoSchema>;
