/** `/tasks/:id/output`: the log of an attempt, as bytes by range or as a stream that follows it. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { isTerminal, ProblemError, type Task } from '@holdfast/shared';
import type { AttemptStore } from '../attempts.ts';
import type { Journal } from '../journal.ts';
import { followOutput, outputBody, outputSize, type OutputState } from '../output.ts';
import { noSuchTask } from '../queue.ts';
import { runDirectory } from '../run-directory.ts';
import { problem, taskParams } from './tasks.ts';

export interface OutputRoutesOptions {
  journal: Journal;
  attempts: AttemptStore;
  home: string;
  /** Calls the listener when streams have to end; returns how to stop. */
  onStop: (listener: () => void) => () => void;
}

const attempt = z.coerce.number().int().min(1).optional();
const offset = z.coerce.number().int().min(0).optional();
const limit = z.coerce.number().int().min(1).optional();

const read = createRoute({
  method: 'get',
  path: '/tasks/{id}/output',
  summary: 'The output of an attempt, raw; default: the last attempt, from 0, all of it',
  description:
    'Headers: `holdfast-output-bytes` (its size so far), `holdfast-output-complete` (whether it can still grow).',
  request: { params: taskParams, query: z.object({ attempt, offset, limit }) },
  responses: {
    200: {
      description: 'The bytes',
      content: { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } },
    },
    404: problem('no_such_task, no_such_attempt'),
  },
});

const follow = createRoute({
  method: 'get',
  path: '/tasks/{id}/output/stream',
  summary: 'The output of an attempt as it grows',
  description:
    'Frames: output { offset, text } with id = next offset, gap { from, to, why }, end { bytes, status, outcome }.',
  request: { params: taskParams, query: z.object({ attempt, offset }) },
  responses: {
    200: { description: 'The stream', content: { 'text/event-stream': { schema: z.string() } } },
    404: problem('no_such_task, no_such_attempt'),
  },
});

export function addOutputRoutes(app: OpenAPIHono, options: OutputRoutesOptions): void {
  const { journal, attempts, home, onStop } = options;

  /** The attempt that was asked for, else the last one; 0 and no log while there is none. */
  const find = (id: string, wanted: number | undefined): { number: number; path: string | undefined } => {
    const task = journal.record(id)?.task;
    if (task === undefined) throw noSuchTask(id);
    const number = wanted ?? task.attempt;
    const known = number === 0 ? undefined : attempts.get(id, number);
    if (known === undefined && wanted !== undefined) {
      const message = `The task has no attempt ${wanted}; its last one is ${task.attempt}.`;
      throw new ProblemError('no_such_attempt', message);
    }
    const path = known === undefined ? undefined : runDirectory(home, id, number, known.launchId).outputPath;
    return { number, path };
  };

  const stateOf = (id: string, number: number): OutputState => {
    const task = journal.record(id)?.task;
    if (task === undefined) return { complete: true };
    if (!isSettled(task, number)) return { complete: false };
    return { complete: true, status: task.status, outcome: attempts.outcomeOf(id, number) ?? task.outcome };
  };

  app.openapi(read, async (context) => {
    const { id } = context.req.valid('param');
    const query = context.req.valid('query');
    const { number, path } = find(id, query.attempt);
    // The state before the size: what was written before the settlement is then within it.
    const { complete } = stateOf(id, number);
    const size = path === undefined ? 0 : ((await outputSize(path)) ?? 0);
    const from = Math.min(query.offset ?? 0, size);
    const end = query.limit === undefined ? size : Math.min(size, from + query.limit);
    const headers = {
      'content-type': 'application/octet-stream',
      'content-length': String(end - from),
      'holdfast-output-bytes': String(size),
      'holdfast-output-complete': String(complete),
      'holdfast-output-attempt': String(number),
    };
    return context.body(
      path === undefined || end === from ? '' : outputBody(path, from, end),
      200,
      headers,
    ) as never;
  });

  app.openapi(follow, (context) => {
    const { id } = context.req.valid('param');
    const query = context.req.valid('query');
    let found = find(id, query.attempt);
    const attempt = () => {
      // Whoever follows a task that waits follows its next attempt.
      if (found.number === 0 && journal.record(id) !== undefined) found = find(id, undefined);
      return found;
    };
    const resumed = Number(context.req.header('last-event-id') ?? Number.NaN);
    return followOutput({
      path: () => attempt().path,
      offset: Number.isSafeInteger(resumed) && resumed >= 0 ? resumed : (query.offset ?? 0),
      state: () => stateOf(id, attempt().number),
      onStateChange: (listener) =>
        journal.onCommit((changed) => {
          if (changed.has(id)) listener();
        }),
      onStop,
    });
  });
}

function isSettled(task: Task, attempt: number): boolean {
  return (
    isTerminal(task.status) ||
    task.attempt > attempt ||
    (task.status === 'queued' && task.attempt === attempt && attempt > 0)
  );
}
