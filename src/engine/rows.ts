// Rows on their way to the storage thread and back: many rows as one flat list, because each nested array or object takes a
// thread longer to copy than the strings in it. Packed and unpacked here alone: in each pair the values stand in the same order.
import type { Settlement } from "../core/delivery.ts";
import type { Channel, Packet, PacketId, Parcel } from "../core/packet.ts";
import { type ConnectionState, type SettledState, State } from "./sqlite/state.ts";

declare const packed: unique symbol;
/** Only what packed it can tell what is in it. */
export type Packed<Row> = Flat & { readonly [packed]?: Row };

type Flat = (string | number | null)[];

// ---- packets

export interface ParcelRow {
  readonly channel: Channel;
  readonly id: PacketId;
  readonly event: Packet["event"];
  readonly body: string;
  readonly expires: number;
}

export function packParcels(parcels: readonly Parcel[]): Packed<ParcelRow> {
  const flat: Flat = [];
  for (const { channel, packet } of parcels) flat.push(channel, packet.id, packet.event, packet.body, packet.expires);
  return flat;
}

export function unpackParcels(flat: Packed<ParcelRow>): ParcelRow[] {
  const rows: ParcelRow[] = [];
  for (let at = 0; at < flat.length; )
    rows.push({
      channel: flat[at++] as Channel,
      id: flat[at++] as PacketId,
      event: flat[at++] as Packet["event"],
      body: flat[at++] as string,
      expires: flat[at++] as number,
    });
  return rows;
}

// ---- the devices of a page

/** `lane`: its place among the lanes of the page; otherwise what becomes of it without one. */
export type AddressedRow = { readonly pushId: string; readonly uid: string | null } & (
  | { readonly lane: number; readonly type: string; readonly token: string }
  | { readonly state: ConnectionState }
);

/** A lane's place and a state share a number: states are below 0. */
const below = (state: ConnectionState): number => -1 - state;

export function packAddressed(rows: Iterable<AddressedRow>): Packed<AddressedRow> {
  const flat: Flat = [];
  for (const row of rows)
    if ("lane" in row) flat.push(row.pushId, row.uid, row.lane, row.type, row.token);
    else flat.push(row.pushId, row.uid, below(row.state), null, null);
  return flat;
}

export function unpackAddressed(flat: Packed<AddressedRow>): AddressedRow[] {
  const rows: AddressedRow[] = [];
  for (let at = 0; at < flat.length; ) {
    const pushId = flat[at++] as string;
    const uid = flat[at++] as string | null;
    const way = flat[at++] as number;
    const type = flat[at++] as string;
    const token = flat[at++] as string;
    if (way >= 0) rows.push({ pushId, uid, lane: way, type, token });
    else rows.push({ pushId, uid, state: below(way as ConnectionState) as ConnectionState });
  }
  return rows;
}

// ---- claims

export interface ClaimedRow {
  readonly delivery: number;
  readonly job: number;
  readonly pushId: string;
  readonly type: string;
  readonly token: string;
  readonly attempts: number;
  /** As `Delivery.detour`. */
  readonly detour: string | null;
}

export function packClaimed(rows: Iterable<ClaimedRow>): Packed<ClaimedRow> {
  const flat: Flat = [];
  for (const { delivery, job, pushId, type, token, attempts, detour } of rows)
    flat.push(delivery, job, pushId, type, token, attempts, detour);
  return flat;
}

export function unpackClaimed(flat: Packed<ClaimedRow>): ClaimedRow[] {
  const rows: ClaimedRow[] = [];
  for (let at = 0; at < flat.length; )
    rows.push({
      delivery: flat[at++] as number,
      job: flat[at++] as number,
      pushId: flat[at++] as string,
      type: flat[at++] as string,
      token: flat[at++] as string,
      attempts: flat[at++] as number,
      detour: flat[at++] as string | null,
    });
  return rows;
}

// ---- settlements

export interface SettlementRow {
  readonly delivery: number;
  /** Name of the lease under which it was claimed. */
  readonly lease: number;
  readonly state: SettledState;
  /** The receipt of what was accepted, otherwise the reason. */
  readonly text: string | null;
  /** Counters that go up by one. */
  readonly counters: readonly string[];
  /** Of one that is queued again: when it is due, and whether that counts as a try. */
  readonly due: number;
  readonly tried: boolean;
  /** The token is dead: forget it if it was registered before then. 0: whenever that was. NULL: it lives. */
  readonly forget: number | null;
  /** The token's detour from now on; empty: none. NULL: as it is. */
  readonly detour: string | null;
}

/** Lists of counters are few: each is sent once, and a row has the place of its own. */
export interface PackedSettlements {
  readonly counters: readonly (readonly string[])[];
  readonly rows: Packed<Omit<SettlementRow, "counters">>;
}

const NO_COUNTERS: readonly string[] = [];

export function packSettlements(results: readonly Settlement[]): PackedSettlements {
  const lists: (readonly string[])[] = [];
  const places = new Map<string, number>();
  const flat: Flat = [];
  let latest = NO_COUNTERS;
  let latestPlace = -1;
  function placeOf(counters: readonly string[]): number {
    if (counters === latest && latestPlace >= 0) return latestPlace;
    const key = counters.join(" ");
    let place = places.get(key);
    if (place === undefined) {
      place = lists.push(counters) - 1;
      places.set(key, place);
    }
    latest = counters;
    latestPlace = place;
    return place;
  }
  for (const result of results) {
    const { delivery, lease } = result.delivery;
    flat.push(delivery, lease.name);
    switch (result.kind) {
      case "again":
        flat.push(State.queued, result.reason, placeOf(NO_COUNTERS), result.at, result.tried ? 1 : 0, null, null);
        break;
      case "accepted":
        flat.push(State.accepted, result.receipt ?? null, placeOf(result.counters), 0, 0, null, result.detour ?? null);
        break;
      default: {
        const forget = result.forget === undefined ? null : (result.forget.registeredBefore ?? 0);
        const counters = placeOf(result.counters);
        flat.push(State[result.kind], result.reason, counters, 0, 0, forget, result.detour ?? null);
      }
    }
  }
  return { counters: lists, rows: flat };
}

export function unpackSettlements({ counters, rows: flat }: PackedSettlements): SettlementRow[] {
  const rows: SettlementRow[] = [];
  for (let at = 0; at < flat.length; )
    rows.push({
      delivery: flat[at++] as number,
      lease: flat[at++] as number,
      state: flat[at++] as SettledState,
      text: flat[at++] as string | null,
      counters: counters[flat[at++] as number] ?? NO_COUNTERS,
      due: flat[at++] as number,
      tried: flat[at++] === 1,
      forget: flat[at++] as number | null,
      detour: flat[at++] as string | null,
    });
  return rows;
}
