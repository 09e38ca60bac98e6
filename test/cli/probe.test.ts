// pushbox probe and pushbox listen against a real server; listen as a real process where a signal ends it.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { createAuthority } from "../../src/lab/authority.ts";
import { startTestApp } from "../support/app.ts";
import { runHere } from "../support/cli.ts";
import { kill, start } from "../support/process.ts";
import { auth } from "../support/tokens.ts";
import { until } from "../support/until.ts";

t.test("probe connects like a client, pushes to itself and tells how long that took", async (t) => {
  const cwd = t.testdir();
  const { clientUrl, apiUrl } = await startTestApp(t, { data: join(cwd, "data") });
  for (const transport of [[], ["--transport", "polling"]]) {
    const done = await runHere(cwd, "probe", "--url", clientUrl, "--api", apiUrl, ...transport);
    t.match(done, { code: 0, out: /^connected in [\d.]+ ms, pushed to itself in [\d.]+ ms\n$/, err: "" });
  }
  const { code, out } = await runHere(cwd, "probe", "--url", clientUrl, "--api", apiUrl, "--json");
  t.equal(code, 0);
  t.match(JSON.parse(out), { ok: true, connect: Number, push: Number, total: Number });
});

t.test("probe tells a monitor which step failed, and why", async (t) => {
  const cwd = t.testdir();
  const { clientUrl, apiUrl } = await startTestApp(t, {
    data: join(cwd, "data"),
    api: { keys: [{ name: "monitor", key: "0f4a9c1d2e3b5a697887" }] },
  });
  const noServer = await runHere(cwd, "probe", "--url", "http://127.0.0.1:65530", "--api", apiUrl, "--timeout", "0.5");
  t.match(noServer, {
    code: 1,
    err: "it could not connect: nothing within 0.5 s: nobody listens there (ECONNREFUSED)\n",
    out: "",
  });
  const noKey = await runHere(cwd, "probe", "--url", clientUrl, "--api", apiUrl, "--json");
  t.equal(noKey.code, 1);
  t.match(JSON.parse(noKey.out), { ok: false, failed: "push", error: /give the key of this server/ });
  const noApi = await runHere(cwd, "probe", "--url", clientUrl, "--api", "http://127.0.0.1:65530");
  t.match(noApi, { code: 1, err: /^it connected, but the API did not take the push: .*does a pushbox run there/ });
  const wrong = await runHere(cwd, "probe", "--url", "clients", "--timeout", "soon");
  t.match(wrong, {
    code: 2,
    err: /--url clients: write .*\n--timeout soon: .*\n2 problems; see pushbox probe --help\n$/,
  });
  const strict = await startTestApp(t, { data: join(cwd, "strict"), client: { auth: auth({ required: true }) } });
  const refused = await runHere(cwd, "probe", "--url", strict.clientUrl, "--api", strict.apiUrl);
  t.match(refused, { code: 1, err: /^it could not connect: refused: token_missing/ });
});

t.test("listen prints what comes on its topics, one line each, until it is told to stop", async (t) => {
  const cwd = t.testdir();
  const server = await startTestApp(t, { data: join(cwd, "data") });
  const listening = start(cwd, ["listen", "--url", server.clientUrl, "--topic", "news", "--push-id", "listener-0001"]);
  t.teardown(() => kill(listening.child));
  let err = "";
  listening.child.stderr?.on("data", (text: string) => {
    err += text;
  });
  await until(() => err.includes("connected as listener-0001\n"));
  await server.ok("push", { topic: "news", json: '{"a":1}', timeToLive: "1h" });
  await listening.printed(/^news {2}\{"a":1\}\n$/);
  await server.ok("disconnect", { pushId: "listener-0001" });
  await until(() => /has ended\. It is tried again\nconnected as listener-0001\n$/.test(err));
  t.equal(err.match(/\n/g)?.length, 3);
  await server.ok("push", { pushId: "listener-0001", json: '"no control \\u001b characters"' });
  await listening.printed(/no control .* characters/);
  const { code, out } = await listening.stop();
  t.equal(code, 0);
  t.notMatch(out, "\u001b");
});

t.test("listen goes on where it was, with --state-file, and prints JSON", async (t) => {
  const cwd = t.testdir();
  const server = await startTestApp(t, { data: join(cwd, "data") });
  const flags = [
    "listen",
    "--url",
    server.clientUrl,
    "--topic",
    "orders",
    "--replay",
    "--state-file",
    "state.json",
    "--json",
  ];
  await server.ok("push", { topic: "orders", json: "1", timeToLive: "1h" });
  const first = await runHere(cwd, ...flags, "--count", "1");
  t.match(first, { code: 0, err: /^connected as \w{16}\n$/ });
  t.match(JSON.parse(first.out), { topic: "orders", id: String, data: 1 });
  t.ok(existsSync(join(cwd, "state.json")));
  for (const json of ["2", "3", "4", "5"]) await server.ok("push", { topic: "orders", json, timeToLive: "1h" });
  const shown = async (count: string): Promise<unknown[]> => {
    const { out } = await runHere(cwd, ...flags, "--count", count);
    return out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { data: unknown }).data);
  };
  t.same(await shown("3"), [2, 3, 4], "no more than were asked for, though all come at once");
  t.same(await shown("1"), [5], "the others are there the next time");
});

t.test("listen and probe tell why no connection opens, and trust whom the machine trusts", async (t) => {
  const cwd = t.testdir({});
  const authority = createAuthority(Date.now());
  const { cert, key } = authority.server(["localhost"]);
  for (const [name, text] of Object.entries({ "ca.pem": authority.ca, "cert.pem": cert, "key.pem": key }))
    writeFileSync(join(cwd, name), text);
  const [tlsCert, tlsKey] = [join(cwd, "cert.pem"), join(cwd, "key.pem")];
  const safe = { client: { tlsCert, tlsKey }, api: { tlsCert, tlsKey } };
  const server = await startTestApp(t, { data: join(cwd, "data"), ...safe });
  const plain = await startTestApp(t, { data: join(cwd, "plain") });
  const url = `https://localhost:${server.clientPort}`;
  const api = server.apiUrl.replace(/.*:/, "https://localhost:");
  const untrusted = /its certificate is not trusted \(\w+\): .*: SSL_CERT_FILE=ca\.pem/;
  for (const [at, why] of [
    [url, untrusted],
    [`https://localhost:${plain.clientPort}`, /no TLS is spoken there/],
    [`http://localhost:${server.clientPort}`, /the connection was closed before the answer/],
    [plain.apiUrl, /HTTP 404, as no client port of a pushbox answers/],
  ] as const) {
    const done = await runHere(cwd, "probe", "--url", at, "--timeout", "0.5");
    t.match(done, { code: 1, err: /^it could not connect: nothing within 0\.5 s: / });
    t.match(done.err, why);
  }
  t.match(await runHere(cwd, "status", "--url", api), { code: 1, err: /SSL_CERT_FILE=ca\.pem/ });
  const listening = start(cwd, ["listen", "--url", url, "--topic", "news"]);
  t.teardown(() => kill(listening.child));
  let err = "";
  listening.child.stderr?.on("data", (text: string) => {
    err += text;
  });
  await until(() => err.includes("It is tried again\n"));
  t.match(err, untrusted);
  const trusting = { env: { SSL_CERT_FILE: "ca.pem" } };
  const line = ["probe", "--url", url, "--api", api];
  t.match(await runHere(cwd, ...line), { code: 1 });
  const done = start(cwd, line, trusting);
  await done.printed(/^connected in/);
});

t.test("listen tells what is wrong with its line", async (t) => {
  const done = await runHere(t.testdir(), "listen", "--push-id", "short", "--count", "many", "--token-file", "none");
  t.match(done, { code: 2, err: /--token-file none: ENOENT.*\n--push-id: .*\n--count many: .*\n3 problems/ });
});
