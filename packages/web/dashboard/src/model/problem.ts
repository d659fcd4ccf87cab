/**
 * Refusals as data (RFC 9457). Guarantees: whatever an answer holds, there is a sentence for a person in `detail`;
 * complaints about single fields are found by their JSON pointer.
 */

export interface Problem {
  status: number;
  code: string;
  detail: string;
  errors: { pointer: string; detail: string }[];
}

/** Reads the body of a refused request; `body` is undefined when it was not JSON. */
export function problemFrom(status: number, body: unknown): Problem {
  const fields = isRecord(body) ? body : {};
  const errors = Array.isArray(fields['errors']) ? fields['errors'].filter(isFieldError) : [];
  return {
    status,
    code: typeof fields['code'] === 'string' ? fields['code'] : `http_${status}`,
    detail: typeof fields['detail'] === 'string' ? fields['detail'] : plainDetail(status),
    errors: errors.map(({ pointer, detail }) => ({ pointer, detail })),
  };
}

/** No answer, or none for now: the same may be asked again. */
export function isPassing({ status }: Problem): boolean {
  return status === 0 || status >= 500;
}

/** No answer came: of an action nothing is known of what happened to it; a read has changed nothing. */
export function unreachableProblem(asked: 'read' | 'action'): Problem {
  return {
    status: 0,
    code: 'web_unreachable',
    detail:
      asked === 'read'
        ? 'The web service did not answer.'
        : 'The web service did not answer. What you asked for may or may not have arrived; asking again is harmless.',
    errors: [],
  };
}

function plainDetail(status: number): string {
  if (status === 401) return 'You are signed out.';
  if (status === 403) return 'This address may not use the web service (see --allowed-host).';
  if (status === 404) return 'There is no such thing here.';
  if (status === 429) return 'Too many failed attempts; wait a minute.';
  if (status >= 500) return `The web service failed (HTTP ${status}). Its log says why.`;
  return `The web service refused (HTTP ${status}).`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isFieldError(value: unknown): value is { pointer: string; detail: string } {
  return isRecord(value) && typeof value['pointer'] === 'string' && typeof value['detail'] === 'string';
}
