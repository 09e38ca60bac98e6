// Revocations are told to every node; one that did not hear for a while reads them all again.
import type { Revocations } from "../../core/engine.ts";
import type { Revocation } from "../../core/login.ts";
import type { Calls } from "../calls.ts";
import { localRevocations } from "../revocations.ts";
import { type Carrier, MESSAGE } from "./carrier.ts";
import type { Tx } from "./database.ts";
import { revocations as table } from "./revocations.ts";

const PAGE = 1000;
/** Few enough for a message, whatever their names are. */
const TOLD = 5;

export interface SharedRevocations extends Revocations {
  /** What was revoked while nothing was heard. */
  catchUp(): Promise<void>;
}

/** @param read statements by themselves */
export function sharedRevocations(
  turns: Calls,
  carrier: Carrier,
  read: () => Tx,
  now: () => number,
): SharedRevocations {
  const own = localRevocations(turns);
  const listeners: ((revocations: readonly Revocation[]) => Promise<number>)[] = [];
  const tell = async (revocations: readonly Revocation[]): Promise<void> => {
    for (const listener of listeners) await listener(revocations);
  };
  async function catchUp(): Promise<void> {
    for (let last: Revocation | undefined; ; ) {
      // By itself: the answers of turns may wait for what is not handed on yet.
      const page = await table.revocations(read(), last, PAGE, now());
      await tell(page);
      last = page.at(-1);
      if (page.length < PAGE) return;
    }
  }
  carrier.on("r", ({ node, text }) => {
    if (node === carrier.node) return;
    // Not waited for: each may close very many.
    (text === "" ? catchUp() : tell(JSON.parse(text) as readonly Revocation[])).catch(() => {});
  });
  return {
    attach(listener) {
      listeners.push(listener);
      own.attach(listener);
    },
    async add(revocations) {
      const closed = await own.add(revocations);
      const text = revocations.length <= TOLD ? JSON.stringify(revocations) : "";
      carrier.send("r", Buffer.byteLength(text) < MESSAGE - 100 ? text : "");
      return closed;
    },
    page: own.page,
    catchUp,
  };
}
