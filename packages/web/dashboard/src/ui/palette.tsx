/**
 * The palette: go anywhere, do anything, by a few letters. Guarantees: whatever it does has its own button elsewhere; an
 * action on a task needs the same confirmation as there.
 */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { ShownTask } from '@holdfast/shared';
import { isEnded } from '@holdfast/shared/status';
import { noFilter, taskName, views } from '../model/filter.ts';
import { findEntries, type PaletteEntry } from '../model/palette.ts';
import { statusHelp } from '../model/sentence.ts';
import { plural } from '../model/words.ts';
import { cancel, isHeld, retryOrSubmit } from '../state/actions.ts';
import { agents, sessions } from '../state/agents.ts';
import { forecastBulk } from '../state/bulk.ts';
import { closeDialog, openDialog } from '../state/dialogs.ts';
import { go, openTask, place } from '../state/navigation.ts';
import { notifyState, toggleNotifications } from '../state/notifier.ts';
import { askPool } from '../state/pool.ts';
import { setTheme, themes } from '../state/preferences.ts';
import { markedCount, selected } from '../state/selection.ts';
import { peekTask } from '../state/tasks.ts';
import { labels } from '../state/views.ts';
import { readTasks } from '../transport/api.ts';
import { Modal } from './modal.tsx';

interface Entry extends PaletteEntry {
  run: () => void;
}

const SHOWN = 12;
const TYPING_PAUSE_MS = 150;
const TASKS_FOUND = 6;

export function PaletteDialog(): JSX.Element {
  const query = useSignal('');
  const chosen = useSignal(0);
  const tasks = useSignal<readonly ShownTask[]>([]);
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);

  const text = query.value.trim();
  useEffect(() => {
    if (text === '') {
      tasks.value = [];
      return undefined;
    }
    let isWanted = true;
    const timer = window.setTimeout(() => {
      void readTasks(new URLSearchParams({ q: text, limit: String(TASKS_FOUND) })).then((answer) => {
        if (isWanted && answer.ok) tasks.value = answer.value.items;
      });
    }, TYPING_PAUSE_MS);
    return () => {
      isWanted = false;
      window.clearTimeout(timer);
    };
  }, [text, tasks]);

  const known = findEntries(entriesNow(), query.value, SHOWN);
  const found = tasks.value.map(taskEntry);
  const offered = [...known.slice(0, SHOWN - found.length), ...found];
  const at = Math.min(chosen.value, Math.max(0, offered.length - 1));

  const run = (entry: Entry | undefined): void => {
    if (entry === undefined) return;
    closeDialog();
    entry.run();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const by = event.key === 'ArrowDown' ? 1 : -1;
      chosen.value = (at + by + offered.length) % Math.max(1, offered.length);
    }
    if (event.key === 'Enter') {
      event.preventDefault();
      run(offered[at]);
    }
  };

  return (
    <Modal title="Go or do" onClose={closeDialog}>
      <div class="palette" data-testid="palette">
        <input
          ref={field}
          type="text"
          role="combobox"
          autocomplete="off"
          spellcheck={false}
          placeholder="A view, session, agent, task or action"
          aria-label="Find a command"
          aria-expanded={offered.length > 0}
          aria-controls="palette-list"
          aria-autocomplete="list"
          {...(offered.length > 0 ? { 'aria-activedescendant': `palette-${at}` } : {})}
          value={query.value}
          data-testid="palette-field"
          onInput={(event) => {
            query.value = event.currentTarget.value;
            chosen.value = 0;
          }}
          onKeyDown={onKeyDown}
        />
        <ul id="palette-list" role="listbox" aria-label="Commands">
          {offered.map((entry, index) => (
            <li
              key={entry.id}
              id={`palette-${index}`}
              role="option"
              aria-selected={index === at}
              data-testid="palette-entry"
              onClick={() => run(entry)}
            >
              <span class="palette-kind dim">{entry.kind}</span>
              <span class="palette-name">{entry.name}</span>
              {entry.detail !== undefined && <span class="dim">{entry.detail}</span>}
            </li>
          ))}
        </ul>
        {offered.length === 0 && <p class="dim">Nothing is called so.</p>}
      </div>
    </Modal>
  );
}

function taskEntry(task: ShownTask): Entry {
  return {
    id: `task ${task.id}`,
    name: taskName(task),
    kind: 'Task',
    detail: statusHelp[task.status].word,
    run: () => openTask(task.id),
  };
}

function entriesNow(): Entry[] {
  return [...taskActions(), ...goEntries(), ...agentActions(), ...pageActions()];
}

/** On the marked tasks, else on the open or selected one. */
function taskActions(): Entry[] {
  const count = markedCount.value;
  if (count > 0) {
    const what = plural(count, 'marked task');
    return (['cancel', 'retry', 'reclaim', 'resolve'] as const).map((action) => ({
      id: `bulk ${action}`,
      name: `${action[0]!.toUpperCase()}${action.slice(1)} ${what}`,
      kind: 'Action',
      detail: 'dry run first',
      run: () => void forecastBulk(action),
    }));
  }
  const id = place.value.taskId ?? selected.value;
  const task = id === undefined ? undefined : peekTask(id);
  if (task === undefined) return [];
  const name = `“${taskName(task)}”`;
  if (isEnded(task.status)) {
    const what = isHeld(task) ? `Retry ${name}` : `Submit ${name} anew`;
    return [{ id: 'retry', name: what, kind: 'Action', detail: 'r', run: () => retryOrSubmit(task) }];
  }
  return [
    { id: 'cancel', name: `Cancel ${name}`, kind: 'Action', run: () => cancel(task.id) },
    {
      id: 'reclaim',
      name: `Reclaim ${name}`,
      kind: 'Action',
      detail: 'dry run first',
      run: () => void forecastBulk('reclaim', [task.id]),
    },
  ];
}

function goEntries(): Entry[] {
  return [
    ...views.map((view) => ({
      id: `view ${view.id}`,
      name: view.name,
      kind: 'View',
      run: () => go({ filter: view.filter, tab: 'log' }),
    })),
    ...agents.value.map((agent) => ({
      id: `agent ${agent.id}`,
      name: agent.name,
      kind: 'Agent',
      detail: agent.state,
      run: () => go({ filter: place.peek().filter, agentId: agent.id, tab: 'log' }),
    })),
    ...sessions.value.map((session) => ({
      id: `session ${session.id}`,
      name: session.title ?? session.id,
      kind: 'Session',
      ...(session.title === undefined ? {} : { detail: session.id }),
      run: () => go({ filter: { ...noFilter, sessionId: session.id }, tab: 'log' }),
    })),
    ...labels.value.map(({ label }) => ({
      id: `label ${label}`,
      name: label,
      kind: 'Label',
      run: () => go({ filter: { ...noFilter, label }, tab: 'log' }),
    })),
  ];
}

function agentActions(): Entry[] {
  return agents.value.flatMap((agent) =>
    (['pause', 'drain', 'resume'] as const).map((verb) => ({
      id: `${verb} ${agent.id}`,
      name: `${verb[0]!.toUpperCase()}${verb.slice(1)} ${agent.name}`,
      kind: 'Agent',
      run: () => {
        go({ filter: place.peek().filter, agentId: agent.id, tab: 'log' });
        void askPool(agent.id, { verb });
      },
    })),
  );
}

const themeNames = { auto: 'as the system', light: 'light', dark: 'dark' };

function pageActions(): Entry[] {
  return [
    { id: 'new', name: 'New task', kind: 'Action', detail: 'n', run: () => openDialog('submit') },
    ...themes.map((theme) => ({
      id: `theme ${theme}`,
      name: `Theme: ${themeNames[theme]}`,
      kind: 'Page',
      run: () => setTheme(theme),
    })),
    {
      id: 'notifications',
      name: notifyState.value === 'on' ? 'Switch notifications off' : 'Notify me of what goes wrong',
      kind: 'Page',
      run: () => void toggleNotifications(),
    },
    {
      id: 'channels',
      name: 'Notification channels and alerts',
      kind: 'Page',
      run: () => openDialog('notifications'),
    },
    { id: 'help', name: 'Keys, search and signs', kind: 'Page', detail: '?', run: () => openDialog('help') },
  ];
}
