/**
 * What a check of `holdfast doctor` is. A check finds any number of things, none where there is nothing for it to
 * look at. It never throws for what it examines: what could not be looked at is a finding too.
 */
import type { AgentInfo, ShownAgent } from '@holdfast/shared';
import type { Client } from '../client.ts';
import type { Io } from '../io.ts';

export type Level = 'ok' | 'warn' | 'fail';

export interface Finding {
  level: Level;
  message: string;
  /** What to do about it. */
  hint?: string;
}

export interface Check {
  /** One word; the key of `--json`. */
  name: string;
  /** What it looks at: with `--agent-url` only that agent is looked at. */
  of: 'home' | 'agent' | 'web';
  run: (context: CheckContext) => Promise<Finding[]>;
}

/** An agent or web, asked once. `absent`: this home has none. */
export type AgentSight =
  | { kind: 'answers'; client: Client; info: AgentInfo; askedAt: number; answeredAt: number }
  | { kind: 'silent'; finding: Finding; client?: Client }
  | { kind: 'absent' };

export type WebSight =
  | { kind: 'answers'; client: Client; version: string; agents: ShownAgent[]; counts: Record<string, number> }
  | { kind: 'silent'; finding: Finding; client?: Client }
  | { kind: 'absent' };

export interface CheckContext {
  home: string;
  io: Io;
  agent: () => Promise<AgentSight>;
  web: () => Promise<WebSight>;
}

/** Which of two clocks is wrong, neither can tell. */
export const CLOCK_HINT =
  'Set both machines by NTP (timedatectl set-ntp true; on macOS sntp -sS time.apple.com): until then ages and times of this agent’s tasks are off by as much.';

export const ok = (message: string): Finding => ({ level: 'ok', message });
export const warn = (message: string, hint: string): Finding => ({ level: 'warn', message, hint });
export const fail = (message: string, hint: string): Finding => ({ level: 'fail', message, hint });
