/**
 * Output of tasks, passed through from their agents: a range of bytes, or a stream that follows.
 *
 * - Back-pressure reaches the agent: bytes are read from it as the browser's socket takes them, none are kept.
 * - A browser that leaves ends the request to the agent; an agent that breaks off cuts the answer, so that a
 *   shortened log never looks like a whole one.
 * - Only the agreed headers pass, and the type is web's own: output is bytes, never HTML.
 */
import type { IncomingMessage } from 'node:http';
import { isEnded, ProblemError, SSE_HEADERS } from '@holdfast/shared';
import { type AgentClient, AgentUnreachableError, readAnswer } from './agent-client.ts';
import { passOn } from './agent-problem.ts';
import type { TaskRow } from './session-store.ts';

export interface OutputRequest {
  row: TaskRow;
  query: { attempt?: number | undefined; offset?: number | undefined; limit?: number | undefined };
  /** EventSource's own resumption: the next offset. */
  lastEventId?: string | undefined;
  /** Aborted when the browser leaves. */
  signal: AbortSignal;
  /** Destroys the browser's connection. */
  destroy?: (() => void) | undefined;
}

export interface Outputs {
  /** Raw bytes, as `GET /tasks/:id/output` of the agent. Throws `ProblemError`. */
  read(request: OutputRequest): Promise<Response>;
  /** The agent's SSE stream of an output. Throws `ProblemError`. */
  follow(request: OutputRequest): Promise<Response>;
  /** Cuts what is under way: followers come back by themselves, at their offset. */
  stop(): void;
}

const PASSED_HEADERS = ['holdfast-output-bytes', 'holdfast-output-complete', 'content-length'];
const MOST_PROBLEM_BYTES = 64 * 1024;

export function startOutputs(options: { client: (agentId: string) => AgentClient | undefined }): Outputs {
  const underWay = new Set<AbortController>();
  let stopped = false;

  async function pass(
    request: OutputRequest,
    path: string,
    headers: Record<string, string>,
  ): Promise<IncomingMessage> {
    if (stopped) throw new ProblemError('stopping', 'Web is stopping. Ask again in a moment.');
    const { row } = request;
    const client = row.agentId === undefined ? undefined : options.client(row.agentId);
    if (client === undefined || row.task.seq === 0) {
      throw new ProblemError('agent_unreachable', 'No agent that web knows has this task’s output.');
    }
    const upstream = new AbortController();
    const abort = () => upstream.abort();
    request.signal.addEventListener('abort', abort, { once: true });
    underWay.add(upstream);
    const release = () => {
      underWay.delete(upstream);
      request.signal.removeEventListener('abort', abort);
    };
    try {
      if (request.signal.aborted) upstream.abort();
      const query = new URLSearchParams();
      for (const [key, value] of Object.entries(request.query))
        if (value !== undefined) query.set(key, String(value));
      const incoming = await client.open(`/tasks/${row.id}/${path}?${query.toString()}`, {
        headers,
        signal: upstream.signal,
      });
      incoming.once('close', release);
      if (incoming.statusCode === 200 || incoming.statusCode === 206) return incoming;
      throw await refusalOf(incoming);
    } catch (error) {
      release();
      if (!(error instanceof AgentUnreachableError)) throw error;
      throw new ProblemError(
        'agent_unreachable',
        `The output is at an agent that cannot be reached: ${error.message}.`,
        {
          cause: error,
        },
      );
    }
  }

  return {
    async read(request) {
      const { row } = request;
      if (row.task.seq === 0 && isEnded(row.status)) return noOutput();
      const incoming = await pass(request, 'output', {});
      const headers: Record<string, string> = {
        'content-type': 'application/octet-stream',
        'cache-control': 'no-store',
      };
      for (const name of PASSED_HEADERS) {
        const value = incoming.headers[name];
        if (typeof value === 'string') headers[name] = value;
      }
      return new Response(bodyOf(incoming, request.destroy), { headers });
    },
    async follow(request) {
      const { lastEventId } = request;
      const incoming = await pass(request, 'output/stream', {
        accept: 'text/event-stream',
        ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
      });
      return new Response(bodyOf(incoming, request.destroy), { headers: SSE_HEADERS });
    },
    stop() {
      stopped = true;
      for (const upstream of underWay) upstream.abort();
    },
  };
}

/** A task that ended before any agent had it wrote nothing. */
function noOutput(): Response {
  return new Response(null, {
    headers: {
      'content-type': 'application/octet-stream',
      'holdfast-output-bytes': '0',
      'holdfast-output-complete': 'true',
    },
  });
}

async function refusalOf(incoming: IncomingMessage): Promise<ProblemError> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    const source: AsyncIterable<Buffer> = incoming;
    for await (const chunk of source) {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (bytes > MOST_PROBLEM_BYTES) break;
    }
  } catch (error) {
    throw new AgentUnreachableError('the connection was cut', error);
  }
  const headers = new Headers({ 'retry-after': incoming.headers['retry-after'] ?? '' });
  const answer = readAnswer(
    { status: incoming.statusCode ?? 0, headers },
    Buffer.concat(chunks).toString('utf8'),
  );
  if (answer.kind === 'refused') return passOn(answer);
  return new ProblemError(
    'bad_agent',
    `The agent answered ${incoming.statusCode} where output was asked for.`,
  );
}

/** The bytes of `incoming`, read only when the other side has room. */
function bodyOf(incoming: IncomingMessage, destroy: (() => void) | undefined): ReadableStream<Uint8Array> {
  const chunks: AsyncIterator<Buffer> = incoming[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await chunks.next();
          if (done === true) controller.close();
          else controller.enqueue(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
        } catch (error) {
          if (destroy === undefined) {
            controller.error(error);
          } else {
            // The adaptor would end an errored answer with the error's text; a cut connection cannot be misread.
            destroy();
            controller.close();
          }
        }
      },
      cancel() {
        incoming.destroy();
      },
    },
    { highWaterMark: 0 },
  );
}
