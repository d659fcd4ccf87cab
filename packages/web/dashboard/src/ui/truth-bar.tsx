/**
 * The truth bar, always on the page. Guarantees: says how this browser hears web and how web hears each agent, the
 * worst first; a click shows the details of both links.
 */
import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { ShownAgent } from '@holdfast/shared';
import { worstAgentsFirst } from '../model/certainty.ts';
import { isPoolVouched } from '../model/count-certainty.ts';
import { agentSentence, agentWord, NOT_HEARD } from '../model/sentence.ts';
import { truthText } from '../model/truth.ts';
import { ageText, countText } from '../model/words.ts';
import { leave } from '../state/actions.ts';
import { agents } from '../state/agents.ts';
import { linkNow, webNow } from '../state/clock.ts';
import { catchUp, isResyncing, retryNow } from '../state/store.ts';
import { agentUrl } from '../state/navigation.ts';
import { nextTheme, theme } from '../state/preferences.ts';
import { openDialog } from '../state/dialogs.ts';
import { isPhone } from '../state/screen.ts';
import { Icon } from './icons.tsx';
import { lazy } from './lazy.tsx';
import { MenuButton } from './menu-button.tsx';

/** The worst ones: those that follow are no worse. */
const MOST_CHIPS = 12;
/** More than these may not all be in sight. */
const FEW_AGENTS = 6;

const isOpen = signal(false);
const close = (): void => {
  isOpen.value = false;
};
const LinkDetails = lazy(async () => (await import('./link-details.tsx')).LinkDetails, close);

export function TruthBar(): JSX.Element {
  const state = linkNow.value;
  const { text, isResyncing: isBehind } = truthText({
    link: state,
    isReading: isResyncing.value,
    catchUp: catchUp.value,
    agents: agents.value,
  });
  const isBroken = state.state === 'stale' || state.state === 'blind' || state.state === 'connecting';
  return (
    <div class="truth" data-testid="truth-bar" data-link={state.state}>
      <MenuButton />
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
        <LinkMark state={isBehind ? 'resyncing' : state.state} />
        <span class="link-text" data-testid="truth">
          {text}
        </span>
      </button>
      {isBroken && (
        <button type="button" class="small" onClick={retryNow} data-testid="retry-now">
          Retry now
        </button>
      )}
      {!isPhone.value && <AgentChips />}
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
      {isOpen.value && <LinkDetails onClose={close} />}
    </div>
  );
}

export function AgentChips(): JSX.Element {
  const all = worstAgentsFirst(agents.value);
  return (
    <ul class="agents" aria-label="Agents, worst first">
      {all.slice(0, MOST_CHIPS).map((agent) => (
        <AgentChip key={agent.id} agent={agent} isHeard={linkNow.value.state === 'live'} />
      ))}
      {all.length > FEW_AGENTS && (
        <li class="all-agents">
          <button
            type="button"
            class="chip"
            title="Each of them, in the connection details"
            onClick={() => {
              isOpen.value = true;
            }}
            data-testid="all-agents"
          >
            {all.length} agents
          </button>
        </li>
      )}
    </ul>
  );
}

function themeWord(): string {
  return theme.value === 'auto' ? 'as the system' : theme.value;
}

function LinkMark({ state }: { state: string }): JSX.Element {
  return <span class={`mark mark-${state}`} aria-hidden="true" />;
}

/** An agent that web hears is only as fresh as our own link: while that is stale it is hollow, and its word grows old. */
function AgentChip({ agent, isHeard }: { agent: ShownAgent; isHeard: boolean }): JSX.Element {
  const now = webNow.value;
  const age = agent.asOf === 0 ? 'never' : ageText(now - agent.asOf);
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
        {agent.state !== 'live' && <span class="chip-word">{agentWord(agent)}</span>}
        {agent.state === 'resyncing' && agent.progress !== undefined ? (
          <span class="chip-age num">
            {countText(agent.progress.done)}/{countText(agent.progress.of)}
          </span>
        ) : (
          <span class="chip-age num">{age}</span>
        )}
        {agent.pool !== undefined && (
          <span class="chip-pool num">
            <span class="sr">slots in use </span>
            {agent.pool.running}
            {isPoolVouched(agent, linkNow.value.state) ? '' : '?'}/{agent.pool.slots}
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
