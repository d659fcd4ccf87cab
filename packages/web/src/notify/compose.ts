/**
 * Composing: a lane of a channel that is due gets one message of all that it has to tell, as rules.ts says.
 *
 * It costs what is due and not what waits: a lane that rests or has a message under way is not looked into, nor is an
 * open one before something of it can be due (lane-times.ts). A message gathers its alerts in pages, one transaction
 * each, and lets others run in between; until it is whole nobody sees it. A restart in between goes on where it stood, so
 * an alert is in one message all the same. Of many alerts it counts all and reads the ones that it names.
 */
import type { GroupCommit, SqliteDatabase } from '@holdfast/shared';
import { uuidv7 } from 'uuidv7';
import { toAlert } from './alert-record.ts';
import { gather, type Gathering, idsOf, namedGroups, nothingGathered, toldOf } from './gathering.ts';
import type { LaneTimes } from './lane-times.ts';
import {
  type ChannelRule,
  dueAt,
  kindsOf,
  type Lane,
  lanes,
  type LaneState,
  planLane,
  TOO_OLD_MS,
} from './rules.ts';
import { type LaneQuery, prepareTellingStatements } from './telling-statements.ts';
import { describeAlerts } from './wording.ts';

/** Alerts of one message. */
const MOST_TOLD = 10_000;
/** Alerts that are gathered in one turn of the event loop: some 8 ms, so that nobody else waits long. */
const PAGE = 1000;

/** One turn of the event loop. */
interface Turn {
  now: number;
  /** Alerts that it may still gather. */
  left: number;
  /** There is something for another turn. */
  more: boolean;
}

export class Composer {
  readonly #group: GroupCommit;
  readonly #times: LaneTimes;
  readonly #statements;

  constructor(database: SqliteDatabase, group: GroupCommit, times: LaneTimes) {
    this.#group = group;
    this.#times = times;
    this.#statements = prepareTellingStatements(database);
  }

  /** Resolves when every message that is due is whole. */
  async compose(channels: readonly ChannelRule[], now: number): Promise<{ nextAt?: number }> {
    for (;;) {
      const turn: Turn = { now, left: PAGE, more: false };
      const times = await this.#group.run(() =>
        channels
          .flatMap((rule) => lanes.map((lane) => this.#composeLane(rule, lane, turn)))
          .filter((nextAt) => nextAt !== undefined),
      );
      if (!turn.more) return times.length === 0 ? {} : { nextAt: Math.min(...times) };
    }
  }

  /** Gathers for the lane's message if it is due; else says when one may be, if time alone brings it. */
  #composeLane(rule: ChannelRule, lane: Lane, turn: Turn): number | undefined {
    const { now } = turn;
    const open = this.#statements.gathering.get(rule.name, lane);
    if (open === undefined) {
      const plan = planLane(rule, this.#laneOf(rule.name, lane), now);
      if (plan.kind === 'none') return undefined;
      if (plan.kind === 'resting') return plan.until;
      const notBefore = this.#times.notBefore(rule, lane);
      if (notBefore > now) return timeOf(notBefore);
    }
    if (turn.left === 0) {
      turn.more = true;
      return undefined;
    }
    if (open !== undefined) {
      const gathering: Gathering = JSON.parse(open.body);
      this.#gather(rule, lane, turn, { ordinal: open.ordinal, gathering });
      return undefined;
    }
    const first = this.#tellings(lane).firstRipeAt.get(queryOf(rule, lane, now));
    const due = dueAt(first ?? Number.POSITIVE_INFINITY);
    if (due > now) {
      this.#times.rest(rule, lane, due);
      return timeOf(due);
    }
    this.#times.forget(rule, lane);
    const begun = this.#statements.begin.run({ id: uuidv7(), channel: rule.name, lane, now });
    this.#gather(rule, lane, turn, { ordinal: begun.lastInsertRowid, gathering: nothingGathered });
    return undefined;
  }

  /** A page more for a message; it is put into words once it has all of its alerts. */
  #gather(
    rule: ChannelRule,
    lane: Lane,
    turn: Turn,
    begun: { ordinal: number | bigint; gathering: Gathering },
  ): void {
    const { ordinal } = begun;
    const { after, count } = begun.gathering;
    const tellings = this.#tellings(lane);
    const limit = Math.min(turn.left, MOST_TOLD - count);
    const page = tellings.page.all({ ...queryOf(rule, lane, turn.now), after, limit });
    const gathering = gather(begun.gathering, page);
    const ids = JSON.stringify(page.flatMap(idsOf));
    tellings.mark.run({ channel: rule.name, ids, message: ordinal });
    const taken = gathering.count - count;
    turn.left -= taken;
    if (taken === limit && gathering.count < MOST_TOLD) {
      this.#statements.keep.run(JSON.stringify(gathering), ordinal);
      turn.more = true;
      return;
    }
    const body = JSON.stringify(this.#describe(lane, gathering));
    this.#statements.finish.run({ body, now: turn.now, ordinal });
  }

  #describe(lane: Lane, gathering: Gathering) {
    const named = namedGroups(lane, gathering);
    const ids = JSON.stringify(named.flatMap(({ first }) => first));
    const alerts = new Map(this.#statements.alerts.all(ids).map((record) => [record.id, toAlert(record)]));
    return describeAlerts(
      lane,
      toldOf(gathering, named, (id) => alerts.get(id)),
    );
  }

  #tellings(lane: Lane) {
    return lane === 'resolved' ? this.#statements.owed : this.#statements.waiting;
  }

  #laneOf(channel: string, lane: Lane): LaneState {
    const lastAt = this.#statements.laneLastAt.get(channel, lane) ?? undefined;
    const busy = this.#statements.laneBusy.get(channel, lane) !== undefined;
    return lastAt === undefined ? { busy } : { busy, lastAt };
  }
}

function queryOf(rule: ChannelRule, lane: Lane, now: number): LaneQuery {
  return {
    channel: rule.name,
    kinds: JSON.stringify(kindsOf(lane)),
    now,
    oldest: now - TOO_OLD_MS,
    unknownAfterMs: rule.unknownAfterMs,
  };
}

/** Undefined: time alone brings nothing. */
function timeOf(at: number): number | undefined {
  return at === Number.POSITIVE_INFINITY ? undefined : at;
}
