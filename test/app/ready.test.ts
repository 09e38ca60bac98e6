// /readyz: whether a load balancer should send calls here, and why not.
import { connect } from "node:net";
import { mock } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import t from "tap";
import { createReadiness } from "../../src/app/ready.ts";
import type { LaneState, LaneStatus } from "../../src/core/lane.ts";
import { startTestApp } from "../support/app.ts";
import { phone } from "../support/devices.ts";
import { eventually } from "../support/until.ts";
import { startVendors } from "../support/vendors.ts";

const lane = (state: LaneState): LaneStatus => ({
  ...{ vendor: "fcm", app: "com.a", state, depth: 0, inFlight: 0, rate: 0 },
  ...{ accepted: 0, failed: 0, retried: 0, holdsDeletions: false },
});

function readiness(options: Partial<Parameters<typeof createReadiness>[0]> = {}) {
  const clock = { now: 0 };
  const ready = createReadiness({
    probe: async () => {},
    lanes: async () => [],
    outages: () => [],
    stopping: () => false,
    elapsed: () => clock.now,
    ...options,
  });
  return { ready, clock };
}

t.test("a server that can store is ready, with or without vendors, and needs no key to say so", async (t) => {
  const app = await startTestApp(t, { api: { keys: [{ name: "k", key: "0123456789abcdef-secret" }] } });
  const answer = await fetch(`${app.apiUrl}/readyz`);
  t.equal(answer.status, 200);
  t.same(await answer.json(), { code: "success", ready: true });
  t.strictSame(await readiness({ lanes: async () => [lane("running"), lane("stopped")] }).ready(), []);
  t.strictSame(
    await readiness({ lanes: async () => [lane("paused")] }).ready(),
    [],
    "a quota that is spent comes back",
  );
});

t.test("a store that cannot be written, or does not answer, is told without its path", async (t) => {
  const full = readiness({ probe: () => Promise.reject(new Error("no room on /var/lib/pushbox")) });
  t.strictSame(await full.ready(), ["the storage cannot be written"]);
  mock.timers.enable({ apis: ["setTimeout"] });
  t.teardown(() => mock.timers.reset());
  const late = readiness({ probe: () => new Promise(() => {}) }).ready();
  mock.timers.tick(5000);
  t.strictSame(await late, ["the storage has not answered for 5 s"]);
});

t.test("it is looked at once a second at most, however often it is asked", async (t) => {
  let probes = 0;
  const { ready, clock } = readiness({
    probe: async () => {
      probes++;
    },
  });
  await Promise.all([ready(), ready()]);
  clock.now = 999;
  await ready();
  t.equal(probes, 1);
  clock.now = 1000;
  await ready();
  t.equal(probes, 2);
});

t.test("when every vendor has refused the credentials it is not ready, and says so", async (t) => {
  const vendors = await startVendors(t, ["xiaomi"]);
  const wrong = { xiaomi: [{ ...vendors.get("xiaomi").entry, app_secret: "wrong" }] };
  const server = await startTestApp(t, { vendors: vendors.config(wrong) });
  const device = await phone(t, server, vendors.get("xiaomi"));
  await server.ok("notification", { pushId: device.id, notification: { android: { title: "T" } } });
  const { status, body } = await eventually(
    async () => {
      const answer = await fetch(`${server.apiUrl}/readyz`, { headers: { "x-request-id": "lb-1" } });
      return { status: answer.status, body: await answer.json() };
    },
    (answer) => answer.status === 503,
  );
  t.equal(status, 503);
  const reason = "every vendor refuses the credentials of this server";
  t.same(body, { code: "error", message: `not ready: ${reason}`, reasons: [reason], requestId: "lb-1" });
});

t.test("while it stops it is not ready any more", async (t) => {
  const app = await startTestApp(t);
  const port = Number(new URL(app.apiUrl).port);
  const open = () => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (data) => {
      text += data.toString();
    });
    socket.on("error", () => {});
    t.teardown(() => socket.destroy());
    return { socket, text: () => text };
  };
  // A call that has begun keeps the port open for a while.
  const [slow, asking] = [open(), open()];
  slow.socket.write("POST /api/push HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nabc");
  asking.socket.write("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(
    async () => asking.text(),
    (text) => text.includes('"ready":true'),
  );
  const stopped = app.stop();
  await pause(0);
  asking.socket.write("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
  const said = await eventually(
    async () => asking.text(),
    (text) => text.includes("503"),
  );
  t.match(said, /not ready: the server is stopping/);
  slow.socket.destroy();
  await stopped;
});
