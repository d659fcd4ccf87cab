/** Both links in full. Guarantees: closed by Esc, by a click elsewhere, and by the button that opened it. */
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { worstAgentsFirst } from '../model/certainty.ts';
import { agentSentence, linkText } from '../model/sentence.ts';
import { preciseTimeText } from '../model/words.ts';
import { agents } from '../state/agents.ts';
import { link, linkNow, webNow } from '../state/clock.ts';
import { agentUrl } from '../state/navigation.ts';
import { retryAgent } from '../state/pool.ts';
import { isResyncing, retryNow } from '../state/store.ts';

export function LinkDetails({ onClose }: { onClose: () => void }): JSX.Element {
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
            {(agent.state !== 'live' || linkNow.value.state !== 'live') && ', when it was heard last'}
            {agent.version === undefined ? '' : ` · version ${agent.version}`}
          </p>
        </div>
      ))}
    </div>
  );
}
