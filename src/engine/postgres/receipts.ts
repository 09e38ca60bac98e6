// What vendors tell later of what they accepted, and clients of what a vendor brought. Each event counts once per delivery. The
// deliveries of a whole list are looked for at once, and marked at once.
import type { Evidence } from "../../core/engine.ts";
import { notificationKey } from "../../core/events.ts";
import type { VendorReceipt } from "../../core/outbox.ts";
import type { Traits } from "../../core/traits.ts";
import { CONNECTION } from "../reasons.ts";
import { EVENTS, eventOf, type Told, type ToldEvent } from "../sqlite/receipts.ts";
import { iso } from "../wants.ts";
import { counts, Sums } from "./counts.ts";
import { Statement } from "./database.ts";
import type { DeviceTable } from "./devices.ts";
import type { EventLog } from "./events.ts";
import type { Turn } from "./turns.ts";

type Texts = readonly string[];
type MaybeTexts = readonly (string | null)[];
type Numbers = readonly number[];

/** Of the row asked for in this place of the list. */
type At<Row> = Row & { readonly place: number };

const columns = `d.delivery, d.job, j.arrival, d.push_id, d.type, d.token, l.vendor, l.app, j.id, d.arrived_at, d.clicked_at`;
// The newest two: of several, a receipt without a token does not say which.
const byReceipt = new Statement<[Texts, MaybeTexts, Texts], At<Told>>(`
  SELECT u.place - 1 AS place, d.* FROM unnest(?::text[], ?::text[], ?::text[]) WITH ORDINALITY AS u(receipt, token, vendor, place)
    CROSS JOIN LATERAL (
      SELECT ${columns} FROM deliveries d JOIN lanes l ON l.lane = d.lane JOIN jobs j ON j.job = d.job
      WHERE d.receipt = u.receipt AND d.token IS NOT NULL AND l.vendor = u.vendor AND (u.token IS NULL OR d.token = u.token)
      ORDER BY d.delivery DESC LIMIT 2) d
  ORDER BY u.place, d.delivery DESC`);
const devicesByToken = new Statement<[Texts], At<{ readonly push_id: string }>>(`
  SELECT u.place - 1 AS place, v.push_id FROM unnest(?::text[]) WITH ORDINALITY AS u(token, place)
    CROSS JOIN LATERAL (SELECT push_id FROM devices WHERE token = u.token LIMIT 10) v ORDER BY u.place`);
// The deliveries of notifications to devices, the newest first.
const find = new Statement<[Texts, Texts], At<Told>>(`
  SELECT u.place - 1 AS place, ${columns} FROM unnest(?::text[], ?::text[]) WITH ORDINALITY AS u(id, push_id, place)
    CROSS JOIN LATERAL (
      SELECT job, arrival, id FROM jobs WHERE id = u.id AND arrival IS NOT NULL ORDER BY job DESC LIMIT 100) j
    CROSS JOIN LATERAL (
      SELECT device, 0 AS gone FROM devices WHERE push_id = u.push_id
      UNION ALL SELECT device, 1 FROM departed WHERE push_id = u.push_id) n
    JOIN deliveries d ON d.device = n.device AND d.job = j.job JOIN lanes l ON l.lane = d.lane
  ORDER BY u.place, j.job DESC, n.gone, n.device DESC, d.delivery DESC`);
const markArrived = new Statement<[Numbers, Numbers]>(`
  UPDATE deliveries d SET arrived_at = u.at FROM unnest(?::bigint[], ?::bigint[]) AS u(delivery, at) WHERE d.delivery = u.delivery`);
const markClicked = new Statement<[Numbers, Numbers]>(`
  UPDATE deliveries d SET clicked_at = u.at FROM unnest(?::bigint[], ?::bigint[]) AS u(delivery, at) WHERE d.delivery = u.delivery`);
const note = new Statement<[Numbers, Texts]>(`
  UPDATE deliveries d SET reason = u.reason FROM unnest(?::bigint[], ?::text[]) AS u(delivery, reason) WHERE d.delivery = u.delivery`);
const uidsOf = new Statement<[Texts], { readonly push_id: string; readonly uid: string }>(
  "SELECT push_id, uid FROM devices WHERE push_id = ANY (?) AND uid IS NOT NULL",
);
// How many kinds of evidence there are beside what vendors tell.
const evidence = new Statement<[Texts, Texts, Texts], At<{ readonly n: number }>>(`
  SELECT u.place - 1 AS place, count(e.count) AS n FROM unnest(?::text[], ?::text[], ?::text[]) WITH ORDINALITY AS u(id, push_id, kind, place)
    JOIN arrivals a ON a.id = u.id JOIN arrival_counts c ON c.arrival = a.arrival AND substr(c.counter, 1, 6) = u.kind
    JOIN arrival_evidence e ON e.count = c.count AND e.push_id = u.push_id
  GROUP BY u.place`);

/** Something that is told of, or would be. */
interface Happening {
  readonly event: ToldEvent;
  readonly id: string;
  readonly pushId: string;
}

const keyOf = ({ event, id, pushId }: Happening): string => JSON.stringify([event, id, pushId]);

/** Evidence that came for the first time. */
export interface Witnessed {
  readonly id: string;
  readonly push_id: string;
  readonly counter: string;
}

export type Receipts = ReturnType<typeof receipts>;

export function receipts(
  devices: Pick<DeviceTable, "forgetToken">,
  traits: Traits,
  log: Pick<EventLog, "wants" | "write">,
) {
  /** By place: the deliveries of each. */
  async function findAll(
    turn: Turn,
    list: readonly { readonly id: string; readonly pushId: string }[],
  ): Promise<Told[][]> {
    const found: Told[][] = list.map(() => []);
    if (list.length === 0) return found;
    const rows = await find.all(
      turn,
      list.map(({ id }) => id),
      list.map(({ pushId }) => pushId),
    );
    for (const row of rows) found[row.place]!.push(row);
    return found;
  }

  /** By place: the delivery that each receipt tells of. */
  async function rowsOf(turn: Turn, told: readonly VendorReceipt[]): Promise<readonly (Told | undefined)[]> {
    const found: (Told | undefined)[] = told.map(() => undefined);
    const named = [...told.entries()].filter(([, { receipt }]) => receipt !== undefined);
    const candidates = new Map<number, Told[]>();
    if (named.length > 0)
      for (const row of await byReceipt.all(
        turn,
        named.map(([, { receipt }]) => receipt ?? ""),
        named.map(([, { token }]) => token ?? null),
        named.map(([, { vendor }]) => vendor),
      )) {
        const rows = candidates.get(row.place) ?? [];
        candidates.set(row.place, rows);
        rows.push(row);
      }
    for (const [place, [at, { token }]] of named.entries()) {
      const [first, second] = candidates.get(place) ?? [];
      if (token !== undefined || second === undefined) found[at] = first;
    }
    // The vendor may be faster than the record of its answer.
    const early = [...told.entries()].filter(
      ([at, { notification, token }]) => found[at] === undefined && notification !== undefined && token !== undefined,
    );
    if (early.length === 0) return found;
    const holders = await devicesByToken.all(
      turn,
      early.map(([, { token }]) => token ?? ""),
    );
    const asked = holders.map(({ place, push_id: pushId }) => ({ id: early[place]![1].notification!, pushId, place }));
    const rows = await findAll(turn, asked);
    for (const [i, { place }] of asked.entries()) {
      const [at, { vendor, token }] = early[place]!;
      found[at] ??= rows[i]!.find((row) => row.vendor === vendor && row.token === token);
    }
    return found;
  }

  /** How many kinds of evidence there are of each. */
  async function witnesses(turn: Turn, list: readonly Happening[]): Promise<ReadonlyMap<string, number>> {
    if (list.length === 0) return new Map();
    const rows = await evidence.all(
      turn,
      list.map(({ id }) => id),
      list.map(({ pushId }) => pushId),
      list.map(({ event }) => (event === "arrive" ? "arrive" : "click_")),
    );
    return new Map(rows.map(({ place, n }) => [keyOf(list[place]!), n]));
  }

  /** Tells that it has arrived at the device, or was clicked there. */
  async function tell(
    turn: Turn,
    happened: readonly (Happening & { readonly provider: string; readonly at: number })[],
    now: number,
  ): Promise<void> {
    if (happened.length === 0) return;
    const rows = await uidsOf.all(
      turn,
      happened.map(({ pushId }) => pushId),
    );
    const uids = new Map(rows.map(({ push_id, uid }) => [push_id, uid]));
    for (const { event, id, pushId, provider, at } of happened) {
      const data = { id, pushId, uid: uids.get(pushId), provider, at: iso(at) };
      await log.write(turn, EVENTS[event], notificationKey(id), data, now);
    }
  }

  /** Marks deliveries that are not marked yet, counts and tells. */
  async function markAll(
    turn: Turn,
    marks: readonly { readonly row: Told; readonly event: ToldEvent; readonly at: number }[],
    now: number,
  ): Promise<void> {
    const times = { arrive: new Map<number, number>(), click: new Map<number, number>() };
    const fresh = marks.filter(({ row, event, at }) => {
      if ((event === "arrive" ? row.arrived_at : row.clicked_at) !== null) return false;
      if (times[event].has(row.delivery)) return false;
      times[event].set(row.delivery, at);
      return true;
    });
    if (fresh.length === 0) return;
    const counted = new Sums<number>();
    for (const { row, event } of fresh)
      if (row.arrival !== null) counted.add(row.arrival, `${event}_${traits.statisticsName(row.vendor)}`, 1);
    const told = fresh
      .filter(({ event }) => log.wants(EVENTS[event]))
      .map(({ row, event, at }) => ({ event, id: row.id, pushId: row.push_id, provider: row.vendor, at }));
    const others = await witnesses(turn, told);
    await tell(
      turn,
      told.filter((one) => !others.has(keyOf(one))),
      now,
    );
    if (times.arrive.size > 0) markArrived.put(turn, [...times.arrive.keys()], [...times.arrive.values()]);
    if (times.click.size > 0) markClicked.put(turn, [...times.click.keys()], [...times.click.values()]);
    counts.put(turn, counted);
  }

  return {
    async received(turn: Turn, told: readonly VendorReceipt[], now: number): Promise<void> {
      const rows = await rowsOf(turn, told);
      const marks: { row: Told; event: ToldEvent; at: number }[] = [];
      const notes = new Map<number, string>();
      const gone: Promise<void>[] = [];
      for (const [i, { event, at, vendor, keepsToken }] of told.entries()) {
        const row = rows[i];
        if (row === undefined) continue;
        switch (event) {
          case "arrived":
            marks.push({ row, event: "arrive", at: at ?? now });
            break;
          case "clicked":
            marks.push({ row, event: "click", at: at ?? now });
            break;
          case "gone": {
            const dead = `${vendor} says later that the token is dead`;
            notes.set(row.delivery, dead);
            if (row.type !== null && row.token !== null && keepsToken !== true) {
              const token = { type: row.type, token: row.token };
              gone.push(devices.forgetToken(turn, row.push_id, token, at, dead, now, row.app));
            }
            break;
          }
          case "suppressed":
            notes.set(row.delivery, `${vendor} says later that it was not shown`);
            break;
        }
      }
      await Promise.all(gone);
      if (notes.size > 0) note.put(turn, [...notes.keys()], [...notes.values()]);
      await markAll(turn, marks, now);
    },

    /**
     * Clients report that a vendor's notification arrived or was clicked: counted with its delivery, so that client and
     * vendor do not count it twice. Returns what came another way.
     */
    async reported(turn: Turn, told: readonly Evidence[], now: number): Promise<readonly Evidence[]> {
      const asked = told.filter(({ counter }) => {
        const { event, name } = eventOf(counter);
        return event !== undefined && name !== CONNECTION;
      });
      const rows = await findAll(turn, asked);
      const marks = asked.flatMap(({ counter }, i) => {
        const { event, name } = eventOf(counter);
        const row = rows[i]!.find(({ vendor }) => traits.statisticsName(vendor) === name);
        return row === undefined || event === undefined ? [] : { row, event, at: now };
      });
      await markAll(turn, marks, now);
      const taken = new Set(
        asked.filter(({ counter }, i) =>
          rows[i]!.some(({ vendor }) => traits.statisticsName(vendor) === eventOf(counter).name),
        ),
      );
      return told.filter((one) => !taken.has(one));
    },

    /** There is evidence of these kinds for the first time, beside what vendors tell. */
    async witnessed(turn: Turn, added: readonly Witnessed[], now: number): Promise<void> {
      const happened = new Map<string, Happening & { readonly provider: string; readonly at: number; kinds: number }>();
      for (const { id, push_id: pushId, counter } of added) {
        const { event, name } = eventOf(counter);
        if (event === undefined || !log.wants(EVENTS[event])) continue;
        const provider = name === CONNECTION ? "connection" : name;
        const one = { event, id, pushId, provider, at: now, kinds: 1 };
        const before = happened.get(keyOf(one));
        if (before === undefined) happened.set(keyOf(one), one);
        else before.kinds++;
      }
      const list = [...happened.values()];
      const all = await witnesses(turn, list);
      const fresh = list.filter((one) => (all.get(keyOf(one)) ?? 0) <= one.kinds);
      const rows = await findAll(turn, fresh);
      const isMarked = ({ event }: Happening, i: number): boolean =>
        rows[i]!.some((row) => (event === "arrive" ? row.arrived_at : row.clicked_at) !== null);
      await tell(
        turn,
        fresh.filter((one, i) => !isMarked(one, i)),
        now,
      );
    },
  };
}
