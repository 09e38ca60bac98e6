// Long work of one call goes on in pieces: what may come in between, and what may not.
import { test } from "tap";
import type { PushId, Uid } from "../../src/core/device.ts";
import type { Order } from "../../src/core/engine.ts";
import type { Packet } from "../../src/core/packet.ts";
import { deviceChannel } from "../../src/core/packet.ts";
import { push } from "../../src/core/push.ts";
import { openTestEngine } from "../support/engine.ts";
import { packet, recorder, T } from "./steps.ts";

const pushIds = Array.from({ length: 3000 }, (_, i) => `device-${i}-0123456789` as PushId);

/** A hub whose every connection takes the packet, and that notes in which turn. */
function connected() {
  const hub = recorder();
  let turn = 0;
  let over = false;
  const perTurn = new Map<number, number>();
  const count = (): void => {
    turn++;
    if (!over) setImmediate(count);
  };
  count();
  return {
    hub: {
      ...hub,
      deliver(channel: Parameters<typeof hub.deliver>[0], one: Packet): number {
        hub.deliver(channel, one);
        perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
        return 1;
      },
    },
    delivered: hub.delivered,
    perTurn,
    end: () => {
      over = true;
    },
  };
}

test("C5: a long push is handed over in pieces; what is kept later comes later, and a backlog after all of it", async (t) => {
  const engine = await openTestEngine(t);
  const { hub, delivered, perTurn, end } = connected();
  t.teardown(end);
  engine.broker.attach(hub);
  const channels = pushIds.map(deviceChannel);
  const long = engine.broker.publish(channels.map((channel) => ({ channel, packet: packet("long") })));
  const last = channels[999]!; // of the same commit as the first
  const later = engine.broker.publish([{ channel: last, packet: packet("later") }]);
  const { packets: backlog } = await engine.broker.backlog(last, "unsent", 1e6, T);
  const seen = (): string[] => delivered.filter(({ channel }) => channel === last).map(({ packet: { id } }) => id);
  t.strictSame(
    seen(),
    backlog.map(({ id }) => id),
    "everything in the backlog has been handed over, in its order",
  );
  t.equal(await later, 1);
  t.equal(await long, 3000);
  t.strictSame(seen().sort(), ["later", "long"]);
  t.equal(delivered.length, 3001);
  t.ok(Math.max(...perTurn.values()) <= 256, `at most ${Math.max(...perTurn.values())} in one turn`);
  const seqs = delivered.map(({ packet: one }) => ("seq" in one ? one.seq : 0));
  t.strictSame(
    seqs,
    [...seqs].sort((a, b) => a - b),
    "handed over in the order of seq",
  );
});

test("C5: a long push that is not kept is answered after its last piece, and others get in between", async (t) => {
  const engine = await openTestEngine(t);
  const { hub, delivered, perTurn, end } = connected();
  t.teardown(end);
  engine.broker.attach(hub);
  const draft = { event: "p", body: "1", timeToLive: 0 } as const;
  const uids = pushIds as readonly string[] as readonly Uid[];
  const long = push(engine, { kind: "uids", uids }, draft, T);
  t.ok(long instanceof Promise);
  const short = push(engine, { kind: "uids", uids: uids.slice(-1) }, draft, T);
  t.match(short, { online: 1 }, "a short one is done at once");
  t.equal((await long).online, 3000);
  t.equal(delivered.length, 3001);
  t.ok(perTurn.size >= 10, `${perTurn.size} turns`);
  await push(engine, { kind: "uids", uids: uids.slice(-1) }, { ...draft, body: "2" }, T);
  t.equal(delivered.at(-1)?.packet.body, "2", "what is sent after the answer comes after");
});

test("C5: orders of one device arrive in the order told, also while a long list is being told", async (t) => {
  const engine = await openTestEngine(t);
  const hub = recorder();
  engine.broker.attach(hub);
  const bind = (uid: string): Order => ({ kind: "bind", uid: uid as Uid });
  const last = pushIds.slice(-1);
  const long = engine.broker.tell([...pushIds, ...pushIds], bind("1"));
  const later = engine.broker.tell(last, bind("2"));
  await Promise.all([long, later]);
  await engine.broker.tell(last, bind("3"));
  const told = hub.orders.filter(({ pushId }) => pushId === last[0]).map(({ order }) => order);
  t.strictSame(told, [bind("1"), bind("1"), bind("2"), bind("3")]);
});
