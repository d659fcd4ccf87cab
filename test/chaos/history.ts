/**
 * What the two databases hold at the end of a run, read through connections that cannot write. Rows only; what they
 * mean is judged by the checker.
 */
import Database from 'better-sqlite3';

interface LogEntry {
  seq: number;
  /** As the agent stored it; web stores none. */
  chain: string | undefined;
  taskId: string;
  json: string;
}

/** As far as the checker reads an event. */
export interface Event {
  seq: number;
  kind: string;
  taskId: string;
  attempt: number;
  from: string | null;
  to: string;
  at: number;
  reason?: string;
  data?: {
    cause?: string;
    charged?: boolean;
    outcome?: { reason: string; exitCode?: number; signal?: string; message?: string; result?: unknown };
    process?: { pid: number };
    claim?: { worker: string };
  };
}

interface AgentRow {
  id: string;
  status: string;
  attempt: number;
  seq: number;
  json: string;
}

interface AttemptRow {
  taskId: string;
  attempt: number;
  endedAt: number | null;
}

export interface AgentHistory {
  epoch: string;
  log: LogEntry[];
  events: Event[];
  tasks: Map<string, AgentRow>;
  attempts: AttemptRow[];
}

interface WebRow {
  id: string;
  agentId: string | null;
  /** What people are shown. */
  status: string;
  statedStatus: string;
  seq: number;
  pending: number;
  refusedAction: string | null;
  json: string;
}

interface DoubtRow {
  taskId: string;
  reason: string;
  asOf: number;
  since: number;
  resolvedAt: number | null;
  resolvedTo: string | null;
}

export interface WebHistory {
  log: LogEntry[];
  /** Generations of the agent's journal that web has seen. */
  generations: number[];
  tasks: Map<string, WebRow>;
  doubts: DoubtRow[];
  openIntents: { taskId: string; action: string; lastError: string | null }[];
}

export function readAgentHistory(path: string): AgentHistory {
  using database = open(path);
  const log = database.all<LogEntry>('SELECT seq, chain, task_id AS taskId, json FROM events ORDER BY seq');
  const rows = database.all<AgentRow>('SELECT id, status, attempt, seq, task AS json FROM tasks');
  const [epoch] = database.all<{ value: string }>("SELECT value FROM meta WHERE key = 'epoch'");
  return {
    epoch: epoch!.value,
    log,
    events: log.map(({ json }) => JSON.parse(json) as Event),
    tasks: new Map(rows.map((row) => [row.id, row])),
    attempts: database.all('SELECT task_id AS taskId, attempt, ended_at AS endedAt FROM attempts'),
  };
}

export function readWebHistory(path: string): WebHistory {
  using database = open(path);
  const rows = database.all<WebRow>(
    `SELECT id, agent_id AS agentId, status, stated_status AS statedStatus, seq, pending,
       refused_action AS refusedAction, task AS json FROM tasks`,
  );
  return {
    log: database.all(
      'SELECT seq, NULL AS chain, task_id AS taskId, json FROM events ORDER BY generation, seq',
    ),
    generations: database
      .all<{ generation: number }>('SELECT DISTINCT generation FROM events')
      .map((row) => row.generation),
    tasks: new Map(rows.map((row) => [row.id, row])),
    doubts: database.all(
      `SELECT task_id AS taskId, reason, as_of AS asOf, since, resolved_at AS resolvedAt, resolved_to AS resolvedTo
       FROM knowledge ORDER BY row`,
    ),
    openIntents: database.all('SELECT task_id AS taskId, action, last_error AS lastError FROM intents'),
  };
}

function open(path: string): Disposable & { all: <T>(sql: string) => T[] } {
  const database = new Database(path, { readonly: true });
  database.pragma('busy_timeout = 5000');
  return {
    all: <T>(sql: string) => database.prepare(sql).all() as T[],
    [Symbol.dispose]: () => database.close(),
  };
}
