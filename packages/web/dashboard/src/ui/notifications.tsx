/**
 * Who is told of what, and whether it reaches them: the channels with a test each, this browser, and the newest alerts.
 * Guarantees: while it is open it is read again every few seconds; a test says what web said of it.
 */
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import {
  alertWords,
  backlogText,
  channelStates,
  channelTypes,
  configExample,
  lastTryText,
  resolutionText,
  testText,
  toldText,
  type Channel,
  type NotedAlert,
} from '../model/channels.ts';
import { noFilter } from '../model/filter.ts';
import { placeToUrl } from '../model/place.ts';
import { timeText } from '../model/words.ts';
import {
  askTest,
  channelTests,
  forgetTests,
  loadNotifications,
  notifications,
  notificationsProblem,
} from '../state/channels.ts';
import { webNow } from '../state/clock.ts';
import { closeDialog } from '../state/dialogs.ts';
import { agentUrl, taskUrl } from '../state/navigation.ts';
import { notifyState, toggleNotifications, type NotifyState } from '../state/notifier.ts';
import { Modal } from './modal.tsx';

const AGAIN_MS = 5000;

export function NotificationsDialog(): JSX.Element {
  useEffect(() => {
    forgetTests();
    void loadNotifications();
    const timer = window.setInterval(() => void loadNotifications(), AGAIN_MS);
    return () => window.clearInterval(timer);
  }, []);
  const known = notifications.value;
  const problem = notificationsProblem.value;
  return (
    <Modal title="Notifications" onClose={closeDialog}>
      <div class="notifications" data-testid="notifications-dialog">
        {problem !== undefined && (
          <p class="banner is-problem" role="status">
            {problem.detail}
            {known !== undefined && ' What follows is what web said last.'}
          </p>
        )}
        <section>
          <h3>Channels</h3>
          {known === undefined && problem === undefined && <p class="dim">Reading …</p>}
          {known?.channels.length === 0 && <NoChannels />}
          {known !== undefined && known.channels.length > 0 && (
            <ul>
              {known.channels.map((channel) => (
                <ChannelEntry key={channel.name} channel={channel} />
              ))}
            </ul>
          )}
        </section>
        <ThisBrowser />
        {known !== undefined && <Alerts alerts={known.alerts} />}
      </div>
    </Modal>
  );
}

function NoChannels(): JSX.Element {
  return (
    <div data-testid="no-channels">
      <p>
        None. To be told in Slack, Discord, ntfy or by a webhook, write this into <code>config.json</code> of
        the home that web runs in, with an address of your own, and restart web:
      </p>
      <pre>{configExample}</pre>
      <p class="hint">
        The address is a secret: chmod 600 the file. <code>holdfast config show</code> says what is wrong in
        it. Every setting is explained in <code>docs/notifications.md</code>.
      </p>
    </div>
  );
}

function ChannelEntry({ channel }: { channel: Channel }): JSX.Element {
  const { name, type, host, state } = channel;
  const test = channelTests.value.get(name);
  const backlog = backlogText(channel);
  const isAsked = test?.stage === 'asked';
  return (
    <li class={`channel is-${state}`} data-testid="channel" data-state={state}>
      <div class="channel-head">
        <strong>{name}</strong>
        <span class="dim">
          {channelTypes[type]}, {host}
        </span>
        {/* Not `disabled`: the focus would be lost while the answer is awaited. */}
        <button
          type="button"
          class="small"
          aria-label={`Test ${name}`}
          aria-disabled={isAsked}
          onClick={() => void askTest(name)}
          data-testid="channel-test"
        >
          Test
        </button>
      </div>
      <p>
        <span class="channel-state">{channelStates[state]}.</span> {lastTryText(channel, webNow.value)}
        {backlog !== undefined && ` ${backlog}`}
      </p>
      <p class="hint">{toldText(channel)}</p>
      <p role="status" class="channel-said" data-testid="channel-said" data-stage={test?.stage}>
        {test !== undefined && testText(test, host)}
      </p>
    </li>
  );
}

const browserTexts: Record<NotifyState, string> = {
  on: 'On. It tells you of unknown and failed tasks, and of what needs you, while you look elsewhere.',
  off: 'Off. It can tell you of unknown and failed tasks, and of what needs you, while you look elsewhere.',
  denied: 'Blocked for this page. Allow notifications in the browser’s site settings, then reload the page.',
  impossible: 'Not possible here: browsers show notifications only for pages over https or on this machine.',
};

function ThisBrowser(): JSX.Element {
  const state = notifyState.value;
  return (
    <section>
      <h3>This browser</h3>
      <div class="this-browser" data-testid="this-browser" data-state={state}>
        <p role="status">{browserTexts[state]}</p>
        {(state === 'on' || state === 'off') && (
          <button
            type="button"
            class="small"
            onClick={() => void toggleNotifications()}
            data-testid="this-browser-switch"
          >
            {state === 'on' ? 'Switch off' : 'Switch on'}
          </button>
        )}
      </div>
    </section>
  );
}

function Alerts({ alerts }: { alerts: readonly NotedAlert[] }): JSX.Element {
  return (
    <section>
      <h3>Recent alerts</h3>
      <p class="hint">
        {alerts.length === 0
          ? 'None in the last 7 days. What channels are told of is noted here, with or without a channel.'
          : 'Of the last 7 days, the newest first. They are noted with or without a channel.'}
      </p>
      <ul>
        {alerts.map((alert) => (
          <AlertEntry key={alert.id} alert={alert} />
        ))}
      </ul>
    </section>
  );
}

function AlertEntry({ alert }: { alert: NotedAlert }): JSX.Element {
  const { kind, subject, detail, lasting, resolvedAt, sinceAt } = alert;
  const href = hrefOf(alert);
  const resolution = resolutionText(alert);
  const now = webNow.value;
  return (
    <li class="noted" data-testid="noted-alert" data-kind={kind}>
      <p>
        <strong class={lasting && resolvedAt === undefined ? 'is-open' : undefined}>
          {alertWords[kind]}
        </strong>{' '}
        {href === undefined ? (
          subject
        ) : (
          <a href={href} onClick={closeDialog}>
            {subject}
          </a>
        )}
        {detail !== '' && `: ${detail}`}
      </p>
      <p class="hint">
        {lasting ? 'Since ' : ''}
        <time dateTime={new Date(sinceAt).toISOString()}>{timeText(sinceAt, now)}</time>
        {resolution !== undefined && ` · ${resolution}`}
      </p>
    </li>
  );
}

function hrefOf({ taskId, sessionId, agentId }: NotedAlert): string | undefined {
  if (taskId !== undefined) return taskUrl(taskId);
  if (sessionId !== undefined) return placeToUrl({ filter: { ...noFilter, sessionId }, tab: 'log' });
  return agentId === undefined ? undefined : agentUrl(agentId);
}
