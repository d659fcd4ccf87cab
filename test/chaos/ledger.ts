/**
 * What the harness itself did and was told: the faults, the requests with their answers, and what it saw in
 * passing. It is one of the checker's own sources; nothing in it comes from a database.
 */

export type Verb = 'submit' | 'cancel' | 'reclaim' | 'reclaimStale' | 'retry' | 'pool' | 'bulk';

export interface Answer {
  at: number;
  doneAt: number;
  via: 'agent' | 'web';
  verb: Verb;
  /** The task that it is about; '' for none. */
  taskId: string;
  sent: unknown;
  /** 0: no answer. */
  status: number;
  body: unknown;
}

export interface Fault {
  at: number;
  kind: string;
  detail: string;
  taskId?: string;
  attempt?: number;
}

export interface Violation {
  /** The promise, or what else was broken. */
  promise: string;
  what: string;
  taskId?: string;
}

export class Ledger {
  readonly faults: Fault[] = [];
  readonly answers: Answer[] = [];
  readonly violations: Violation[] = [];
  readonly #said = new Set<string>();

  fault(kind: string, detail = '', of: { taskId?: string; attempt?: number } = {}): void {
    this.faults.push({ at: Date.now(), kind, detail, ...of });
  }

  /** The same violation is kept once, however often it is seen. */
  violate(violation: Violation): void {
    const key = JSON.stringify(violation);
    if (this.#said.has(key)) return;
    this.#said.add(key);
    this.violations.push(violation);
  }

  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { kind } of this.faults) counts[kind] = (counts[kind] ?? 0) + 1;
    return counts;
  }

  /** What was answered 2xx. */
  accepted(verb: Verb): Answer[] {
    return this.answers.filter(
      (answer) => answer.verb === verb && answer.status >= 200 && answer.status < 300,
    );
  }

  /** Whether a fault of one of these kinds hit an attempt. */
  hit(taskId: string, attempt: number, ...kinds: string[]): boolean {
    return this.faults.some(
      (fault) => fault.taskId === taskId && fault.attempt === attempt && kinds.includes(fault.kind),
    );
  }
}
