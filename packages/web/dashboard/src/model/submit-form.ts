/**
 * The submit form as data. Guarantees: `toSubmit` makes exactly what the protocol asks for, or says what is wrong
 * field by field; the server's own complaints land on the same fields.
 */
import type { ShownTask, Submit } from '@holdfast/shared';
import type { Problem } from './problem.ts';

export type Way = 'shell' | 'command' | 'runner';

export interface SubmitForm {
  /** Stays the same until it is accepted: sending twice is harmless. */
  id: string;
  way: Way;
  shell: string;
  /** One argument a line. */
  command: string;
  runner: string;
  prompt: string;
  cwd: string;
  agent: string;
  session: string;
  title: string;
  /** `key=value`, separated by spaces. */
  labels: string;
  /** Most attempts in all when the command fails; '' is the default: a failure is not retried. */
  attempts: string;
  /** In minutes; '' is no limit. */
  timeLimit: string;
}

export type Field = Exclude<keyof SubmitForm, 'id' | 'way'>;
export type FieldErrors = Partial<Record<Field, string>>;

export function newForm(id: string, session: string): SubmitForm {
  return {
    id,
    way: 'shell',
    shell: '',
    command: '',
    runner: '',
    prompt: '',
    cwd: '',
    agent: '',
    session,
    title: '',
    labels: '',
    attempts: '',
    timeLimit: '',
  };
}

/**
 * The form as `task` was submitted, under a new id, and what of it the form has no place for: that has to be submitted by
 * the CLI or the API.
 */
export function formOf(task: ShownTask, id: string): { form: SubmitForm; leftOut: string[] } {
  const { spec } = task;
  const { retry, timeoutMs } = spec;
  const leftOut: string[] = [];
  const form = newForm(id, task.sessionId);
  const left = (isLeft: boolean, what: string): boolean => {
    if (isLeft) leftOut.push(what);
    return isLeft;
  };
  if (spec.command !== undefined) {
    form.way = 'command';
    form.command = spec.command.join('\n');
    left(spec.command.at(-1) === '', 'an empty last argument');
    left(
      spec.command.some((argument) => argument.includes('\n')),
      'line breaks within an argument',
    );
  } else if (spec.runner !== undefined) {
    form.way = 'runner';
    form.runner = spec.runner;
    form.prompt = spec.prompt ?? '';
  } else form.shell = spec.shell ?? '';
  form.cwd = spec.cwd ?? '';
  form.agent = task.agentId ?? '';
  form.title = task.title ?? '';
  const labels = Object.entries(task.labels);
  const fitting = labels.filter(([, value]) => !/[\s,]/.test(value));
  form.labels = fitting.map(([key, value]) => `${key}=${value}`).join(' ');
  left(fitting.length < labels.length, 'labels with spaces or commas');
  const isUsual = retry?.maxAttempts !== undefined && retry.on?.length === 2;
  if (!left(retry !== undefined && !isUsual, 'its rule for retries')) {
    form.attempts = retry === undefined ? '' : String(retry.maxAttempts);
  }
  if (!left(timeoutMs !== undefined && timeoutMs % MINUTE_MS !== 0, 'a time limit that is not in minutes')) {
    form.timeLimit = timeoutMs === undefined ? '' : String(timeoutMs / MINUTE_MS);
  }
  left((spec.env ?? []).length > 0, 'its environment, whose values web does not keep');
  left(spec.workspace !== undefined, 'its workspace');
  left(spec.idleTimeoutMs !== undefined, 'its limit on silence');
  left(spec.concurrencyKey !== undefined, 'what it runs one at a time with');
  left(spec.keepLeftovers === true, 'that its leftover processes are kept');
  left(spec.payload !== undefined, 'its payload');
  left(task.queue !== 'default', `its queue, ${task.queue}`);
  left(task.priority !== 0, 'its priority');
  return { form, leftOut };
}

const MINUTE_MS = 60_000;

export type SubmitBody = Submit & { agent?: string };

export function toSubmit(form: SubmitForm): { body: SubmitBody } | { errors: FieldErrors } {
  const errors: FieldErrors = {};
  const spec: Submit['spec'] = {};
  switch (form.way) {
    case 'shell':
      if (form.shell.trim() === '') errors.shell = 'Type what to run.';
      spec.shell = form.shell;
      break;
    case 'command': {
      const command = form.command.replace(/\n+$/, '').split('\n');
      if (form.command.trim() === '') errors.command = 'Type the program and its arguments, one a line.';
      spec.command = command;
      break;
    }
    case 'runner':
      if (form.runner.trim() === '') errors.runner = 'Name a runner of the agent’s configuration.';
      if (form.prompt.trim() === '') errors.prompt = 'Say what the runner is to do.';
      spec.runner = form.runner.trim();
      spec.prompt = form.prompt;
      break;
    default:
      form.way satisfies never;
  }
  if (form.cwd.trim() !== '') spec.cwd = form.cwd.trim();
  const attempts = readCount(form.attempts, 100);
  if (attempts === 'bad') errors.attempts = 'A whole number from 1 to 100.';
  else if (attempts !== undefined) spec.retry = { maxAttempts: attempts, on: ['lost', 'failed'] };
  const minutes = readCount(form.timeLimit, 366 * 24 * 60);
  if (minutes === 'bad') errors.timeLimit = 'A whole number of minutes.';
  else if (minutes !== undefined) spec.timeoutMs = minutes * MINUTE_MS;
  const labels = readLabels(form.labels);
  if (labels === 'bad') errors.labels = 'Labels look like key=value, separated by spaces.';
  const session = form.session.trim();
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(session)) {
    errors.session = 'Letters, digits, . _ and -, beginning with a letter or digit.';
  }
  if (Object.keys(errors).length > 0) return { errors };
  const body: SubmitBody = { id: form.id, sessionId: session, spec };
  if (form.title.trim() !== '') body.title = form.title.trim();
  if (labels !== 'bad' && Object.keys(labels).length > 0) body.labels = labels;
  if (form.agent !== '') body.agent = form.agent;
  return { body };
}

/** The server's complaints by field; what belongs to no field is in `rest`. */
export function fieldErrors(problem: Problem, way: Way): { fields: FieldErrors; rest: string[] } {
  const fields: FieldErrors = {};
  const rest: string[] = [];
  for (const { pointer, detail } of problem.errors) {
    const field = fieldOf(pointer, way);
    if (field === undefined || fields[field] !== undefined) rest.push(`${pointer}: ${detail}`);
    else fields[field] = detail;
  }
  return { fields, rest };
}

const pointers: readonly [string, Field][] = [
  ['/spec/shell', 'shell'],
  ['/spec/command', 'command'],
  ['/spec/runner', 'runner'],
  ['/spec/prompt', 'prompt'],
  ['/spec/cwd', 'cwd'],
  ['/spec/retry', 'attempts'],
  ['/spec/timeoutMs', 'timeLimit'],
  ['/sessionId', 'session'],
  ['/title', 'title'],
  ['/labels', 'labels'],
  ['/agent', 'agent'],
];

function fieldOf(pointer: string, way: Way): Field | undefined {
  const path = pointer.replace(/^#/, '');
  const known = pointers.find(([prefix]) => path === prefix || path.startsWith(`${prefix}/`));
  if (known !== undefined) return known[1];
  return path === '/spec' ? way : undefined;
}

function readCount(text: string, most: number): number | undefined | 'bad' {
  if (text.trim() === '') return undefined;
  const count = Number(text);
  return Number.isInteger(count) && count >= 1 && count <= most ? count : 'bad';
}

function readLabels(text: string): Record<string, string> | 'bad' {
  const labels: Record<string, string> = {};
  for (const word of text.split(/[\s,]+/).filter((part) => part !== '')) {
    const [, key, value] = /^([A-Za-z0-9][A-Za-z0-9._/-]{0,62})=(.*)$/.exec(word) ?? [];
    if (key === undefined || value === undefined) return 'bad';
    labels[key] = value;
  }
  return labels;
}

const adjectives =
  'amber bold brisk calm clear coral crisp deep early fair gentle green keen light merry mild north plain quick quiet sage silver steady still sunny swift warm west wide young'.split(
    ' ',
  );
const nouns =
  'anchor bay beacon birch bridge brook cedar cliff cove crane delta dune ember fern field fjord grove harbor heron hill isle lake lark meadow oak pier reef ridge river shore'.split(
    ' ',
  );

/** A session id that a person can say: `calm-harbor-4821`. `random` in [0, 1). */
export function sessionName(random: () => number): string {
  const pick = (words: string[]): string => words[Math.floor(random() * words.length)]!;
  return `${pick(adjectives)}-${pick(nouns)}-${1000 + Math.floor(random() * 9000)}`;
}
