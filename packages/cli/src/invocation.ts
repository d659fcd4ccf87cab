/**
 * One run of the program: what the commands share. Guarantees: services are looked up only when a command asks for
 * them; the exit code is 0 unless something says otherwise.
 */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { CliError, usageError } from './cli-error.ts';
import { Client, type ClientOptions } from './client.ts';
import { isAlive, readServiceFiles, readToken, readWebFile } from './find-services.ts';
import { findHome } from './home.ts';
import { type Io, widthOf, writeTo } from './io.ts';
import { canColor, type Cell, type Column, type Paint, painter, renderTable } from './render.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  home?: string;
  json?: boolean;
  color: boolean;
  agentUrl?: string;
  tokenFile?: string;
}

/** A command adds its arguments, options and action to `command`. */
export type DefineCommand = (command: Command, invocation: Invocation) => void;

const START_HINT =
  'Start it with: holdfast up. If it runs with another home, set HOLDFAST_HOME or give --home.';

export class Invocation {
  readonly io: Io;
  exitCode = 0;
  readonly #program: Command;

  constructor(io: Io, program: Command) {
    this.io = io;
    this.#program = program;
  }

  get options(): GlobalOptions {
    return this.#program.opts<GlobalOptions>();
  }

  get home(): string {
    return findHome(this.options.home, this.io.env);
  }

  get isJson(): boolean {
    return this.options.json === true;
  }

  /** Colours for standard output, if it wants any. */
  get paint(): Paint {
    return painter(canColor(this.io.stdout, this.io.env, this.options.color));
  }

  /** Columns of standard output, if it is a terminal that says how wide it is. */
  get width(): number | undefined {
    return widthOf(this.io.stdout);
  }

  /** One line, or several, on standard output. */
  print(text: string): Promise<void> {
    return writeTo(this.io.stdout, `${text}\n`);
  }

  printJson(value: unknown): Promise<void> {
    return this.print(JSON.stringify(value, undefined, 2));
  }

  /** Rows on standard output: fitted to a terminal, whole elsewhere. */
  printTable(columns: readonly Column[], rows: readonly (readonly Cell[])[]): Promise<void> {
    return this.print(renderTable({ columns, rows, paint: this.paint, width: this.width }));
  }

  /** One line on standard error: progress and remarks, never data. */
  say(text: string): void {
    this.io.stderr.write(`${text}\n`);
  }

  /** Says what happened and what to do. */
  sayError(error: CliError): void {
    this.say(`holdfast: ${error.message}`);
    if (error.hint !== undefined) this.say(`  ${error.hint}`);
  }

  /** The same of one of several: `ref` says which. */
  sayErrorOf(ref: string, { message, hint }: CliError): void {
    this.sayError(new CliError(`${ref}: ${message}`, hint === undefined ? {} : { hint }));
  }

  /** Web of this home, or the agent that was named. Throws what to do when there is none. */
  openClient(): Client {
    const { agentUrl, tokenFile } = this.options;
    const { fetch } = this.io;
    if (agentUrl === undefined) {
      if (tokenFile !== undefined) throw usageError('--token-file goes with --agent-url');
      return this.#openWeb();
    }
    const url = URL.parse(agentUrl);
    if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
      throw usageError(`--agent-url is "${agentUrl}"`, 'Write the agent’s address: http://127.0.0.1:7401');
    }
    const path = tokenFile === undefined ? join(this.home, 'agent.token') : resolve(this.io.cwd, tokenFile);
    const address = `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
    const pid = readServiceFiles(this.home, 'agent').find((file) => file.url === address)?.pid;
    const token = this.#token(path);
    return new Client({
      kind: 'agent',
      url: address,
      token,
      tokenFile: path,
      pid,
      fetch,
      ...this.#patience(),
    });
  }

  /** Web of this home, for what is web's alone: `what` names it. */
  openWebClient(what: string): Client {
    if (this.options.agentUrl !== undefined)
      throw usageError(`${what} is web’s: --agent-url, which goes round web, has none`);
    return this.#openWeb();
  }

  #openWeb(): Client {
    const tokenFile = join(this.home, 'web.token');
    const token = this.#token(tokenFile);
    const web = readWebFile(this.home);
    // No guess where it might be: the token would be shown to whoever listens there.
    if (web === undefined) throw new CliError(`web does not run for ${this.home}`, { hint: START_HINT });
    const { home } = this;
    return new Client({
      kind: 'web',
      ...web,
      token,
      tokenFile,
      find: () => readWebFile(home),
      findAgentUrl: () => readServiceFiles(home, 'agent').find((file) => isAlive(file.pid))?.url,
      fetch: this.io.fetch,
      ...this.#patience(),
    });
  }

  /** Whoever sits at a terminal is told what it is that takes so long. */
  #patience(): Pick<ClientOptions, 'onSlow' | 'startTimer'> {
    if (this.io.stderr.isTTY !== true) return {};
    return {
      onSlow: (service) => this.say(`holdfast: waiting for ${service} …`),
      startTimer: this.io.startTimer,
    };
  }

  #token(path: string): string {
    const token = readToken(path);
    if (token !== undefined) return token;
    throw new CliError(`there is no token in ${path}`, { hint: START_HINT });
  }
}
