/**
 * The rail: views with their counts, agents, sessions and labels, each the link to its tasks. Guarantees: while the pointer
 * is over the sessions they keep their order.
 */
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { ShownAgent, ShownSession } from '@holdfast/shared';
import { troubleOf } from '../model/agent-trouble.ts';
import { worstAgentsFirst } from '../model/certainty.ts';
import { isPoolVouched } from '../model/count-certainty.ts';
import { failedTodayView, isSameFilter, needsYouView, noFilter, views, type View } from '../model/filter.ts';
import { placeToUrl } from '../model/place.ts';
import { agentSentence, agentWord, NOT_HEARD, statusHelp } from '../model/sentence.ts';
import { sessionCertainty } from '../model/session-certainty.ts';
import { ageText, countText } from '../model/words.ts';
import { agents, sessions } from '../state/agents.ts';
import { linkNow, webNow } from '../state/clock.ts';
import { openDialog } from '../state/dialogs.ts';
import { failingChannels } from '../state/failing-channels.ts';
import { agentUrl, place } from '../state/navigation.ts';
import { notifyState, toggleNotifications } from '../state/notifier.ts';
import {
  hasMoreSessions,
  isArchiveRead,
  isArchiveShown,
  isReadingSessions,
  readMoreSessions,
  showArchive,
} from '../state/sessions.ts';
import { hasState } from '../state/store.ts';
import { sessionWork } from '../state/tasks.ts';
import { countOf, failedToday, labels, needsYou, needyAgents, shownCount } from '../state/views.ts';
import { StatusIcon } from './icons.tsx';

export function Rail(): JSX.Element {
  return (
    <nav class="rail" aria-label="Views, agents, sessions and labels">
      <RailContent />
    </nav>
  );
}

export function RailContent(): JSX.Element {
  return (
    <>
      <div class="rail-body">
        <ul class="rail-views">
          {views.map((view) => (
            <ViewLink key={view.id} view={view} />
          ))}
        </ul>
        <Needy />
        <Agents />
        <Sessions />
        <Labels />
      </div>
      <div class="rail-end">
        <button
          type="button"
          class="small"
          aria-pressed={notifyState.value === 'on'}
          onClick={() => void toggleNotifications()}
          data-testid="notifications"
          data-state={notifyState.value}
        >
          {notifyState.value === 'on' ? 'Notifications on' : 'Notify me'}
        </button>
        <button
          type="button"
          class="small"
          onClick={() => openDialog('notifications')}
          data-testid="notifications-open"
        >
          Channels and alerts
        </button>
      </div>
    </>
  );
}

/** Undefined while it is not known. */
function countOfView(view: View): number | undefined {
  if (view === needsYouView) return needsYou.value;
  return view === failedTodayView ? failedToday.value : countOf(view.filter.statuses);
}

function ViewLink({ view }: { view: View }): JSX.Element {
  const { text, className } = shownCount(view.filter, countOfView(view));
  const isCurrent = isSameFilter(place.value.filter, view.filter);
  return (
    <li>
      <a
        href={placeToUrl({ filter: view.filter, tab: 'log' })}
        class={`view-${view.id}${className}`}
        aria-current={isCurrent ? 'page' : undefined}
        title={view.help}
        data-testid={`view-${view.id}`}
      >
        <span class="session-name">{view.name}</span>
        <span class="num count">{text}</span>
      </a>
    </li>
  );
}

/** So that what is below them stays in sight. */
const MOST_NEEDY = 4;
const MOST_AGENTS = 8;
const MOST_SESSIONS = 8;

/** Shows all of a part of the rail, or as many as have room beside the others. */
function WholeButton({
  isWhole,
  all,
  onClick,
  testId,
}: {
  isWhole: boolean;
  all: string;
  onClick: () => void;
  testId: string;
}): JSX.Element {
  return (
    <button type="button" class="link" aria-expanded={isWhole} onClick={onClick} data-testid={testId}>
      {isWhole ? 'Fewer' : `All ${all}`}
    </button>
  );
}

/** Agents that wait for a person, and why in a word; and channels that do not reach one. */
function Needy(): JSX.Element | null {
  const [isWhole, setWhole] = useState(false);
  const now = webNow.value;
  const needy = needyAgents.value;
  if (needy.length + failingChannels.value.length === 0) return null;
  return (
    <ul class="needs-you" data-testid="needs-you">
      {(isWhole ? needy : needy.slice(0, MOST_NEEDY)).map((agent) => {
        const trouble = troubleOf(agent);
        if (trouble === undefined) return null;
        const { word, text, sinceAt } = trouble;
        return (
          <li key={agent.id}>
            <a href={agentUrl(agent.id)} title={text}>
              <span class="session-name needs">
                {agent.name}: {word}
              </span>
              {sinceAt !== undefined && sinceAt > 0 && <span class="num dim">{ageText(now - sinceAt)}</span>}
            </a>
          </li>
        );
      })}
      {needy.length > MOST_NEEDY && (
        <li>
          <WholeButton
            isWhole={isWhole}
            all={`${countText(needy.length)} that need you`}
            onClick={() => setWhole(!isWhole)}
            testId="needs-you-all"
          />
        </li>
      )}
      {failingChannels.value.map((name) => (
        <li key={`channel ${name}`}>
          <button
            type="button"
            title="Its newest message was not delivered"
            onClick={() => openDialog('notifications')}
            data-testid="failing-channel"
          >
            <span class="session-name needs">{name}: not delivered</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function Agents(): JSX.Element {
  const [isWhole, setWhole] = useState(false);
  const now = webNow.value;
  const all = worstAgentsFirst(agents.value);
  const isLong = all.length > MOST_AGENTS;
  return (
    <section>
      <div class="rail-head">
        <h2>Agents</h2>
        {isLong && (
          <WholeButton
            isWhole={isWhole}
            all={countText(all.length)}
            onClick={() => setWhole(!isWhole)}
            testId="agents-all"
          />
        )}
      </div>
      {hasState.value && all.length === 0 && <p class="dim">None yet.</p>}
      <ul>
        {(isWhole ? all : all.slice(0, MOST_AGENTS)).map((agent) => (
          <AgentLink key={agent.id} agent={agent} now={now} />
        ))}
      </ul>
    </section>
  );
}

function AgentLink({ agent, now }: { agent: ShownAgent; now: number }): JSX.Element {
  const isHeard = linkNow.value.state === 'live';
  const { pool } = agent;
  const brake = pool?.draining === true ? 'draining' : pool?.paused === true ? 'paused' : undefined;
  return (
    <li>
      <a
        href={agentUrl(agent.id)}
        aria-current={place.value.agentId === agent.id ? 'page' : undefined}
        title={`${agent.name}: ${agentSentence(agent, now)}${isHeard ? '' : NOT_HEARD}`}
        data-testid="agent-link"
      >
        <span class={`mark mark-${isHeard ? agent.state : 'unheard'}`} aria-hidden="true" />
        <span class="session-name">{agent.name}</span>
        <span class="num dim">
          {isPoolVouched(agent, linkNow.value.state)
            ? (brake ?? (pool && `${pool.running}/${pool.slots}`))
            : isHeard
              ? agentWord(agent)
              : 'not heard'}
        </span>
      </a>
    </li>
  );
}

function Sessions(): JSX.Element {
  const [held, setHeld] = useState<readonly string[] | undefined>(undefined);
  const [isWhole, setWhole] = useState(false);
  const order = useRef<readonly string[]>([]);
  const ofKind = sessions.value.filter((session) => session.archived === isArchiveShown.value);
  const shown = held === undefined ? ofKind : inOrder(ofKind, held);
  order.current = shown.map(({ id }) => id);
  const { sessionId } = place.value.filter;
  const inSight = shown.filter(({ id }, at) => isWhole || at < MOST_SESSIONS || id === sessionId);
  return (
    <section
      onPointerEnter={(event) => {
        if (event.pointerType === 'mouse') setHeld(order.current);
      }}
      onPointerLeave={() => setHeld(undefined)}
    >
      <div class="rail-head">
        <h2>{isArchiveShown.value ? 'Archived sessions' : 'Sessions'}</h2>
        <span>
          {shown.length > MOST_SESSIONS && (
            <WholeButton
              isWhole={isWhole}
              all={`${countText(shown.length)}${hasMoreSessions() ? '+' : ''}`}
              onClick={() => setWhole(!isWhole)}
              testId="sessions-all"
            />
          )}
          <button
            type="button"
            class="link"
            aria-pressed={isArchiveShown.value}
            onClick={() => showArchive(!isArchiveShown.value)}
            data-testid="sessions-archived"
          >
            Archived
          </button>
        </span>
      </div>
      {shown.length === 0 && (
        <p class="dim">
          {isArchiveShown.value
            ? isArchiveRead.value
              ? 'None is archived.'
              : 'Reading …'
            : 'A session groups tasks that belong together. It begins with its first task.'}
        </p>
      )}
      <ul>
        {inSight.map((session) => (
          <SessionLink key={session.id} session={session} />
        ))}
      </ul>
      {isWhole && hasMoreSessions() && (
        <button
          type="button"
          class="link more-sessions"
          disabled={isReadingSessions.value}
          onClick={() => void readMoreSessions()}
          data-testid="sessions-more"
        >
          Older sessions
        </button>
      )}
    </section>
  );
}

/** Those that were there keep their order; new ones wait at the end. */
function inOrder(rows: readonly ShownSession[], ids: readonly string[]): ShownSession[] {
  const place = new Map(ids.map((id, index) => [id, index]));
  return rows.toSorted((a, b) => (place.get(a.id) ?? ids.length) - (place.get(b.id) ?? ids.length));
}

function SessionLink({ session }: { session: ShownSession }): JSX.Element {
  const isCurrent = place.value.filter.sessionId === session.id;
  const total = Object.values(session.counts).reduce((sum, count) => sum + (count ?? 0), 0);
  const word = session.status === 'empty' ? 'empty' : statusHelp[session.status].word;
  const work = sessionWork.value.get(session.id);
  const certainty = sessionCertainty(session, work, agents.value, linkNow.value.state);
  return (
    <li>
      <a
        href={`/sessions/${encodeURIComponent(session.id)}`}
        aria-current={isCurrent ? 'page' : undefined}
        title={`${session.title ?? session.id} (${session.id}) · ${word}`}
        data-testid="session-link"
      >
        {session.status !== 'empty' && <StatusIcon status={session.status} certainty={certainty} size={13} />}
        <bdi class="session-name">{session.title ?? session.id}</bdi>
        <span class="num dim">{countText(total)}</span>
        <span class="sr">{word}</span>
      </a>
    </li>
  );
}

function Labels(): JSX.Element | null {
  if (labels.value.length === 0) return null;
  return (
    <section>
      <h2>Labels</h2>
      <ul>
        {labels.value.map(({ label, tasks }) => (
          <li key={label}>
            <a
              href={placeToUrl({ filter: { ...noFilter, label }, tab: 'log' })}
              aria-current={place.value.filter.label === label ? 'page' : undefined}
              data-testid="label-link"
            >
              <bdi class="session-name">{label}</bdi>
              <span class="num dim">{countText(tasks)}</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
