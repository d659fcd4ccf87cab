/**
 * The truth bar, always on the page. Guarantees: says how this browser hears web and how web hears each agent, the
 * worst first; a click shows the details of both links.
 */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { ShownAgent } from '@holdfast/shared';
import { worstAgentsFirst } from '../model/certainty.ts';
import { agentSentence, linkText, NOT_HEARD } from '../model/sentence.ts';
import { ageText, preciseTimeText } from '../model/words.ts';
import { leave } from '../state/actions.ts';
import { agents } from '../state/agents.ts';
import { link, linkNow, webNow } from '../state/clock.ts';
import { isResyncing, retryNow } from '../state/store.ts';
import { agentUrl } from '../state/navigation.ts';
import { retryAgent } from '../state/pool.ts';
import { nextTheme, theme } from '../state/preferences.ts';
import { openDialog } from '../state/dialogs.ts';
import { Icon } from './icons.tsx';

export function TruthBar(): JSX.Element {
  const state = linkNow.value;
  const isOpen = useSignal(false);
  const isBroken = state.state === 'stale' || state.state === 'blind' || state.state === 'connecting';
  return (
    <div class="truth" data-testid="truth-bar" data-link={state.state}>
      <a class="brand" href="/" aria-label="Holdfast: all tasks">
        <svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">
          <path
            d="M4 2.5v13M14 2.5v13M4 9h10"
            stroke="currentColor"
            stroke-width="2.6"
            stroke-linecap="round"
          />
        </svg>
        <span>Holdfast</span>
      </a>
      <button
        type="button"
        class="link-state"
        aria-expanded={isOpen.value}
        onClick={() => {
          isOpen.value = !isOpen.value;
        }}
      >
        <LinkMark state={isResyncing.value && state.state === 'live' ? 'resyncing' : state.state} />
        <span class="link-text">{linkText(state, isResyncing.value)}</span>
      </button>
      {isBroken && (
        <button type="button" class="small" onClick={retryNow} data-testid="retry-now">
          Retry now
        </button>
      )}
      <ul class="agents" aria-label="Agents, worst first">
        {worstAgentsFirst(agents.value).map((agent) => (
          <AgentChip key={agent.id} agent={agent} isHeard={state.state === 'live'} />
        ))}
      </ul>
      <div class="tools">
        <button
          type="button"
          class="icon-button"
          onClick={() => openDialog('palette')}
          aria-label="Commands"
          title="Commands (Ctrl K)"
          data-testid="palette-open"
        >
          <Icon name="command" />
        </button>
        <button
          type="button"
          class="icon-button"
          onClick={nextTheme}
          aria-label={`Theme: ${themeWord()}`}
          title={`Theme: ${themeWord()} (t)`}
        >
          <Icon name={theme.value === 'auto' ? 'auto' : theme.value === 'light' ? 'sun' : 'moon'} />
        </button>
        <button
          type="button"
          class="icon-button wide-only"
          onClick={() => openDialog('help')}
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts (?)"
        >
          <Icon name="help" />
        </button>
        <button
          type="button"
          class="icon-button"
          onClick={() => void leave()}
          aria-label="Sign out"
          title="Sign out"
        >
          <Icon name="out" />
        </button>
      </div>
      {isOpen.value && (
        <LinkDetails
          onClose={() => {
            isOpen.value = false;
          }}
        />
      )}
    </div>
  );
}

function themeWord(): string {
  return theme.value === 'auto' ? 'as the system' : theme.value;
}

function LinkMark({ state }: { state: string }): JSX.Element {
  return <span class={`mark mark-${state}`} aria-hidden="true" />;
}

const shortState: Record<ShownAgent['state'], string> = {
  live: '',
  late: 'late',
  lost: 'silent',
  stopped: 'stopped',
  connecting: 'connecting',
  resyncing: 'resyncing',
  refused: 'refused',
};

/** An agent that web hears is only as fresh as our own link: while that is stale it is hollow, and its word grows old. */
function AgentChip({ agent, isHeard }: { agent: ShownAgent; isHeard: boolean }): JSX.Element {
  const now = webNow.value;
  const age = agent.asOf === 0 ? 'never' : ageText(now - agent.asOf);
  const word =
    agent.state === 'lost' && agent.reason === 'agent_degraded' ? 'degraded' : shortState[agent.state];
  const brake = agent.pool?.draining ? 'draining' : agent.pool?.paused ? 'paused' : '';
  const [trouble] = agent.pool?.attention ?? [];
  return (
    <li>
      <a
        class={`chip agent-${agent.state}${isHeard ? '' : ' weak'}`}
        href={agentUrl(agent.id)}
        title={`${agent.name}: ${agentSentence(agent, now)}${isHeard ? '' : NOT_HEARD}`}
        data-testid="agent-chip"
        data-agent-id={agent.id}
        data-state={agent.state}
      >
        <span class={`mark mark-${isHeard ? agent.state : 'unheard'}`} aria-hidden="true" />
        <span class="chip-name">{agent.name}</span>
        {word !== '' && <span class="chip-word">{word}</span>}
        {agent.state === 'resyncing' && agent.progress !== undefined ? (
          <span class="chip-age num">
            {agent.progress.done}/{agent.progress.of}
          </span>
        ) : (
          <span class="chip-age num">{age}</span>
        )}
        {agent.pool !== undefined && agent.state === 'live' && (
          <span class="chip-pool num">
            <span class="sr">slots in use </span>
            {agent.pool.running}/{agent.pool.slots}
          </span>
        )}
        {brake !== '' && <span class="chip-word">{brake}</span>}
        {trouble !== undefined && (
          <span class="chip-word" data-testid="agent-attention">
            {trouble.code.replaceAll('_', ' ')}
          </span>
        )}
      </a>
    </li>
  );
}

function LinkDetails({ onClose }: { onClose: () => void }): JSX.Element {
  useEffect(() => {
    const onPointer = (event: Event): void => {
      if (!(event.target instanceof Element) || event.target.closest('.truth') === null) onClose();
    };
    // Captured, so that the same Esc does not also close the task.
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      onClose();
    };
    document.addEventListener('pointerdown', onPointer);
    document.addEventListener('keydown', onKey, true);
    return () => {
      document.removeEventListener('pointerdown', onPointer);
      document.removeEventListener('keydown', onKey, true);
    };
  }, [onClose]);
  const { cursor, reconnects, recent, lastError } = link.value;
  const now = webNow.value;
  return (
    <div class="link-details" role="region" aria-label="Connection details">
      <h2>This browser ↔ web</h2>
      <dl class="facts">
        <dt>Now</dt>
        <dd>{linkText(linkNow.value, isResyncing.value)}</dd>
        <dt>Position</dt>
        <dd class="mono">{cursor ?? 'none'}</dd>
        <dt>Reconnects</dt>
        <dd>
          {reconnects}{' '}
          <button type="button" class="small" onClick={retryNow}>
            Connect anew
          </button>
        </dd>
        {lastError !== undefined && (
          <>
            <dt>Last error</dt>
            <dd>{lastError}</dd>
          </>
        )}
      </dl>
      {recent.length > 0 && (
        <ol class="recent">
          {recent.toReversed().map((entry) => (
            <li key={`${entry.at} ${entry.text}`}>
              <span class="num dim">{preciseTimeText(entry.at)}</span> {entry.text}
            </li>
          ))}
        </ol>
      )}
      <h2>Web ↔ agents{linkNow.value.state === 'live' ? '' : ', as web last said'}</h2>
      {agents.value.length === 0 && <p class="dim">No agent is known.</p>}
      {worstAgentsFirst(agents.value).map((agent) => (
        <div key={agent.id} class="agent-details">
          <h3>
            <a href={agentUrl(agent.id)} onClick={onClose}>
              {agent.name}
            </a>{' '}
            <span class="dim">{agent.url}</span>{' '}
            {agent.state !== 'live' && (
              <button type="button" class="small" onClick={() => void retryAgent(agent.id)}>
                Retry now
              </button>
            )}
          </h3>
          <p>{agentSentence(agent, now)}</p>
          <p class="dim">
            {agent.reconnects} reconnects · {agent.lag} events behind ·{' '}
            {agent.digestOk === undefined
              ? 'not compared yet'
              : agent.digestOk
                ? 'digest equal'
                : 'digest differs'}
            {agent.version === undefined ? '' : ` · version ${agent.version}`}
          </p>
        </div>
      ))}
    </div>
  );
}
