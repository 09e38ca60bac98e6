// Devices, tokens and a configuration from elsewhere, by real processes; and out again.

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { importDevices } from "../../scripts/bench/import.ts";
import { startTestApp } from "../support/app.ts";
import { runHere } from "../support/cli.ts";
import { RawClient } from "../support/clients.ts";
import { kill, main, nodeArguments, start } from "../support/process.ts";

const OLD = "2018-01-31T12:00:00.000Z";

/** A document as mongoexport writes it. */
const line = (fields: object): string => `${JSON.stringify(fields)}\n`;
const device = (n: number, more: object = {}): string =>
  line({ _id: `import-device-${n}`, updateTime: { $date: OLD }, ...more });

const count = (report: string, of: string): number =>
  Number(new RegExp(`^ *([\\d,]+) +${of}`, "m").exec(report)?.[1]?.replaceAll(",", "") ?? Number.NaN);

t.test("devices of mongoexport are on the server afterwards, with everything that is known of them", async (t) => {
  const directory = t.testdir({
    "devices.json":
      line({
        _id: "import-device-1",
        uid: "ann",
        platform: "ios",
        socketId: "10.0.0.5:W9Ym",
        tags: ["v_2", "vip"],
        updateTime: { $date: OLD },
        type: "apn",
        token: "<aa bb>",
        package_name: "com.x",
        __v: 0,
      }) +
      device(2, {
        type: "androidNoToken",
        updateTime: { $date: { $numberLong: "1517400000000" } },
        uid: { $numberInt: "7" },
      }) +
      device(3, { updateTime: { $date: 1517400000000 }, uid: 7 }),
  });
  const done = await runHere(directory, "import", "--devices", "devices.json");
  t.equal(done.code, 0, done.err);
  t.equal(count(done.out, "added"), 3);
  t.equal(count(done.out, "devices in"), 3);
  t.equal(statSync(join(directory, "pushbox-data/pushbox.db")).mode & 0o777, 0o600);
  const server = await startTestApp(t, { data: join(directory, "pushbox-data") });
  t.match(await server.ok("device/get", { pushId: "import-device-1" }), {
    _id: "import-device-1",
    uid: "ann",
    platform: "ios",
    tags: ["v_2", "vip"],
    type: "apn",
    token: "aabb",
    package_name: "com.x",
    updateTime: OLD,
    createTime: OLD,
    connected: false,
  });
  const others = (await server.post("device/get", { uid: "7" })).body as unknown as { _id: string }[];
  t.same(others.map(({ _id }) => _id).sort(), ["import-device-2", "import-device-3"]);
  // It comes back as one who was always here.
  const client = await RawClient.open(server.clientPort);
  t.match(await client.hello({ id: "import-device-1" }), { uid: "ann", tags: ["v_2", "vip"], token: "aabb" });
  await client.close();
  t.match(await runHere(directory, "import", "--devices", "devices.json"), {
    code: 1,
    err: /is in use by another pushbox \(process \d+ on .*\): stop that one/,
  });
});

t.test(
  "what is known here and newer stays, an older one is brought up to date, and a token stays on one device",
  async (t) => {
    const directory = t.testdir({});
    const server = await startTestApp(t, { data: join(directory, "pushbox-data") });
    await server.ok("uid/bind", { pushId: "import-device-1", uid: "here" });
    const client = await RawClient.open(server.clientPort);
    await client.hello({ id: "import-device-2", token: { type: "apn", token: "abcd", package_name: "com.x" } });
    await client.close();
    await server.stop();
    const file = join(directory, "devices.json");
    const token = { type: "apn", package_name: "com.x" };
    writeFileSync(
      file,
      device(1, { uid: "there" }) +
        device(3, { ...token, token: "abcd" }) +
        device(4, { ...token, token: "ef01", uid: "one", tags: ["a", "b"] }) +
        device(5, { ...token, token: "ef01", updateTime: { $date: "2019-01-01T00:00:00.000Z" } }) +
        device(6, { uid: "x", tags: ["old"], ...token, token: "0123" }),
    );
    const dry = await runHere(directory, "import", "--devices", file, "--dry-run");
    t.equal(dry.code, 0, dry.err);
    t.match(dry.out, "2  devices in");
    t.match(dry.out, "nothing was written");
    const first = await runHere(directory, "import", "--devices", file);
    t.equal(first.code, 0, first.err);
    t.equal(count(first.out, "added"), 3);
    t.match(first.out, / 1 {6}what is known of it here is newer \(line 1\)/);
    t.match(first.out, / 1 {6}another device had its token later \(line 2\)/);
    // The same again changes nothing; a later word of the same device does.
    writeFileSync(
      file,
      device(5, { ...token, token: "ef01", updateTime: { $date: "2019-01-01T00:00:00.000Z" } }) +
        device(6, { uid: "y", tags: ["new"], updateTime: { $date: "2020-01-01T00:00:00.000Z" } }) +
        device(6, { uid: "z", updateTime: { $date: "2019-12-31T00:00:00.000Z" } }),
    );
    const second = await runHere(directory, "import", "--devices", file);
    t.equal(count(second.out, "here already"), 1);
    t.equal(count(second.out, "updated"), 1);
    t.match(second.out, / 1 {6}what is known of it here is newer \(line 3\)/);

    const again = await startTestApp(t, { data: join(directory, "pushbox-data") });
    const get = async (fields: Record<string, string>) => (await again.post("device/get", fields)).body;
    t.match(await get({ pushId: "import-device-1" }), { uid: "here" });
    t.match(await get({ pushId: "import-device-2" }), { token: "abcd" });
    t.same(await get({ pushId: "import-device-3" }), {}, "the app was installed again as device 2");
    t.same(await get({ pushId: "import-device-4" }), {}, "and as device 5");
    t.match(await get({ pushId: "import-device-5" }), { token: "ef01" });
    t.match(await get({ pushId: "import-device-6" }), { uid: "y", tags: ["new"] });
    t.same(await get({ uid: "x" }), []);
    // Bindings made here are newer than every imported one, and imported ones are as old as they were.
    await again.ok("uid/bind", { pushId: "import-device-7", uid: "y", platformLimit: "1" });
    t.same(
      ((await get({ uid: "y" })) as unknown as { _id: string }[]).map(({ _id }) => _id),
      ["import-device-7"],
    );
  },
);

t.test(
  "killed in the middle it goes on where it was: every device is there, once, and the report is of the whole",
  async (t) => {
    const directory = t.testdir({});
    const devices = 40_000;
    let text = "";
    for (let n = 0; n < devices; n++)
      text +=
        n % 1000 === 999 ? "no document\n" : device(n + 1_000_000, { uid: `u${n % 100}`, type: "apn", token: `t${n}` });
    writeFileSync(join(directory, "devices.json"), text);
    // Where the kill comes so late that the import has ended, nothing is shown by it: then it is done anew.
    for (let tries = 1; ; tries++) {
      const first = start(directory, ["import", "--devices", "devices.json"]);
      t.teardown(() => kill(first.child));
      const [progress] = (await once(first.child.stderr!, "data")) as [string];
      first.child.kill("SIGKILL");
      t.match(progress, /^devices\.json: \d+ %, [\d,]+ lines, [\d,]+\/s, \d+ s left\n/);
      const { code } = await first.ended;
      if (code === null) break;
      t.ok(code === 0 && tries < 10, "it was killed before its end");
      rmSync(join(directory, "pushbox-data"), { recursive: true });
    }
    const second = await runHere(directory, "import", "--devices", "devices.json");
    t.equal(second.code, 0, second.err);
    t.match(second.err, /^devices\.json: going on at line [\d,]+\n/);
    t.equal(count(second.out, "added"), devices - 40);
    t.equal(count(second.out, "devices in"), devices - 40);
    t.match(second.out, / 40 {6}the line is not JSON \(line 1000, 2000, 3000, 4000, 5000 \.\.\.\)/);
    // It came to its end: the next one begins anew, and finds all of it.
    const third = await runHere(directory, "import", "--devices", "devices.json");
    t.notMatch(third.err, "going on");
    t.equal(count(third.out, "here already"), devices - 40);
  },
);

t.test("an import takes less than 50 MB of memory of its own, however many devices there are", async (t) => {
  const directory = t.testdir({});
  const done = await importDevices(directory, 4000);
  t.equal(done.code, 0);
  t.equal(count(done.out, "added"), 4000);
  // The whole million: npm run bench -- import.
  if (!Number.isNaN(done.peak)) t.ok(done.peak > 10 && done.peak < 50, `${done.peak} MB`);
});

t.test("a signal ends it in order, with what was read stored", async (t) => {
  const directory = t.testdir({});
  const devices = 60_000;
  let text = "";
  for (let n = 0; n < devices; n++) text += device(n + 1_000_000);
  writeFileSync(join(directory, "devices.json"), text);
  const first = start(directory, ["import", "--devices", "devices.json"]);
  t.teardown(() => kill(first.child));
  await once(first.child.stderr!, "data");
  first.child.kill("SIGTERM");
  const ended = await first.ended;
  t.equal(ended.code, 1);
  t.match(ended.err, /SIGTERM: stopped at line [\d,]+; the same command goes on from there\n$/);
  const second = await runHere(directory, "import", "--devices", "devices.json");
  t.equal(count(second.out, "added"), devices);
});

t.test(
  "what is no device is skipped and what does not fit is left out, each with its lines and the reason",
  async (t) => {
    const directory = t.testdir({
      "devices.json": [
        device(1, { tags: ["ok", "x".repeat(200), 5, null, { a: 1 }] }),
        "{}\n",
        '{"_id":null}\n',
        '{"_id":"short"}\n',
        '{"_id":{"$oid":"507f1f77bcf86cd799439011"}}\n',
        `{"_id":"${"y".repeat(129)}"}\n`,
        "\n",
        "[1]\n",
        device(2, { uid: { $gt: "" }, token: "x" }),
        `{"a":"${"x".repeat(1_000_001)}"}\n`,
        device(3).trimEnd(), // without an end of line
      ].join(""),
      "list.json": '[{"_id":"import-device-1"}]',
    });
    const done = await runHere(directory, "import", "--devices", "devices.json");
    t.equal(done.code, 0, done.err);
    t.equal(
      done.out.replace(/ in \/.*/, ""),
      `           3  added
           0  updated: what was known here is older
           0  here already, just so
           7  skipped:
           3      it has no pushId (line 2, 3, 5)
           1      its pushId is shorter than 10 characters (line 4)
           1      its pushId is longer than 128 characters (line 6)
           1      the line is no document (line 8)
           1      the line is longer than 1,000,000 bytes (line 10)
           4  left out of devices:
           1      a tag that is longer than 128 characters (line 1)
           1      a tag that is no text (line 1)
           1      the uid, which is no text (line 9)
           1      the token, which has no type (line 9)
           3  devices
`,
    );
    t.match(await runHere(directory, "import", "--devices", "list.json"), {
      code: 1,
      err: "run mongoexport without --jsonArray",
    });
    t.match(await runHere(directory, "import", "--devices", "nothing.json"), {
      code: 1,
      err: /^the import stopped: nothing\.json cannot be opened/,
    });
  },
);

t.test("devices come by standard input, and export writes the same lines again", async (t) => {
  const lines = [
    line({
      _id: "import-device-1",
      uid: "ann",
      platform: "ios",
      tags: ["v_2", "vip"],
      createTime: { $date: "2017-01-31T12:00:00.000Z" },
      updateTime: { $date: OLD },
      type: "apn",
      token: "aabb",
      package_name: "com.x",
      lastSeen: { $date: "2018-02-01T12:00:00.000Z" },
      uidTimeToLive: 86_400_000,
    }),
    line({ _id: "import-device-2", createTime: { $date: OLD }, updateTime: { $date: OLD }, type: "androidNoToken" }),
  ].join("");
  const directory = t.testdir({ "devices.json": lines });
  t.match(await runHere(directory, "import", "--devices", "devices.json"), { code: 0, err: "" });
  const pipe = `"$0" "$@" export | tee exported.json | "$0" "$@" import --devices - --data other`;
  const done = spawnSync("bash", ["--norc", "-c", pipe, process.execPath, ...nodeArguments, main], {
    cwd: directory,
    env: { PATH: process.env["PATH"] },
    encoding: "utf8",
  });
  t.match(done, { status: 0, stdout: /^ +2 {2}added\n/, stderr: "2 devices written\n" });
  t.equal(readFileSync(join(directory, "exported.json"), "utf8"), lines);
  t.match(await runHere(directory, "export", "--data", "other"), { code: 0, out: lines });
  t.same(await runHere(directory, "export", "--out", "out.json"), {
    code: 0,
    out: "2 devices written to out.json\n",
    err: "",
  });
  t.equal(readFileSync(join(directory, "out.json"), "utf8"), lines);
  t.match(await runHere(directory, "export", "--out", "out.json"), {
    code: 1,
    err: /^no devices were written: .*out\.json/,
  });
  t.equal(readFileSync(join(directory, "out.json"), "utf8"), lines);
  t.match(await runHere(directory, "export", "--data", "nowhere"), {
    code: 1,
    err: "name the data directory with --data",
  });
});

t.test("export goes on beside a running server", async (t) => {
  const directory = t.testdir({});
  const server = await startTestApp(t, { data: join(directory, "pushbox-data") });
  for (let n = 0; n < 5; n++) await server.ok("uid/bind", { pushId: `export-device-${n}`, uid: "ann" });
  const done = await runHere(directory, "export");
  t.equal(done.code, 0, done.err);
  t.equal(done.out.trim().split("\n").length, 5);
});

t.test("a table of tokens becomes devices, which the app takes over when it connects", async (t) => {
  const directory = t.testdir({
    "tokens.csv":
      '\uFEFFpush_id,Type,TOKEN,"package_name",uid,tags,updateTime\r\n' +
      `import-device-1,apn,<ab cd>,com.x,ann,v_1 vip,${OLD}\r\n` +
      ',fcm,"quoted ""token"", with\nan end of line",com.x,bob,,\r\n' +
      ",fcm,,com.x,bob,,\r\n" +
      ",fcm,token\r\n" +
      'import-device-2,"fcm,token,com.x,bob,,\r\n',
    "no-type.csv": "pushId,token\n1,2\n",
    "unknown.csv": "pushId,tokn\n1,2\n",
    "half.csv": "type;token\nfcm;abc\n",
  });
  const done = await runHere(directory, "import", "--tokens", "tokens.csv");
  t.equal(done.code, 0, done.err);
  t.equal(count(done.out, "added"), 2);
  t.match(done.out, "it has no token (line 5)");
  t.match(done.out, "it has 3 columns, not 7 (line 6)");
  t.match(done.out, "a quote does not end (line 7)");
  t.match(await runHere(directory, "import", "--tokens", "half.csv"), { code: 0, out: / 1 {2}added/ });
  t.match((await runHere(directory, "import", "--tokens", "half.csv")).out, / 1 {2}here already/);
  t.match(await runHere(directory, "import", "--tokens", "no-type.csv"), {
    code: 1,
    err: /^the import stopped: .*names no column type.*\n$/,
  });
  t.match(await runHere(directory, "import", "--tokens", "unknown.csv"), {
    code: 1,
    err: /^the import stopped: .*did you mean token\?.*\n$/,
  });
  const server = await startTestApp(t, { data: join(directory, "pushbox-data") });
  const bob = async () => (await server.post("device/get", { uid: "bob" })).body as unknown as { token: string }[];
  t.equal((await bob())[0]?.token, 'quoted "token", with\nan end of line');
  const client = await RawClient.open(server.clientPort);
  await client.hello({ id: "the-app-itself", token: { type: "fcm", token: "abc" } });
  await client.close();
  const devices = (await runHere(directory, "export")).out;
  t.match(devices, /"_id":"the-app-itself".*"token":"abc"/);
  t.notMatch(devices, /"_id":"import-[0-9a-f]{32}".*"token":"abc"/);
});

t.test("an import needs one thing to import, and says what else is wrong", async (t) => {
  const directory = t.testdir({});
  t.match(await runHere(directory, "import"), {
    code: 2,
    err: "name one of --devices, --tokens and --config\n1 problem\n",
  });
  t.match(await runHere(directory, "import", "--devices", "a", "--tokens", "b"), { code: 2 });
  t.match(await runHere(directory, "import", "--devices", "a", "b"), { code: 2, err: "b: unexpected" });
  t.match(await runHere(directory, "import", "--device", "a"), { code: 2 });
  t.notOk(existsSync(join(directory, "pushbox-data")));
});

const proxy = `
// socket.io-push
var config = {};
config.http_port = 10001;
config.https_port = 10443;
config.https_key = process.cwd() + "/cert/key.pem";
config.https_cert = process.cwd() + "/cert/cert.pem";
config.prefix = "test";
config.instances = 3;
config.pingInterval = 90 * 1000;
config.pingTimeout = 25000;
config.disconnect_delay = 5000;
config.topicOnlineFilter = { chatRoom: "devices", drawTopic: "count" };
config.packetDropThreshold = 5005;
config.mongo = { default: "mongodb://user:the-secret@127.0.0.1/test" };
config.redis = { sub: [{ host: "127.0.0.1", port: 6379 }], password: "the-secret" };
config.bindUid = (data, callback) => {
  callback(data.uid);
};
module.exports = config;
`;
const api = `
const fs = require("fs");
module.exports = {
  http_port: 11002,
  host: "localhost",
  pushAllInterval: 1000,
  apiAuth: function (opts, callback) { callback(opts.req.p.pushAll !== "true", "no"); },
  apns: [
    { production: false, bundleId: "com.x", token: { key: "cert/apns.p8", keyId: "ABCDE12345", teamId: "FGHIJ67890" } },
    { production: true, bundleId: "com.y", cert: "cert/none.pem", key: "cert/none.pem" },
  ],
  apnApiUrls: ["http://127.0.0.1:11001", "http://127.0.0.1:11020"],
  huawei: [{ package_name: "com.x", client_id: 10513719, client_secret: "the-secret" }],
  xiaomi: { app_secret: process.env.XIAOMI || "the-secret", notify_foreground: 0 },
  umeng: { appKey: "key", masterSecret: "the-secret" },
  fcm: { serviceAccount: "cert/none.json", databaseURL: "https://x.firebaseio.com" },
  something: 1,
};
`;

t.test("the old configuration becomes one that check accepts, and what has no equivalent is listed", async (t) => {
  const key = spawnSync("openssl", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], {
    encoding: "utf8",
  }).stdout;
  const directory = t.testdir({
    "config-proxy.js": proxy,
    "config-api.js": api,
    "config-log.js": 'module.exports = { level: "debug", filename: "x.log", formatter(args) { return args; } };',
    "config-admin.js": "exports.https_port = 12001;",
    cert: { "apns.p8": key },
  });
  const done = await runHere(
    directory,
    "import",
    "--app",
    "com.z",
    "--config",
    "config-proxy.js",
    "config-api.js",
    "config-log.js",
    "config-admin.js",
  );
  t.equal(done.code, 0, `${done.out}${done.err}`);
  const file = join(directory, "pushbox.toml");
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.equal(
    readFileSync(file, "utf8").replaceAll(directory, ""),
    `# Made by pushbox import of config-proxy.js, config-api.js, config-log.js, config-admin.js. pushbox init writes every setting there is.

log_level = "debug"

[client]
port = 10001
ping_interval_v3 = 90000
ping_timeout_v3 = 25000
disconnect_delay = 5000
max_packets_per_second = 501

[api]
host = "localhost"
port = 11002
topic_online_filter = { chatRoom = "devices", drawTopic = "count" }

[[vendors.apns]]
bundle_id = "com.x"
key_file = "/cert/apns.p8"
key_id = "ABCDE12345"
team_id = "FGHIJ67890"
environment = "sandbox"

#[[vendors.apns]]
#bundle_id = "com.y"
#cert_file = "/cert/none.pem"
#key_file = "/cert/none.pem"
#environment = "production"

[[vendors.huawei]]
package_name = "com.x"
client_id = "10513719"
client_secret = "the-secret"

#[[vendors.xiaomi]]
#package_name = "com.z"
#notify_foreground = false

[[vendors.umeng]]
package_name = "com.z"
app_key = "key"
master_secret = "the-secret"

#[[vendors.fcm]]
#package_name = "com.z"
#service_account_file = "/cert/none.json"
`,
  );
  t.same(await runHere(directory, "check", "--config", "pushbox.toml"), {
    code: 0,
    out: "the configuration is right\n",
    err: "",
  });
  t.notMatch(`${done.out}${done.err}`, "the-secret");
  for (const [what, told] of [
    [
      "https_port",
      /^config-proxy\.js: https_port 10443: there is one port, plain or TLS: set client\.port to it with/m,
    ],
    ["prefix", /mongoexport --collection test_devices|"test"_devices/],
    ["redis", /^config-proxy\.js: redis is not needed: /m],
    ["mongo", /^config-proxy\.js: mongo is not needed: /m],
    ["bindUid", /^config-proxy\.js: bindUid is a function, which is not run: clients prove who they are by a token/m],
    ["apiAuth", /^config-api\.js: apiAuth is a function, which is not run: .*api\.keys/m],
    ["apns", /^config-api\.js: apns\[1\]: there is no file .*none\.pem/m],
    ["relays", /^config-api\.js: apnApiUrls: .*relays = \["http:\/\/127\.0\.0\.1:11001", /m],
    ["xiaomi", /^config-api\.js: xiaomi: app_secret is code \(line 14\): write its value; then remove the #/m],
    ["fcm", /^config-api\.js: fcm: there is no file/m],
    ["unknown", /^config-api\.js: something is not known$/m],
    ["log", /^config-log\.js: filename is not needed: the log goes to standard output/m],
    ["formatter", /^config-log\.js: formatter is a function \(line 1\), which is not run/m],
    ["admin", /^config-admin\.js: https_port is not needed/m],
  ] as const)
    t.match(done.out, told, what);
  t.match(done.out, /\npushbox\.toml written; \d+ lines above were not taken over as they are\n$/);
  t.match(await runHere(directory, "import", "--config", "config-proxy.js"), {
    code: 1,
    err: "pushbox.toml exists and is left as it is: name another with --out\n",
  });
  copyFileSync(join(directory, "config-proxy.js"), join(directory, "old.js"));
  t.match(await runHere(directory, "import", "--config", "old.js", "--out", "other.toml"), {
    code: 2,
    err: "old.js: its name does not say what it is",
  });
  t.notOk(existsSync(join(directory, "other.toml")));
});
