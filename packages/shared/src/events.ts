/**
 * Events: the entries of an agent's log. An event is one numbered fact about one task and is never rewritten.
 *
 * The log is the only thing that moves between agent and web: folding the events of a task with
 * `applyEvent` (transition.ts) gives the task, on both sides the same.
 */
import { z } from '@hono/zod-openapi';
import { taskStatuses } from './status.ts';
import {
  AttentionSchema,
  ClaimSchema,
  OutcomeSchema,
  ProcessSchema,
  reasons,
  stopCauses,
  TaskSchema,
} from './task.ts';

export const eventKinds = [
  'submitted',
  'claimed',
  'started',
  'adopted',
  'requeued',
  'stopRequested',
  'reported',
  'attention',
  'completed',
  'failed',
  'cancelled',
] as const;
export type EventKind = (typeof eventKinds)[number];

const time = z.number().int();
const envelope = {
  seq: z.number().int().min(1),
  taskId: z.string(),
  sessionId: z.string(),
  attempt: z.number().int().min(0),
  at: time,
  reason: z.enum(reasons).optional(),
};
const status = z.enum(taskStatuses);
const outputFields = {
  outputBytes: z.number().int(),
  lastOutputAt: time.optional(),
  lastLine: z.string().optional(),
};
const ended = z.object({ outcome: OutcomeSchema, endedAt: time, ...outputFields });

/** A task of its own kind each, so that a reader's switch on `kind` sees exactly the data of that kind. */
export const TaskEventSchema = z
  .discriminatedUnion('kind', [
    z.object({
      ...envelope,
      kind: z.literal('submitted'),
      from: z.null(),
      to: status,
      data: z.object({ task: TaskSchema }),
    }),
    z.object({
      ...envelope,
      kind: z.literal('claimed'),
      from: status,
      to: status,
      data: z.object({ claim: ClaimSchema.optional() }).optional(),
    }),
    z.object({
      ...envelope,
      kind: z.literal('started'),
      from: status,
      to: status,
      data: z.object({ process: ProcessSchema.optional(), claim: ClaimSchema.optional() }).optional(),
    }),
    z.object({
      ...envelope,
      kind: z.literal('adopted'),
      from: status,
      to: status,
      data: z.object({ process: ProcessSchema }),
    }),
    z.object({
      ...envelope,
      kind: z.literal('requeued'),
      from: status,
      to: status,
      data: z.object({
        charged: z.boolean(),
        notBeforeAt: time.optional(),
        outcome: OutcomeSchema,
        ...outputFields,
      }),
    }),
    z.object({
      ...envelope,
      kind: z.literal('stopRequested'),
      from: status,
      to: status,
      data: z.object({ cause: z.enum(stopCauses), message: z.string().optional() }),
    }),
    z.object({
      ...envelope,
      kind: z.literal('reported'),
      from: status,
      to: status,
      data: z.object({ externalId: z.string() }),
    }),
    z.object({
      ...envelope,
      kind: z.literal('attention'),
      from: status,
      to: status,
      data: z.union([
        AttentionSchema.pick({ code: true, message: true }),
        z.object({ code: z.string(), cleared: z.literal(true) }),
      ]),
    }),
    z.object({ ...envelope, kind: z.literal('completed'), from: status, to: status, data: ended }),
    z.object({ ...envelope, kind: z.literal('failed'), from: status, to: status, data: ended }),
    z.object({ ...envelope, kind: z.literal('cancelled'), from: status, to: status, data: ended }),
  ])
  .openapi('TaskEvent');
export type TaskEvent = z.infer<typeof TaskEventSchema>;

/** The events of one kind. */
export type EventOf<K extends EventKind> = Extract<TaskEvent, { kind: K }>;
