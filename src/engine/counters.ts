// The statistics and the audit log of the port, made of the store's calls.
import type { ArrivalDay, ArrivalRecord } from "../core/arrival.ts";
import type { AuditLog } from "../core/audit.ts";
import type { Counters } from "../core/engine.ts";
import type { Calls } from "./calls.ts";
import { inPieces, PIECE } from "./pieces.ts";
import type { ArrivalPlace } from "./sqlite/counters.ts";

export function localAudit(queue: Calls): AuditLog {
  return {
    add: (entries) => queue.call("addAudit", [entries], entries.length),
    async list(query, limit) {
      const rows = await queue.call("listAudit", [query, limit], limit);
      return rows.map(({ who, message, request, ...row }) => ({
        ...row,
        ...(who === null ? {} : { who }),
        ...(message === null ? {} : { message }),
        requestId: request,
      }));
    },
  };
}

/** Each has about ten counters: a piece takes a few milliseconds. */
const ARRIVALS_AT_ONCE = 100;

function joined(before: ArrivalDay | undefined, more: ArrivalDay): ArrivalDay {
  if (before === undefined) return more;
  const counts: Record<string, number> = { ...before.counts };
  for (const [counter, total] of Object.entries(more.counts)) counts[counter] = (counts[counter] ?? 0) + total;
  return { day: more.day, notifications: before.notifications + more.notifications, counts };
}

export function localCounters(queue: Calls): Counters {
  return {
    add: (samples, now) => queue.call("addSamples", [samples, now]),
    chart: (key, from) => queue.call("chart", [key, from]),
    keys: () => queue.call("keys", []),
    async arrived(evidence, now) {
      await inPieces(evidence, async (piece) => {
        await queue.call("arrived", [piece, now], piece.length);
        return [];
      });
    },
    async arrivals(query, limit) {
      const records: ArrivalRecord[] = [];
      // One by one, so that other callers get in between: each lists up to 1,000 devices.
      for (const arrival of await queue.call("arrivalsFound", [query, limit])) {
        const record = await queue.call("arrivalRecord", [arrival], PIECE);
        if (record !== undefined) records.push(record);
      }
      return records;
    },
    arrivalTypes: (limit) => queue.call("arrivalTypes", [limit]),
    async arrivalDays(type, from, most) {
      const days = new Map<number, ArrivalDay>();
      let looked = 0;
      let place: ArrivalPlace | undefined;
      do {
        const { days: some, next } = await queue.call(
          "arrivalDays",
          [type, from, place ?? null, ARRIVALS_AT_ONCE],
          PIECE,
        );
        for (const one of some) days.set(one.day, joined(days.get(one.day), one));
        looked += ARRIVALS_AT_ONCE;
        place = next;
      } while (place !== undefined && looked < most);
      return { days: [...days.values()], complete: place === undefined };
    },
  };
}
