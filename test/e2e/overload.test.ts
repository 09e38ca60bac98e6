// Too much for the clients: what is left out, what never is, and where it is told (api 3.17).
import t from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import type { RawClient } from "../support/clients.ts";
import { device, type Fields } from "../support/devices.ts";
import { metricsOf } from "../support/metrics.ts";
import { eventually } from "../support/until.ts";

async function metric(server: TestApp, reason: string): Promise<number> {
  const text = await metricsOf(server);
  return Number(new RegExp(`^pushbox_packets_left_out_total\\{reason="${reason}"\\} (\\d+)`, "m").exec(text)?.[1]);
}

const numbers = async (client: RawClient): Promise<readonly number[]> =>
  (await client.settle()).flatMap((frame) => {
    const [, number] = /^42\["p",(\d+)/.exec(frame) ?? [];
    return number === undefined ? [] : [Number(number)];
  });

const leftOutOf = async (server: TestApp, topic: string): Promise<unknown> =>
  ((await server.ok("topic/list", { prefix: topic }))["topics"] as readonly Fields[])[0]!["leftOut"];

t.test(
  "integration 16: beyond max_packets_per_second a busy topic is thinned out, small ones and what is kept lose nothing",
  async (t) => {
    const server = await startTestApp(t, { client: { maxPacketsPerSecond: 200 } });
    const busy = await Promise.all(Array.from({ length: 20 }, () => device(t, server, { topics: ["busy"] })));
    const { client: small } = await device(t, server, { topics: ["small"] });
    const { client: kept, id } = await device(t, server, { topics: ["kept"] });
    const wanted: number[] = [];
    const keptOnes: number[] = [];
    let reached = 0;
    for (let i = 0; i < 1000; i++) {
      if (Number((await server.ok("push", { topic: "busy", json: i }))["online"]) > 0) reached++;
      if (i % 100 === 0) {
        await server.ok("push", { topic: "small", json: i });
        wanted.push(i);
        await server.ok("push", { topic: "kept", json: i, timeToLive: "1h" });
        await server.ok("push", { pushId: id, json: i + 1 });
        keptOnes.push(i, i + 1);
      }
    }
    t.same(await numbers(small), wanted);
    t.same(await numbers(kept), keptOnes);
    const got = await numbers(busy[0]!.client);
    t.equal(got.length, reached, "the answer says so: online is 0");
    t.ok(reached > 0 && reached < 1000, `${reached} of 1000`);
    t.equal(await metric(server, "overload"), 1000 - reached);
    t.equal(await leftOutOf(server, "busy"), 1000 - reached);
    t.equal(await leftOutOf(server, "small"), undefined);
    t.ok(
      server.log.some((line) =>
        /packets that are not kept went to nobody: more than client.max_packets_per_second/.test(line),
      ),
    );
  },
);

t.test(
  "integration 16: a topic with a rate has its newest packets fanned out, in order, and the others are counted",
  async (t) => {
    const server = await startTestApp(t, { client: { topicRate: { "room:": 5, "room:vip": 1_000_000 } } });
    const { client } = await device(t, server, { topics: ["room:1", "room:vip", "hall"] });
    const all = Array.from({ length: 200 }, (_, i) => i);
    for (const i of all) await server.ok("push", { topic: "room:1", json: i });
    const got: number[] = [];
    await eventually(
      async () => {
        got.push(...(await numbers(client)));
        return got.at(-1);
      },
      (last) => last === 199,
    );
    t.same(
      got,
      got.toSorted((a, b) => a - b),
    );
    t.equal(got[0], 0, "the first goes at once");
    t.equal(got.length + (await metric(server, "topic_rate")), 200);
    t.ok(got.length < 200);
    for (const topic of ["room:vip", "hall"]) {
      for (const i of all) await server.ok("push", { topic, json: i });
      t.same(await numbers(client), all, topic);
    }
    for (const i of all.slice(0, 5)) await server.ok("push", { topic: "room:1", json: i, timeToLive: 60_000 });
    t.same((await numbers(client)).slice(-5), [0, 1, 2, 3, 4], "what is kept is never left out");
  },
);

t.test("integration 16: both limits change while the server runs", async (t) => {
  const server = await startTestApp(t, { client: { topicRate: { room: 1 } } });
  const { client } = await device(t, server, { topics: ["room"] });
  for (const json of [1, 2, 3]) await server.ok("push", { topic: "room", json });
  await server.app.reload({ ...server.config, client: { ...server.config.client, topicRate: {} } });
  t.same(await numbers(client), [1, 3], "what waited goes at once");
  for (const json of [4, 5, 6]) await server.ok("push", { topic: "room", json });
  t.same(await numbers(client), [4, 5, 6]);
});
