// What the tests of the store on SQLite are made of: the engine's options, the thread's loop without its thread, and calls to it as
// local.ts makes them.
import { join } from "node:path";
import type Database from "better-sqlite3";
import type { Test } from "tap";
import type { Delivery, Settlement } from "../../src/core/delivery.ts";
import type { Page } from "../../src/core/packet.ts";
import type { LocalEngineOptions } from "../../src/engine/local.ts";
import { type AddressedRow, packAddressed, packSettlements, unpackClaimed } from "../../src/engine/rows.ts";
import type { Claimed } from "../../src/engine/sqlite/deliveries.ts";
import { openDatabase } from "../../src/engine/sqlite/file.ts";
import { type Call, type Store, store } from "../../src/engine/sqlite/thread.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { pushId, T } from "./steps.ts";

export const DAY = 86_400_000;

export const options = (dataDir: string, more?: Partial<LocalEngineOptions>): LocalEngineOptions => ({
  dataDir,
  synchronous: "NORMAL",
  keep: { default: 10, prefixes: [] },
  arrivalDays: 30,
  vendors: TRAITS,
  onFatal() {},
  ...more,
});

/** The thread's loop on this database, here without its thread. */
export const storeOn = (db: Database): Store =>
  store(db, {
    task: "store",
    dataDir: "",
    synchronous: "FULL",
    keep: { default: 10, prefixes: [] },
    arrivalDays: 30,
    vendors: TRAITS,
    started: T,
  });

/** With a database of its own, closed after the test. */
export function openStore(t: Test): { readonly db: Database; readonly opened: Store } {
  const db = openDatabase(join(t.testdir(), "pushbox.db"), "FULL");
  t.teardown(() => db.close());
  return { db, opened: storeOn(db) };
}

/** A call's arguments as local.ts makes them. */
export const acceptCall = (id: string, more?: object, once: object | null = null): Call => [
  "accept",
  [
    {
      id,
      type: "x",
      text: "",
      timeToLive: 0,
      acceptedAt: T,
      expires: T + 600_000,
      callerAddress: "",
      targetKind: "pushIds",
      small: true,
      dryRun: false,
      ...more,
    },
    "{}",
    "{}",
    once,
  ],
];

export const FCM = { vendor: "fcm", app: "com.x", host: "" };
export const inFcm = (name: string, uid: string | null = null): AddressedRow => ({
  ...{ pushId: pushId(name), uid, lane: 0, type: "fcm", token: name },
});

const EMPTY_PAGE = {
  cursor: null,
  notBefore: null,
  parcels: [],
  lanes: [],
  late: null,
  reach: null,
  devices: [],
  counts: {},
  seen: 0,
  skipped: 0,
  routes: {},
};

/** What `expand` is given: these devices, all of one lane. */
export const pageOf = (lane: typeof FCM, devices: readonly AddressedRow[]) => ({
  ...EMPTY_PAGE,
  lanes: [lane],
  devices: packAddressed(devices),
});

export const claimCall = (limit: number, lane = FCM, now = T): Call => ["claim", [lane, limit, now, now, 1000, []]];

/** Settles these of what was claimed: accepted with this receipt, or refused. */
export function settleCall(
  claimed: unknown,
  receipt: unknown,
  which: (place: number) => boolean = (place) => place === 0,
): Call {
  const { lease, deliveries } = claimed as Claimed;
  const results = unpackClaimed(deliveries)
    .filter((_, place) => which(place))
    .map((row): Settlement => {
      const delivery = { ...row, lane: FCM, lease: { name: lease, until: 0 } } as unknown as Delivery;
      if (receipt === undefined) return { delivery, kind: "refused", reason: "no", counters: [] };
      return { delivery, kind: "accepted", receipt: receipt as string, counters: ["accepted_fcm"] };
    });
  return ["settle", [packSettlements(results), T]];
}

export const connect = (name: string): Call => ["connect", [{ pushId: pushId(name) }, T]];

export const append = (channel: string, expires: number, ...ids: string[]): Call => [
  "append",
  ids.flatMap((id) => [channel, id, "p", "{}", expires]),
];
export const backlog = (channel: string): Call => ["backlog", [channel, { after: "0" }, 1e9, T]];
export const idsOf = (result: unknown): string[] => (result as Page).packets.map(({ id }) => id);
export const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `p${from + i}`);
