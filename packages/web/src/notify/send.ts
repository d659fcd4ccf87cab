/**
 * One request to one channel.
 *
 * Guarantees: it goes to the configured address alone (no redirect is followed), ends within `SEND_MS`, and reads
 * nothing of the answer but its head. What it reports holds no part of the address but its host: a webhook's URL is
 * its password, and so may be anything that the target echoes.
 */
import { explainNoAnswer } from '@holdfast/shared/no-answer';
import type { Fetch } from '../agent-client.ts';
import type { RenderedRequest } from './presets.ts';

export type SendResult =
  | { outcome: 'delivered' }
  /** `final`: the target will never take this message. */
  | { outcome: 'failed'; error: string; final: boolean; retryAfterMs?: number };

const SEND_MS = 10_000;
const MOST_RETRY_AFTER_MS = 3_600_000;
/** The message itself is at fault, or the address is gone for good. */
const FINAL = new Set([400, 410, 413, 422]);

export async function send(
  request: RenderedRequest,
  options: { fetch: Fetch; signal: AbortSignal; timeoutMs?: number },
): Promise<SendResult> {
  const { timeoutMs = SEND_MS } = options;
  try {
    const response = await options.fetch(request.url, {
      method: 'POST',
      headers: request.headers,
      body: request.body,
      redirect: 'manual',
      signal: AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]),
    });
    const { status } = response;
    await discard(response);
    if (status >= 200 && status < 300) return { outcome: 'delivered' };
    const retryAfterMs = retryAfterOf(response);
    return {
      outcome: 'failed',
      error: `it answered ${status}${hintOf(status)}`,
      final: FINAL.has(status),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    };
  } catch (error) {
    return { outcome: 'failed', error: whyNot(error, timeoutMs), final: false };
  }
}

/** The answer may be endless; only its status counts, and that stands even if the connection breaks now. */
async function discard(response: Response): Promise<void> {
  try {
    await response.body?.cancel();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

function hintOf(status: number): string {
  if (status >= 300 && status < 400)
    return ', a redirect, which is not followed: configure the address it leads to';
  if (status === 401 || status === 403) return ': check the token or the address';
  if (status === 404 || status === 410) return ': the address does not exist (any more)';
  return '';
}

function retryAfterOf(response: Response): number | undefined {
  const header = response.headers.get('retry-after');
  if (header === null || !/^\d{1,6}$/.test(header)) return undefined;
  return Math.min(Number(header) * 1000, MOST_RETRY_AFTER_MS);
}

/** In fixed words: the text of the error itself may quote the address. */
function whyNot(error: unknown, timeoutMs: number): string {
  if (error instanceof DOMException && error.name === 'AbortError') return 'web stopped meanwhile';
  return explainNoAnswer(error, timeoutMs).text;
}
