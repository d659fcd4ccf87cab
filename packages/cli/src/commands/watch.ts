/**
 * `holdfast watch`: tasks as they change. Guarantees: on a terminal one screen that is never older than it says;
 * elsewhere a line for each change of a status; a lost link is told and taken up again; Ctrl-C ends it, with 0.
 */
import type { Command } from 'commander';
import { isEnded } from '@holdfast/shared/status';
import { chooseAgent } from '../agent-ref.ts';
import type { Client, SeenAgent, SeenTask, TaskPage } from '../client.ts';
import { followTasks, type LinkState, type TaskChange } from '../follow-tasks.ts';
import { addGroupOptions, filterQuery, type GroupOptions, taskFilter } from '../filter-options.ts';
import type { Invocation } from '../invocation.ts';
import { addManual } from '../manual.ts';
import type { Timer } from '../io.ts';
import { readItems, readPages } from '../pages.ts';
import { RefusedError } from '../service-error.ts';
import { statusText, taskName } from '../task-text.ts';
import { timeText } from '../words.ts';
import { renderWatch } from '../watch-screen.ts';

/** How many ended tasks to begin with; of those that ended while the link was lost, all. */
const ENDED_SHOWN = 50;
const ALIVE = 'submitted,queued,starting,running,unknown';
const AGENT_ALIVE = 'queued,starting,running';
const ENDED = 'completed,failed,cancelled';
/** Whoever watches for a month needs no more memory than on the first day. */
const MOST_KNOWN = 10_000;
const MOST_ENDED = 200;
/** A busy service must not make a busy terminal. */
const DRAW_MS = 250;
const CLOCK_MS = 1000;

export function defineWatch(command: Command, invocation: Invocation): void {
  addGroupOptions(command).action((options: GroupOptions) => watch(invocation, options));
  addManual(command, {
    guarantees: [
      'On a terminal the screen is kept up to date; elsewhere each task that is alive, and then each change of a status, is a line; with --json a Task (JSON Lines). While the link is lost it says so, and rows are marked as of the last word; it is taken up again by itself.',
      'States that a task passes through faster than they can be told may be left out; its last one never is.',
    ],
    exits: { ok: 'Ctrl-C ended it; tasks go on', refused: 'web refused a filter, or there is no such agent' },
    examples: [
      'holdfast watch --session nightly',
      'holdfast watch --json | jq -r \'select(.status == "failed") | .id\'',
    ],
  });
}

async function watch(invocation: Invocation, options: GroupOptions): Promise<void> {
  const { io } = invocation;
  const filter = filterQuery(taskFilter(invocation, options));
  const client = invocation.openClient();
  const agents = await client.readAgents();
  const agentId = options.agent === undefined ? undefined : chooseAgent(agents, options.agent).id;
  const stop = new AbortController();
  const release = io.onStopSignal(() => stop.abort());
  const view =
    invocation.width === undefined || invocation.isJson
      ? openLines(invocation)
      : openScreen(invocation, agents, stop.signal);
  const seen: Seen = { alive: new Set(), ended: new Set(), isFirst: true };
  try {
    await followTasks({
      client,
      io,
      signal: stop.signal,
      read: (signal) => readTasks(client, filter, seen, signal),
      onChange: (all) => {
        const change = sift(all, options, agentId);
        note(seen, change);
        view.change(change);
      },
      onLink: (link) => view.link(link),
    });
  } finally {
    release();
    stop.abort();
    view.close();
  }
}

/** What was told: after a lost link everything that ended meanwhile is looked for from here. */
interface Seen {
  alive: Set<string>;
  /** The newest of them. */
  ended: Set<string>;
  /** Nothing was read yet. */
  isFirst: boolean;
}

function note(seen: Seen, change: TaskChange): void {
  if (change.kind === 'removed') {
    for (const id of change.ids) seen.alive.delete(id);
    return;
  }
  if (change.kind === 'all') {
    seen.isFirst = false;
    seen.alive.clear();
  }
  for (const { id, status } of change.tasks) {
    seen.alive.delete(id);
    seen.ended.delete(id);
    (isEnded(status) ? seen.ended : seen.alive).add(id);
    if (seen.ended.size > MOST_KNOWN) seen.ended.delete(seen.ended.keys().next().value ?? '');
  }
}

async function readTasks(
  client: Client,
  group: URLSearchParams,
  seen: Seen,
  signal: AbortSignal,
): Promise<SeenTask[]> {
  const filter = new URLSearchParams(group);
  const read = (query: URLSearchParams): Promise<TaskPage> => client.readTasks(query, signal);
  filter.set('status', client.kind === 'web' ? ALIVE : AGENT_ALIVE);
  const tasks = await readItems(read, filter);
  filter.set('status', client.kind === 'web' ? `${ENDED},lost` : ENDED);
  tasks.push(...(await readEnded(read, filter, seen)));
  // What was alive and has ended since may be older than all of these.
  const found = new Set(tasks.map(({ id }) => id));
  for (const id of seen.alive) {
    const task = found.has(id) ? undefined : await readIfThere(client, id, signal);
    if (task !== undefined) tasks.push(task);
  }
  return tasks;
}

/** The newest first: those that were not known to have ended, and as many behind them as one begins with. */
async function readEnded(
  read: (query: URLSearchParams) => Promise<TaskPage>,
  filter: URLSearchParams,
  { ended, isFirst }: Seen,
): Promise<SeenTask[]> {
  if (isFirst) return readItems(read, filter, ENDED_SHOWN);
  const tasks: SeenTask[] = [];
  let left = ENDED_SHOWN;
  for await (const { items } of readPages(read, filter)) {
    for (const task of items) {
      if (left === 0) return tasks;
      tasks.push(task);
      if (left < ENDED_SHOWN || ended.has(task.id)) left -= 1;
    }
  }
  return tasks;
}

async function readIfThere(client: Client, id: string, signal: AbortSignal): Promise<SeenTask | undefined> {
  try {
    return await client.readTask(id, signal);
  } catch (error) {
    if (error instanceof RefusedError && error.problem.code === 'no_such_task') return undefined;
    throw error;
  }
}

/** The stream tells of every task: only those that were asked for are passed on. */
function sift(change: TaskChange, options: GroupOptions, agentId: string | undefined): TaskChange {
  if (change.kind !== 'some') return change;
  const { session, label = [] } = options;
  const tasks = change.tasks.filter(
    (task) =>
      (session === undefined || task.sessionId === session) &&
      (agentId === undefined || task.agentId === agentId) &&
      label.every((one) => hasLabel(task, one)),
  );
  return { kind: 'some', tasks };
}

function hasLabel({ labels }: SeenTask, text: string): boolean {
  const equals = text.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, text);
  return labels[text.slice(0, equals)] === text.slice(equals + 1);
}

interface View {
  change: (change: TaskChange) => void;
  link: (link: LinkState) => void;
  close: () => void;
}

/** A line for each change. */
function openLines(invocation: Invocation): View {
  const known = new Map<string, string>();
  let isFirst = true;
  let isLost = false;
  /** Whether this is news. */
  function learn(task: SeenTask): boolean {
    const key = invocation.isJson
      ? JSON.stringify(task)
      : `${task.attempt} ${task.status} ${task.knowledge?.state}`;
    if (known.get(task.id) === key) return false;
    known.delete(task.id);
    known.set(task.id, key);
    // The one that has not changed for longest.
    if (known.size > MOST_KNOWN) known.delete(known.keys().next().value ?? '');
    return true;
  }
  function tell(task: SeenTask): void {
    const { stdout, now } = invocation.io;
    const line = invocation.isJson
      ? JSON.stringify(task)
      : `${timeText(now())}  ${task.id}  ${statusText(task, now()).text}  ${taskName(task)}`;
    stdout.write(`${line}\n`);
  }
  return {
    change(change) {
      if (change.kind === 'removed') return;
      const news = change.tasks.filter(learn);
      // What had ended before anybody watched is no change.
      for (const task of news) if (!isFirst || !isEnded(task.status)) tell(task);
      isFirst = false;
    },
    link(link) {
      if (link.kind === 'lost' && !isLost)
        invocation.say(`holdfast: not connected: ${link.why}. Trying again.`);
      if (link.kind === 'live' && isLost) invocation.say('holdfast: connected again; nothing was missed.');
      isLost = link.kind === 'lost';
    },
    close: () => undefined,
  };
}

function forgetOldest(tasks: Map<string, SeenTask>): void {
  const ended = [...tasks.values()].filter((task) => isEnded(task.status));
  if (ended.length <= 2 * MOST_ENDED) return;
  ended.sort((a, b) => (b.endedAt ?? b.createdAt) - (a.endedAt ?? a.createdAt));
  for (const { id } of ended.slice(MOST_ENDED)) tasks.delete(id);
}

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/** The whole terminal, drawn at most a few times a second, and once a second for its clocks. */
function openScreen(invocation: Invocation, agents: readonly SeenAgent[], signal: AbortSignal): View {
  const { io, paint } = invocation;
  const { stdout } = io;
  const tasks = new Map<string, SeenTask>();
  let link: LinkState = { kind: 'live' };
  let due: Timer | undefined;
  let isOpen = false;

  function draw(): void {
    if (signal.aborted) return;
    const { columns: width = 80, rows: height = 24 } = stdout;
    const lines = renderWatch({
      tasks: [...tasks.values()],
      agents,
      link,
      now: io.now(),
      width,
      height,
      paint,
    });
    stdout.write(
      `${isOpen ? '' : ENTER}${HOME}${lines.map((line) => line + CLEAR_LINE).join('\r\n')}${CLEAR_BELOW}`,
    );
    isOpen = true;
    due?.cancel();
    due = io.startTimer(draw, CLOCK_MS);
    isSoon = false;
  }

  let isSoon = false;
  function drawSoon(): void {
    if (isSoon) return;
    isSoon = true;
    due?.cancel();
    due = io.startTimer(draw, isOpen ? DRAW_MS : 0);
  }

  stdout.on('resize', drawSoon);
  return {
    change(change) {
      if (change.kind === 'all') tasks.clear();
      if (change.kind === 'removed') for (const id of change.ids) tasks.delete(id);
      else for (const task of change.tasks) tasks.set(task.id, task);
      forgetOldest(tasks);
      drawSoon();
    },
    link(state) {
      link = state;
      drawSoon();
    },
    close() {
      due?.cancel();
      stdout.off('resize', drawSoon);
      if (isOpen) stdout.write(LEAVE);
    },
  };
}
