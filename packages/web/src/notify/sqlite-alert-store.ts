/**
 * The AlertStore on the SessionStore's own SQLite database, in its group commit.
 *
 * The way of the data: look (what happened) → note (who is to be told) → compose (what a message says) → the outbox
 * here, from which a courier delivers.
 */
import type { GroupCommit, SqliteDatabase } from '@holdfast/shared';
import { toAlert } from './alert-record.ts';
import { type MessageRecord, prepareStatements } from './alert-statements.ts';
import type { AlertStore, ChannelRecord, Look, OutgoingMessage, TryResult } from './alert-store.ts';
import { Composer } from './compose.ts';
import { LaneTimes } from './lane-times.ts';
import { AlertLook } from './look.ts';
import { REMEMBERED_MS } from './news.ts';
import { AlertNotes } from './note.ts';
import { type Alert, type ChannelRule, TOO_OLD_MS } from './rules.ts';
import type { Message } from './wording.ts';

export class SqliteAlertStore implements AlertStore {
  readonly #group: GroupCommit;
  readonly #statements;
  readonly #times = new LaneTimes();
  readonly #look: AlertLook;
  readonly #composer: Composer;

  constructor(database: SqliteDatabase, group: GroupCommit) {
    this.#group = group;
    this.#statements = prepareStatements(database);
    this.#look = new AlertLook(database, group, new AlertNotes(database, this.#times));
    this.#composer = new Composer(database, group, this.#times);
  }

  /**
   * A whole snapshot was taken: in this generation, what the agent states behind its head is news. Called inside the
   * transaction that takes it, so that nothing which follows is missed.
   */
  follow(agentId: string, generation: number, headSeq: number): void {
    this.#look.follow(agentId, generation, headSeq);
  }

  look(look: Look): Promise<{ more: boolean }> {
    return this.#look.look(look);
  }

  compose(channels: readonly ChannelRule[], at: number): Promise<{ nextAt?: number }> {
    return this.#composer.compose(channels, at);
  }

  // ── The outbox ──

  async nextMessage(channel: string): Promise<OutgoingMessage | undefined> {
    const record = this.#statements.nextMessage.get(channel);
    return record === undefined ? undefined : toMessage(record);
  }

  recordTry(messageId: string, result: TryResult, at: number): Promise<void> {
    const { settle, postpone, forgetToldBy } = this.#statements;
    return this.#group.run(() => {
      switch (result.outcome) {
        case 'delivered':
          settle.run('delivered', at, null, messageId);
          // What it told can be taken back from now on.
          this.#times.clear();
          return;
        case 'failed':
          postpone.run(at, result.nextTryAt, result.error, messageId);
          return;
        case 'dropped':
          settle.run('dropped', at, result.error, messageId);
          // Nobody heard of them: there is nothing to take back.
          forgetToldBy.run(messageId);
      }
    });
  }

  recordTest(
    channel: string,
    id: string,
    message: Message,
    error: string | undefined,
    at: number,
  ): Promise<void> {
    const { insertTest, settle } = this.#statements;
    return this.#group.run(() => {
      insertTest.run({ id, channel, body: JSON.stringify(message), now: at });
      settle.run(error === undefined ? 'delivered' : 'dropped', at, error ?? null, id);
    });
  }

  // ── What is shown ──

  async channel(name: string): Promise<ChannelRecord> {
    const last = this.#statements.lastTry.get(name);
    return {
      ...(last === undefined
        ? {}
        : {
            last: {
              at: last.tried_at,
              delivered: last.state === 'delivered',
              ...(last.error === null || last.state === 'delivered' ? {} : { error: last.error }),
            },
          }),
      waiting: this.#statements.countMessages.get(name, 'waiting') ?? 0,
      dropped: this.#statements.countMessages.get(name, 'dropped') ?? 0,
    };
  }

  async alerts(page: { limit: number; before?: number }): Promise<Alert[]> {
    return this.#statements.newest.all(page.before ?? Number.MAX_SAFE_INTEGER, page.limit).map(toAlert);
  }

  keepChannels(names: readonly string[]): Promise<void> {
    const { forgetTellings, forgetMessages } = this.#statements;
    return this.#group.run(() => {
      forgetTellings.run(JSON.stringify(names));
      forgetMessages.run(JSON.stringify(names));
    });
  }

  prune(limit: number, at: number): Promise<{ more: boolean }> {
    const { pruneAlerts, pruneMessages, pruneTellings, forgetOld } = this.#statements;
    const before = at - REMEMBERED_MS;
    return this.#group.run(() => {
      forgetOld.run(at - TOO_OLD_MS);
      const alerts = pruneAlerts.run(before, limit).changes;
      const messages = pruneMessages.run(before, limit).changes;
      if (alerts > 0) pruneTellings.run();
      return { more: alerts === limit || messages === limit };
    });
  }
}

function toMessage(record: MessageRecord): OutgoingMessage {
  const message: Message = JSON.parse(record.body);
  const { id, channel, created_at, tries, next_try_at } = record;
  return { id, channel, message, createdAt: created_at, tries, nextTryAt: next_try_at };
}
