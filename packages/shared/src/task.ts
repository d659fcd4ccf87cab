/**
 * A task: one unit of work, as an agent states it and as web passes it on.
 *
 * The schemas are the contract of protocol version 1: both services validate with them, publish them as
 * OpenAPI and derive their types from them. Times are integer milliseconds since the Unix epoch (`…At`),
 * durations end in `Ms`, sizes in `Bytes`.
 */
import { z } from '@hono/zod-openapi';
import { jsonValueSchema } from './json-value.ts';
import { taskStatuses } from './status.ts';

export const reasons = [
  'exit',
  'signal',
  'spawn_failed',
  'workspace_failed',
  'dispatch_interrupted',
  'process_vanished',
  'host_rebooted',
  'lease_expired',
  'reclaimed',
  'released',
  'timeout',
  'idle_timeout',
  'output_limit',
  'worker_completed',
  'worker_failed',
  'cancelled_by_user',
  'attempts_exhausted',
] as const;
export type Reason = (typeof reasons)[number];

/** Why an attempt is being stopped. */
export const stopCauses = ['cancel', 'reclaim', 'timeout', 'idle_timeout', 'output_limit'] as const;
export type StopCause = (typeof stopCauses)[number];

const MAX_ARGUMENT_BYTES = 128 * 1024; // Linux's MAX_ARG_STRLEN
const MAX_TASK_MS = 366 * 24 * 3600 * 1000;

/** A UUIDv7 (RFC 9562) in lower case; chosen by the submitter, which makes a repeated submit harmless. */
export const TaskIdSchema = z
  .string()
  .regex(
    /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    'must be a UUIDv7 in lower case',
  )
  .openapi({ example: '019a9f0e-7c00-7000-8000-000000000001' });

/** The time inside a UUIDv7, in ms since the epoch. */
export function taskIdTime(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

export const SessionIdSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    'must be 1 to 128 of A–Z a–z 0–9 . _ - and begin with a letter or digit',
  );

/** A string that reaches argv or the environment: no NUL, and no longer than the kernel takes. */
const ArgumentSchema = z
  .string()
  .refine((s) => !s.includes('\0'), 'must not contain NUL')
  .refine(
    (s) => Buffer.byteLength(s) < MAX_ARGUMENT_BYTES,
    'must be shorter than 128 KiB (the kernel’s limit)',
  );

const EnvironmentNameSchema = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, 'must be an identifier: letters, digits and _');

const EnvironmentSchema = z.record(EnvironmentNameSchema, ArgumentSchema).superRefine((env, context) => {
  for (const [name, value] of Object.entries(env)) {
    // The kernel's limit is on the whole string `NAME=value`.
    if (Buffer.byteLength(name) + 1 + Buffer.byteLength(value) < MAX_ARGUMENT_BYTES) continue;
    const message = 'must be, with its name, shorter than 128 KiB (the kernel’s limit)';
    context.addIssue({ code: 'custom', path: [name], message });
  }
});

const DurationSchema = z.number().int().min(1).max(MAX_TASK_MS);

const WorkspaceSchema = z.union([
  z.strictObject({ dir: ArgumentSchema }),
  z.strictObject({ worktree: z.strictObject({ repo: ArgumentSchema, ref: ArgumentSchema }) }),
]);
export type Workspace = z.infer<typeof WorkspaceSchema>;

const RetrySchema = z.strictObject({
  maxAttempts: z.number().int().min(1).max(100).optional(),
  on: z
    .array(z.enum(['lost', 'failed']))
    .max(2)
    .optional(),
});

const specFields = {
  command: z.array(ArgumentSchema).min(1).max(1000).optional(),
  shell: ArgumentSchema.optional(),
  runner: z.string().min(1).max(64).optional(),
  prompt: ArgumentSchema.optional(),
  cwd: ArgumentSchema.optional(),
  workspace: WorkspaceSchema.optional(),
  timeoutMs: DurationSchema.optional(),
  idleTimeoutMs: DurationSchema.optional(),
  retry: RetrySchema.optional(),
  concurrencyKey: z.string().min(1).max(256).optional(),
  keepLeftovers: z.boolean().optional(),
  payload: jsonValueSchema().optional(),
};

/** What to run, as submitted. `env` holds values, which never leave the agent that accepted them. */
export const TaskSpecSchema = z
  .strictObject({ ...specFields, env: EnvironmentSchema.optional() })
  .openapi('TaskSpec');
export type TaskSpec = z.infer<typeof TaskSpecSchema>;

/** A spec as readers see it: of the environment only the names. */
const PublicSpecSchema = z
  .object({ ...specFields, env: z.array(z.string()).optional() })
  .openapi('PublicSpec');
export type PublicSpec = z.infer<typeof PublicSpecSchema>;

export function publicSpec(spec: TaskSpec): PublicSpec {
  const { env, ...rest } = spec;
  return env === undefined ? rest : { ...rest, env: Object.keys(env).toSorted() };
}

export const DEFAULT_QUEUE = 'default';
export const QueueSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 of A–Z a–z 0–9 . _ -');
const LabelsSchema = z
  .record(
    z
      .string()
      .regex(
        /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/,
        'must be 1 to 63 of A–Z a–z 0–9 . _ / - and begin with a letter or digit',
      ),
    z.string().max(256),
  )
  .refine((labels) => Object.keys(labels).length <= 64, 'at most 64 labels');
export const TitleSchema = z.string().min(1).max(512);
const ExternalIdSchema = z.string().min(1).max(512);

/** The body of `POST /tasks`. */
export const SubmitSchema = z
  .strictObject({
    id: TaskIdSchema,
    sessionId: SessionIdSchema,
    title: TitleSchema.optional(),
    spec: TaskSpecSchema,
    queue: QueueSchema.optional(),
    priority: z.number().int().min(-1000).max(1000).optional(),
    labels: LabelsSchema.optional(),
    externalId: ExternalIdSchema.optional(),
  })
  .superRefine((submit, context) => {
    const { spec } = submit;
    // A task of another queue is its worker's to read, all of it.
    if ((submit.queue ?? DEFAULT_QUEUE) !== DEFAULT_QUEUE) return;
    const ways = [spec.command, spec.shell, spec.runner].filter((way) => way !== undefined).length;
    if (ways !== 1) {
      context.addIssue({
        code: 'custom',
        path: ['spec'],
        message:
          'needs exactly one of command, shell or runner (a task of another queue is its worker’s to read)',
      });
    }
    if (spec.runner !== undefined && spec.prompt === undefined) {
      context.addIssue({ code: 'custom', path: ['spec', 'prompt'], message: 'is required with runner' });
    }
  })
  .openapi('Submit');
export type Submit = z.infer<typeof SubmitSchema>;

const time = z.number().int().openapi({ description: 'milliseconds since the Unix epoch' });

export const OutcomeSchema = z
  .object({
    reason: z.enum(reasons),
    exitCode: z.number().int().optional(),
    signal: z.string().optional(),
    message: z.string().optional(),
    result: z.unknown().optional(),
  })
  .openapi('Outcome');
export type Outcome = z.infer<typeof OutcomeSchema>;

/** The group that runs an attempt: `pid` is its leader, `startedAt` its start, `verifiedAt` when it was last seen. */
export const ProcessSchema = z
  .object({ pid: z.number().int(), startedAt: time, verifiedAt: time })
  .openapi('TaskProcess');
export type TaskProcess = z.infer<typeof ProcessSchema>;

export const ClaimSchema = z
  .object({
    worker: z.string(),
    leaseExpiresAt: time,
    lastHeartbeatAt: time,
    progress: z.unknown().optional(),
  })
  .openapi('TaskClaim');
export type TaskClaim = z.infer<typeof ClaimSchema>;

export const AttentionSchema = z
  .object({ code: z.string(), message: z.string(), sinceAt: time })
  .openapi('Attention');
export type Attention = z.infer<typeof AttentionSchema>;

/** A task as its agent states it. `seq` is the number of its last event. */
export const TaskSchema = z
  .object({
    id: TaskIdSchema,
    sessionId: SessionIdSchema,
    externalId: z.string().optional(),
    agentId: z.string(),
    title: z.string().optional(),
    spec: PublicSpecSchema,
    status: z.enum(taskStatuses),
    attempt: z.number().int(),
    queue: z.string(),
    priority: z.number().int(),
    labels: z.record(z.string(), z.string()),
    retryOf: z.string().optional(),
    seq: z.number().int(),
    createdAt: time,
    /** When it came to its status; absent for one that was only submitted, and of an older agent. */
    statusAt: time.optional(),
    startedAt: time.optional(),
    endedAt: time.optional(),
    notBeforeAt: time.optional(),
    stopRequested: z
      .object({ cause: z.enum(stopCauses), at: time, message: z.string().optional() })
      .optional(),
    claim: ClaimSchema.optional(),
    process: ProcessSchema.optional(),
    outcome: OutcomeSchema.optional(),
    outputBytes: z.number().int(),
    lastOutputAt: time.optional(),
    /** The last line of its output, as plain text, at most 200 characters. */
    lastLine: z.string().optional(),
    attention: z.array(AttentionSchema).optional(),
  })
  .openapi('Task');
export type Task = z.infer<typeof TaskSchema>;

/** One execution of a task, as `GET /tasks/:id/attempts` lists it. */
export const AttemptSchema = z
  .object({
    attempt: z.number().int(),
    claimedAt: time,
    startedAt: time.optional(),
    endedAt: time.optional(),
    pid: z.number().int().optional(),
    bootId: z.string().optional(),
    /** Who claimed it, if somebody besides the agent did. */
    worker: z.string().optional(),
    outcome: OutcomeSchema.optional(),
    outputBytes: z.number().int(),
  })
  .openapi('Attempt');
export type Attempt = z.infer<typeof AttemptSchema>;
