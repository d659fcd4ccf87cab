/**
 * Which tasks are meant: the same options wherever tasks are chosen by what they are, named after the fields of web's
 * filter. Guarantees: what no filter can mean is a usage error before anybody is asked; all that is given must hold.
 */
import type { Command } from 'commander';
import type { ShownStatus } from '@holdfast/shared';
import { shownStatuses } from '@holdfast/shared/status';
import { usageError } from './cli-error.ts';
import type { Invocation } from './invocation.ts';
import { collect } from './pages.ts';
import { unknownWord } from './suggest.ts';

/** Whose tasks. */
export interface GroupOptions {
  session?: string;
  agent?: string;
  label?: string[];
}

export interface FilterOptions extends GroupOptions {
  status?: string[];
  search?: string;
}

/** As the body of web's bulk action has it; the list's query has the same names. */
export interface TaskFilter {
  status?: ShownStatus[];
  sessionId?: string;
  agent?: string;
  label?: string[];
  q?: string;
}

export function addGroupOptions(command: Command): Command {
  return command
    .option('--session <id>', 'of this session')
    .option('--agent <name>', 'of this agent, by name or id')
    .option('--label <key=value>', 'with this label (key alone: of any value); may be repeated', collect);
}

/** `most`: which statuses, where none is given. */
export function addFilterOptions(command: Command, most = ''): Command {
  const statusOption = `of this status: ${shownStatuses.join(', ')}; may be repeated, or a list${most}`;
  return addGroupOptions(command.option('--status <status>', statusOption, collect)).option(
    '-q, --search <text>',
    'with this text in title, command, id or session, whatever the case',
  );
}

/** Whether any of them was given. */
export function isFiltered({ status, session, agent, label, search }: FilterOptions): boolean {
  return [status, session, agent, label, search].some((one) => one !== undefined);
}

/** Throws usage errors. */
export function taskFilter(invocation: Invocation, options: FilterOptions): TaskFilter {
  const { session, agent, label, search } = options;
  const status = options.status?.flatMap((text) => text.split(',')).map(parseStatus);
  if (agent !== undefined && invocation.options.agentUrl !== undefined)
    throw usageError('with --agent-url there is one agent only', 'Leave out --agent.');
  // An unset variable of a script, most likely: it must not come to mean every task.
  if (search?.trim() === '') throw usageError('-q is empty', 'Say what to look for, or leave it out.');
  return {
    ...(status === undefined ? {} : { status }),
    ...(session === undefined ? {} : { sessionId: session }),
    ...(agent === undefined ? {} : { agent }),
    ...(label === undefined ? {} : { label }),
    ...(search === undefined ? {} : { q: search }),
  };
}

function parseStatus(text: string): ShownStatus {
  const status = shownStatuses.find((one) => one === text);
  if (status === undefined) throw unknownWord('status', text, shownStatuses);
  return status;
}

/** The same as the query of a list. */
export function filterQuery({ status, sessionId, agent, label = [], q }: TaskFilter): URLSearchParams {
  const query = new URLSearchParams();
  if (status !== undefined) query.set('status', status.join(','));
  if (sessionId !== undefined) query.set('sessionId', sessionId);
  if (agent !== undefined) query.set('agent', agent);
  for (const one of label) query.append('label', one);
  if (q !== undefined) query.set('q', q);
  return query;
}

/** Tasks are named, or chosen by what they are: which of both. Throws a usage error for both, and for neither. */
export function refuseMixture(
  verb: string,
  refs: readonly string[],
  options: FilterOptions & { dryRun?: boolean; yes?: boolean },
): 'ids' | 'filter' {
  if (isFiltered(options)) {
    if (refs.length > 0)
      throw usageError(
        'tasks are named by ids, or chosen by options: not both',
        'Leave out the one or the other.',
      );
    return 'filter';
  }
  if (refs.length === 0)
    throw usageError(
      `there is nothing to ${verb}`,
      'Name tasks by their ids, or choose them: --session, --status, --agent, --label, -q.',
    );
  if (options.dryRun === true || options.yes === true)
    throw usageError(
      `${options.dryRun === true ? '--dry-run' : '--yes'} goes with tasks that are chosen by options`,
    );
  return 'ids';
}
