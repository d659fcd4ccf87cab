/** The rail: sessions and agents, each the link to its tasks. */
import type { JSX } from 'preact';
import type { ShownSession } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import type { Certainty } from '../model/certainty.ts';
import { place } from '../state/navigation.ts';
import { agents, sessions } from '../state/agents.ts';
import { linkNow } from '../state/clock.ts';
import { statusHelp } from '../model/sentence.ts';
import { StatusIcon } from './icons.tsx';

const SHOWN = 60;

export function Rail(): JSX.Element {
  const shown = sessions.value.filter((session) => !session.archived).slice(0, SHOWN);
  return (
    <nav class="rail" aria-label="Sessions">
      <h2>Sessions</h2>
      {shown.length === 0 && (
        <p class="dim">A session groups tasks that belong together. It begins with its first task.</p>
      )}
      <ul>
        {shown.map((session) => (
          <SessionLink key={session.id} session={session} />
        ))}
      </ul>
    </nav>
  );
}

function SessionLink({ session }: { session: ShownSession }): JSX.Element {
  const isCurrent = place.value.filter.sessionId === session.id;
  const total = Object.values(session.counts).reduce((sum, count) => sum + (count ?? 0), 0);
  const word = session.status === 'empty' ? 'empty' : statusHelp[session.status].word;
  return (
    <li>
      <a
        href={`/sessions/${encodeURIComponent(session.id)}`}
        aria-current={isCurrent ? 'page' : undefined}
        title={`${session.id} · ${word}`}
        data-testid="session-link"
      >
        {session.status !== 'empty' && (
          <StatusIcon status={session.status} certainty={sessionCertainty(session)} size={13} />
        )}
        <span class="session-name">{session.title ?? session.id}</span>
        <span class="num dim">{total}</span>
        <span class="sr">{word}</span>
      </a>
    </li>
  );
}

/** A session does not say on which agents its tasks are: one silent agent weakens every session with work in hand. */
function sessionCertainty(session: ShownSession): Certainty['state'] {
  if (session.status === 'empty' || isEnded(session.status)) return 'live';
  if (session.status === 'unknown' || linkNow.value.state === 'blind') return 'unknown';
  const isHeard = linkNow.value.state === 'live' && agents.value.every((agent) => agent.state === 'live');
  return isHeard ? 'live' : 'stale';
}
