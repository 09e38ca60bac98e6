// What a call makes of deliveries: gathered, and written by a statement for each kind of change.
import type { SettledState } from "../sqlite/state.ts";
import { State } from "../sqlite/state.ts";
import { Statement } from "./database.ts";
import type { Turn } from "./turns.ts";

type Numbers = readonly number[];
type MaybeTexts = readonly (string | null)[];

const settleAll = new Statement<[Numbers, Numbers, MaybeTexts, MaybeTexts, Numbers, number]>(`
  UPDATE deliveries d SET state = u.state, due = NULL, lease = NULL, holder = NULL, receipt = u.receipt, reason = u.reason,
    settled_at = n.now, token = CASE u.keeps WHEN 1 THEN d.token END
  FROM unnest(?::bigint[], ?::int[], ?::text[], ?::text[], ?::int[]) AS u(delivery, state, receipt, reason, keeps),
    (SELECT ?::bigint AS now) n
  WHERE d.delivery = u.delivery`);
// Claimed for nothing (tried = 0): the vendor was not asked, or took nothing from us.
const queueAll = new Statement<[Numbers, Numbers, Numbers, MaybeTexts]>(`
  UPDATE deliveries d SET state = ${State.queued}, due = u.due, lease = NULL, holder = NULL, attempts = d.attempts + u.tried,
    reason = CASE u.tried WHEN 1 THEN u.reason ELSE coalesce(nullif(u.reason, ''), d.reason) END,
    sent_at = CASE WHEN u.tried = 0 AND d.attempts = 0 THEN NULL ELSE d.sent_at END
  FROM unnest(?::bigint[], ?::bigint[], ?::int[], ?::text[]) AS u(delivery, due, tried, reason) WHERE d.delivery = u.delivery`);
const move = new Statement<[number, Numbers]>("UPDATE deliveries SET state = ? WHERE delivery = ANY (?)");

interface Settled {
  readonly delivery: number;
  readonly state: SettledState | typeof State.cancelled;
  readonly receipt: string | null;
  readonly reason: string | null;
  readonly keepsToken: boolean;
}

interface Queued {
  readonly delivery: number;
  readonly due: number;
  readonly tried: boolean;
  readonly reason: string | null;
}

/** Each delivery is in one of the lists at most. */
export class Changes {
  readonly settled: Settled[] = [];
  readonly queued: Queued[] = [];
  readonly held: number[] = [];
  readonly released: number[] = [];

  /** Its end, without a receipt. */
  end(delivery: number, state: Settled["state"], reason: string | null): void {
    this.settled.push({ delivery, state, receipt: null, reason, keepsToken: false });
  }

  /** Sends a statement for each kind of change, without waiting for it; `now` is when those that are settled were. */
  put(turn: Turn, now: number): void {
    const { settled, queued, held, released } = this;
    if (settled.length > 0)
      settleAll.put(
        turn,
        settled.map(({ delivery }) => delivery),
        settled.map(({ state }) => state),
        settled.map(({ receipt }) => receipt),
        settled.map(({ reason }) => reason),
        settled.map(({ keepsToken }) => (keepsToken ? 1 : 0)),
        now,
      );
    if (queued.length > 0)
      queueAll.put(
        turn,
        queued.map(({ delivery }) => delivery),
        queued.map(({ due }) => due),
        queued.map(({ tried }) => (tried ? 1 : 0)),
        queued.map(({ reason }) => reason),
      );
    if (held.length > 0) move.put(turn, State.held, held);
    if (released.length > 0) move.put(turn, State.queued, released);
  }
}
