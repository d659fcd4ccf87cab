/**
 * HTTP calls to one agent.
 *
 * - Whatever comes back is told apart: an answer that was asked for, a refusal, or none at all
 *   (`AgentUnreachableError`). Nothing is tried again here.
 * - The token goes to the agent's own address only: redirects are not followed.
 * - An answer is read up to a bound, so that no agent can fill web's memory.
 */
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { ProblemSchema } from '@holdfast/shared';
import { explainNoAnswer } from '@holdfast/shared/no-answer';
import { startTimer } from './timers.ts';

export type Fetch = typeof globalThis.fetch;

export type AgentAnswer =
  | { kind: 'ok'; status: number; body: unknown }
  /** Any other status. `code` is there if the agent itself answered, with a problem; a proxy sends none. */
  | {
      kind: 'refused';
      status: number;
      message: string;
      code?: string;
      retryAfterMs?: number;
      problem?: AgentProblem;
    };

interface AgentProblem {
  code: string;
  detail: string;
  errors?: { pointer: string; detail: string }[];
  taskStatus?: string;
}

/** No answer: refused, cut off, timed out, or not HTTP. */
export class AgentUnreachableError extends Error {
  readonly code = 'agent_unreachable';
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'AgentUnreachableError';
  }
}

export interface AgentClient {
  /** One call. Throws `AgentUnreachableError` if no whole answer came within `timeoutMs` (10 s). */
  call(method: 'GET' | 'POST' | 'PATCH', path: string, options?: CallOptions): Promise<AgentAnswer>;
  /**
   * A body that is read as it comes, however long it lasts. The head must come within 10 s; `signal` ends it at
   * any time. Throws `AgentUnreachableError`.
   */
  open(
    path: string,
    options: { headers?: Record<string, string>; signal: AbortSignal },
  ): Promise<IncomingMessage>;
}

interface CallOptions {
  body?: unknown;
  signal?: AbortSignal;
  timeoutMs?: number;
}

export interface AgentClientOptions {
  /** Where the agent is, without a slash at the end. */
  url: string;
  token: string;
  fetch?: Fetch;
}

const TIMEOUT_MS = 10_000;
const MOST_ANSWER_BYTES = 16 * 1024 * 1024;
const MOST_WAIT_MS = 60_000;

export function createAgentClient(options: AgentClientOptions): AgentClient {
  const { url, token, fetch = globalThis.fetch } = options;
  const authorization = `Bearer ${token}`;

  return {
    async call(method, path, { body, signal, timeoutMs = TIMEOUT_MS } = {}) {
      using deadline = startDeadline(timeoutMs, signal);
      try {
        const response = await fetch(`${url}${path}`, {
          method,
          redirect: 'manual',
          signal: deadline.signal,
          headers: {
            authorization,
            accept: 'application/json',
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        return readAnswer(response, await readText(response));
      } catch (error) {
        throw new AgentUnreachableError(whyUnreachable(error, timeoutMs), error);
      }
    },

    open(path, { headers = {}, signal }) {
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      const target = new URL(`${url}${path}`);
      // fetch ends a body that is silent for 300 s, as the log of a quiet task is.
      const open = target.protocol === 'https:' ? requestHttps : requestHttp;
      const sent = open(target, { headers: { ...headers, authorization }, signal });
      const head = setTimeout(() => sent.destroy(timeIsOver()), TIMEOUT_MS);
      sent.on('response', (incoming) => {
        clearTimeout(head);
        resolve(incoming);
      });
      // Stays on for errors after the head, which end `incoming` as well and are seen there.
      sent.on('error', (error) => {
        clearTimeout(head);
        reject(new AgentUnreachableError(whyUnreachable(error, TIMEOUT_MS), error));
      });
      sent.end();
      return promise;
    },
  };
}

/**
 * A signal that aborts after `timeoutMs`, or when `signal` does, until it is disposed of. `AbortSignal.timeout` and `.any`
 * stay in memory for the whole of the time-out, however soon the answer came: 15 MB of them in a busy web.
 */
function startDeadline(timeoutMs: number, signal: AbortSignal | undefined) {
  const controller = new AbortController();
  const timer = startTimer(() => controller.abort(timeIsOver()), timeoutMs);
  const follow = () => controller.abort(signal?.reason);
  if (signal?.aborted === true) follow();
  signal?.addEventListener('abort', follow);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      timer.cancel();
      signal?.removeEventListener('abort', follow);
    },
  };
}

function timeIsOver(): DOMException {
  return new DOMException('The time is over', 'TimeoutError');
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MOST_ANSWER_BYTES)
      throw new NoAgentAnswerError(`the answer is longer than ${MOST_ANSWER_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** What an answer's status and text mean. A success that is not JSON is no answer of an agent. */
export function readAnswer(response: Pick<Response, 'status' | 'headers'>, text: string): AgentAnswer {
  const { status } = response;
  if (status >= 200 && status < 300) {
    try {
      return { kind: 'ok', status, body: text === '' ? undefined : JSON.parse(text) };
    } catch (error) {
      throw new NoAgentAnswerError('its answer is not JSON', { cause: error });
    }
  }
  const problem = readProblem(text);
  const retryAfterMs = readRetryAfter(response.headers.get('retry-after'));
  return {
    kind: 'refused',
    status,
    message: problem?.detail ?? `the agent's address answered ${status}`,
    ...(problem === undefined ? {} : { code: problem.code, problem }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function readProblem(text: string): AgentProblem | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // A proxy's page, not the agent's word; the status is all that it says.
    return undefined;
  }
  const parsed = ProblemSchema.pick({ code: true, detail: true, errors: true, taskStatus: true }).safeParse(
    value,
  );
  if (!parsed.success) return undefined;
  const { code, detail, errors, taskStatus } = parsed.data;
  return {
    code,
    detail,
    ...(errors === undefined ? {} : { errors }),
    ...(taskStatus === undefined ? {} : { taskStatus }),
  };
}

function readRetryAfter(header: string | null): number | undefined {
  if (header === null || !/^\d{1,6}$/.test(header)) return undefined;
  return Math.min(Number(header) * 1000, MOST_WAIT_MS);
}

/** What came is no answer of an agent; the message says why. */
class NoAgentAnswerError extends Error {
  readonly code = 'no_agent_answer';
}

function whyUnreachable(error: unknown, timeoutMs: number): string {
  return error instanceof NoAgentAnswerError ? error.message : explainNoAnswer(error, timeoutMs).text;
}
