/**
 * What speaks for a task being worked on: whether it is stale and what a reclaim would do, how far a reclaim is, who
 * holds its claim, and the liveness proof. Guarantees: the evidence stands beside the button that acts on it; the
 * attempt that is reclaimed is the one that is shown; what could not be asked is never shown as proven.
 */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useCallback, useEffect } from 'preact/hooks';
import type { ShownTask, TaskEvent } from '@holdfast/shared';
import { byTasksClock, type Certainty } from '../model/certainty.ts';
import {
  lastKnownText,
  notAskedText,
  notHeldText,
  pastLook,
  proofText,
  renewedProof,
  type ProofText,
  type TaskProof,
} from '../model/proof.ts';
import {
  canReclaim,
  claimFacts,
  type Facts as FactList,
  notStaleText,
  reclaimConsequence,
  reclaimEvidence,
  reclaimProgress,
} from '../model/reclaim.ts';
import { isUnderWay, staleOf, type Stale } from '../model/stale.ts';
import { ageText, capitalized, preciseTimeText } from '../model/words.ts';
import { isAsking, reclaim } from '../state/actions.ts';
import { agentOf } from '../state/agents.ts';
import { linkNow, webNow } from '../state/clock.ts';
import { readProof } from '../transport/api.ts';
import { Icon } from './icons.tsx';
import { Steps } from './steps.tsx';
import { useRecord, type Read } from './use-record.ts';

interface EvidenceProps {
  task: ShownTask;
  certainty: Certainty;
}

/** Why and what, and the one click. Open by itself on a stale task, else when a person asks for it. */
export function ReclaimPanel({
  task,
  certainty,
  events,
  isOpen,
}: EvidenceProps & { events: readonly TaskEvent[] | undefined; isOpen: boolean }): JSX.Element | null {
  const now = webNow.value;
  const agent = agentOf(task);
  const stale = staleOf(task, certainty, now);
  const progress = reclaimProgress(task, events, agent, now);
  const mayAsk = mayAskToReclaim(task, stale, isOpen);
  if (progress === undefined && !mayAsk) return null;
  return (
    <section
      class={`panel${stale === undefined ? '' : ' is-stale'}`}
      aria-label="Reclaim"
      data-testid="reclaim-panel"
      data-stale={stale?.code}
    >
      {progress !== undefined && (
        <Steps
          label={`Reclaim of attempt ${progress.attempt}`}
          testId="reclaim-steps"
          steps={progress.steps}
        />
      )}
      {mayAsk && (
        <>
          <h2>{stale === undefined ? 'Reclaim' : capitalized(stale.badge)}</h2>
          {stale === undefined && <p>{notStaleText(certainty)}</p>}
          <Facts facts={reclaimEvidence(task, stale, certainty, now)} />
          <p class="dim">{reclaimConsequence(task, agent)}</p>
          <button
            type="button"
            class="primary"
            data-testid="reclaim"
            disabled={isAsking('reclaim', task.id)}
            onClick={() => reclaim(task.id, task.attempt, stale?.text)}
          >
            <Icon name="again" size={14} />
            <span>{isAsking('reclaim', task.id) ? 'Requesting …' : `Reclaim attempt ${task.attempt}`}</span>
          </button>
        </>
      )}
    </section>
  );
}

function mayAskToReclaim(task: ShownTask, stale: Stale | undefined, isOpen: boolean): boolean {
  return canReclaim(task) && (stale !== undefined || isOpen);
}

export { StaleBadge } from './stale-badge.tsx';

/** The reclaim panel holds the claim’s facts while it asks: they are not said twice. */
export function Evidence({
  task,
  certainty,
  isReclaimOpen,
}: EvidenceProps & { isReclaimOpen: boolean }): JSX.Element | null {
  if (!isUnderWay(task)) return null;
  const isReclaimShown = mayAskToReclaim(task, staleOf(task, certainty, webNow.value), isReclaimOpen);
  return (
    <div class="evidence">
      {!isReclaimShown && <ClaimPanel task={task} certainty={certainty} />}
      <ProofPanel task={task} certainty={certainty} />
    </div>
  );
}

function ClaimPanel({ task, certainty }: EvidenceProps): JSX.Element | null {
  const now = webNow.value;
  const { claim } = task;
  if (claim === undefined) return null;
  return (
    <section class="panel" aria-label="Claim" data-testid="claim-panel">
      <h2>Claim{certainty.state === 'live' ? '' : ', as last known'}</h2>
      <Facts facts={claimFacts(claim, certainty, now)} />
    </section>
  );
}

/** While somebody looks at a task that is vouched for, its proof grows no older than this. */
const LOOK_EVERY_MS = 15_000;

function ProofPanel({ task, certainty }: EvidenceProps): JSX.Element {
  const looks = useSignal(0);
  const agent = agentOf(task);
  const name = agent?.name ?? 'Its agent';
  // Asked again when the agent or web goes away or returns, and when a person wants it: no proof outlives who gave it.
  const read = useCallback(
    (id: string) => readProof(id),
    [looks.value, agent?.state === 'live', linkNow.value.state === 'live'],
  );
  const proof = useRecord(task, read);
  const isLive = certainty.state === 'live';
  useEffect(() => {
    if (!isLive) return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') looks.value += 1;
    }, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [isLive, looks]);
  return (
    <section class="panel" aria-label="Liveness proof" data-testid="proof-panel">
      <ProofBody
        task={task}
        certainty={certainty}
        proof={proof}
        name={name}
        lookAgain={
          <button
            type="button"
            class="small"
            data-testid="proof-again"
            onClick={() => {
              looks.value += 1;
            }}
          >
            Look again
          </button>
        }
      />
    </section>
  );
}

interface ProofBodyProps extends EvidenceProps {
  proof: Read<TaskProof>;
  name: string;
  lookAgain: JSX.Element;
}

/** One line that says what was seen, how long ago; the rest of it on demand. */
function ProofBody({
  task,
  certainty,
  proof: { value, problem },
  name,
  lookAgain,
}: ProofBodyProps): JSX.Element {
  const isOpen = useSignal(false);
  if (problem !== undefined) {
    return (
      <NotAsked
        known={lastKnownText(task, certainty, value)}
        problem={problem}
        name={name}
        lookAgain={lookAgain}
      />
    );
  }
  if (value === undefined) return <p class="dim">Asking {name} …</p>;
  const now = byTasksClock(webNow.value, certainty);
  const knownAt =
    certainty.state === 'live' ? now : Math.max(byTasksClock(certainty.asOf, certainty), value.verifiedAt);
  const looked = proofText(renewedProof(value, task), knownAt);
  // What was seen is no proof of now while nobody vouches for it.
  const said = certainty.state === 'live' ? looked : pastLook(looked);
  return (
    <div data-testid="proof" data-proof={value.proof.kind} class={`proof is-${said.tone}`}>
      <p>
        <span aria-hidden="true">{signs[said.tone]}</span> {said.text}{' '}
        <span class="dim num">{ageText(now - value.verifiedAt)} ago</span>
      </p>
      <span class="panel-tools">
        {lookAgain}
        <button
          type="button"
          class="small"
          data-testid="proof-details"
          aria-expanded={isOpen.value}
          onClick={() => {
            isOpen.value = !isOpen.value;
          }}
        >
          Details
        </button>
      </span>
      {isOpen.value && (
        <Facts
          facts={[
            ...said.facts,
            ...(value.attempt === task.attempt
              ? []
              : ([['Attempt', String(value.attempt)]] satisfies FactList)),
            ['Seen', `by ${value.agentName} at ${preciseTimeText(value.verifiedAt)}`],
          ]}
        />
      )}
    </div>
  );
}

const signs: Record<ProofText['tone'], string> = { proven: '✓', open: '?', none: '✕' };

function NotAsked({
  known,
  problem,
  name,
  lookAgain,
}: {
  known: string | undefined;
  problem: NonNullable<Read<TaskProof>['problem']>;
  name: string;
  lookAgain: JSX.Element;
}): JSX.Element {
  // Not one that could not be asked: it was, and this is its answer.
  const isDenied = problem.status === 404;
  const said = isDenied ? notHeldText(name) : notAskedText(name, problem);
  return (
    <div data-testid="proof" data-proof={isDenied ? 'not-held' : 'not-asked'} class={`proof is-${said.tone}`}>
      <p>
        <span aria-hidden="true">{signs[said.tone]}</span> {said.text}
      </p>
      <span class="panel-tools">{lookAgain}</span>
      {known !== undefined && <p class="dim">Last known, not verified now: {known}.</p>}
    </div>
  );
}

function Facts({ facts }: { facts: FactList }): JSX.Element {
  return (
    <dl class="strip">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
