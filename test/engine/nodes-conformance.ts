// What must hold when two nodes work on one store at once.
import type { Test } from "tap";
import type { Uid } from "../../src/core/device.ts";
import type { Engine } from "../../src/core/engine.ts";
import type { LiveOrder, Who } from "../../src/core/live.ts";
import type { From, KeptPacket, Page } from "../../src/core/packet.ts";
import { topicChannel } from "../../src/core/packet.ts";
import { until } from "../support/until.ts";
import { distant } from "./nodes.ts";
import {
  ALL,
  accepted,
  addsUp,
  claimed,
  jobOf,
  LEASE,
  lastPage,
  named,
  notification,
  refused,
  send,
  via,
  view,
} from "./outbox-steps.ts";
import { pushId, recorder, type Subject, T, toTopic } from "./steps.ts";

/** Two nodes, and the clock by which leases end. */
export interface Nodes {
  readonly nodes: readonly [Engine, Engine];
  readonly clock: Subject["clock"];
}

/** One store seen from two places. */
export const twoPlaces = ({ engine, clock }: Subject): Nodes => ({
  nodes: [distant(engine, 1), distant(engine, 3)],
  clock,
});

export async function nodesConformance(t: Test, open: (t: Test) => Promise<Nodes>): Promise<void> {
  await t.test("each hub is given the packets of both nodes in the order of seq (holds 3)", async (t) => {
    const { nodes } = await open(t);
    const [a, b] = nodes;
    const hubs = [recorder(), recorder()] as const;
    a.broker.attach(hubs[0]);
    b.broker.attach(hubs[1]);
    await Promise.all(
      Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? a : b).broker.publish([toTopic("long", `p${i}`)])),
    );
    await until(() => hubs.every(({ delivered }) => delivered.length >= 60));
    for (const { delivered } of hubs) {
      const seqs = delivered.map(({ packet }) => ("seq" in packet ? packet.seq : 0));
      t.equal(new Set(seqs).size, 60);
      t.same(
        seqs,
        seqs.toSorted((one, other) => one - other),
      );
    }
  });

  await t.test(
    "who reads a backlog on one node while the other publishes misses and repeats nothing (holds 3)",
    async (t) => {
      const { nodes } = await open(t);
      const [a, b] = nodes;
      const held: KeptPacket[] = [];
      b.broker.attach({ ...recorder(), deliver: (_, packet) => ("seq" in packet ? held.push(packet) : 0) });
      await Promise.all(Array.from({ length: 10 }, (_, i) => a.broker.publish([toTopic("long", `p${i}`)])));
      const publishing = Array.from({ length: 30 }, (_, i) => a.broker.publish([toTopic("long", `p${10 + i}`)]));
      const got: KeptPacket[] = [];
      for (let from: From | undefined = { after: "p4" }; from !== undefined; ) {
        const page: Page = await b.broker.backlog(topicChannel("long"), from, 400, T);
        const given = new Set(held.map(({ seq }) => seq));
        for (const { id, seq } of page.packets)
          if (Number(id.slice(1)) >= 10 && !given.has(seq)) t.fail(`${id} was read before it was handed over`);
        got.push(...page.packets);
        from = page.next;
      }
      const last = got.at(-1)?.seq ?? 0;
      await Promise.all(publishing);
      await until(() => held.length >= 40);
      got.push(...held.filter(({ seq }) => seq > last));
      t.same(
        got.map(({ id }) => id),
        Array.from({ length: 35 }, (_, i) => `p${i + 5}`),
      );
    },
  );

  await t.test("a job that both nodes expand reaches each device once", async (t) => {
    const { nodes } = await open(t);
    const [engine] = nodes;
    await engine.outbox.accept(notification("n1"), ALL);
    const job = await jobOf(engine, "n1");
    async function expand(node: Engine): Promise<number> {
      let taken = 0;
      for (;;) {
        const [work] = (await node.outbox.unexpanded(1, T)).work;
        if (work === undefined) return taken;
        const place = Number(work.cursor ?? "0");
        const page = lastPage({ devices: [via(`d${place}`)], ...(place < 19 ? { cursor: `${place + 1}` } : {}) });
        if (await node.outbox.expand(job, work.cursor, page, T)) taken++;
      }
    }
    const taken = await Promise.all(nodes.map(expand));
    t.equal(taken[0]! + taken[1]!, 20);
    t.same(
      named(await claimed(engine)),
      Array.from({ length: 20 }, (_, i) => `d${i}`),
    );
  });

  await t.test("no delivery is at both nodes, and one that was taken over is settled by its last holder", async (t) => {
    const { nodes, clock } = await open(t);
    const [a, b] = nodes;
    const devices = Array.from({ length: 40 }, (_, i) => via(`d${i}`));
    await send(a, "n1", devices, { target: ALL });
    const claims = await Promise.all(Array.from({ length: 8 }, (_, i) => claimed(i % 2 === 0 ? a : b, 5)));
    t.equal(new Set(claims.flat().map(({ delivery }) => delivery)).size, 40);
    clock.now += LEASE + 10;
    const again = await claimed(b);
    t.equal(again.length, 40);
    await Promise.all([
      a.outbox.settle(
        claims.flat().map((one) => refused(one)),
        T,
      ),
      b.outbox.settle(
        again.map((one) => accepted(one)),
        T,
      ),
    ]);
    const job = await view(b, "n1");
    t.match(job, { accepted: 40, waiting: 0, failed: {} });
    addsUp(t, job);
  });
}

export async function liveConformance(t: Test, open: (t: Test) => Promise<Nodes>): Promise<void> {
  await t.test("who is online is the same at both nodes: what their hubs know is put together", async (t) => {
    const { nodes } = await open(t);
    const [a, b] = nodes;
    t.same(await a.live.sessions(), { total: 0, byPlatform: new Map(), packetsIn10s: 0 });
    const orders: (readonly [node: number, who: Who, order: LiveOrder])[] = [];
    for (const [i, node] of [a, b].entries()) {
      const here = (id: string): boolean => id === pushId(`d${i}`) || id === pushId("both");
      node.broker.attach({
        ...recorder(),
        isConnected: here,
        count: () => 1 + i,
        members: async () => [{ pushId: pushId(`d${i}`) }],
        sessions: () => ({
          total: 1 + i,
          byPlatform: new Map([
            ["ios", 1],
            [`p${i}`, 2],
          ]),
          packetsIn10s: 3,
        }),
        connectionsOf: (id) =>
          here(id) ? [{ transport: "polling", revision: 3, address: `${i}`, since: 1000 * i, topics: [] }] : [],
        reached: (id, noti) => here(id) && noti === "n1",
        seen: async (who) =>
          ("uids" in who ? who.uids.map(() => pushId("both")) : who.pushIds).map((id) =>
            here(id) ? { online: true, devices: [id], since: 1000 * (i + 1) } : { online: false, devices: [] },
          ),
        topics: async (prefix, after, limit) =>
          ["r1", `r${2 + i}`, "r9"]
            .filter((topic) => topic.startsWith(prefix) && topic > after)
            .slice(0, limit)
            .map((topic) => ({ topic, count: i + 1 })),
        order: async (who, order) => {
          orders.push([i, who, order]);
          return i + 1;
        },
      });
    }
    const ids = ["d1", "nobody", "d0", "both"].map(pushId);
    for (const { live } of [a, b]) {
      t.same(await live.isConnected(ids), [true, false, true, true]);
      t.same(await live.reached(ids, "n1"), [true, false, true, true]);
      t.same(await live.reached(ids, "n2"), [false, false, false, false]);
      t.equal(await live.count("room"), 3);
      t.same(await live.members("room"), [{ pushId: pushId("d0") }, { pushId: pushId("d1") }]);
      const byPlatform = new Map([
        ["ios", 2],
        ["p0", 2],
        ["p1", 2],
      ]);
      t.same(await live.sessions(), { total: 3, byPlatform, packetsIn10s: 6 });
      t.same(await live.seen({ pushIds: ids }), [
        { online: true, devices: [pushId("d1")], since: 2000 },
        { online: false, devices: [] },
        { online: true, devices: [pushId("d0")], since: 1000 },
        { online: true, devices: [pushId("both")], since: 1000 },
      ]);
      t.match(await live.seen({ uids: ["u" as Uid] }), [{ online: true, devices: [pushId("both")] }]);
      t.same(
        (await live.topics("r", "", 3)).map(({ topic, count }) => `${topic}:${count}`),
        ["r1:3", "r2:1", "r3:2"],
      );
      t.same(await live.topics("r", "r3", 3), [{ topic: "r9", count: 3 }]);
      orders.length = 0;
      const order = { kind: "close", reconnect: true } as const;
      t.equal(await live.order({ topic: "room" }, order), 3);
      t.same(
        orders.toSorted(([a], [b]) => a - b),
        [0, 1].map((i) => [i, { topic: "room" }, order]),
      );
      t.same(
        (await live.connectionsOf(ids)).map((found) => found.map(({ address }) => address)),
        [["1"], [], ["0"], ["1", "0"]],
        "the newest first",
      );
    }
  });
}
