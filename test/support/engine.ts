// A real store that lasts as long as the test.
import type { Test } from "tap";
import type { Engine } from "../../src/core/engine.ts";
import type { Channel, From, KeptPacket } from "../../src/core/packet.ts";
import { type LocalEngine, openLocalEngine } from "../../src/engine/local.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { withoutThread } from "./store-thread.ts";

export async function openTestEngine(t: Test): Promise<LocalEngine> {
  const engine = await openLocalEngine({
    dataDir: ":memory:",
    synchronous: "FULL",
    keep: { default: 10, prefixes: [] },
    arrivalDays: 30,
    vendors: TRAITS,
    startThread: withoutThread,
    onFatal: (error) => t.error(error),
  });
  t.teardown(() => engine.close());
  return engine;
}

/** What a client has missed, read a page at a time. */
export async function missed(
  { broker }: Pick<Engine, "broker">,
  channel: Channel,
  from: From,
  now: number,
  size = 100_000,
): Promise<KeptPacket[]> {
  const found: KeptPacket[] = [];
  for (let at: From | undefined = from; at !== undefined; ) {
    const page: Awaited<ReturnType<typeof broker.backlog>> = await broker.backlog(channel, at, size, now);
    found.push(...page.packets);
    at = page.next;
  }
  return found;
}
