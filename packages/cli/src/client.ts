/**
 * HTTP to web, or with `--agent-url` to one agent.
 *
 * Guarantees: every call ends, within its time limit, in an answer, a `RefusedError` (the service understood and
 * said no), or an `UnreachableError` (no usable answer: what became of the request is not known). The token goes to
 * the service's own address only: redirects are not followed. Nothing is tried again here.
 */
import type { AgentInfo, ShownAgent, ShownTask } from '@holdfast/shared';
import { EventSource } from 'eventsource';
import type { ServiceFile } from './find-services.ts';
import type { Io } from './io.ts';
import type { CliError } from './cli-error.ts';
import { explainNoAnswer, type NoAnswer } from '@holdfast/shared/no-answer';
import { type ProblemBody, readProblem, RefusedError, UnreachableError } from './service-error.ts';
import { unreachableHint } from './unreachable-hint.ts';
import { plainText } from './words.ts';

/** A task as web shows it, or as its agent states it: without what only web knows. */
export type SeenTask = Omit<ShownTask, 'knowledge' | 'updatedAt'> &
  Partial<Pick<ShownTask, 'knowledge' | 'updatedAt'>>;

export interface TaskPage {
  items: SeenTask[];
  next?: string;
  /** Web's; how many fit the filter in all. */
  total?: number;
}

export type SeenAgent = Pick<ShownAgent, 'id' | 'name'>;

/** A piece of an attempt's output. `isComplete`: the attempt is settled, no byte beyond `totalBytes` will follow. */
export interface OutputPiece {
  bytes: Uint8Array;
  totalBytes: number;
  isComplete: boolean;
}

export interface ClientOptions {
  /** Whom it talks to. */
  kind: 'web' | 'agent';
  /** Without a slash at the end. */
  url: string;
  token: string;
  /** The file that the token is from. */
  tokenFile: string;
  /** The process that announced itself under this address in the home; absent for an address from elsewhere. */
  pid?: number | undefined;
  /** Where it announces itself now; asked before each call, for one that was started again may listen elsewhere. */
  find?: () => Pick<ServiceFile, 'url' | 'pid'> | undefined;
  /** An agent of the same home, for whoever cannot wait for web. */
  findAgentUrl?: () => string | undefined;
  /** Called once, when the very first answer is slow to come. */
  onSlow?: (service: string) => void;
  startTimer?: Io['startTimer'];
  fetch: typeof globalThis.fetch;
}

export interface CallOptions {
  body?: unknown;
  /** Ends the call early, as an `UnreachableError`. */
  signal?: AbortSignal | undefined;
}

export interface OutputRange {
  attempt: number;
  offset: number;
  limit: number;
}

export interface Answer<T> {
  status: number;
  value: T;
}

const TIMEOUT_MS = 20_000;
const SLOW_MS = 2000;

export class Client {
  readonly kind: 'web' | 'agent';
  readonly #options: ClientOptions;
  readonly #token: string;
  readonly #fetch: typeof globalThis.fetch;
  #found: Pick<ServiceFile, 'url' | 'pid'> | undefined;
  /** It has answered once, or was said to be slow. */
  #isToldOf = false;

  constructor(options: ClientOptions) {
    this.kind = options.kind;
    this.#options = options;
    this.#token = options.token;
    this.#fetch = options.fetch;
  }

  /** Its newest address; while it announces none, the last. */
  get url(): string {
    return this.#place().url;
  }

  #place(): Pick<ClientOptions, 'url' | 'pid'> {
    const found = this.#options.find?.();
    if (found !== undefined) this.#found = found;
    return this.#found ?? this.#options;
  }

  /** How messages name the other side. */
  get name(): string {
    return this.kind === 'web' ? `Web at ${this.url}` : `The agent at ${this.url}`;
  }

  /** `path` as PROTOCOL.md §3 names it, e.g. `/tasks/:id`: web's have the same names under `/api`. */
  async call<T>(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    options: CallOptions = {},
  ): Promise<Answer<T>> {
    const answer = await this.#request(method, path, options);
    const text = await this.#body(answer.text());
    try {
      // Its shape is the contract's, which the service has checked.
      return { status: answer.status, value: JSON.parse(text) };
    } catch (error) {
      throw this.#unreachable(garbled(`it answered ${answer.status} with something that is not JSON`), error);
    }
  }

  async readTask(id: string, signal?: AbortSignal): Promise<SeenTask> {
    return (await this.call<SeenTask>('GET', `/tasks/${id}`, { signal })).value;
  }

  async readTasks(query: URLSearchParams, signal?: AbortSignal): Promise<TaskPage> {
    return (await this.call<TaskPage>('GET', `/tasks?${query.toString()}`, { signal })).value;
  }

  /** Every agent that web knows; of an agent, itself. */
  async readAgents(): Promise<SeenAgent[]> {
    if (this.kind === 'web') return (await this.call<{ agents: SeenAgent[] }>('GET', '/state')).value.agents;
    const { agentId, name } = (await this.call<{ agentId: string; name: string }>('GET', '/agent')).value;
    return [{ id: agentId, name }];
  }

  /** Every agent as web shows it, by name. Web's alone. */
  async readShownAgents(): Promise<ShownAgent[]> {
    return (await this.call<{ items: ShownAgent[] }>('GET', '/agents')).value.items;
  }

  /** What an agent says of itself. An agent's alone. */
  async readAgentInfo(): Promise<AgentInfo> {
    return (await this.call<AgentInfo>('GET', '/agent')).value;
  }

  /** Where the stream of events stands now: a stream from this cursor misses nothing that comes after this call. */
  async readCursor(signal?: AbortSignal): Promise<string> {
    if (this.kind === 'web')
      return (await this.call<{ cursor: string }>('GET', '/state', { signal })).value.cursor;
    type Place = { epoch: string; head: number; chain: string };
    const { epoch, head, chain } = (await this.call<Place>('GET', '/agent', { signal })).value;
    return `${epoch}.${head}.${chain}`;
  }

  /** At most `limit` bytes of an attempt's output from `offset`. */
  async readOutput(id: string, range: OutputRange, signal?: AbortSignal): Promise<OutputPiece> {
    const { attempt, offset, limit } = range;
    const query = `attempt=${attempt}&offset=${offset}&limit=${limit}`;
    const answer = await this.#request('GET', `/tasks/${id}/output?${query}`, { signal });
    const bytes = new Uint8Array(await this.#body(answer.arrayBuffer()));
    return {
      bytes,
      totalBytes: Number(answer.headers.get('holdfast-output-bytes') ?? offset + bytes.length),
      isComplete: answer.headers.get('holdfast-output-complete') === 'true',
    };
  }

  /**
   * One connection to the stream of events. It reports its end by `error` and is to be closed then: when to connect
   * again, and from where, is the caller's decision (the package stops for good at any status but 200).
   */
  openEvents(cursor: string): EventSource {
    return new EventSource(this.#address(`/events?cursor=${encodeURIComponent(cursor)}`), {
      fetch: (url, init) =>
        this.#fetch(url, {
          signal: init.signal,
          redirect: 'manual',
          headers: { ...init.headers, authorization: `Bearer ${this.#token}` },
        }),
    });
  }

  #address(path: string): string {
    return `${this.url}${this.kind === 'web' ? '/api' : ''}${path}`;
  }

  async #request(method: string, path: string, { body, signal }: CallOptions): Promise<Response> {
    let answer: Response;
    const deadline = AbortSignal.timeout(TIMEOUT_MS);
    const slow = this.#isToldOf ? undefined : this.#options.startTimer?.(() => this.#tellSlow(), SLOW_MS);
    try {
      answer = await this.#fetch(this.#address(path), {
        method,
        redirect: 'manual',
        signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw this.#unreachable(explainNoAnswer(error, TIMEOUT_MS), error);
    } finally {
      slow?.cancel();
    }
    this.#isToldOf = true;
    if (answer.ok) return answer;
    throw this.#refused(answer.status, await this.#body(answer.text()));
  }

  #tellSlow(): void {
    if (this.#isToldOf) return;
    this.#isToldOf = true;
    this.#options.onSlow?.(this.name.replace(/^[WT]/, (letter) => letter.toLowerCase()));
  }

  /** The head has come: if the rest does not, the request was carried out and only its answer is lost. */
  async #body<T>(body: Promise<T>): Promise<T> {
    try {
      return await body;
    } catch (error) {
      throw this.#unreachable(explainNoAnswer(error, TIMEOUT_MS), error);
    }
  }

  #refused(status: number, text: string): CliError {
    const problem = readProblem(status, text);
    // Not the service's own word, but that of something in between.
    if (problem === undefined) return this.#unreachable(garbled(`its address answered ${status}`), undefined);
    const hint = this.#refusalHint(problem);
    if (problem.code !== 'unauthorized' && problem.code !== 'rate_limited')
      return new RefusedError(problem, { hint });
    // A valid token always passes: whoever is told of too many attempts has made one more.
    const more = problem.code === 'unauthorized' ? '' : `: ${plainText(problem.detail).replace(/\.$/, '')}`;
    const message = `${this.name} does not take the token in ${this.#options.tokenFile}${more}`;
    return new RefusedError(problem, { message, hint });
  }

  #refusalHint({ code }: ProblemBody): string | undefined {
    switch (code) {
      case 'unauthorized':
        return this.#tokenHint();
      case 'rate_limited':
        return `${this.#tokenHint()} The right token passes at once.`;
      case 'no_such_task':
        return 'See which there are: holdfast list';
      case 'queue_full':
        return 'Try again when some have ended, or raise HOLDFAST_QUEUE_LIMIT of the agent.';
      default:
        return undefined;
    }
  }

  #tokenHint(): string {
    return this.kind === 'web'
      ? 'It is of another home, or was written over: check HOLDFAST_HOME or give --home; else restart web.'
      : 'Give the file that holds this agent’s token: --token-file.';
  }

  #unreachable(why: NoAnswer, cause: unknown): UnreachableError {
    const { kind, findAgentUrl } = this.#options;
    const { url, pid } = this.#place();
    const silent = { kind, url, pid, agentUrl: findAgentUrl?.() };
    return new UnreachableError(this.name, why, { hint: unreachableHint(silent, why), cause });
  }
}

function garbled(text: string): NoAnswer {
  return { kind: 'garbled', text };
}
