// Web Push goes to hosts that devices choose: what one of them does is felt by its own devices only.
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import t, { type Test } from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { RawClient } from "../support/clients.ts";
import { deliveriesOf, type Fields, fresh, tokenOf } from "../support/devices.ts";
import { eventually } from "../support/until.ts";
import { startVendors, type TestVendor } from "../support/vendors.ts";

const notification = { android: { title: "T", message: "hello you" } };

const send = async (server: TestApp, pushId: readonly string[], more: object = {}) =>
  String((await server.ok("notification", { pushId, timeToLive: 600_000, notification, ...more }))["id"]);

/** Browsers that subscribed at these addresses and went away. */
async function browsers(server: TestApp, vendor: TestVendor<"webpush">, urls: readonly string[]) {
  const subscribed = urls.map((url) => ({ id: fresh("browser"), token: vendor.fake.subscribe(url, fresh("name")) }));
  const left = [...subscribed];
  const some = async () => {
    const client = await RawClient.open(server.clientPort);
    for (let one = left.pop(); one !== undefined; one = left.pop())
      await client.hello({ id: one.id, ...tokenOf(vendor, one.token) });
    await client.close();
  };
  await Promise.all(Array.from({ length: 20 }, some));
  return subscribed.map(({ id }) => id);
}

const lanes = async (server: TestApp) => (await server.ok("lane/list", {}))["lanes"] as readonly Fields[];
const laneOf = async (server: TestApp, url: string): Promise<Fields> =>
  (await lanes(server)).find(({ host }) => host === new URL(url).host) ?? {};

/** Accepts connections at every address of the loopback network, and never says a word. */
async function blackHole(t: Test) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  return { server, url: (n: number) => `https://127.0.${1 + Math.floor(n / 200)}.${1 + (n % 200)}:${port}`, sockets };
}

async function stage(t: Test) {
  const vendors = await startVendors(t, ["webpush"]);
  return { vendor: vendors.get("webpush"), server: await startTestApp(t, { vendors: vendors.config() }) };
}

for (const [trouble, status, wanted] of [
  ["answers 503", 503, { state: "running" }],
  ["refuses our credentials", 403, { state: "stopped", reason: /^403/ }],
] as const) {
  t.test(
    `F1, F2: of two push hosts one ${trouble}: the other's browsers get theirs, and lane/list tells`,
    async (t) => {
      const { vendor, server } = await stage(t);
      const other = await vendor.another();
      other.misbehave({ times: 1000, fault: { kind: "reply", reply: { status, body: '{"reason":"BadJwtToken"}' } } });
      const there = await browsers(server, vendor, Array(24).fill(other.url));
      const here = await browsers(server, vendor, Array(24).fill(vendor.server.url));
      const id = await send(server, [...there, ...here]);
      await vendor.shown(id, 24);
      const lane = await eventually(
        () => laneOf(server, other.url),
        ({ state, retried }) => state === wanted.state && Number(retried) > 0,
      );
      t.match(lane, { ...wanted, depth: 24, accepted: 0 });
      const well = await eventually(
        () => laneOf(server, vendor.server.url),
        ({ accepted, depth }) => accepted === 24 && depth === 0,
      );
      t.match(well, { state: "running", retried: 0 });
      const said = await deliveriesOf(server, id);
      t.equal(said.filter(({ state }) => state === "accepted").length, 24);
      t.equal(said.filter(({ state }) => state === "queued").length, 24, "and no subscription is given up");
      const log = server.log.filter((line) => /stopped/.test(line));
      t.equal(log.length, status === 403 ? 1 : 0);
      if (status !== 403) return;
      other.behave();
      const { host } = new URL(other.url);
      t.match(await server.ok("lane/resume", { provider: "webpush", host }), {
        resumed: [{ provider: "webpush", app: vendor.app, host }],
      });
      // Those that were asked again first come a minute later.
      const going = await eventually(
        () => server.ok("job/get", { id }),
        ({ progress }) => (progress as { accepted: number }).accepted > 24,
      );
      t.match(going, { progress: { failed: 0 } });
    },
  );
}

t.test("F1b: 400 push hosts that accept and never answer: a good one reaches all its browsers meanwhile", async (t) => {
  const { vendor, server } = await stage(t);
  const hole = await blackHole(t);
  const silent = await browsers(
    server,
    vendor,
    Array.from({ length: 400 }, (_, n) => hole.url(n)),
  );
  const good = await browsers(server, vendor, Array(40).fill(vendor.server.url));
  const unheard = await send(server, silent);
  while (hole.sockets.size < 100) await once(hole.server, "connection");
  for (let n = 0; n < 2; n++) t.equal((await vendor.shown(await send(server, good), 40)).length, 40);
  t.match(await server.ok("job/get", { id: unheard }), { progress: { accepted: 0, failed: 0, waiting: 400 } });
  t.ok((await lanes(server)).length <= 258, "lanes are counted");
});
