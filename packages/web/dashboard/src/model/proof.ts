/**
 * The liveness proof in words. Guarantees: pure; it says what was seen, by whom and when, and nothing beyond that; a
 * look that failed or was not possible is said to prove nothing.
 */
import type { AuditTask, Proof, ShownTask } from '@holdfast/shared';
import { byTasksClock, type Certainty } from './certainty.ts';
import type { Problem } from './problem.ts';
import { ageText, plural, preciseTimeText, withoutStop } from './words.ts';

/** What `GET /api/tasks/:id/proof` answers. `none`: the agent looked and found nothing; `over`: no attempt is under way. */
export type TaskProof = Omit<AuditTask, 'proof'> & {
  proof: Proof | { kind: 'none'; message: string } | { kind: 'over' };
  agentId: string;
  agentName: string;
};

export interface ProofText {
  /** `proven`: somebody works on it. `open`: the look says nothing. `none`: nobody was found. */
  tone: 'proven' | 'open' | 'none';
  text: string;
  facts: [name: string, value: string][];
}

/** `at`: the moment that is judged (its agent's clock), as late as anything is known of it. */
export function proofText(
  { proof, agentName }: Pick<TaskProof, 'proof' | 'agentName'>,
  at: number,
): ProofText {
  switch (proof.kind) {
    case 'process':
      return {
        tone: 'proven',
        text: `Process ${proof.pid} is alive, verified by its identity.`,
        facts: [
          ['Started', preciseTimeText(proof.startedAt)],
          ['Boot', proof.bootId],
          ...(proof.others === 0
            ? []
            : ([['Besides', plural(proof.others, 'further process', 'further processes')]] as [
                string,
                string,
              ][])),
        ],
      };
    case 'lease':
      return {
        ...leaseWords(proof, at),
        facts: [
          ['Worker', proof.worker],
          ['Lease until', preciseTimeText(proof.leaseExpiresAt)],
        ],
      };
    case 'dispatching':
      return {
        tone: 'proven',
        text: `${agentName} is preparing or launching it.`,
        facts: [['Since', preciseTimeText(proof.sinceAt)]],
      };
    case 'record':
      return {
        tone: 'proven',
        text: `It has ended with exit ${proof.exitCode}; ${agentName} is about to put that on record.`,
        facts: [['Ended', preciseTimeText(proof.endedAt)]],
      };
    case 'stopping':
      return {
        tone: 'proven',
        text: 'It is being stopped; until these processes are gone it counts as running.',
        facts: [['Pids', proof.pids.length === 0 ? 'none is left' : proof.pids.join(', ')]],
      };
    case 'unseen':
      return { tone: 'open', text: `The look failed, which proves nothing: ${proof.message}`, facts: [] };
    case 'none':
      return {
        tone: 'none',
        text: `Nothing was found that works on it: ${withoutStop(proof.message)}. ${agentName} settles such a task within two sweeps.`,
        facts: [],
      };
    case 'over':
      return { tone: 'open', text: `${agentName} says that no attempt of it is under way.`, facts: [] };
    default:
      return proof satisfies never;
  }
}

/** Nobody could be asked; that web is not heard the sentence above it says. */
export function notAskedText(agentName: string, problem: Pick<Problem, 'status' | 'detail'>): ProofText {
  const why = problem.status === 0 ? '' : ` ${problem.detail}`;
  return {
    tone: 'open',
    text: `${agentName} could not be asked, so nothing is proven now.${why}`,
    facts: [],
  };
}

/** Its agent was asked, and answered that it holds no such task. */
export function notHeldText(agentName: string): ProofText {
  return {
    tone: 'none',
    text: `${agentName} was asked and holds no such task: nothing that it knows of works on it.`,
    facts: [],
  };
}

/** A look in the past tense: for a task that nobody vouches for now. */
export function pastLook(look: ProofText): ProofText {
  if (look.tone !== 'proven') return look;
  return { ...look, tone: 'open', text: `Not verified now. When last looked: ${lowered(look.text)}` };
}

function lowered(text: string): string {
  return /^(Process|It|A) /.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}

/** A lease that runs proves little while its worker is silent for more than half of it: the agent calls that stale too. */
function leaseWords(
  { leaseExpiresAt, lastHeartbeatAt }: Lease,
  at: number,
): Pick<ProofText, 'tone' | 'text'> {
  const silent = ageText(at - lastHeartbeatAt);
  if (leaseExpiresAt <= at) {
    return {
      tone: 'open',
      text: `The lease ran out ${ageText(at - leaseExpiresAt)} ago, and its worker has been silent for ${silent}.`,
    };
  }
  if (at - lastHeartbeatAt > (leaseExpiresAt - lastHeartbeatAt) / 2) {
    return {
      tone: 'open',
      text: `The lease runs ${ageText(leaseExpiresAt - at)} more, but its worker has been silent for ${silent}.`,
    };
  }
  return { tone: 'proven', text: 'A worker holds it under a lease that has not run out.' };
}

interface Lease {
  worker: string;
  leaseExpiresAt: number;
  lastHeartbeatAt: number;
}

/** The proof with what was heard of the same claim since: a heartbeat after the look is newer than the look. */
export function renewedProof(said: TaskProof, task: Pick<ShownTask, 'claim' | 'attempt'>): TaskProof {
  const { proof } = said;
  const { claim } = task;
  if (proof.kind !== 'lease' || claim === undefined || said.attempt !== task.attempt) return said;
  if (claim.worker !== proof.worker || claim.lastHeartbeatAt <= proof.lastHeartbeatAt) return said;
  const { leaseExpiresAt, lastHeartbeatAt } = claim;
  return { ...said, proof: { ...proof, leaseExpiresAt, lastHeartbeatAt } };
}

/**
 * What was known of its process or its claim before: never a proof. Of the record, the last look (`proof`) and its agent's
 * last word (`certainty`) the newest counts.
 */
export function lastKnownText(task: ShownTask, certainty: Certainty, proof?: TaskProof): string | undefined {
  const looked = proof?.attempt === task.attempt ? proof : undefined;
  const { process } = task;
  const seen = looked && renewedProof(looked, task).proof;
  const claim = seen?.kind === 'lease' && seen.worker === task.claim?.worker ? seen : task.claim;
  if (claim !== undefined) {
    return `worker ${claim.worker}, last heartbeat ${preciseTimeText(claim.lastHeartbeatAt)}, lease until ${preciseTimeText(claim.leaseExpiresAt)}`;
  }
  if (process !== undefined) {
    // Of an agent that is not followed `asOf` is when the row was written, which verified nothing.
    const vouchedAt = certainty.reason === 'agent_removed' ? 0 : byTasksClock(certainty.asOf, certainty);
    const lookedAt = seen?.kind === 'process' ? (looked?.verifiedAt ?? 0) : 0;
    const verifiedAt = Math.max(process.verifiedAt, vouchedAt, lookedAt);
    return `pid ${process.pid}, started ${preciseTimeText(process.startedAt)}, verified ${preciseTimeText(verifiedAt)}`;
  }
  return undefined;
}

/** A worker's progress as text: as it is if it is text, else its JSON. */
export function progressText(progress: unknown): string {
  const text = typeof progress === 'string' ? progress : JSON.stringify(progress);
  return text.length > 300 ? `${text.slice(0, 300)} …` : text;
}
