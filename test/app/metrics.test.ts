// What an operator sees of a running server: /metrics moves with what happens, /api/config shows what holds and no secret.
import { spawnSync } from "node:child_process";
import t from "tap";
import { version } from "../../src/app/version.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { RawClient } from "../support/clients.ts";

const key = "0123456789abcdef-secret";

/** Every sample by its name with labels. */
async function scrape({ apiUrl }: TestApp, headers: Record<string, string> = {}): Promise<Map<string, number>> {
  const answer = await fetch(`${apiUrl}/metrics`, { headers });
  t.equal(answer.status, 200);
  t.match(answer.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
  const lines = (await answer.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

t.test("metrics: every name, and each moves with what it counts", async (t) => {
  const app = await startTestApp(t, { client: { maxTopics: 2, origins: ["https://example.com"] } });
  const before = await scrape(app);
  const [one, two] = [await RawClient.open(app.clientPort), await RawClient.open(app.clientPort)];
  await one.hello({ id: "metrics-one", topics: ["news"] });
  await two.hello({ id: "metrics-two", platform: "Toaster", topics: ["news", "b"] });
  two.emit("subscribeTopic", { topic: "c" });
  await two.settle();
  await app.ok("push", { topic: "news", json: "1", timeToLive: "60000" });
  await Promise.all([one.next('42["p"'), two.next('42["p"')]);
  await app.post("push", { topic: "news" });
  await fetch(`${app.clientUrl}/socket.io/?EIO=4&transport=polling`, { headers: { origin: "https://evil.test" } });
  await fetch(`${app.clientUrl}/socket.io/?EIO=4&transport=polling&sid=unknown`);
  const after = await scrape(app);
  const moved = (name: string): number => (after.get(name) ?? Number.NaN) - (before.get(name) ?? Number.NaN);
  const expected: Readonly<Record<string, number>> = {
    pushbox_connections: 2,
    pushbox_connections_opened_total: 2,
    pushbox_connections_upgraded_total: 0,
    'pushbox_connections_refused_total{reason="origin"}': 1,
    'pushbox_connections_refused_total{reason="request"}': 1,
    'pushbox_connections_closed_total{reason="parse_error"}': 0,
    pushbox_sessions: 2,
    pushbox_devices: 2,
    'pushbox_platform_sessions{platform="android"}': 1,
    'pushbox_platform_sessions{platform="other"}': 1,
    pushbox_packets_sent_total: 2,
    'pushbox_events_refused_total{code="topics_limit"}': 1,
    'pushbox_api_calls_total{route="/api/push"}': 2,
    'pushbox_api_errors_total{status="400"}': 1,
    'pushbox_api_request_seconds_count{route="/api/push"}': 2,
    'pushbox_api_request_seconds_bucket{le="+Inf",route="/api/push"}': 2,
    [`pushbox_build_info{version="${version}"}`]: 0,
  };
  // What has not happened yet has no sample.
  for (const name of ['api_errors_total{status="400"}', 'api_request_seconds_count{route="/api/push"}'])
    before.set(`pushbox_${name}`, 0);
  before.set('pushbox_api_request_seconds_bucket{le="+Inf",route="/api/push"}', 0);
  for (const [name, by] of Object.entries(expected)) t.equal(moved(name), by, name);
  for (const name of ["pushbox_store_calls_total", "pushbox_store_transaction_seconds_count"])
    t.ok(moved(name) >= 3, `${name}: two hellos and a kept packet`);
  for (const name of ["pushbox_store_bytes", "pushbox_store_log_bytes", "process_resident_memory_bytes"])
    t.ok((after.get(name) ?? 0) > 0, name);
  t.ok(after.has("pushbox_store_waiting") && after.has("nodejs_eventloop_lag_p99_seconds"));
  t.notMatch([...after.keys()].join(), /toaster/i, "no label is what a client likes");

  one.send("4nonsense");
  await one.closed;
  await two.close();
  const last = await scrape(app);
  t.equal(last.get('pushbox_connections_closed_total{reason="parse_error"}'), 1);
  t.equal(last.get("pushbox_connections"), 0);
});

t.test("D8: promtool check metrics finds nothing to say", async (t) => {
  const app = await startTestApp(t, {});
  await app.ok("push", { topic: "news", json: "1" });
  const text = await (await fetch(`${app.apiUrl}/metrics`)).text();
  t.match(text, /^pushbox_api_request_seconds_bucket\{le="0\.0005",route="\/api\/push"\} \d$/m);
  // The rule that was broken, for where promtool is not installed.
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm))
    t.equal(name?.endsWith("_total"), type === "counter", `${name} is a ${type}`);
  const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  if (checked.error !== undefined) t.pass("left out: promtool is not installed");
  else t.match(checked, { status: 0, stdout: "", stderr: "" });
});

t.test("metrics need the key like everything else, and can be switched off", async (t) => {
  const app = await startTestApp(t, { api: { keys: [{ name: "a", key }] } });
  t.equal((await fetch(`${app.apiUrl}/metrics`)).status, 401);
  const text = [...(await scrape(app, { authorization: `Bearer ${key}` })).keys()].join();
  t.notMatch(text, key);
  const without = await startTestApp(t, { api: { metrics: false } });
  t.equal((await fetch(`${without.apiUrl}/metrics`)).status, 404);
});

t.test("config: the settings that hold, by their names in the file, and secrets masked", async (t) => {
  const app = await startTestApp(t, {
    client: { maxTopics: 7 },
    api: { keys: [{ name: "backend", key }] },
    storage: { keepByPrefix: { chat: 100 } },
    vendors: {
      proxy: "http://me:hunter2@10.0.0.1:3128",
      entries: [
        {
          vendor: "xiaomi",
          value: { package_name: "com.a", app_secret: "hunter2" },
          place: "",
          places: {},
        },
      ],
    },
  });
  const answer = await fetch(`${app.apiUrl}/api/config`, { headers: { "x-api-key": key } });
  const text = await answer.text();
  t.notMatch(text, key);
  t.notMatch(text, "hunter2");
  const config = JSON.parse(text) as Record<string, Record<string, unknown>>;
  t.match(config, {
    log_level: "info",
    client: { max_topics: 7, ping_interval_v3: 90_000 },
    api: { keys: [{ name: "backend", key: "********" }] },
    storage: { keep_by_prefix: { chat: 100 } },
    vendors: {
      ca_file: "",
      proxy: "********",
      xiaomi: [{ package_name: "com.a", app_secret: "********" }],
    },
  });
  t.same(Object.keys(config), [
    "data",
    "engine",
    "node",
    "log_level",
    "trust_client_uid",
    "client",
    "api",
    "admin",
    "acme",
    "postgres",
    "storage",
    "hooks",
    "vendors",
  ]);
});
