/**
 * The commands, in the order of the help. A command's own module is loaded only if the command line names it, so that
 * none waits for what another needs.
 */
import type { Command } from 'commander';
import type { DefineCommand } from './invocation.ts';

export interface CommandEntry {
  about: string;
  group: string;
  load: (loadProgram: () => Promise<Command>) => Promise<DefineCommand>;
}

const TASKS = 'Tasks:';
const RECOVERY = 'When something is wrong:';
const SERVICES = 'Services:';
const AGENTS = 'Agents and sessions:';
const OTHER = 'This program:';

export const commandTable: Record<string, CommandEntry> = {
  up: {
    group: SERVICES,
    about: 'start agent and web, print the dashboard’s link',
    load: async () => (await import('./commands/up.ts')).defineUp,
  },
  agent: {
    group: SERVICES,
    about: 'run the agent alone, in the foreground',
    load: async () => (await import('./commands/service.ts')).defineService('agent'),
  },
  web: {
    group: SERVICES,
    about: 'run web alone, in the foreground',
    load: async () => (await import('./commands/service.ts')).defineService('web'),
  },
  service: {
    group: SERVICES,
    about: 'print what systemd or launchd needs to run them',
    load: async () => (await import('./commands/service-print.ts')).defineServiceFiles,
  },
  backup: {
    group: SERVICES,
    about: 'copy what a home knows, while its services run',
    load: async () => (await import('./commands/backup.ts')).defineBackup,
  },
  run: {
    group: TASKS,
    about: 'submit a task',
    load: async () => (await import('./commands/run.ts')).defineRun,
  },
  list: {
    group: TASKS,
    about: 'list tasks, newest first unless asked otherwise',
    load: async () => (await import('./commands/list.ts')).defineList,
  },
  show: {
    group: TASKS,
    about: 'show one task',
    load: async () => (await import('./commands/show.ts')).defineShow,
  },
  events: {
    group: TASKS,
    about: 'tell what happened to a task, event by event',
    load: async () => (await import('./commands/events.ts')).defineEvents,
  },
  logs: {
    group: TASKS,
    about: 'print the output of a task',
    load: async () => (await import('./commands/logs.ts')).defineLogs,
  },
  watch: {
    group: TASKS,
    about: 'show tasks as they change',
    load: async () => (await import('./commands/watch.ts')).defineWatch,
  },
  wait: {
    group: TASKS,
    about: 'wait until tasks have ended',
    load: async () => (await import('./commands/wait.ts')).defineWait,
  },
  cancel: {
    group: TASKS,
    about: 'ask for tasks to be stopped',
    load: async () => (await import('./commands/cancel.ts')).defineCancel,
  },
  retry: {
    group: TASKS,
    about: 'run ended tasks again, as new tasks',
    load: async () => (await import('./commands/retry.ts')).defineRetry,
  },
  stats: {
    group: TASKS,
    about: 'count tasks by status; the oldest that runs, the stale ones',
    load: async () => (await import('./commands/stats.ts')).defineStats,
  },
  reclaim: {
    group: RECOVERY,
    about: 'take tasks back from whoever was to work on them',
    load: async () => (await import('./commands/reclaim.ts')).defineReclaim,
  },
  resolve: {
    group: RECOVERY,
    about: 'give a verdict on tasks whose status is unknown',
    load: async () => (await import('./commands/resolve.ts')).defineResolve,
  },
  doctor: {
    group: RECOVERY,
    about: 'check everything, and say what to do',
    load: async () => (await import('./commands/doctor.ts')).defineDoctor,
  },
  pool: {
    group: AGENTS,
    about: 'show or change how many tasks an agent runs, pause it, drain it',
    load: async () => (await import('./commands/pool.ts')).definePool,
  },
  agents: {
    group: AGENTS,
    about: 'list, add and remove the agents that web follows',
    load: async () => (await import('./commands/agents.ts')).defineAgents,
  },
  runners: {
    group: AGENTS,
    about: 'list the programs that tasks can name',
    load: async () => (await import('./commands/runners.ts')).defineRunners,
  },
  sessions: {
    group: AGENTS,
    about: 'list, rename and archive sessions',
    load: async () => (await import('./commands/sessions.ts')).defineSessions,
  },
  config: {
    group: OTHER,
    about: 'show the configuration',
    load: async () => (await import('./commands/config.ts')).defineConfig,
  },
  completion: {
    group: OTHER,
    about: 'print a completion script for a shell',
    load: async (loadProgram) => (await import('./commands/completion.ts')).defineCompletion(loadProgram),
  },
  help: {
    group: OTHER,
    about: 'help on a command; on --json, exit codes',
    load: async () => (await import('./commands/help.ts')).defineHelp,
  },
};
