// Apple through another server: two real pushboxes, of which one has Apple's key, in front of a faithful copy of Apple's service.
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import t, { type Test } from "tap";
import { createAuthority } from "../../src/lab/authority.ts";
import { register } from "../../src/lab/devices.ts";
import { serve } from "../../src/lab/server.ts";
import { fakeApns } from "../../src/lab/vendors/apns.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { freePort } from "../support/ports.ts";

const BUNDLE = "com.example.lab";
const KEY = "relay-key-0123456789";
const TTL = 3_600_000;
const authority = createAuthority(Date.now());
const certificate = authority.server(["127.0.0.1"]);
const hex = (n: number): string => n.toString(16).padStart(64, "0");

interface Delivered {
  readonly pushId: string;
  readonly state: string;
  readonly reason?: string;
  readonly retries: number;
}

const entry = (value: Readonly<Record<string, unknown>>) => ({ vendor: "apns", value, place: "test", places: {} });

interface Stage {
  /** Where everything of a test lies. */
  readonly directory: string;
  readonly caFile: string;
  readonly apple: ReturnType<typeof fakeApns>;
  readonly requests: readonly { readonly headers: Readonly<Record<string, string>> }[];
  readonly relay: TestApp;
}

/** A server with Apple's key, which asks its callers for theirs. */
async function stage(t: Test): Promise<Stage> {
  const directory = t.testdir({ "ca.pem": authority.ca, "tls.crt": certificate.cert, "tls.key": certificate.key });
  const caFile = join(directory, "ca.pem");
  const apple = fakeApns();
  const server = await serve(apple, { certificate, now: Date.now });
  t.teardown(() => server.close());
  const own = apple.config(server.url, (file, text) => {
    writeFileSync(join(directory, file), text);
    return join(directory, file);
  });
  const relay = await startTestApp(t, {
    data: made(directory, "relay"),
    api: {
      keys: [{ name: "caller", key: KEY }],
      tlsCert: join(directory, "tls.crt"),
      tlsKey: join(directory, "tls.key"),
    },
    vendors: { caFile, entries: [entry(own)] },
  });
  return { directory, caFile, apple, requests: server.requests, relay };
}

/** A server without Apple's key. */
const caller = (t: Test, { directory, caFile }: Stage, ...entries: Readonly<Record<string, unknown>>[]) =>
  startTestApp(t, { data: made(directory, "caller"), vendors: { caFile, entries: entries.map(entry) } });

function made(directory: string, name: string): string {
  mkdirSync(join(directory, name));
  return join(directory, name);
}

/** `vendor` is only what the device calls itself. */
const device = (at: TestApp, vendor: string, token: string, app = BUNDLE): Promise<string> =>
  register(at.clientUrl, { vendor, platform: "ios", type: "apn", app, token });

const send = (at: TestApp, id: string, pushId: readonly string[]) =>
  at.ok("notification", {
    pushId,
    timeToLive: TTL,
    notification: { id, apn: { alert: { title: "Ann", body: "Hello" } }, payload: { chat: 7 } },
  });

/** Asks until all deliveries are as wanted; the test's own time limit ends it otherwise. */
async function deliveries(at: TestApp, id: string, wanted: (delivery: Delivered) => boolean) {
  for (;;) {
    const body = await at.ok("notification/get", { id });
    const all = body["deliveries"] as readonly Delivered[];
    if (all.length > 0 && all.every(wanted)) return new Map(all.map((each) => [each.pushId, each]));
  }
}

const settled = ({ state }: Delivered): boolean => !["queued", "leased"].includes(state);

t.test("API 28: a server without Apple's key sends through one that has it, and forgets what is dead", async (t) => {
  const scene = await stage(t);
  const { apple, relay } = scene;
  const down = `https://127.0.0.1:${await freePort()}`;
  const at = await caller(t, scene, { bundle_id: BUNDLE, relays: [down, relay.apiUrl], relay_key: KEY });
  const good = await device(at, "good", hex(1));
  const other = await device(at, "other", hex(2));
  const dead = await device(at, "dead", hex(3));
  const bad = await device(at, "bad", hex(4));
  apple.tokens.set(hex(3), "dead");
  apple.tokens.set(hex(4), "bad");

  const begun = Math.floor(Date.now() / 1000);
  await send(at, "n1", [good, other, dead, bad]);
  const first = await deliveries(at, "n1", settled);
  t.same(
    [good, other, dead, bad].map((id) => first.get(id)?.state),
    ["accepted", "accepted", "gone", "gone"],
  );
  t.same(apple.shown.map(({ token }) => token).sort(), [hex(1), hex(2)]);
  for (const shown of apple.shown)
    t.match(shown, { title: "Ann", message: "Hello", id: "n1", payload: { chat: 7 } }, "as if it had come from here");
  for (const { headers } of scene.requests) {
    const expiration = Number(headers["apns-expiration"]);
    t.ok(expiration >= begun + TTL / 1000 - 5 && expiration <= begun + TTL / 1000 + 60, `timeToLive: ${expiration}`);
    t.equal(headers["apns-collapse-id"], "n1");
  }
  for (const [pushId, kept] of [
    [good, true],
    [dead, false],
    [bad, false],
  ] as const)
    t.equal("token" in (await at.ok("device/get", { pushId })), kept, pushId);

  // The relay that is down has its turn at every second request.
  for (const id of ["n2", "n3", "n4"]) {
    await send(at, id, [good]);
    t.match((await deliveries(at, id, settled)).get(good), { state: "accepted", retries: Number });
  }
  const counts = (await at.ok("notification/get", { id: "n1" }))["counts"];
  t.match(counts, { accepted_apn: 2, failed_apn: 2, arrive_apn: 2 });
});

t.test(
  "what Apple takes no decision on stays with the caller, is no error, and goes when Apple takes it",
  async (t) => {
    const scene = await stage(t);
    const at = await caller(t, scene, { bundle_id: BUNDLE, relays: [scene.relay.apiUrl], relay_key: KEY });
    const good = await device(at, "good", hex(1));
    const busy = await device(at, "busy", hex(2));
    scene.apple.tokens.set(hex(2), "busy");
    await send(at, "n1", [good, busy]);
    const first = await deliveries(at, "n1", ({ retries, state }) => retries > 0 || state === "accepted");
    t.match(first.get(busy), { state: "queued", reason: /relay: 429 TooManyRequests/ });
    t.equal(first.get(good)?.state, "accepted");
    t.match(await at.ok("device/get", { pushId: busy }), { token: hex(2) });
    scene.apple.tokens.delete(hex(2));
    t.equal((await deliveries(at, "n1", settled)).get(busy)?.state, "accepted");
    t.same(scene.apple.shown.map(({ token }) => token).sort(), [hex(1), hex(2)], "each once");
  },
);

t.test("while all relays are down nothing is lost; one like the first socket.io-push takes it over", async (t) => {
  const scene = await stage(t);
  const port = await freePort(); // where nobody listens
  const relays = [`http://127.0.0.1:${port}`, `https://127.0.0.1:${await freePort()}`];
  const at = await caller(t, scene, { bundle_id: BUNDLE, relays });
  const [good, bad] = [await device(at, "good", hex(1)), await device(at, "bad", hex(2))];
  await send(at, "n1", [good, bad]);
  const waiting = await deliveries(at, "n1", ({ retries }) => retries > 0);
  t.match([...waiting.values()], [{ reason: /127\.0\.0\.1:\d+: ECONNREFUSED/ }, { reason: /ECONNREFUSED/ }]);

  const asked: URLSearchParams[] = [];
  const old = createServer(async (request, response) => {
    const chunks = await request.toArray();
    const fields = new URLSearchParams(Buffer.concat(chunks).toString());
    asked.push(fields);
    const tokens = JSON.parse(fields.get("tokens")!) as readonly string[];
    // It says that of two one was not sent, and not which: then one at a time.
    const errorTokens = tokens.length === 1 && tokens[0] === hex(2) ? tokens : [];
    const success = tokens.filter((token) => token !== hex(2)).length;
    response.end(JSON.stringify({ id: "n1", bundleId: BUNDLE, success, total: 2, errorTokens, code: "success" }));
  });
  await new Promise<void>((resolve) => old.listen(port, "127.0.0.1", resolve));
  t.teardown(() => new Promise((resolve) => old.close(resolve)));
  const done = await deliveries(at, "n1", settled);
  t.same(
    [good, bad].map((id) => done.get(id)?.state),
    ["accepted", "gone"],
  );
  for (const fields of asked) {
    t.same([...fields.keys()], ["notification", "bundleId", "tokens", "timeToLive"]);
    t.same(JSON.parse(fields.get("notification")!), {
      id: "n1",
      apn: { alert: { title: "Ann", body: "Hello" } },
      android: { payload: { chat: 7 } },
    });
    t.ok(Number(fields.get("timeToLive")) > TTL - 60_000 && Number(fields.get("timeToLive")) <= TTL, "what is left");
  }
});

t.test("a relay that does not know the key, or the app, stops the lane; what was to be sent waits", async (t) => {
  const scene = await stage(t);
  const { apiUrl } = scene.relay;
  const at = await caller(
    t,
    scene,
    { bundle_id: BUNDLE, relays: [apiUrl], relay_key: "another-key-0123456789" },
    { bundle_id: "com.example.unknown", relays: [apiUrl], relay_key: KEY },
  );
  const [one, two] = [await device(at, "one", hex(1)), await device(at, "two", hex(2), "com.example.unknown")];
  await send(at, "n1", [one, two]);
  const found = await deliveries(at, "n1", ({ reason }) => reason !== undefined);
  t.match(found.get(one), { state: "queued", reason: /^relay: HTTP 401 apiAuth check fail$/ });
  t.match(found.get(two), { state: "queued", reason: /^relay: HTTP 200 bundleId not supported$/ });
  const { lanes } = (await at.ok("lane/list", {})) as { lanes: readonly Record<string, unknown>[] };
  t.match(lanes, [
    { provider: "apns", app: BUNDLE, state: "stopped", depth: 1 },
    { provider: "apns", app: "com.example.unknown", state: "stopped", depth: 1 },
  ]);
});

t.test("a server has apps of its own and relayed ones, and relays no further what is relayed", async (t) => {
  const scene = await stage(t);
  const own = fakeApns();
  const server = await serve(own, { certificate, now: Date.now });
  t.teardown(() => server.close());
  const direct = own.config(server.url, (file, text) => {
    writeFileSync(join(scene.directory, `own-${file}`), text);
    return join(scene.directory, `own-${file}`);
  });
  const at = await caller(
    t,
    scene,
    { bundle_id: BUNDLE, relays: [scene.relay.apiUrl], relay_key: KEY },
    { ...direct, bundle_id: "com.example.own", topic: BUNDLE },
  );
  const relayed = await device(at, "relayed", hex(1));
  const mine = await device(at, "mine", hex(2), "com.example.own");
  await send(at, "n1", [relayed, mine]);
  const done = await deliveries(at, "n1", settled);
  t.same(
    [relayed, mine].map((id) => done.get(id)?.state),
    ["accepted", "accepted"],
  );
  t.same([scene.apple.shown.map(({ token }) => token), own.shown.map(({ token }) => token)], [[hex(1)], [hex(2)]]);

  const fields = { tokens: [hex(5)], timeToLive: 5000, notification: { apn: { alert: "m" } } };
  t.match(await at.ok("apn", { bundleId: BUNDLE, ...fields }), { success: 0, msg: "bundleId not supported" });
  t.match(await at.ok("apn", { bundleId: "com.example.own", ...fields }), { success: 1, total: 1, errorTokens: [] });
});
