/**
 * A program that behaves as a coding agent does on the command line: `node stand-in-agent.ts claude|codex|opencode …`.
 *
 * It refuses options that the real one does not have, reads stdin to its end, streams JSON lines, makes a session with
 * an id of its own (claude: the one it was given, once), goes on with one that exists, and leaves a child behind that
 * has a session of its own. Sessions are kept in `$HOME/stand-in/<kind>/<id>.json`: the prompts, in their order.
 *
 * What the prompt says besides is done: `wait <file>` ends once the file exists; `die once` ends with 1 before a word
 * was said, unless it has done so before; `call it <id>` reports that id in `$HOLDFAST_RUN/external-id`.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const [kind = '', ...argv] = process.argv.slice(2);
const folder = join(process.env['HOME']!, 'stand-in', kind);
mkdirSync(folder, { recursive: true });

interface Asked {
  prompt: string;
  /** The session to go on with. */
  resume: string | undefined;
  /** The id for a new one. */
  id: string;
}

function refuse(message: string): never {
  process.stderr.write(`error: ${message}\n`);
  process.exit(64);
}

/** Reads the options as the real program does: an unknown one is refused, and `--` ends them. */
function readArguments(): Asked {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const only = (positionals: string[], count: number) =>
    positionals.length === count ? positionals : refuse(`${positionals.length} arguments`);
  switch (kind) {
    case 'claude': {
      const options = {
        print: { ...flag, short: 'p' },
        'output-format': text,
        verbose: flag,
        'session-id': text,
        resume: text,
      };
      const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true });
      if (values.print !== true || values['output-format'] !== 'stream-json' || values.verbose !== true) {
        refuse('this would be a conversation');
      }
      const given = values['session-id'];
      if ((given === undefined) === (values.resume === undefined)) refuse('one of --session-id and --resume');
      if (given !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(given)) {
        refuse('Invalid session ID. Must be a valid UUID.');
      }
      if (given !== undefined && existsSync(join(folder, `${given}.json`))) {
        refuse(`Session ID ${given} is already in use.`);
      }
      return { prompt: only(positionals, 1)[0]!, resume: values.resume, id: given ?? '' };
    }
    case 'codex': {
      const { values, positionals, tokens } = parseArgs({
        args: argv,
        options: { json: flag },
        allowPositionals: true,
        tokens: true,
      });
      if (positionals[0] !== 'exec' || values.json !== true) refuse('this would be a conversation');
      // Behind the end of the options even `resume` is a prompt.
      const end = tokens.find((token) => token.kind === 'option-terminator')?.index ?? argv.length;
      const isResume = argv.indexOf('resume') !== -1 && argv.indexOf('resume') < end;
      if (!isResume) return { prompt: only(positionals, 2)[1]!, resume: undefined, id: randomUUID() };
      const [, , resume, prompt] = only(positionals, 4);
      return { prompt: prompt!, resume, id: '' };
    }
    case 'opencode': {
      const options = { format: text, session: text };
      const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true });
      if (positionals[0] !== 'run' || values.format !== 'json') refuse('this would be a conversation');
      const id = `ses_${randomUUID().replaceAll('-', '')}`;
      return { prompt: only(positionals, 2)[1]!, resume: values.session, id };
    }
    default:
      return refuse(`there is no stand-in for "${kind}"`);
  }
}

function say(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** The event by which the real program tells its session. */
function sayBegin(id: string): void {
  if (kind === 'claude') say({ type: 'system', subtype: 'init', cwd: process.cwd(), session_id: id });
  else if (kind === 'codex') say({ type: 'thread.started', thread_id: id });
  else say({ type: 'step_start', timestamp: Date.now(), sessionID: id, part: {} });
}

const { prompt, resume, id: given } = readArguments();
const id = resume ?? given;
const path = join(folder, `${id}.json`);
if (resume !== undefined && !existsSync(path)) {
  process.stderr.write(`No conversation found with session ID: ${resume}\n`);
  process.exit(1);
}
const before = resume === undefined ? [] : (JSON.parse(readFileSync(path, 'utf8')) as string[]);
writeFileSync(path, JSON.stringify([...before, prompt]));
if (prompt.startsWith('die once')) {
  const died = join(folder, 'died');
  if (!existsSync(died)) {
    writeFileSync(died, '');
    process.exit(1);
  }
}
const stdin = readFileSync(0, 'utf8');
sayBegin(id);
const reported = /^call it (.+)$/.exec(prompt)?.[1];
if (reported !== undefined) writeFileSync(join(process.env['HOLDFAST_RUN']!, 'external-id'), `${reported}\n`);
spawn('/bin/sleep', ['600'], { detached: true, stdio: 'ignore' }).unref();
const gate = /^wait (.+)$/.exec(prompt)?.[1];
if (gate !== undefined) {
  while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 20));
}
// In PWD opencode looks for the directory that it is to work in.
say({ type: 'result', prompt, stdin, cwd: process.cwd(), pwd: process.env['PWD'] ?? null });
