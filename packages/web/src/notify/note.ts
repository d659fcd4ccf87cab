/**
 * Noting: what is news becomes an alert, once, and whoever wants to hear of it is to be told; what resolves an alert is
 * owed to whoever was told. Called inside the transaction of a look, so that news and the place up to which it was
 * read are stored together.
 */
import type { AlertKind, SqliteDatabase } from '@holdfast/shared';
import type { LaneTimes } from './lane-times.ts';
import type { News } from './news.ts';
import { type ChannelRule, dueAt, isWanted, laneOf, ripeAt } from './rules.ts';

/** Whom the news is about. */
export interface Scope {
  taskId: string | null;
  sessionId: string | null;
  agentId: string | null;
  agentName: string | null;
  labels: Record<string, string> | undefined;
}

/** For whom it is noted, and when. */
export interface Noting {
  at: number;
  channels: readonly ChannelRule[];
  /** What is noted at all. */
  kinds: ReadonlySet<AlertKind>;
}

export class AlertNotes {
  readonly #times: LaneTimes;
  readonly #insertAlert;
  readonly #insertTelling;
  readonly #resolve;
  readonly #forgetWaiting;
  readonly #oweTold;

  constructor(database: SqliteDatabase, times: LaneTimes) {
    this.#times = times;
    this.#insertAlert = database.prepare(
      `INSERT INTO alerts (key, kind, task_id, session_id, agent_id, agent_name, code, subject, detail, lasting, since_at,
         noted_at)
       VALUES (@key, @kind, @taskId, @sessionId, @agentId, @agentName, @code, @subject, @detail, @lasting, @sinceAt, @at)
       ON CONFLICT (key) DO NOTHING`,
    );
    this.#insertTelling = database.prepare(
      `INSERT INTO alert_tellings (channel, alert_id, state) VALUES (?, ?, 'waiting')`,
    );
    this.#resolve = database.prepare('UPDATE alerts SET resolved_at = ?, resolution = ? WHERE id = ?');
    this.#forgetWaiting = database.prepare(
      `DELETE FROM alert_tellings WHERE alert_id = ? AND state = 'waiting'`,
    );
    this.#oweTold = database.prepare(
      `UPDATE alert_tellings SET state = 'owed' WHERE alert_id = ? AND state = 'told'`,
    );
  }

  /** False if nobody wants it noted, or if it was noted before. */
  note(news: News, scope: Scope, { at, channels, kinds }: Noting): boolean {
    if (!kinds.has(news.kind)) return false;
    const { labels, ...about } = scope;
    const { changes, lastInsertRowid } = this.#insertAlert.run({
      ...news,
      ...about,
      code: news.code ?? null,
      lasting: Number(news.lasting),
      at,
    });
    if (changes === 0) return false;
    for (const rule of channels) {
      if (!isWanted(rule, news.kind, labels)) continue;
      this.#insertTelling.run(rule.name, lastInsertRowid);
      const ripe = ripeAt({ kind: news.kind, sinceAt: news.sinceAt, notedAt: at }, rule);
      this.#times.lower(rule, laneOf(news.kind), dueAt(ripe));
    }
    return true;
  }

  resolve(alertId: number, resolution: string, { at, channels }: Noting): void {
    this.#resolve.run(at, resolution, alertId);
    this.#forgetWaiting.run(alertId);
    this.#oweTold.run(alertId);
    for (const rule of channels) this.#times.lower(rule, 'resolved', dueAt(at));
  }
}
