// Calls that may be repeated: their keys, how far they have come, and what was answered. What a key stands for is written in
// the transaction that notes it, so a crash leaves both or neither.
import type Database from "better-sqlite3";
import { conflict } from "../../core/once.ts";
import type { Once } from "../../core/outbox.ts";
import { DAY } from "../../core/time.ts";
import type { Packed, ParcelRow } from "../rows.ts";
import type { Packets } from "./packets.ts";

/** A key means the same call for so long, milliseconds. */
export const KEPT = DAY;
export const PUSHED = "success";

export interface KnownCall {
  readonly digest: string;
  /** Pieces that were made. */
  readonly pieces: number;
  /** NULL: there are more pieces to make. */
  readonly answer: string | null;
  /** Of a push: its packets' id, NULL when an older pushbox made it; connections it was handed to, NULL until that is known. */
  readonly packet: string | null;
  readonly online: number | null;
}

export interface MadePiece {
  /** The first seq of its kept packets; undefined: it had been made before, and there is nothing to hand over. */
  readonly first: number | undefined;
  /** The piece to go on with; undefined: the call is finished. */
  readonly next: number | undefined;
  /** The id that the call was begun with. */
  readonly id: string;
  /** Connections that it was handed to when it was finished before; NULL: not known. */
  readonly online: number | null;
}

export type Repeatable = ReturnType<typeof calls>;

export function calls(db: Database, packets: Pick<Packets, "append">) {
  const find = db.prepare<[string, number], KnownCall>(
    "SELECT digest, pieces, answer, packet, online FROM calls WHERE key = ? AND drop_at > ?",
  );
  const add = db.prepare<[string, string, number, string | null, string | null, number]>(`
    INSERT OR REPLACE INTO calls (key, digest, pieces, answer, packet, drop_at) VALUES (?, ?, ?, ?, ?, ?)`);
  const setOnline = db.prepare<[number, string, string]>("UPDATE calls SET online = ? WHERE key = ? AND digest = ?");
  const advance = db.prepare<[number, string | null, string]>("UPDATE calls SET pieces = ?, answer = ? WHERE key = ?");
  const sweep = db.prepare<[number, number]>(`
    DELETE FROM calls WHERE key IN (SELECT key FROM calls WHERE drop_at <= ? ORDER BY drop_at LIMIT ?)`);

  function known({ key, digest }: Once, now: number): KnownCall | undefined {
    const call = find.get(key, now);
    if (call !== undefined && call.digest !== digest) throw conflict();
    return call;
  }

  return {
    /** What was answered to this call before. Throws `PushError("conflict")` when the key was used for another one. */
    answer: (once: Once, now: number): string | undefined => known(once, now)?.answer ?? undefined,

    /** The call was made, in one step. */
    finish({ key, digest }: Once, answer: string, now: number): void {
      add.run(key, digest, 1, answer, null, now + KEPT);
    },

    /** Keeps the packets of one piece of a push, unless that was done before. The contract is `Broker.publishOnce`. */
    appendOnce(
      once: Once,
      piece: number,
      last: boolean,
      given: string,
      parcels: Packed<ParcelRow>,
      now: number,
    ): MadePiece {
      const before = known(once, now);
      const id = before?.packet ?? given;
      if (before !== undefined && before.answer !== null)
        return { first: undefined, next: undefined, id, online: before.online };
      const made = before?.pieces ?? 0;
      if (piece !== made) return { first: undefined, next: made, id, online: null };
      const first = packets.append(parcels);
      const answer = last ? PUSHED : null;
      if (before === undefined) add.run(once.key, once.digest, made + 1, answer, id, now + KEPT);
      else advance.run(made + 1, answer, once.key);
      return { first, next: last ? undefined : made + 1, id, online: null };
    },

    /** How many connections the whole of a push was handed to. */
    handed: ({ key, digest }: Once, online: number): void => void setOnline.run(online, key, digest),

    /** Forgets up to `limit` keys whose time has passed. Returns whether there may be more. */
    sweep: (now: number, limit: number): boolean => sweep.run(now, limit).changes === limit,
  };
}
