// What vendors tell later of what they accepted, and clients of what a vendor brought. Each event counts once per delivery.
import type Database from "better-sqlite3";
import { notificationKey } from "../../core/events.ts";
import type { VendorReceipt } from "../../core/outbox.ts";
import type { Traits } from "../../core/traits.ts";
import { CONNECTION } from "../reasons.ts";
import { iso } from "../wants.ts";
import type { Addressees } from "./addressees.ts";
import type { Counts } from "./counts.ts";
import type { DeviceTable } from "./devices.ts";
import type { EventLog } from "./events.ts";

export interface Told {
  readonly delivery: number;
  readonly job: number;
  readonly arrival: number | null;
  readonly push_id: string;
  readonly type: string | null;
  readonly token: string | null;
  readonly vendor: string;
  readonly app: string;
  readonly id: string;
  readonly arrived_at: number | null;
  readonly clicked_at: number | null;
}

export const EVENTS = { arrive: "notification.arrived", click: "notification.clicked" } as const;
export type ToldEvent = keyof typeof EVENTS;

/** What a counter is of, and by which way. */
export function eventOf(counter: string): { readonly event: ToldEvent | undefined; readonly name: string } {
  const [event = "", name = ""] = counter.split("_");
  return { event: event === "arrive" || event === "click" ? event : undefined, name };
}

export type Receipts = ReturnType<typeof receipts>;

export function receipts(
  db: Database,
  counts: Counts,
  addressees: Addressees,
  devices: Pick<DeviceTable, "forgetToken">,
  traits: Traits,
  log: Pick<EventLog, "wants" | "write">,
) {
  const columns = `d.delivery, d.job, j.arrival, d.push_id, d.type, d.token, l.vendor, l.app, j.id, d.arrived_at, d.clicked_at
    FROM deliveries d JOIN lanes l ON l.lane = d.lane JOIN jobs j ON j.job = d.job`;
  const byReceipt = db.prepare<[string, string], Told>(`
    SELECT ${columns} WHERE d.receipt = ? AND l.vendor = ? AND d.token IS NOT NULL LIMIT 2`);
  const byReceiptAndToken = db.prepare<[string, string, string], Told>(`
    SELECT ${columns} WHERE d.receipt = ? AND d.token = ? AND l.vendor = ? ORDER BY d.delivery DESC LIMIT 1`);
  const devicesByToken = db
    .prepare<[string], string>("SELECT push_id FROM devices WHERE token = ? LIMIT 10")
    .pluck<string>();
  const jobsOfId = db
    .prepare<[string], number>("SELECT job FROM jobs WHERE id = ? AND arrival IS NOT NULL ORDER BY job DESC LIMIT 100")
    .pluck<number>();
  const ofDevice = db.prepare<[number, number], Told>(`
    SELECT ${columns} WHERE d.device = ? AND d.job = ? ORDER BY d.delivery DESC`);
  const arrived = db.prepare<[number, number]>("UPDATE deliveries SET arrived_at = ? WHERE delivery = ?");
  const clicked = db.prepare<[number, number]>("UPDATE deliveries SET clicked_at = ? WHERE delivery = ?");
  const uidOf = db.prepare<[string], string | null>("SELECT uid FROM devices WHERE push_id = ?").pluck<string | null>();
  const evidence = db
    .prepare<[string, string, string], number>(`
    SELECT count(*) FROM arrivals a
      JOIN arrival_counts c ON c.arrival = a.arrival
      JOIN arrival_evidence e ON e.count = c.count AND e.push_id = +?
    WHERE a.id = ? AND substr(c.counter, 1, 6) = ?`)
    .pluck<number>();
  const note = db.prepare<[string, number]>("UPDATE deliveries SET reason = ? WHERE delivery = ?");

  /** The newest delivery of a notification to a device. */
  function find(id: string, pushId: string, fits: (row: Told) => boolean): Told | undefined {
    const jobs = jobsOfId.all(id);
    if (jobs.length === 0) return undefined;
    const numbers = addressees.devicesOf(pushId);
    for (const job of jobs)
      for (const device of numbers) {
        const row = ofDevice.all(device, job).find(fits);
        if (row !== undefined) return row;
      }
    return undefined;
  }

  function found({ vendor, receipt, token, notification }: VendorReceipt): Told | undefined {
    if (receipt !== undefined) {
      if (token === undefined) {
        const [only, other] = byReceipt.all(receipt, vendor);
        if (only !== undefined && other === undefined) return only; // of several, it does not say which
      } else {
        const row = byReceiptAndToken.get(receipt, token, vendor);
        if (row !== undefined) return row;
      }
    }
    if (notification === undefined || token === undefined) return undefined;
    // The vendor may be faster than the record of its answer.
    for (const pushId of devicesByToken.all(token)) {
      const row = find(notification, pushId, (one) => one.vendor === vendor && one.token === token);
      if (row !== undefined) return row;
    }
    return undefined;
  }

  /** How many kinds of evidence there are beside what vendors tell. */
  const witnesses = (event: ToldEvent, id: string, pushId: string): number =>
    evidence.get(pushId, id, event === "arrive" ? "arrive" : "click_") ?? 0;

  /** Tells that it has arrived at the device, or was clicked there. */
  function tell(event: ToldEvent, id: string, pushId: string, provider: string, at: number, now: number): void {
    const type = EVENTS[event];
    const uid = uidOf.get(pushId) ?? undefined;
    log.write(type, notificationKey(id), { id, pushId, uid, provider, at: iso(at) }, now);
  }

  /** Whether a vendor's delivery of it is marked so. */
  const isMarked = (event: ToldEvent, id: string, pushId: string): boolean =>
    find(id, pushId, (row) => (event === "arrive" ? row.arrived_at : row.clicked_at) !== null) !== undefined;

  function mark(row: Told, event: ToldEvent, at: number, now: number): void {
    if ((event === "arrive" ? row.arrived_at : row.clicked_at) !== null) return;
    if (log.wants(EVENTS[event]) && witnesses(event, row.id, row.push_id) === 0)
      tell(event, row.id, row.push_id, row.vendor, at, now);
    (event === "arrive" ? arrived : clicked).run(at, row.delivery);
    if (row.arrival !== null) counts.add(row.arrival, `${event}_${traits.statisticsName(row.vendor)}`, 1);
  }

  return {
    received(told: readonly VendorReceipt[], now: number): void {
      for (const receipt of told) {
        const row = found(receipt);
        if (row === undefined) continue;
        const { event, at, vendor } = receipt;
        switch (event) {
          case "arrived":
            mark(row, "arrive", at ?? now, now);
            break;
          case "clicked":
            mark(row, "click", at ?? now, now);
            break;
          case "gone": {
            const dead = `${vendor} says later that the token is dead`;
            note.run(dead, row.delivery);
            if (row.type !== null && row.token !== null && receipt.keepsToken !== true)
              devices.forgetToken(row.push_id, { type: row.type, token: row.token }, at, dead, now, row.app);
            break;
          }
          case "suppressed":
            note.run(`${vendor} says later that it was not shown`, row.delivery);
            break;
        }
      }
    },

    /**
     * A client reports that a vendor's notification arrived or was clicked: counted with its delivery, so that client and
     * vendor do not count it twice. False: it came another way.
     */
    reported(id: string, pushId: string, counter: string, now: number): boolean {
      const { event, name } = eventOf(counter);
      if (event === undefined || name === CONNECTION) return false;
      const row = find(id, pushId, ({ vendor }) => traits.statisticsName(vendor) === name);
      if (row === undefined) return false;
      mark(row, event, now, now);
      return true;
    },

    /** There is evidence of this kind for the first time, beside what vendors tell. */
    witnessed(id: string, pushId: string, counter: string, now: number): void {
      const { event, name } = eventOf(counter);
      if (event === undefined || !log.wants(EVENTS[event])) return;
      if (witnesses(event, id, pushId) > 1 || isMarked(event, id, pushId)) return;
      tell(event, id, pushId, name === CONNECTION ? "connection" : name, now, now);
    },
  };
}
