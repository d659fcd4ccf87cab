/**
 * An external worker as a real process: claims tasks of a queue, heartbeats, and completes, fails or releases them;
 * or falls silent beyond its lease and then speaks with its old token. It writes down each grant and each of its words with
 * the answer (worker-words.ts). What it does is drawn from its seed.
 *
 *   node worker.ts '{"url":…,"token":…,"name":…,"seed":…,"wordsPath":…,"queue":…,"leaseMs":…}'
 */
import { appendFileSync } from 'node:fs';
import type { Grant, Lease, Task } from '@holdfast/shared';
import { Random } from './random.ts';
import type { WorkerWord } from './worker-words.ts';

export interface WorkerOptions {
  url: string;
  token: string;
  name: string;
  seed: string;
  wordsPath: string;
  queue: string;
  leaseMs: number;
}

const HEARTBEAT_MS = 1000;
/** How often a word is said again that was not answered. */
const MOST_REPEATS = 12;
const MOST_INSISTING = 6;
const MOST_SILENCE_MS = 30_000;

const options = JSON.parse(process.argv[2]!) as WorkerOptions;
const random = new Random(options.seed);

const post = (path: string, body: unknown) => request('POST', path, body);

async function request(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  try {
    const response = await fetch(`${options.url}${path}`, {
      method,
      signal: AbortSignal.timeout(5000),
      headers: { authorization: `Bearer ${options.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text.startsWith('{') ? (JSON.parse(text) as unknown) : undefined,
    };
  } catch (error) {
    // The agent is killed, frozen or away.
    if (error instanceof TypeError || error instanceof DOMException) return { status: 0, body: undefined };
    throw error;
  }
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

class Holding {
  readonly #grant: Grant;
  #leaseExpiresAt: number;

  constructor(grant: Grant) {
    this.#grant = grant;
    this.#leaseExpiresAt = grant.claim.leaseExpiresAt;
    this.#write('grant', 0);
  }

  /** Says a word until it is answered, and writes down each try. */
  async say(word: Exclude<WorkerWord['word'], 'grant'>, body: unknown): Promise<number> {
    for (let n = 0; n < MOST_REPEATS; n += 1) {
      const sentAt = Date.now();
      const answer = await post(`/claims/${this.#grant.claim.token}/${word}`, body);
      this.#write(word, answer.status, sentAt);
      if (answer.status === 200 && word === 'heartbeat') {
        this.#leaseExpiresAt = (answer.body as Lease).leaseExpiresAt;
      }
      if (answer.status !== 0 && answer.status < 500) return answer.status;
      await wait(300);
    }
    return 0;
  }

  async work(): Promise<void> {
    const beats = random.int(0, 4);
    for (let n = 0; n < beats; n += 1) {
      const status = await this.say('heartbeat', { progress: { n } });
      if (status === 409) {
        if (random.chance(0.7)) await this.#insist();
        return;
      }
      await wait(HEARTBEAT_MS * random.next());
    }
    switch (random.weighted({ complete: 6, fail: 2, release: 2, silent: 3 })) {
      case 'complete':
        await this.say('complete', { result: { by: options.name } });
        return;
      case 'fail':
        await this.say('fail', { message: 'chaos', retryable: random.chance(0.5) });
        return;
      case 'release':
        await this.say('release', {});
        return;
      case 'silent':
        await this.#untilLost();
        await this.#insist();
        return;
    }
  }

  /** Says nothing until the attempt is no longer its own: an agent that was away itself grants further terms. */
  async #untilLost(): Promise<void> {
    const { task, claim } = this.#grant;
    const deadline = performance.now() + MOST_SILENCE_MS;
    while (performance.now() < deadline) {
      await wait(200);
      const answer = await request('GET', `/tasks/${task.id}`);
      if (answer.status !== 200 || answer.body === undefined) continue;
      const { attempt, status } = answer.body as Task;
      if (attempt !== claim.attempt || (status !== 'starting' && status !== 'running')) return;
    }
  }

  /** It does not take no for an answer: these are the late words that must be refused, whoever has the task by now. */
  async #insist(): Promise<void> {
    for (let n = 0; n < MOST_INSISTING; n += 1) {
      const status =
        n % 3 === 2
          ? await this.say('fail', { message: `late ${n}` })
          : await this.say('complete', { result: { by: options.name, late: n } });
      if (status === 200) return;
      await wait(random.int(200, 900));
    }
  }

  #write(word: WorkerWord['word'], status: number, sentAt = Date.now()): void {
    const { task, claim } = this.#grant;
    const at = Date.now();
    const line: WorkerWord = {
      sentAt,
      at,
      worker: options.name,
      word,
      late: at > this.#leaseExpiresAt,
      taskId: task.id,
      attempt: claim.attempt,
      token: claim.token,
      status,
    };
    appendFileSync(options.wordsPath, `${JSON.stringify(line)}\n`);
  }
}

await post('/claims/release', { worker: options.name });
for (let n = 0; ; n += 1) {
  const claimId = `${options.name}-${process.pid}-${n}`;
  const claim = {
    claimId,
    queue: options.queue,
    worker: options.name,
    leaseMs: options.leaseMs,
    waitMs: 500,
  };
  let answer = await post('/claims', claim);
  // The same claim again until it is answered: it may have been granted.
  while (answer.status === 0 || answer.status >= 500) {
    await wait(200);
    answer = await post('/claims', claim);
  }
  if (answer.status === 200) await new Holding(answer.body as Grant).work();
  else await wait(200);
}
