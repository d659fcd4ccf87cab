/**
 * Recovery: what the evidence decides for an attempt that is `starting` or `running`.
 *
 * One table, the same at start and on every sweep; the first row that fits decides. Evidence is collected
 * elsewhere (supervise.ts), the process first and the record second: the other order would miss a task that
 * ends in between. Nothing here looks, waits or writes, so every row is tested as data.
 *
 * The principle is that of a lease without a clock: an attempt is given up only on proof that none of its
 * processes can still act (P3, P4), and a look that failed proves nothing (P10).
 */
import type { Reason, StopCause, TaskStatus } from '@holdfast/shared';

export interface Evidence {
  status: Extract<TaskStatus, 'starting' | 'running'>;
  /** This instance is dispatching it now, within its deadline. */
  dispatching: boolean;
  /** A worker holds it over HTTP, and its processes are elsewhere: its lease is all that there is to look at. */
  claim?: { expired: boolean };
  /** Why the look itself failed, if it did. Then nothing below is known. */
  lookFailed?: string;
  /** The exit record. `beforeStop`: it was written before this attempt was told to stop. */
  record?: { exitCode: number; endedAt: number; beforeStop: boolean };
  stopRequested?: { cause: StopCause; at: number };
  /** The shim, by its verified identity. */
  shimAlive: boolean;
  /** Living processes of the attempt besides the shim: by group, session, marker, or because they hold the log. */
  others: number;
  /** Whether this instance already watches it. */
  watched: boolean;
  /** Who holds the launch ticket. The agent: this attempt never ran and never will. */
  ticket: 'agent' | 'shim';
  /** Whether it was launched in this boot of the machine. */
  sameBoot: boolean;
}

export type Decision =
  | { do: 'leave' }
  | { do: 'noVerdict'; message: string }
  | { do: 'settle'; record: NonNullable<Evidence['record']> }
  | { do: 'stop' }
  | { do: 'endShim' }
  | { do: 'start' }
  | { do: 'adopt' }
  | { do: 'stopOthers' }
  | { do: 'endAsAsked'; cause: StopCause }
  | { do: 'requeue'; reason: Reason; charged: boolean }
  | { do: 'lost'; reason: Reason };

interface Row {
  name: string;
  fits: (evidence: Evidence) => boolean;
  decide: (evidence: Evidence) => Decision;
}

export const recoveryTable: readonly Row[] = [
  {
    name: 'this instance is dispatching it',
    fits: (e) => e.dispatching,
    decide: () => ({ do: 'leave' }),
  },
  {
    name: 'a claim whose lease lives',
    fits: (e) => e.claim?.expired === false,
    decide: () => ({ do: 'leave' }),
  },
  {
    name: 'a claim whose lease ran out',
    fits: (e) => e.claim?.expired === true,
    decide: (e) =>
      e.stopRequested === undefined
        ? { do: 'lost', reason: 'lease_expired' }
        : { do: 'endAsAsked', cause: e.stopRequested.cause },
  },
  {
    name: 'the look itself failed',
    fits: (e) => e.lookFailed !== undefined,
    decide: (e) => ({ do: 'noVerdict', message: e.lookFailed! }),
  },
  {
    // The shim writes it as its last act: what lies there while the shim lives is somebody else's.
    name: 'exit record, written before it was told to stop',
    fits: (e) =>
      e.record !== undefined && !e.shimAlive && (e.stopRequested === undefined || e.record.beforeStop),
    decide: (e) => ({ do: 'settle', record: e.record! }),
  },
  {
    name: 'a process is alive and a stop was requested',
    fits: (e) => (e.shimAlive || e.others > 0) && e.stopRequested !== undefined,
    decide: () => ({ do: 'stop' }),
  },
  {
    name: 'the agent took the ticket before its shim, which can only give up',
    fits: (e) => e.shimAlive && e.ticket === 'agent',
    decide: () => ({ do: 'endShim' }),
  },
  {
    name: 'the shim is alive',
    fits: (e) => e.shimAlive,
    decide: (e) => {
      if (e.status === 'starting') return { do: 'start' };
      return e.watched ? { do: 'leave' } : { do: 'adopt' };
    },
  },
  {
    name: 'the shim is gone without a record, but processes of it live',
    fits: (e) => e.others > 0,
    decide: () => ({ do: 'stopOthers' }),
  },
  {
    name: 'all gone, a stop was requested',
    fits: (e) => e.stopRequested !== undefined,
    decide: (e) => ({ do: 'endAsAsked', cause: e.stopRequested!.cause }),
  },
  {
    name: 'the agent took the ticket: it never ran',
    fits: (e) => e.ticket === 'agent',
    decide: () => ({ do: 'requeue', reason: 'dispatch_interrupted', charged: false }),
  },
  {
    name: 'another boot, no record',
    fits: (e) => !e.sameBoot,
    decide: () => ({ do: 'requeue', reason: 'host_rebooted', charged: false }),
  },
  {
    name: 'no record, same boot',
    fits: () => true,
    decide: () => ({ do: 'lost', reason: 'process_vanished' }),
  },
];

/** The decision of the first row that fits. */
export function decide(evidence: Evidence): Decision {
  return recoveryTable.find((row) => row.fits(evidence))!.decide(evidence);
}

const LEAST_FOR_SUSPICION = 5;

/**
 * The guard over a whole sweep: if more than half of at least five attempts seem to have vanished at once, the
 * look is suspected before the tasks (as Kubernetes stops evicting when most of a zone looks dead). The next
 * sweep decides.
 */
export function isMassDeath(lost: number, looked: number): boolean {
  return looked >= LEAST_FOR_SUSPICION && lost * 2 > looked;
}
