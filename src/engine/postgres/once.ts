// Calls that may be repeated: their keys, how far they have come, and what was answered (as sqlite/once.ts).
import { conflict } from "../../core/once.ts";
import type { Once } from "../../core/outbox.ts";
import type { Packed, ParcelRow } from "../rows.ts";
import { KEPT, type KnownCall, type MadePiece, PUSHED } from "../sqlite/once.ts";
import { Statement } from "./database.ts";
import type { Packets } from "./packets.ts";
import type { Turn } from "./turns.ts";

const find = new Statement<[string, number], KnownCall>(
  "SELECT digest, pieces, answer, packet, online FROM calls WHERE key = ? AND drop_at > ?",
);
const add = new Statement<[string, string, number, string | null, string | null, number, number]>(
  "SELECT note_call(?, ?, ?, ?, ?, ?, ?)",
);
const setOnline = new Statement<[number, string, string]>("UPDATE calls SET online = ? WHERE key = ? AND digest = ?");
const advance = new Statement<[number, string | null, string]>("UPDATE calls SET pieces = ?, answer = ? WHERE key = ?");
const sweep = new Statement<[number, number]>(
  "DELETE FROM calls WHERE key IN (SELECT key FROM calls WHERE drop_at <= ? ORDER BY drop_at LIMIT ?)",
);

async function known(turn: Turn, { key, digest }: Once, now: number): Promise<KnownCall | undefined> {
  const call = await find.get(turn, key, now);
  if (call !== undefined && call.digest !== digest) throw conflict();
  return call;
}

export type Repeatable = ReturnType<typeof calls>;

export function calls(packets: Pick<Packets, "append">) {
  return {
    answer: async (turn: Turn, once: Once, now: number): Promise<string | undefined> =>
      (await known(turn, once, now))?.answer ?? undefined,

    finish(turn: Turn, { key, digest }: Once, answer: string, now: number): void {
      add.put(turn, key, digest, 1, answer, null, now + KEPT, now);
    },

    async appendOnce(
      turn: Turn,
      once: Once,
      piece: number,
      last: boolean,
      given: string,
      parcels: Packed<ParcelRow>,
      now: number,
    ): Promise<MadePiece> {
      const before = await known(turn, once, now);
      const id = before?.packet ?? given;
      if (before !== undefined && before.answer !== null)
        return { first: undefined, next: undefined, id, online: before.online };
      const made = before?.pieces ?? 0;
      if (piece !== made) return { first: undefined, next: made, id, online: null };
      const first = await packets.append(turn, parcels);
      const answer = last ? PUSHED : null;
      if (before === undefined) add.put(turn, once.key, once.digest, made + 1, answer, id, now + KEPT, now);
      else advance.put(turn, made + 1, answer, once.key);
      return { first, next: last ? undefined : made + 1, id, online: null };
    },

    handed: (turn: Turn, { key, digest }: Once, online: number): void => setOnline.put(turn, online, key, digest),

    sweepCalls: async (turn: Turn, now: number, limit: number): Promise<boolean> =>
      (await sweep.run(turn, now, limit)) === limit,
  };
}
