/**
 * One screen of `holdfast watch`. Guarantees: pure; never more lines or columns than the terminal has; what nobody
 * vouches for is marked, with the age of the last proof, and while the link is lost that is all that is not ended.
 */
import { isEnded, shownStatuses, worstFirst } from '@holdfast/shared/status';
import type { SeenAgent, SeenTask } from './client.ts';
import type { LinkState } from './follow-tasks.ts';
import { type Cell, type Column, cutText, type Paint, renderTable, textWidth } from './render.ts';
import { shortIds } from './task-ref.ts';
import { elapsedText, exitText, statusText, taskName } from './task-text.ts';
import { ageText, plainText } from './words.ts';

export interface WatchScreen {
  tasks: readonly SeenTask[];
  agents: readonly SeenAgent[];
  link: LinkState;
  now: number;
  width: number;
  height: number;
  paint: Paint;
}

const columns: readonly Column[] = [
  { head: 'ID' },
  // It holds the age of the last proof: that stands for as long as anything does.
  { head: 'STATUS', least: 12, givesLast: true },
  { head: 'TOOK', align: 'right', dropAt: 3 },
  { head: 'EXIT', align: 'right', dropAt: 1 },
  { head: 'AGENT', least: 6, dropAt: 2 },
  { head: 'TASK', least: 8 },
];
/** Above the rows: the state of the link, a blank line, the heads. Below: how many are not shown. */
const FRAME_LINES = 4;

export function renderWatch(screen: WatchScreen): string[] {
  const { link, now, width, height, paint } = screen;
  const tasks = screen.tasks.map((task) => asKnown(task, link)).toSorted(byConcern);
  const shown = tasks.slice(0, Math.max(0, height - FRAME_LINES));
  const header = cutText(headerText(tasks, link, now), width);
  const lines = [paint(link.kind === 'live' ? 'bold' : 'yellow', header), ''];
  if (tasks.length === 0)
    return [...lines, cutText('No task fits. Run one with: holdfast run -- echo hello', width)].slice(
      0,
      height,
    );
  const ids = shortIds(shown.map((task) => task.id));
  const rows = shown.map((task): Cell[] => [
    ids.get(task.id) ?? task.id,
    statusText(task, now),
    elapsedText(task, now),
    exitText(task),
    plainText(screen.agents.find((one) => one.id === task.agentId)?.name ?? task.agentId ?? '-'),
    taskName(task),
  ]);
  const draw = (style: Paint): string[] => renderTable({ columns, rows, paint: style, width }).split('\n');
  const bare = draw((_style, text) => text);
  // Columns give only so much: on a terminal that is narrower still, what is cut has no colours.
  const isFitting = bare.every((line) => textWidth(line) <= width);
  lines.push(...(isFitting ? draw(paint) : bare.map((line) => cutText(line, width))));
  const more = tasks.length - shown.length;
  if (more > 0) lines.push(paint('dim', cutText(`${more} more; see holdfast list`, width)));
  return lines.slice(0, height);
}

/** While the link is lost, what was live is as of the last word that came. */
function asKnown(task: SeenTask, link: LinkState): SeenTask {
  if (link.kind === 'live' || isEnded(task.status) || task.status === 'unknown') return task;
  const asOf = Math.min(task.knowledge?.asOf ?? link.at, link.at);
  return { ...task, knowledge: { state: 'stale', asOf } };
}

/** What is in doubt or at work first, newest first; then what ended last. */
function byConcern(a: SeenTask, b: SeenTask): number {
  const endA = isEnded(a.status);
  if (endA !== isEnded(b.status)) return endA ? 1 : -1;
  if (endA) return (b.endedAt ?? b.createdAt) - (a.endedAt ?? a.createdAt);
  const rank = worstFirst.indexOf(a.status) - worstFirst.indexOf(b.status);
  return rank === 0 ? b.createdAt - a.createdAt : rank;
}

function headerText(tasks: readonly SeenTask[], link: LinkState, now: number): string {
  const state = link.kind === 'live' ? 'Live' : `Not connected for ${ageText(now - link.at)}: ${link.why}`;
  const counts = shownStatuses
    .map((status) => [status, tasks.filter((task) => task.status === status)] as const)
    .filter(([, some]) => some.length > 0)
    .map(([status, some]) => {
      const isDoubtful = some.some((task) => task.knowledge?.state === 'stale');
      return `${some.length} ${status}${isDoubtful ? '?' : ''}`;
    });
  return plainText([state, ...counts].join(' · '));
}
