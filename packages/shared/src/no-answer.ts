/**
 * Why a request got no answer, in words for a person.
 *
 * Guarantees: fixed words, chosen by the literal code of the error alone. What an error of a library says of itself
 * ("fetch failed", lines of OpenSSL) reaches nobody, nor does an address that it quotes. Pure, and without
 * dependencies.
 */

/**
 * `refused`, `notFound`, `noRoute`, `untrusted`: no connection came about, so nothing was sent.
 * `silent`, `cut`, `garbled`, `other`: the request may have arrived, and may have been carried out.
 */
export type NoAnswerKind =
  | 'refused'
  | 'notFound'
  | 'noRoute'
  | 'untrusted'
  | 'silent'
  | 'cut'
  | 'garbled'
  | 'other';

export interface NoAnswer {
  kind: NoAnswerKind;
  /** The rest of a sentence: "web cannot be reached: …". */
  text: string;
}

/** What to say of anything that `fetch`, or the reading of its body, threw. `timeoutMs`: the limit of the request. */
export function explainNoAnswer(error: unknown, timeoutMs: number): NoAnswer {
  const code = codeWithin(error);
  const known = byCode[code];
  if (known !== undefined) return known;
  if (code === 'TimeoutError' || silentCodes.has(code))
    return { kind: 'silent', text: `no answer within ${timeoutMs / 1000} s` };
  if (code.startsWith('HPE_')) return { kind: 'garbled', text: 'what listens there does not speak HTTP' };
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_'))
    return { kind: 'untrusted', text: 'what listens there does not speak TLS (https)' };
  if (code.startsWith('ERR_TLS_') || code.startsWith('CERT_'))
    return { kind: 'untrusted', text: `its certificate is not accepted (${code})` };
  if (isBlockedPort(error))
    return {
      kind: 'noRoute',
      text: 'HTTP clients refuse to call its port, which belongs to another protocol',
    };
  return { kind: 'other', text: code === '' ? 'the request failed' : `the request failed (${code})` };
}

/** Whether a request without an answer may have been carried out all the same. */
export function mayHaveArrived(kind: NoAnswerKind): boolean {
  return kind === 'silent' || kind === 'cut' || kind === 'garbled' || kind === 'other';
}

const cut: NoAnswer = { kind: 'cut', text: 'the connection was cut' };
const unresolved: NoAnswer = { kind: 'notFound', text: 'its host name cannot be resolved' };
const noRoute: NoAnswer = { kind: 'noRoute', text: 'no network leads there' };
const untrusted: NoAnswer = {
  kind: 'untrusted',
  text: 'its certificate is of nobody whom this machine trusts',
};

/** Codes of Node's sockets and TLS, and of undici. */
const byCode: Readonly<Record<string, NoAnswer>> = {
  ECONNREFUSED: { kind: 'refused', text: 'nothing listens there' },
  ENOTFOUND: unresolved,
  EAI_AGAIN: unresolved,
  EHOSTUNREACH: noRoute,
  ENETUNREACH: noRoute,
  EHOSTDOWN: noRoute,
  ENETDOWN: noRoute,
  UND_ERR_CONNECT_TIMEOUT: { kind: 'noRoute', text: 'no connection came about in time' },
  ECONNRESET: cut,
  ECONNABORTED: cut,
  EPIPE: cut,
  UND_ERR_SOCKET: cut,
  UND_ERR_ABORTED: cut,
  AbortError: { kind: 'other', text: 'it was not waited for' },
  CERT_HAS_EXPIRED: { kind: 'untrusted', text: 'its certificate has expired' },
  CERT_NOT_YET_VALID: { kind: 'untrusted', text: 'its certificate is not valid yet' },
  ERR_TLS_CERT_ALTNAME_INVALID: { kind: 'untrusted', text: 'its certificate is for another name' },
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
};

const silentCodes = new Set(['ETIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** The code of the error, or of the nearest of its causes that has one: fetch keeps the reason as its cause. */
function codeWithin(error: unknown): string {
  const seen = new Set<unknown>();
  for (let one = error; one instanceof Error && !seen.has(one); one = one.cause) {
    seen.add(one);
    // A DOMException's code is a number of old; its name is what tells it apart.
    if (one instanceof DOMException) return one.name;
    if ('code' in one && typeof one.code === 'string') return one.code;
    // Of undici's parser, whose errors may come without a code.
    if (one.name === 'HTTPParserError') return 'HPE_INVALID';
  }
  return '';
}

/** https://fetch.spec.whatwg.org/#bad-port: undici gives that error no code. */
function isBlockedPort(error: unknown): boolean {
  return error instanceof TypeError && error.cause instanceof Error && error.cause.message === 'bad port';
}
