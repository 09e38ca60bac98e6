// `pushbox lab`: what a newcomer sees. The configuration it writes is used as a server would, against the process as it is.
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import { openVendors, vendorProblems } from "../../src/app/vendors.ts";
import { readConfig } from "../../src/config/index.ts";
import type { Notification } from "../../src/core/notification.ts";
import { Recent } from "../../src/core/recent.ts";
import type { Outcome } from "../../src/core/vendor.ts";
import type { LabDevice } from "../../src/lab/devices.ts";
import { REMEMBERED } from "../../src/lab/fake.ts";
import { FAULTS } from "../../src/lab/faults.ts";
import { faultsIn, lineOf, services, startLab } from "../../src/lab/index.ts";
import { runHere } from "../support/cli.ts";
import { freePort } from "../support/ports.ts";
import { kill, run, serve, start } from "../support/process.ts";

const VENDORS = ["apns", "fcm", "harmony", "honor", "huawei", "meizu", "oppo", "umeng", "vivo", "webpush", "xiaomi"];

function note(id: string): Notification {
  return {
    id,
    content: {
      android: { title: "Ann", message: 'says "hi"\nto you', payload: { page: 1 } },
      apn: { alert: { title: "Ann", body: 'says "hi"\nto you' } },
    },
    timeToLive: 3_600_000,
    type: "pushAll",
    acceptedAt: Date.now(),
    callerAddress: "127.0.0.1",
  };
}

/** What a server with this configuration has. */
function opened(t: Test, file: string) {
  const reading = readConfig({ file, env: {}, flags: new Map() });
  if (reading.problems !== undefined) throw new Error(reading.problems.join("\n"));
  const vendors = openVendors(reading.config.vendors, Date.now());
  t.teardown(() => Promise.all([...vendors.byName.values()].map((vendor) => vendor.close())));
  return vendors;
}

const devicesIn = (directory: string): readonly LabDevice[] =>
  JSON.parse(readFileSync(join(directory, "devices.json"), "utf8")) as readonly LabDevice[];

async function outcomes(t: Test, directory: string, id: string): Promise<Readonly<Record<string, Outcome["kind"]>>> {
  const { byName, tokenTypes, problems } = opened(t, join(directory, "pushbox-lab.toml"));
  t.same(problems, []);
  const told = devicesIn(directory).map(async ({ vendor, type, app, token }) => {
    t.equal(tokenTypes.get(type), vendor, `the token type ${type} leads to ${vendor}`);
    const [outcome] = (await byName.get(vendor)?.send(app, note(id), [{ token, ref: id }], Date.now())) ?? [];
    return [vendor, outcome?.kind];
  });
  return Object.fromEntries(await Promise.all(told)) as Readonly<Record<string, Outcome["kind"]>>;
}

t.test(
  "a process: each vendor shows what is sent through the configuration it wrote; SIGINT ends it with 0",
  async (t) => {
    const directory = t.testdir({});
    const lab = start(directory, ["lab"]);
    t.teardown(() => kill(lab.child));
    const greeting = await lab.printed(/socket\.emit.*\n/);
    for (const vendor of VENDORS)
      t.match(greeting, new RegExp(`^${vendor} +https://127\\.0\\.0\\.1:\\d+ .* token=`, "m"));
    t.match(greeting, "pushbox serve --config pushbox-lab/pushbox-lab.toml");
    const sent = await outcomes(t, join(directory, "pushbox-lab"), "n1");
    t.same(sent, Object.fromEntries(VENDORS.map((vendor) => [vendor, "accepted"])));
    const out = await lab.printed(/^shown /m, VENDORS.length);
    const lines = out.split("\n").filter((line) => line.startsWith("shown"));
    t.same(lines.map((line) => /vendor=(\w+)/.exec(line)?.[1]).sort(), VENDORS);
    for (const line of lines) {
      t.match(line, / app=(com\.example\.lab|lab\.example\.com) token=\S+.* title="Ann" text="says \\"hi\\"\\nto you"/);
      t.match(line, / payload=\{"page":1.*\} id="n1"$/, "on one line");
    }
    t.equal(lines.length, VENDORS.length);
    lab.child.kill("SIGINT");
    t.match(await lab.ended, { code: 0, err: "", out: /stopped\n$/ });
  },
);

t.test("a server of that configuration gets one device per vendor", async (t) => {
  const directory = t.testdir({});
  const lab = start(directory, ["lab"]);
  t.teardown(() => kill(lab.child));
  await lab.printed(/socket\.emit.*\n/);
  const server = await serve(t, directory, ["--config", "pushbox-lab/pushbox-lab.toml"]);
  const { code, out, err } = await run(directory, "lab", "--devices", server.clientUrl);
  t.equal(err, "");
  t.equal(code, 0);
  t.equal(out.match(/registered as lab-device-/g)?.length, VENDORS.length);
  for (const { vendor, type, app, token } of devicesIn(join(directory, "pushbox-lab"))) {
    const answer = await server.call("device/get", { pushId: `lab-device-${vendor}` });
    t.match(JSON.parse(answer.text), { type, token, package_name: app }, vendor);
  }
  t.equal((await server.stop()).code, 0);
  t.match(await run(directory, "lab", "--devices", server.clientUrl), {
    code: 1,
    err: /ECONNREFUSED; is that where the server's clients connect\?\n$/,
  });
  t.match(await run(directory, "lab", "--devices", server.clientUrl, "--dir", "none"), {
    code: 1,
    err: /^none is not the directory of a lab/,
  });
});

// What each fault does to each vendor is in lab/.
t.test("faults are chosen at the start and changed while the lab runs, for some requests or for all", async (t) => {
  const directory = join(t.testdir({}), "lab");
  const lines: string[] = [];
  const faults = ["all=busy", "xiaomi=dead"];
  const lab = await startLab({ directory, faults, now: Date.now, tell: (line) => lines.push(line) });
  t.teardown(() => lab.close());
  t.same(faultsIn(readFileSync(lab.faults, "utf8")), faults);
  t.match(readFileSync(lab.faults, "utf8"), /^# {3}black-hole /m, "the file teaches them");
  const every = (kind: Outcome["kind"]) => Object.fromEntries(VENDORS.map((vendor) => [vendor, kind]));
  t.same(await outcomes(t, directory, "one"), every("retry"));
  t.equal(lines.filter((line) => line.startsWith("shown")).length, 0);
  t.ok(lines.every((line) => line.startsWith("answer")));

  lab.misbehave(["xiaomi=dead", "meizu=cut:1", "all=goaway"]);
  const some = { ...every("accepted"), xiaomi: "gone", meizu: "retry" };
  t.same(await outcomes(t, directory, "two"), some);
  const shown = lines.filter((line) => line.startsWith("shown"));
  t.equal(shown.length, VENDORS.length - 1, "what was cut was shown nevertheless");
  t.same(await outcomes(t, directory, "three"), { ...some, meizu: "accepted" }, "the count is used up");

  t.throws(() => lab.misbehave(["xiaomi=hang", "apns=sulk"]), { message: /^apns=sulk: write apns=FAULT/ });
  t.equal((await outcomes(t, directory, "four"))["xiaomi"], "gone", "a mistake changes nothing");
  lab.misbehave([]);
  t.same(await outcomes(t, directory, "five"), every("accepted"));
});

t.test("a process: what arrived is told to the server, and faults are changed by their file", async (t) => {
  const directory = t.testdir({});
  const port = await freePort();
  const lab = start(directory, ["lab", "--receipts", `http://127.0.0.1:${port}/`, "--fault", "xiaomi=receipt-twice"]);
  t.teardown(() => kill(lab.child));
  await lab.printed(/socket\.emit.*\n/);
  const server = await serve(t, directory, ["--config", "pushbox-lab/pushbox-lab.toml", "--api-port", `${port}`]);
  t.equal((await run(directory, "lab", "--devices", server.clientUrl)).code, 0);
  let posted = 0;
  /** Resolves with who counts an arrival, once so many more receipts were posted. */
  const notify = async (id: string, receipts: number): Promise<readonly string[]> => {
    const android = { title: "Ann", message: "Hello, Bob" };
    const { status, text } = await server.call("notification", {
      pushAll: "true",
      notification: JSON.stringify({ id, android, apn: { alert: "Hello" } }),
    });
    t.equal(status, 200, text);
    posted += receipts;
    await lab.printed(/^receipt .*\n/m, posted);
    return await arrivedAt(id);
  };
  const arrivedAt = async (id: string): Promise<readonly string[]> => {
    const { text } = await server.call("notification/get", { id });
    const { counts } = JSON.parse(text) as { counts: Readonly<Record<string, unknown>> };
    return telling.filter((vendor) => {
      const arrived = Number(counts[`arrive_${vendor}`] ?? 0);
      t.ok(arrived <= 1, `${vendor}'s device is counted once`);
      return arrived === 1;
    });
  };
  const change = async (text: string): Promise<void> => {
    writeFileSync(join(directory, "pushbox-lab", "faults.txt"), text);
    await lab.printed(/^faults .*\n/m, ++changes);
  };
  let changes = 0;
  const telling = ["harmony", "honor", "huawei", "meizu", "oppo", "vivo", "xiaomi"];

  t.same((await notify("first", telling.length + 1)).toSorted(), telling);
  await change("# a comment\nall=receipt-forged\n");
  t.same(await notify("forged", telling.length), [], "nobody is believed without proof");
  await change("all=receipt-unknown");
  t.same(await notify("unknown", telling.length), [], "what nobody knows counts nothing");
  await change("all=sulk");
  await change("all=receipt-late");
  t.same(await notify("late1", 0), []);
  t.same((await notify("late2", 2 * telling.length)).toSorted(), telling);
  t.same((await arrivedAt("late1")).toSorted(), telling, "the earlier one's receipts came later, and count");
  await change("");
  t.same((await notify("last", telling.length)).toSorted(), telling);

  lab.child.kill("SIGINT");
  const { code, out } = await lab.ended;
  t.equal(code, 0);
  t.match(out, /^faults {2}all=receipt-forged$/m);
  t.match(out, /^faults {2}as before: all=sulk: write all=FAULT with a fault of /m);
  t.match(out, /^faults {2}none$/m);
  t.match(out, /^receipt vendor=huawei devices=1: 401 /m, "by its signature");
  t.match(out, /^receipt vendor=meizu devices=1: 401 /m, "by its token");
  t.match(out, /^receipt vendor=xiaomi devices=1: 404 /m, "by its address");
  t.equal((await server.stop()).code, 0);
});

t.test("the help names every fault, and every failure that a fake knows has a name", async (t) => {
  const { out } = await runHere(t.testdir({}), "lab", "--help");
  for (const fault of Object.keys(FAULTS)) t.match(out, new RegExp(`^ {2}${fault} `, "m"));
  const named = Object.values(FAULTS).flatMap((one) =>
    "fault" in one && one.fault.kind === "own" ? [one.fault.failure] : [],
  );
  // What servers of every kind do is had without the fakes.
  const known = new Set([...named, "busy", "garbage"]);
  for (const { fake } of services())
    t.same(
      fake.kinds?.filter((kind) => !known.has(kind)),
      [],
      fake.name,
    );
});

t.test("mistakes say what to write, and end with 2; a port in use ends with 1", async (t) => {
  const directory = t.testdir({ mine: { "diary.txt": "" } });
  t.match(await runHere(directory, "lab", "--fault", "xiaomi=sulk"), {
    code: 2,
    err: /xiaomi=FAULT with a fault of throttle, /,
  });
  t.match(await runHere(directory, "lab", "--fault", "appel=hang"), {
    code: 2,
    err: /a vendor of apns, fcm, .*, or all/,
  });
  t.match(await runHere(directory, "lab", "--receipts", "nowhere"), {
    code: 2,
    err: /^--receipts nowhere: write the URL of /,
  });
  t.match(await runHere(directory, "lab", "--dir", "mine"), { code: 2, err: /mine holds files that are not a lab's/ });
  t.match(await runHere(directory, "lab", "--port", "x"), {
    code: 2,
    err: "--port x: write a number from 1 to 65499\n",
  });
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  t.match(await runHere(directory, "lab", "--port", `${port}`), { code: 1, err: /is in use: take others with --port/ });
});

t.test("a fault that cannot be is not promised", async (t) => {
  const directory = join(t.testdir({}), "lab");
  const trial = (fault: string) => startLab({ directory, faults: [fault], now: Date.now, tell: () => undefined });
  await t.rejects(trial("xiaomi=no-h2"), { message: /^xiaomi=no-h2: xiaomi cannot; no-h2 is for apns, fcm, webpush$/ });
  await t.rejects(trial("apns=short-login"), { message: /short-login is for fcm, honor, huawei$/ });
  await t.rejects(trial("fcm=sandbox"), { message: /sandbox is for apns$/ });
  await t.rejects(trial("xiaomi=hang:0"), { message: /how many requests/ });
  await t.rejects(trial("xiaomi=dead:3"), { message: /dead is not counted/ });
  const named = await trial("apns=expired-credential");
  await named.close(); // what only a fake knows, by its own name
  await t.rejects(trial("xiaomi=hang=3"), { message: /a fault of throttle/ });
});

t.test("a lab is started again in its directory; the newer configuration is right", async (t) => {
  const directory = join(t.testdir({}), "lab");
  const options = { directory, faults: [], now: Date.now, tell: () => undefined };
  const first = await startLab(options);
  writeFileSync(join(directory, "notes.txt"), "kept");
  await first.close();
  const second = await startLab(options);
  t.teardown(() => second.close());
  t.equal((await outcomes(t, directory, "again"))["xiaomi"], "accepted");
  t.equal(readFileSync(join(directory, "notes.txt"), "utf8"), "kept");
  const reading = readConfig({ file: second.config, env: {}, flags: new Map() });
  t.same("config" in reading && vendorProblems(reading.config.vendors, Date.now()), []);
});

t.test("a line is one line whatever was sent, and a long token is shortened", async (t) => {
  const shown = { vendor: "x", token: "t".repeat(500), title: "\u001b[2J\r\n", message: "a\u2028b\u009b2J" };
  t.equal(
    lineOf(shown, "app"),
    `shown   vendor=x app=app token=${"t".repeat(59)}… title="\\u001b[2J\\r\\n" text="a\\u2028b\\u009b2J" payload={} id=""`,
  );
});

t.test("what a fake remembers is bounded", async (t) => {
  const recent = new Recent<number, true>(REMEMBERED);
  for (let n = 0; n < 12_000; n++) recent.set(n, true);
  recent.set(2000, true);
  recent.set(12_000, true);
  t.equal(recent.size, 10_000);
  t.ok(recent.has(2000) && recent.has(12_000) && !recent.has(2001), "the newest stay");
});
