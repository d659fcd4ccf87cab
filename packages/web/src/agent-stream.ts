/**
 * One connection to an agent's `/events`, with the package `eventsource` as its parser.
 *
 * The package stops for good on any status but 200, has no first cursor and no back-off of its own, and moves its
 * last id though its reader failed. So it is given one connection to read and no more: the cursor and the token go in
 * through its `fetch`, and after the first error it is closed. Between two reads of the socket it waits until the
 * reader has room, so that a slow disk slows the agent's stream (TCP's back-pressure) and not web's memory.
 */
import { EventSource } from 'eventsource';
import { explainNoAnswer } from '@holdfast/shared/no-answer';
import { frameNames, type Frame } from './ingest.ts';

export interface AgentStreamOptions {
  /** Of the agent, without a slash at the end. */
  url: string;
  token: string;
  /** Sent as `Last-Event-ID`. */
  cursor: string | undefined;
  fetch?: typeof globalThis.fetch;
  /** Resolves when the next part of the stream may be read. */
  room: () => Promise<void>;
  onFrame: (frame: Frame) => void;
  /** Called once, when the stream ended or never began; not after `close`. */
  onEnd: (end: StreamEnd) => void;
}

export interface StreamEnd {
  /** The status, where it was not a stream that was answered. */
  status: number | undefined;
  /** Why, in words for a person. */
  message: string | undefined;
}

export interface AgentStream {
  close(): void;
}

/** Throws for an address that is no URL. Everything else is told by `onEnd`. */
export function openAgentStream(options: AgentStreamOptions): AgentStream {
  const { url, onFrame, onEnd } = options;
  let failure: unknown;
  const source = new EventSource(`${url}/events`, {
    fetch: fetchWith(options, (error) => {
      failure = error;
    }),
  });
  for (const name of frameNames) {
    source.addEventListener(name, (event) =>
      onFrame({ name, data: String(event.data), id: event.lastEventId }),
    );
  }
  source.addEventListener('error', ({ code, message }) => {
    source.close();
    onEnd({
      status: code,
      message: failure === undefined ? message : explainNoAnswer(failure, SILENT_MS).text,
    });
  });
  return { close: () => source.close() };
}

/** After so long without a word `fetch` itself gives up. */
const SILENT_MS = 300_000;

function fetchWith(options: AgentStreamOptions, onFailure: (error: unknown) => void) {
  const { token, cursor, room, fetch = globalThis.fetch } = options;
  const headers: Record<string, string> = {
    accept: 'text/event-stream',
    authorization: `Bearer ${token}`,
    ...(cursor === undefined ? {} : { 'last-event-id': cursor }),
  };
  return async (url: string | URL, init: { signal: AbortSignal }) => {
    const response = await told(
      fetch(url, {
        headers,
        signal: init.signal,
        cache: 'no-store',
        // The token is for this address and no other.
        redirect: 'error',
      }),
      onFailure,
    );
    const { body, status, redirected } = response;
    return {
      status,
      redirected,
      url: response.url,
      headers: response.headers,
      body: body === null ? null : { getReader: () => withRoom(body.getReader(), room, onFailure) },
    };
  };
}

function withRoom(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  room: () => Promise<void>,
  onFailure: (error: unknown) => void,
) {
  return {
    async read() {
      await room();
      return told(reader.read(), onFailure);
    },
    cancel: () => reader.cancel(),
  };
}

/** Settles as `work` does; what it fails with is told first, for the package passes on no more than its text. */
async function told<T>(work: Promise<T>, onFailure: (error: unknown) => void): Promise<T> {
  try {
    return await work;
  } catch (error) {
    onFailure(error);
    throw error;
  }
}
