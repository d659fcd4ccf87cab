/**
 * One agent: what is known of it, over which links, and its pool. Guarantees: a change of the pool is shown in its three
 * phases and never as done before the agent said so; what cannot be vouched for says since when.
 */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import type { ShownAgent } from '@holdfast/shared';
import { troubleOf } from '../model/agent-trouble.ts';
import { poolSteps } from '../model/pool-steps.ts';
import { placeToUrl } from '../model/place.ts';
import { agentSentence, linkText, NOT_HEARD } from '../model/sentence.ts';
import { ageText, plural, preciseTimeText } from '../model/words.ts';
import { agents, momentsOf } from '../state/agents.ts';
import { link, linkNow, webNow } from '../state/clock.ts';
import { closeTask } from '../state/navigation.ts';
import { askPool, poolAsked, retryAgent } from '../state/pool.ts';
import { hasState, isResyncing, retryNow } from '../state/store.ts';
import { Icon } from './icons.tsx';

export function AgentPanel({ id }: { id: string }): JSX.Element {
  const agent = agents.value.find((one) => one.id === id || one.name === id);
  return (
    <div class="agent-panel" data-testid="agent-panel" data-state={agent?.state}>
      <header class="agent-panel-head">
        <button
          type="button"
          class="icon-button narrow-only-flex"
          aria-label="Back to the list"
          onClick={closeTask}
        >
          <Icon name="back" />
        </button>
        <h2>{agent?.name ?? id}</h2>
        <button type="button" class="icon-button" aria-label="Close the agent" onClick={closeTask}>
          <Icon name="close" />
        </button>
      </header>
      {agent === undefined ? (
        <div class="empty" data-testid="no-agent">
          {hasState.value ? (
            <>
              <p>No agent has this id or name. It was removed, or the address is wrong.</p>
              <a class="clear" href="/">
                All tasks
              </a>
            </>
          ) : (
            <p class="dim">Reading …</p>
          )}
        </div>
      ) : (
        <>
          <Said agent={agent} />
          <PoolControls key={agent.id} agent={agent} />
          <Links agent={agent} />
        </>
      )}
    </div>
  );
}

function Said({ agent }: { agent: ShownAgent }): JSX.Element {
  const now = webNow.value;
  const trouble = troubleOf(agent);
  const isHeard = linkNow.value.state === 'live';
  return (
    <section>
      <p class="sentence">
        <span class={`mark mark-${isHeard ? agent.state : 'unheard'}`} aria-hidden="true" />{' '}
        {agentSentence(agent, now)}
        {!isHeard && NOT_HEARD}
      </p>
      {trouble !== undefined && (
        <p class="banner is-attention" data-testid="agent-trouble">
          Needs you: {trouble.text}
          {trouble.sinceAt !== undefined &&
            trouble.sinceAt > 0 &&
            ` Since ${ageText(now - trouble.sinceAt)} ago.`}
        </p>
      )}
      <p>
        <a
          class="clear"
          href={placeToUrl({ filter: { statuses: [], agent: agent.name }, tab: 'log' })}
          data-testid="agent-tasks"
        >
          Its tasks
        </a>
      </p>
    </section>
  );
}

/** What was compared and counted holds for the moment of its last proof, and only that. */
const WHEN_HEARD = ', when it was heard last';

function isVouchedNow({ state }: ShownAgent): boolean {
  return state === 'live' && linkNow.value.state === 'live';
}

function PoolControls({ agent }: { agent: ShownAgent }): JSX.Element {
  const { pool } = agent;
  const slots = useSignal<string | undefined>(undefined);
  const asked = poolAsked.value.get(agent.id);
  const isBusy = asked !== undefined && asked.answer === undefined && asked.problem === undefined;
  const text = slots.value ?? (pool === undefined ? '' : String(pool.slots));
  const wanted = /^\d{1,5}$/.test(text) && Number(text) <= 10_000 ? Number(text) : undefined;
  const button = (
    verb: 'pause' | 'drain' | 'resume',
    name: string,
    help: string,
    isOff: boolean,
  ): JSX.Element => (
    <button
      type="button"
      disabled={isBusy || isOff}
      title={help}
      onClick={() => void askPool(agent.id, { verb })}
      data-testid={`agent-${verb}`}
    >
      {name}
    </button>
  );
  return (
    <section>
      <h3>Pool</h3>
      {pool === undefined ? (
        <p class="dim">It has not said anything of its pool yet.</p>
      ) : (
        <p class="num" data-testid="agent-pool">
          {pool.running} of {plural(pool.slots, 'slot')} in use, {pool.queued} queued.
          {pool.draining ? ' Draining.' : pool.paused ? ' Paused.' : ''}
          {!isVouchedNow(agent) && ` As of ${ageText(webNow.value - agent.asOf)} ago.`}
        </p>
      )}
      <div class="pool-actions">
        {button('pause', 'Pause', 'It starts nothing; what runs goes on', pool?.paused === true)}
        {button('drain', 'Drain', 'It starts nothing, and says when nothing runs', pool?.draining === true)}
        {button(
          'resume',
          'Resume',
          'It starts tasks again',
          pool !== undefined && !pool.paused && !pool.draining,
        )}
        <form
          class="slots"
          onSubmit={(event) => {
            event.preventDefault();
            if (wanted === undefined) return;
            void askPool(agent.id, { verb: 'slots', slots: wanted });
            slots.value = undefined;
          }}
        >
          <label for="agent-slots">Slots</label>
          <input
            id="agent-slots"
            type="text"
            inputMode="numeric"
            value={text}
            aria-invalid={wanted === undefined}
            onInput={(event) => {
              slots.value = event.currentTarget.value.trim();
            }}
            data-testid="agent-slots"
          />
          <button
            type="submit"
            disabled={isBusy || wanted === undefined || wanted === pool?.slots}
            data-testid="agent-slots-set"
          >
            Set
          </button>
        </form>
      </div>
      {wanted === undefined && text !== '' && <p class="field-error">A whole number, at most 10,000.</p>}
      {asked !== undefined && (
        <ol class="steps" data-testid="pool-steps" aria-label="How far the change is">
          {poolSteps(asked, agent).map((step) => (
            <li key={step.name} data-step={step.name} data-state={step.state}>
              <span aria-hidden="true">
                {step.state === 'done'
                  ? '✓'
                  : step.state === 'failed'
                    ? '✗'
                    : step.state === 'now'
                      ? '…'
                      : '·'}
              </span>{' '}
              {step.text}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function Links({ agent }: { agent: ShownAgent }): JSX.Element {
  const now = webNow.value;
  const moments = momentsOf(agent.id);
  return (
    <section>
      <h3>Web ↔ {agent.name}</h3>
      <dl class="facts">
        <dt>Address</dt>
        <dd class="mono">{agent.url}</dd>
        <dt>Version</dt>
        <dd>{agent.version ?? 'not said yet'}</dd>
        <dt>Last proof</dt>
        <dd>
          {agent.asOf === 0 ? 'never' : `${ageText(now - agent.asOf)} ago, at ${preciseTimeText(agent.asOf)}`}
          {agent.heartbeatMs !== undefined && `; one each ${ageText(agent.heartbeatMs)}`}
        </dd>
        <dt>Events behind</dt>
        <dd class="num">
          {agent.lag}
          {!isVouchedNow(agent) && WHEN_HEARD}
        </dd>
        <dt>Digest</dt>
        <dd data-testid="agent-digest">
          {agent.digestOk === undefined
            ? 'not compared yet'
            : !isVouchedNow(agent)
              ? `${agent.digestOk ? 'equal' : 'different'}${WHEN_HEARD}`
              : agent.digestOk
                ? 'equal: web holds exactly its live tasks'
                : 'differs: web reads them anew'}
        </dd>
        <dt>Reconnects</dt>
        <dd>
          <span class="num">{agent.reconnects}</span>{' '}
          <button
            type="button"
            class="small"
            onClick={() => void retryAgent(agent.id)}
            title="Connect to it now instead of waiting for the next try"
            data-testid="agent-reconnect"
          >
            {agent.state === 'live' ? 'Connect anew' : 'Retry now'}
          </button>
        </dd>
      </dl>
      {moments.length > 0 && (
        <>
          <h3>Seen by this page</h3>
          <ol class="recent">
            {moments.toReversed().map((moment) => (
              <li key={moment.at}>
                <span class="num dim">{preciseTimeText(moment.at)}</span> {moment.word}
                {moment.detail === undefined ? '' : `: ${moment.detail}`}
              </li>
            ))}
          </ol>
        </>
      )}
      <h3>This browser ↔ web</h3>
      <dl class="facts">
        <dt>Now</dt>
        <dd>{linkText(linkNow.value, isResyncing.value)}</dd>
        <dt>Reconnects</dt>
        <dd>
          <span class="num">{link.value.reconnects}</span>{' '}
          <button type="button" class="small" onClick={retryNow}>
            Connect anew
          </button>
        </dd>
      </dl>
    </section>
  );
}
