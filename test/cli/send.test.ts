// pushbox send against a real server of HTTP that answers what the test says.
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { Actions } from "../../src/api/actions.ts";
import type { Job } from "../../src/core/outbox.ts";
import { start as startApi } from "../api/harness.ts";
import { startTestApp } from "../support/app.ts";
import { endedHere, runHere } from "../support/cli.ts";
import { freePort } from "../support/ports.ts";
import { start } from "../support/process.ts";

interface Seen {
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly headers: IncomingHttpHeaders;
  readonly at: number;
}

interface Api {
  readonly url: string;
  readonly seen: Seen[];
}

type Reply = object | { readonly status: number; readonly text: string } | "hang up";

/** Answers call after call with these; the last one again and again. */
async function api(t: Test, ...replies: readonly Reply[]): Promise<Api> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    if (request.url?.endsWith("/lane/list")) return void response.end('{"code":"success","lanes":[]}');
    const body = JSON.parse(text) as Record<string, unknown>;
    seen.push({ path: request.url ?? "", body, headers: request.headers, at: performance.now() });
    const reply = replies[Math.min(seen.length, replies.length) - 1]!;
    if (reply === "hang up") request.socket.destroy();
    else if ("text" in reply) response.writeHead(Number(reply.status)).end(reply.text);
    else response.end(JSON.stringify(reply));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const success = { code: "success" };
const accepted = { code: "success", id: "n1" };
const progress = { seen: 10, skipped: 1, queued: 6, waiting: 2, accepted: 3, failed: 1 };
const running = { code: "success", state: "running", dryRun: false, progress, routes: {}, failed: {} };
const finished = {
  ...running,
  state: "finished",
  progress: { ...progress, waiting: 0, accepted: 3, failed: 3 },
  routes: { apns: 6, connection: 3 },
  failed: { "apns: expired": 1, "apns: BadDeviceToken": 2 },
};

t.test("help teaches with examples, tells the exit codes and where the key comes from", async (t) => {
  const { code, out } = await runHere(t.testdir({}), "send", "--help");
  t.equal(code, 0);
  for (const part of [
    "Examples, pushes:",
    "pushbox send --topic news",
    "Exit codes: 0",
    "PUSHBOX_API_KEY",
    "--key-file",
  ])
    t.ok(out.includes(part), part);
  t.match((await runHere(t.testdir({}), "--help")).out, /^ {2}send\b/m);
});

t.test("a push: data as it was typed, to a topic, devices or users", async (t) => {
  const { url, seen } = await api(t, success);
  const directory = t.testdir({});
  for (const [args, body] of [
    [["--topic", "room1", '{"a":1}'], { topic: "room1", json: '{"a":1}' }],
    [
      ["plain text", "--push-id", "device-1", "--push-id", "device-2"],
      { pushId: ["device-1", "device-2"], json: "plain text" },
    ],
    [
      ["--uid", "ann", "--ttl", "60000", "--idempotency-key", "k1", "5"],
      { uid: ["ann"], timeToLive: 60000, idempotencyKey: "k1", json: "5" },
    ],
    [["--topic", "a", "--", "-5"], { topic: "a", json: "-5" }],
  ] as const) {
    t.same(
      await runHere(directory, "send", "--url", url, ...args),
      { code: 0, out: "sent\n", err: "" },
      args.join(" "),
    );
    const { path, body: sent, headers } = seen.at(-1)!;
    t.equal(path, "/api/push");
    t.strictSame(sent, body);
    t.equal(headers.authorization, undefined);
  }
  await runHere(directory, "send", "--url", `${url}/behind/proxy/`, "--topic", "a", "x");
  t.equal(seen.at(-1)!.path, "/behind/proxy/api/push");
});

t.test("a notification: text for both kinds of phone, and when and how it goes", async (t) => {
  const { url, seen } = await api(t, accepted);
  const directory = t.testdir({});
  t.same(await runHere(directory, "send", "--url", url, "--all", "--title", "T"), {
    code: 0,
    out: "accepted: n1\n",
    err: "",
  });
  t.equal(seen[0]!.path, "/api/notification");
  t.strictSame(seen[0]!.body, { pushAll: true, notification: { android: { title: "T" }, apn: { alert: "T" } } });
  const more = ["--tag", "vip", "--title", "T", "--message", "M", "--payload", '{"a":{"b":1}}', "--ttl", "1000"];
  const how = ["--send-at", "2030-01-01T08:00:00+08:00", "--rate", "500", "--dry-run", "--idempotency-key", "k"];
  t.equal((await runHere(directory, "send", "--url", url, ...more, ...how)).code, 0);
  t.strictSame(seen[1]!.body, {
    tag: "vip",
    timeToLive: 1000,
    sendAt: "2030-01-01T08:00:00+08:00",
    rate: 500,
    dryRun: true,
    idempotencyKey: "k",
    notification: {
      android: { title: "T", message: "M" },
      apn: { alert: { title: "T", body: "M" } },
      payload: { a: { b: 1 } },
    },
  });
});

t.test("C2: what the server warns of is told on standard error", async (t) => {
  const { url } = await api(t, { code: "success", id: "n1", warnings: ["x was ignored", "y too"] });
  const { code, err } = await runHere(t.testdir({}), "send", "--url", url, "--topic", "a", "{bad");
  t.same([code, err], [0, "warning: x was ignored\nwarning: y too\n"]);
});

t.test("- is standard input, less the line break that ends it", async (t) => {
  const { url, seen } = await api(t, accepted);
  const directory = t.testdir({});
  const there: typeof endedHere = (...given) => start(...given).ended;
  for (const [ended, input, args, body] of [
    [
      there,
      '{"n": 12345678901234567890}\n',
      ["--topic", "t", "-"],
      { topic: "t", json: '{"n": 12345678901234567890}' },
    ],
    [endedHere, "two\nlines\r\n", ["--topic", "t", "-"], { topic: "t", json: "two\nlines" }],
    [
      endedHere,
      '{"android":{"title":"T","channel":"c"}}\n',
      ["--all", "--notification", "-", "--id", "7"],
      { pushAll: true, notification: { android: { title: "T", channel: "c" }, id: "7" } },
    ],
  ] as const) {
    t.match(await ended(directory, ["send", "--url", url, ...args], { input }), { code: 0, err: "" });
    t.strictSame(seen.at(-1)!.body, body);
  }
});

t.test("the key comes from a file or the environment, and the file wins", async (t) => {
  const { url, seen } = await api(t, success);
  const directory = t.testdir({ key: "from-the-file\n", empty: "\n", lines: "two\nlines" });
  const send = (args: readonly string[], env = {}) =>
    endedHere(directory, ["send", "--url", url, "--topic", "a", "x", ...args], { env });
  t.match(await send([], { PUSHBOX_API_KEY: "from-the-environment" }), { code: 0 });
  t.match(await send(["--key-file", "key"], { PUSHBOX_API_KEY: "from-the-environment" }), { code: 0 });
  t.same(
    seen.map(({ headers }) => headers.authorization),
    ["Bearer from-the-environment", "Bearer from-the-file"],
  );
  for (const [file, err] of [
    ["none", /^--key-file none: ENOENT/],
    ["empty", /^--key-file empty: the file is empty/],
    ["lines", /^--key-file lines: a key is one word/],
  ] as const) {
    const ended = await send(["--key-file", file]);
    t.match(ended, { code: 2, err });
    t.notMatch(ended.err, "two");
  }
  const wrong = await send([], { PUSHBOX_API_KEY: "größe" });
  t.match(wrong, { code: 2, err: /^PUSHBOX_API_KEY: a key is one word/ });
  t.notMatch(wrong.err, "größe");
  t.match(await send(["--key", "abc"]), { code: 2, err: /unknown option '--key'/ }, "never on the command line");
  t.equal(seen.length, 2);
});

t.test("a wrong command line: every problem at once, 2, and nothing is sent", async (t) => {
  const { url, seen } = await api(t, success);
  const directory = t.testdir({});
  const send = (...args: readonly string[]) => runHere(directory, "send", "--url", url, ...args);
  for (const [args, ...lines] of [
    [
      [],
      "to whom? Give --topic, --push-id, --uid, --tag or --all",
      "send what? Give the data of a push, or --title for a notification",
    ],
    [["--topic", "a", "--uid", "b", "x"], "--topic and --uid exclude each other: send one after the other"],
    [
      ["--uid", "b", "--title", "T", "--badge", "1", "x"],
      "a push has data, a notification has --title and --badge: give one or the other",
    ],
    [["--all", "x"], "--all is for notifications: give --title instead of data, or leave it out"],
    [
      ["--uid", "a", "x", "--type", "t", "--send-at", "5", "--rate", "5", "--dry-run", "--wait"],
      ...["--type", "--send-at", "--rate", "--dry-run", "--wait"].map(
        (flag) => `${flag} is for notifications: give --title instead of data, or leave it out`,
      ),
    ],
    [["--topic", "a", "--title", "T"], "--topic is for pushes: give data instead of --title, or name devices"],
    [["--all", "--message", "M"], "--title is missing: without one Android shows nothing"],
    [
      ["--all", "--title", "T", "--payload", "[1]", "--ttl", "-1", "--rate", "-1", "--wait", "soon"],
      "--ttl -1: write milliseconds, or a duration like 30s, 15m, 1h or 7d",
      "--rate -1: write a whole number from 0 to 1000000",
      "--payload [1]: write a JSON object, like '{\"chat\":7}'",
      "--wait soon: write seconds, like --wait 60, or --wait alone",
    ],
    [
      ["--topic", "a", "x", "--url", "localhost:11001"],
      "--url localhost:11001: write the address of the API, like http://127.0.0.1:11001",
    ],
    [
      ["--topic", "a", "x", "--url", "http://u:secret@localhost"],
      "--url: it holds a password; the API takes a key instead",
    ],
  ] as const) {
    const { code, out, err } = await send(...args);
    t.equal(code, 2, args.join(" "));
    t.equal(out, "");
    t.same(err.split("\n"), [
      ...lines,
      `${lines.length} problem${lines.length > 1 ? "s" : ""}; see pushbox send --help`,
      "",
    ]);
  }
  t.match(await send("--tpoic", "a", "x"), { code: 2, err: /Did you mean --topic\?/ });
  t.match(await send("--topic", "a", "x", "y"), { code: 2, err: /too many arguments/ });
  t.match(await send("--topic"), { code: 2, err: /argument missing/ });
  t.same(seen, []);
});

t.test("what the server refuses is told, 1", async (t) => {
  const refusal = { status: 400, text: '{"code":"error","message":"uid is longer than 128 characters"}' };
  const { url } = await api(
    t,
    refusal,
    refusal,
    { status: 401, text: '{"code":"error","message":"apiAuth check fail"}' },
    { status: 502, text: "<html>" },
  );
  const directory = t.testdir({});
  const send = (...args: readonly string[]) => runHere(directory, "send", "--url", url, "--topic", "a", "x", ...args);
  t.same(await send(), { code: 1, out: "", err: "refused: uid is longer than 128 characters\n" });
  t.same(
    await send("--json"),
    { code: 1, out: `${refusal.text}\n`, err: "refused: uid is longer than 128 characters\n" },
    "the answer as it is",
  );
  t.match(await send(), {
    code: 1,
    err: /^refused: apiAuth check fail: give the key .* PUSHBOX_API_KEY or --key-file/,
  });
  t.match(await send(), {
    code: 1,
    out: "",
    err: /answers 502, but not as a pushbox does: --url names the API port \(11001\), not that of clients\n$/,
  });
});

t.test("no answer: whether something was sent is said as far as it is known, 1", async (t) => {
  const { url } = await api(t, "hang up");
  const directory = t.testdir({});
  const port = await freePort();
  t.match(await runHere(directory, "send", "--url", `http://127.0.0.1:${port}`, "--topic", "a", "x"), {
    code: 1,
    out: "",
    err: /ECONNREFUSED.*nothing was sent; does a pushbox run there\? \(--url\)\n$/,
  });
  t.match(await runHere(directory, "send", "--url", url, "--topic", "a", "x"), {
    code: 1,
    out: "",
    err: /whether it was taken is not known; with --idempotency-key the same command may be repeated\n$/,
  });
});

t.test("--json prints the answer and nothing else", async (t) => {
  const { url } = await api(t, accepted);
  const ended = await runHere(t.testdir({}), "send", "--url", url, "--all", "--title", "T", "--json");
  t.same(ended, { code: 0, out: '{"code":"success","id":"n1"}\n', err: "" });
});

t.test("--wait tells what changes, then the outcome by reason; it asks ever more seldom", async (t) => {
  const scheduled = { ...running, state: "scheduled", sendAtIso: "2030-01-01T00:00:00.000Z" };
  const away = { status: 503, text: '{"code":"error","message":"the disk is full"}' };
  const { url, seen } = await api(t, accepted, scheduled, running, running, "hang up", away, finished);
  const ended = await runHere(t.testdir({}), "send", "--url", url, "--all", "--title", "T", "--wait");
  t.same(ended, {
    code: 0,
    out: [
      "accepted: n1",
      "scheduled for 2030-01-01T00:00:00.000Z",
      "running: 10 devices looked at, 3 accepted, 1 failed, 2 waiting",
      "finished: 10 devices looked at",
      "addressed: 6 by apns, 3 by connection",
      "1 have nothing to show of it",
      "vendors: 3 accepted, 3 failed",
      "  2  apns: BadDeviceToken",
      "  1  apns: expired",
      "",
    ].join("\n"),
    err: "",
  });
  t.same(
    seen.slice(1).map(({ path, body }) => [path, body]),
    [...Array(6).fill(["/api/job/get", { id: "n1" }]), ["/api/notification/get", { id: "n1", limit: 20 }]],
  );
  const pauses = seen.slice(1).map(({ at }, i) => at - seen[i]!.at);
  t.ok(pauses[0]! >= 195, `the first after ${pauses[0]} ms`);
  t.ok(pauses[5]! >= 1000, `the sixth after ${pauses[5]} ms`);
});

t.test("--wait: where the devices are few, what became of it at each", async (t) => {
  const few = {
    ...finished,
    progress: { ...progress, seen: 3, skipped: 0, queued: 1, waiting: 0, accepted: 0, failed: 1 },
  };
  const deliveries = [
    { pushId: "device-1", provider: "apns", state: "gone", reason: "Unregistered\u001b[2J" },
    { pushId: "device-2", state: "sent", sentAt: 1 },
    { pushId: "device-3", state: "queued" },
  ];
  const wait = async (...replies: readonly Reply[]) => {
    const { url } = await api(t, accepted, ...replies);
    return runHere(t.testdir({}), "send", "--url", url, "--uid", "u", "--title", "T", "--wait");
  };
  const told =
    "  device-1  apns  gone: Unregistered\\u001b[2J\n  device-2  connection  sent\n  device-3  connection  queued\n";
  const full = await wait(few, { ...success, deliveries });
  t.ok(
    full.out.endsWith(`vendors: 0 accepted, 1 failed\n  2  apns: BadDeviceToken\n  1  apns: expired\n${told}`),
    full.out,
  );
  t.equal(full.code, 0);
  for (const ended of [
    await wait({ ...few, progress: { ...few.progress, seen: 21 } }, { ...success, deliveries }),
    await wait({ ...few, jobs: [few, few] }, { ...success, deliveries }),
    await wait(few, { status: 404, text: '{"code":"error","message":"unknown"}' }),
    await wait(few, "hang up"),
  ]) {
    t.match(ended, { code: 0, out: /1 {2}apns: expired\n$/ });
    t.notMatch(ended.out, "device-1");
  }
});

t.test("--wait --json: the last answer on standard output, the progress beside it", async (t) => {
  const { url } = await api(t, accepted, running, finished);
  const ended = await runHere(t.testdir({}), "send", "--url", url, "--all", "--title", "T", "--wait", "--json");
  t.same(ended, {
    code: 0,
    out: `${JSON.stringify(finished)}\n`,
    err: "accepted: n1\nrunning: 10 devices looked at, 3 accepted, 1 failed, 2 waiting\n",
  });
});

t.test("--wait: a dry run says what would be sent", async (t) => {
  const { url } = await api(t, accepted, {
    ...finished,
    dryRun: true,
    progress: { ...progress, queued: 0, failed: 0 },
    failed: {},
  });
  const ended = await runHere(
    t.testdir({}),
    "send",
    "--url",
    url,
    "--all",
    "--title",
    "T",
    "--dry-run",
    "--wait",
    "60",
  );
  t.match(ended, { code: 0, out: /would be sent: 6 by apns, 3 by connection\n1 have nothing to show of it\n$/ });
});

t.test("--wait: cancelled, all failed, not done in time, unknown or gone is 1", async (t) => {
  const allFailed = {
    ...finished,
    progress: { ...progress, queued: 2, accepted: 0, failed: 2 },
    routes: { apns: 2 },
    failed: { "apns: BadDeviceToken": 2 },
  };
  const unknown = { status: 404, text: '{"code":"error","message":"no notification with id n1 is known"}' };
  const directory = t.testdir({});
  const wait = async (seconds: string, ...replies: readonly Reply[]) => {
    const { url } = await api(t, accepted, ...replies);
    return runHere(directory, "send", "--url", url, "--all", "--title", "T", "--wait", seconds);
  };
  const [cancelled, failed, late, missing, gone, other] = await Promise.all([
    wait("60", { ...running, state: "cancelled" }),
    wait("60", allFailed),
    wait("0.5", running),
    wait("60", unknown),
    wait("1", "hang up"),
    wait("60", { ...success, state: "finished" }),
  ]);
  t.match(cancelled, { code: 1, err: /^cancelled: 10 devices looked at\n/ });
  t.match(failed, { code: 1, err: /vendors: 0 accepted, 2 failed\n {2}2 {2}apns: BadDeviceToken\n$/ });
  t.match(late, {
    code: 1,
    err: /^not done after 0\.5 s; it goes on without this command, see http.*\/api\/job\/get\?id=n1\n$/,
  });
  t.match(missing, {
    code: 1,
    err: "it was accepted, but how far it is cannot be asked: no notification with id n1 is known\n",
  });
  t.match(gone, { code: 1, err: /^it was accepted, but how far it is cannot be asked: http/ });
  t.match(
    other,
    { code: 0, out: /finished: 0 devices looked at\naddressed: nobody\n$/ },
    "of a server that tells less",
  );
});

t.test("the API's own answers are understood: accepted, under way, finished", async (t) => {
  const job: Job = {
    job: 1,
    id: "generated123",
    type: "pushAll",
    text: "T",
    target: "all",
    state: "running",
    acceptedAt: 1,
    dryRun: false,
    seen: 5,
    skipped: 0,
    routes: { apns: 5 },
    queued: 5,
    waiting: 3,
    accepted: 1,
    connected: 30,
    failed: { "apns: Unregistered": 1 },
  };
  const states: Job[] = [job, { ...job, state: "finished", waiting: 0, accepted: 4 }];
  const outbox: Actions["outbox"] = {
    jobs: async () => [states.length > 1 ? states.shift()! : states[0]!],
    order: async () => [],
    notification: async () => undefined,
    last: async () => undefined,
    setRate: async () => [],
    deliveries: async () => undefined,
    at: async () => undefined,
  };
  const { port, take } = await startApi(t, {}, { outbox });
  const args = ["--all", "--title", "T", "--message", "M", "--rate", "5", "--idempotency-key", "k", "--wait"];
  t.same(await runHere(t.testdir({}), "send", "--url", `http://127.0.0.1:${port}`, ...args), {
    code: 0,
    out: [
      "accepted: generated123",
      "running: 5 devices looked at, 1 accepted, 1 failed, 3 waiting",
      "finished: 5 devices looked at",
      "addressed: 5 by apns",
      "vendors: 4 accepted, 1 failed",
      "  1  apns: Unregistered",
      "",
    ].join("\n"),
    err: "",
  });
  t.match(take()[0]!.args, [
    { android: { title: "T", message: "M" }, apn: { alert: { title: "T", body: "M" } } },
    { target: { kind: "all" }, rate: 5, once: { key: "k" } },
  ]);
});

t.test("a real server takes a push, asks for its key and says what is wrong", async (t) => {
  const directory = t.testdir({ key: "k3y.0f-7h3_b4ck3nd\n" });
  const keys = [{ name: "backend", key: "k3y.0f-7h3_b4ck3nd" }];
  const server = await startTestApp(t, { data: join(directory, "data"), api: { keys } });
  const send = (...args: readonly string[]) => runHere(directory, "send", "--url", server.apiUrl, ...args);
  const sent = /^sent: \w{12}, 0 connections now\n$/;
  t.match(await send("--topic", "news", "hello", "--key-file", "key"), { code: 0, out: sent, err: "" });
  const env = { PUSHBOX_API_KEY_FILE: join(directory, "key") };
  const args = ["send", "--url", server.apiUrl, "--topic", "news", "hello"];
  t.match(await start(directory, args, { env }).ended, { code: 0, out: sent }, "D2: a variable names the file");
  const wrong = { PUSHBOX_API_KEY_FILE: join(directory, "none") };
  t.match(await endedHere(directory, args, { env: wrong }), { code: 2, err: /^PUSHBOX_API_KEY_FILE: ENOENT/ });
  t.match(await send("--topic", "news", "hello"), { code: 1, err: /^refused: apiAuth check fail: give the key/ });
  t.match(await send("--all", "--title", "T", "--send-at", "tomorrow", "--key-file", join(directory, "key")), {
    code: 1,
    err: /^refused: sendAt must be milliseconds since 1970/,
  });
});
