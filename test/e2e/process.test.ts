// Notifications by a server process and the command line: waited for, after a crash, after a SIGHUP with the right key.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { runHere } from "../support/cli.ts";
import { absent, type Fields } from "../support/devices.ts";
import { kill, messages, type Server, serve, start } from "../support/process.ts";
import { eventually } from "../support/until.ts";
import { startVendors, type TestVendors } from "../support/vendors.ts";

/** A server process with these vendors; called again, another one on the same data. */
function server(t: Test, vendors: TestVendors): Promise<Server> {
  const args = ["--config", join(vendors.directory, "pushbox.toml"), "--client-max-events-per-second", "100000"];
  return serve(t, vendors.directory, args);
}

const write = (vendors: TestVendors, text = vendors.toml()) =>
  writeFileSync(join(vendors.directory, "pushbox.toml"), text, { mode: 0o600 });

const portOf = ({ clientUrl }: Server) => ({ clientPort: Number(new URL(clientUrl).port) });

async function ask(at: Server, path: string, fields: Readonly<Record<string, string>>): Promise<Fields> {
  const { status, text } = await at.call(path, fields);
  if (status !== 200) throw new Error(text);
  return JSON.parse(text) as Fields;
}

const send = (at: Server, directory: string, ...args: string[]) =>
  runHere(directory, "send", "--url", at.apiUrl, ...args);

t.test("send --wait stays until the vendors have answered, and its exit code says how it went", async (t) => {
  const vendors = await startVendors(t, ["fcm", "apns"]);
  write(vendors);
  const at = await server(t, vendors);
  const fcm = vendors.get("fcm");
  const [one, two] = [...(await absent(portOf(at), fcm, 1)), ...(await absent(portOf(at), fcm, 1))];
  const apple = (await absent(portOf(at), vendors.get("apns"), 1))[0]!;
  const { directory } = vendors;
  const dry = await send(at, directory, "--all", "--title", "Sale", "--dry-run", "--wait");
  t.match(dry, {
    code: 0,
    out: /finished: 3 devices looked at\nwould be sent: (2 by fcm, 1 by apns|1 by apns, 2 by fcm)\n$/,
  });
  const well = await send(at, directory, "--all", "--title", "Sale", "--message", "now", "--wait", "60");
  t.match(well, { code: 0, err: "", out: /vendors: 3 accepted, 0 failed\n( {2}\S+ {2}(fcm|apns) {2}accepted\n){3}$/ });
  t.equal(fcm.fake.shown.length, 2);
  t.match(vendors.get("apns").fake.shown, [{ title: "Sale", message: "now", token: apple.token }]);
  fcm.fake.tokens.set(two!.token, "dead");
  const partly = await send(at, directory, "--push-id", one!.id, "--push-id", two!.id, "--title", "T", "--wait", "60");
  t.match(partly, { code: 0, out: /vendors: 1 accepted, 1 failed\n {2}1 {2}.*UNREGISTERED/ });
  fcm.fake.tokens.set(one!.token, "malformed");
  const none = await send(at, directory, "--push-id", one!.id, "--title", "T", "--wait", "60");
  t.match(none, { code: 1, err: /vendors: 0 accepted, 1 failed/ });
  // A vendor whose credentials are refused: it does not wait for ever.
  vendors.get("apns").fake.fail("denied", 100);
  const waiting = await send(at, directory, "--push-id", apple.id, "--title", "T", "--wait", "5");
  t.match(waiting, { code: 1, out: /1 waiting/, err: /not done after 5 s; it goes on without this command, see http/ });
  t.equal((await at.stop()).code, 0);
});

t.test("SIGHUP with the right key: the lane that was stopped sends what waited", async (t) => {
  const vendors = await startVendors(t, ["xiaomi"]);
  const xiaomi = vendors.get("xiaomi");
  write(vendors, vendors.toml({ xiaomi: [{ ...xiaomi.entry, app_secret: "mistyped-secret" }] }));
  const at = await server(t, vendors);
  const [one] = await absent(portOf(at), xiaomi, 1);
  const { id } = await ask(at, "notification", {
    pushId: one!.id,
    notification: '{"android":{"title":"T","message":"m"}}',
  });
  const log = messages(await at.printed(/stopped: .*SIGHUP/));
  t.match(log.at(-1), /^xiaomi com\.example\.lab: stopped: .*correct the credentials and reload \(SIGHUP\)/);
  t.notMatch(log.join("\n"), /mistyped-secret|xiaomi-lab-secret/, "no secret in the log");
  write(vendors);
  at.child.kill("SIGHUP");
  t.match(await xiaomi.shown(String(id)), [{ token: one!.token }]);
  t.match(await at.printed(/changed: the entries of vendors/), "sending again");
  const ended = await at.stop();
  t.equal(ended.code, 0);
  t.notMatch(ended.out, /mistyped-secret|xiaomi-lab-secret/);
});

t.test(
  "holds 1, 4: killed in the middle of a call to all, it goes on at the next start; every phone gets it",
  async (t) => {
    const MANY = 1000;
    const vendors = await startVendors(t, ["fcm"]);
    const fcm = vendors.get("fcm");
    write(vendors);
    const first = await server(t, vendors);
    const phones = await absent(portOf(first), fcm, MANY);
    const some = fcm.asked(150);
    const { id } = await ask(first, "notification", {
      pushAll: "true",
      timeToLive: "600000",
      idempotencyKey: "sale",
      notification: '{"android":{"title":"T","message":"m"}}',
    });
    await some;
    first.child.kill("SIGKILL");
    await first.ended;
    const before = fcm.fake.shown.length;
    const second = await server(t, vendors);
    const job = await eventually(
      () => ask(second, "job/get", { id: String(id) }),
      ({ state }) => state === "finished",
    );
    t.match(job, { progress: { seen: MANY, accepted: MANY, failed: 0 } });
    const tokens = fcm.fake.shown.map(({ token }) => token);
    t.same(new Set(tokens), new Set(phones.map(({ token }) => token)), "nobody is left out");
    // What was at the vendor when it was killed, or answered and not yet stored.
    const repeated = tokens.length - MANY;
    t.comment(`${before} of ${MANY} before the crash, ${repeated} repeated`);
    t.ok(before < MANY && repeated <= 500, `${repeated} repeated`);
    t.match(await ask(second, "stats/arrival/info", { id: String(id) }), { fcm: { target: MANY, accepted: MANY } });
    const again = await ask(second, "notification", {
      pushAll: "true",
      timeToLive: "600000",
      idempotencyKey: "sale",
      notification: '{"android":{"title":"T","message":"m"}}',
    });
    t.equal(again["id"], id, "the caller that got no answer may repeat its call");
    t.match(await ask(second, "job/list", {}), { jobs: [{ id }] });
    t.equal(((await ask(second, "job/list", {}))["jobs"] as unknown[]).length, 1);
  },
);

t.test(
  "pushbox lab with a server process: a vendor in trouble is felt by no other, and its lane says so",
  async (t) => {
    const directory = t.testdir({});
    const lab = start(directory, ["lab", "--fault", "xiaomi=hang", "--fault", "apns=deny", "--fault", "vivo=dead"]);
    t.teardown(() => kill(lab.child));
    await lab.printed(/socket\.emit.*\n/);
    const at = await serve(t, directory, ["--config", "pushbox-lab/pushbox-lab.toml"]);
    t.match(await runHere(directory, "lab", "--devices", at.clientUrl), { code: 0 });
    const { id } = await ask(at, "notification", {
      pushAll: "true",
      notification: '{"android":{"title":"Hello","message":"from the lab"},"apn":{"alert":"Hello"}}',
    });
    const shown = (await lab.printed(/^shown /m, 8)).split("\n").filter((line) => line.startsWith("shown"));
    const vendors = shown.map((line) => /vendor=(\w+)/.exec(line)?.[1]).sort();
    t.same(vendors, ["fcm", "harmony", "honor", "huawei", "meizu", "oppo", "umeng", "webpush"]);
    await at.printed(/apns com\.example\.lab: stopped/);
    const job = await eventually(
      () => ask(at, "job/get", { id: String(id) }),
      ({ progress }) => (progress as Record<string, number>)["waiting"] === 2,
    );
    t.match(job, { state: "running", progress: { accepted: 8, failed: 1, waiting: 2 } });
    const lane = async (vendor: string): Promise<Fields> =>
      ((await ask(at, "lane/list", {})) as { lanes: readonly Fields[] }).lanes.find(
        ({ provider }) => provider === vendor,
      ) ?? {};
    // It is given up after a while, and asked again.
    const hanging = await eventually(
      () => lane("xiaomi"),
      ({ inFlight }) => inFlight === 1,
    );
    t.match(hanging, { depth: 1 });
    t.match(await lane("apns"), { state: "stopped", depth: 1 });
    t.equal((await at.stop()).code, 0, "a vendor that hangs does not hold up the end");
  },
);
