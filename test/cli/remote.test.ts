// Commands on a running server: what they print for people and as JSON, and how they end. In this process, where each takes a
// hundredth of the time.
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { createServer as createHttp2, createSecureServer as createSafeHttp2 } from "node:http2";
import { createServer as createHttps } from "node:https";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import t from "tap";
import { clocks } from "../../src/cli/doctor/clock.ts";
import { reached } from "../../src/cli/doctor/reach.ts";
import { DAY } from "../../src/core/time.ts";
import { createAuthority } from "../../src/lab/authority.ts";
import { startTestApp } from "../support/app.ts";
import { cli } from "../support/cli.ts";
import { device, jobIn } from "../support/devices.ts";
import { freePort } from "../support/ports.ts";
import { startReceiver } from "../support/receiver.ts";

const notification = { android: { title: "T" } };

t.test("one server, asked everything that there is a command for", async (t) => {
  const server = await startTestApp(t);
  const { id: pushId } = await device(t, server, { topics: ["news"] });
  await server.ok("uid/bind", { pushId, uid: "ann" });
  const later = { notification: { ...notification, id: "later" }, tag: "vip", sendAt: Date.now() + 3_600_000 };
  await server.ok("notification", later);
  await server.ok("notification", { notification: { ...notification, id: "n1" }, pushId });
  await jobIn(server, "n1");
  const ask = (...args: string[]) => cli([...args, "--url", server.apiUrl]);
  const cases: [args: string[], out: RegExp][] = [
    [["status"], /^ready\n1 session: 1 android.*\n/],
    [["device", "get", pushId], new RegExp(`^_id +${pushId}\n(.*\n)*uid +ann\n(.*\n)*connections:\ntransport `, "m")],
    [["device", "list", "ann"], new RegExp(`^_id .*\n${pushId} +ann `)],
    [["device", "test"], /^none\n$/],
    [["device", "test", pushId, "--note", "Ann's"], /^done\n$/],
    [["device", "test"], new RegExp(`^pushId .*\n${pushId} +Ann's `)],
    [["device", "test", pushId, "--remove"], /^done\n$/],
    [["topic", "list"], /^topic +count\n(noti|news) /],
    [["topic", "list", "ne", "--limit", "1"], /^topic +count\nnews +1\nmore: --after news\n$/],
    [["topic", "get", "news"], new RegExp(`^1 devices\npushId .*\n${pushId} +ann `)],
    [["job", "list"], /^job +id +state.*\n\d+ +later +scheduled +tag +\d{4}-\d\d-/],
    [["job", "pause", "later"], /^state +paused$/m],
    [["job", "resume", "later"], /^state +scheduled$/m],
    [["job", "get", "later"], /^state +scheduled$/m],
    [["job", "cancel", "later"], /^state +cancelled$/m],
    [["lane", "list"], /^none\n$/],
    [["lane", "resume"], /^none\n$/],
    [["notification", "get", "n1"], new RegExp(`^${pushId} +sent`, "m")],
    [
      ["notification", "why", "n1", pushId],
      /^step +at +text\naccepted +\d{4}-(.*\n)+\nsent: It was handed(.*\n)what helps: /,
    ],
    [["device", "delete", pushId], /^deleted\n$/],
  ];
  for (const [args, out] of cases) {
    const ended = await ask(...args);
    t.match(ended, { code: 0, out, err: "" }, args.join(" "));
  }
  t.match(await ask("device", "get", pushId), { code: 1, out: "no such device\n" });
});

t.test("--json prints the answer as it is, an error too; exit codes say how it went", async (t) => {
  const server = await startTestApp(t);
  const ask = (...args: string[]) => cli([...args, "--url", server.apiUrl, "--json"]);
  const lanes = await ask("lane", "list");
  t.equal(lanes.code, 0);
  t.same(JSON.parse(lanes.out), { code: "success", lanes: [] });
  const status = await ask("status");
  t.match(JSON.parse(status.out), { ready: { ready: true }, sessions: { processCount: Array }, lanes: [] });
  const unknown = await ask("job", "get", "unknown");
  t.equal(unknown.code, 1);
  t.match(JSON.parse(unknown.out), { code: "error", message: /unknown/, requestId: String });
  t.match(unknown.err, /^refused: no notification with id unknown/);
  const wrong: [args: string[], err: RegExp][] = [
    [["job", "get"], /missing required argument 'id'/],
    [["job", "stop", "n1"], /unknown command 'stop'/],
    [["topic", "list", "--limt", "3"], /unknown option '--limt'/],
    [["lane", "list", "--url", "ftp://x"], /--url ftp:\/\/x: write the address of the API/],
  ];
  for (const [args, err] of wrong) t.match(await cli(args), { code: 2, err }, args.join(" "));
});

t.test("with a key, from a file or the environment; without one it says where to give it", async (t) => {
  const key = "0123456789abcdef-secret";
  const server = await startTestApp(t, { api: { keys: [{ name: "a", key }] } });
  const directory = t.testdir({});
  writeFileSync(join(directory, "key"), `${key}\n`);
  const at = ["--url", server.apiUrl];
  t.match(await cli(["lane", "list", ...at]), { code: 1, err: /PUSHBOX_API_KEY or --key-file/ });
  t.match(await cli(["lane", "list", ...at, "--key-file", join(directory, "key")]), { code: 0 });
  t.match(await cli(["status", ...at], { PUSHBOX_API_KEY: key }), { code: 0 });
});

t.test("a server that is not there: the exit code is 1, and it is said", async (t) => {
  const server = await startTestApp(t);
  await server.stop();
  t.match(await cli(["status", "--url", server.apiUrl]), { code: 1, out: "", err: /does a pushbox run there/ });
});

t.test("doctor: each part of the machine, and what is wrong with it", async (t) => {
  const directory = t.testdir({ file: "" });
  const free = [...["--client-port", "0", "--api-port", "0", "--admin-port", "0"], "--data", join(directory, "data")];
  const fine = await cli(["doctor", ...free]);
  t.equal(fine.code, 0, fine.err);
  for (const part of [
    "files",
    "disk",
    "room",
    "client port",
    "api port",
    "admin port",
    "certificates",
    "credentials",
    "clock",
  ])
    t.match(fine.out, new RegExp(`^(ok|warning) +${part} `, "m"), part);
  t.match(fine.out, /\d+ writes that survive a power cut per second/);
  const json = await cli(["doctor", ...free, "--json"]);
  t.match(JSON.parse(json.out), [{ part: "files", level: /ok|warning/, text: String }]);
  const elsewhere = await cli(["doctor", "--client-host", "192.0.2.1", ...free]);
  t.match(elsewhere, { code: 1, out: /^wrong +client port +192\.0\.2\.1 is not an address of this machine/m });
  t.match(await cli(["doctor", "--client-port", "x"]), { code: 2 });
});

t.test("doctor: a certificate that clients refuse is wrong, one that ends soon a warning", async (t) => {
  const issued = (at: number): string[] => {
    const { cert, key } = createAuthority(at).server(["localhost"]);
    const directory = t.testdir({ "cert.pem": cert, "key.pem": key });
    const files = ["--client-tls-cert", join(directory, "cert.pem"), "--client-tls-key", join(directory, "key.pem")];
    const ports = ["--client-port", "0", "--api-port", "0", "--admin-port", "0"];
    return ["doctor", ...ports, "--data", join(directory, "data"), ...files];
  };
  const found = async (at: number) => {
    const { code, out } = await cli(issued(at));
    return [code, ...(/^(\w+) +certificates +client: the certificate in \S+ (.*?) on/m.exec(out) ?? []).slice(1)];
  };
  const now = Date.now();
  t.strictSame(await found(now - 400 * DAY), [1, "wrong", "expired"]);
  t.strictSame(await found(now - 360 * DAY), [0, "warning", "expires"]);
});

t.test("console, for machines: hook list, test, resume, dead and replay; a test that fails ends with 1", async (t) => {
  const receiver = await startReceiver(t);
  const { url, secret } = receiver;
  const server = await startTestApp(t, {
    hooks: { tell: [{ name: "backend", url, secret, events: ["uid.*", "client.packet"] }] },
  });
  const ask = (...args: string[]) => cli([...args, "--url", server.apiUrl]);
  const { id: pushId } = await device(t, server);
  await server.ok("uid/bind", { pushId, uid: "ann" });
  await receiver.takenAre(1);
  t.match(await ask("hook", "list"), { code: 0, out: /^name +state +waiting.*\nbackend +running / });
  t.match(await ask("hook", "test", "backend"), { code: 0, out: /^delivered\n(.*\n)*status +200\n/ });
  receiver.say = () => 503;
  t.match(await ask("hook", "test", "backend"), { code: 1, out: /^not delivered\n(.*\n)*reason +it answered 503\n/ });
  const json = await ask("hook", "test", "backend", "--json");
  t.equal(json.code, 1);
  t.match(JSON.parse(json.out), { code: "success", delivered: false });
  receiver.say = () => 200;
  t.match(await ask("hook", "resume"), { code: 0, out: "none\n" });
  t.match(await ask("hook", "dead", "backend"), { code: 0, out: "none\n" });
  t.match(await ask("hook", "replay", "backend", "--from", "2026-01-31T08:00:00Z"), { code: 0, out: "1 queued\n" });
  await receiver.takenAre(2);
  t.match(await ask("hook", "replay", "backend", "--dead"), { code: 0, out: "0 queued\n" });
  t.match(await ask("hook", "replay", "backend"), { code: 1, err: /^refused: from is required/ });
  t.match(await ask("hook", "test", "other"), { code: 1, err: /^refused: no hook is called "other"/ });
});

t.test("console, for machines: reach, waited for to the end; what is wrong with its line", async (t) => {
  const server = await startTestApp(t);
  const { id: pushId } = await device(t, server);
  await server.ok("uid/bind", { pushId, uid: "ann" });
  const line = ["reach", "--uid", "ann", "--title", "Bob", "--url", server.apiUrl];
  t.match(await cli([...line, "--id", "r1", "hello"]), { code: 0, out: "accepted: r1\n" });
  const waited = await cli([...line, "--id", "r2", "--fallback-after", "50", "--wait", "30", '{"chat":7}']);
  t.match(waited, { out: /^accepted: r2\n(.*\n)*finished: .*\n(.*\n)*users reached: 1 by \w+\n$/ });
  const wrong: [args: string[], err: RegExp][] = [
    [["reach", "x"], /to whom\? Give --uid\n--title is missing/],
    [["reach", "--uid", "ann", "--title", "T", "--cap-per-day", "0", "x"], /--cap-per-day 0: write a whole number/],
    [["reach", "--uid", "ann"], /missing required argument 'json'/],
  ];
  for (const [args, err] of wrong) t.match(await cli(args), { code: 2, err }, args.join(" "));
  const late = await cli([...line, "--fallback-after", "2h", "--ttl", "1h", "x"]);
  t.match(late, { code: 1, err: /^refused: fallbackAfter must be less than timeToLive/ });
});

t.test(
  "console, for machines: top draws on a terminal, writes lines elsewhere, and JSON where it is asked to",
  async (t) => {
    const server = await startTestApp(t);
    await device(t, server);
    const line = ["top", "--every", "0.1", "--url", server.apiUrl];
    const plain = await cli([...line, "--count", "2"]);
    t.match(plain, {
      code: 0,
      err: "",
      out: /^at +connections +messages\/s .*\n\d{4}-\S+ +\d+ .*\n\d{4}-\S+ +\d+ .*\n$/,
    });
    const drawn = await cli([...line, "--count", "2"], {}, true);
    t.equal(drawn.out.split("\u001b[H\u001b[J").length, 3, "each in the place of the one before");
    t.match(drawn.out, /1 session: 1 android, 0 ios, 0 browser\n\nconnections +\d/);
    const json = await cli([...line, "--count", "2", "--json"]);
    const looks = json.out
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text) as object);
    t.match(looks, [{ at: String, sessions: { total: 1 }, lanes: [], hooks: [], values: { connections: Array } }, {}]);
    t.match(await cli(["top", "--every", "0"]), { code: 2, err: /--every 0: write seconds/ });
    t.match(await cli(["top", "--count", "x"]), { code: 2, err: /--count x: write a whole number/ });
    await server.stop();
    t.match(await cli(line), { code: 1, err: /does a pushbox run there/ });
  },
);

t.test("doctor: the clock against that of each vendor, by HTTP or HTTP/2, where it can be reached", async (t) => {
  let their: string | undefined = new Date(Date.now() - 3_600_000).toUTCString();
  const answer = (response: { setHeader(name: string, value: string): unknown; sendDate: boolean; end(): unknown }) => {
    response.sendDate = false;
    if (their !== undefined) response.setHeader("date", their);
    response.end();
  };
  const vendor = createHttp((_request, response) => answer(response)).listen(0, "127.0.0.1");
  const apple = createHttp2((_request, response) => answer(response)).listen(0, "127.0.0.1");
  await Promise.all([once(vendor, "listening"), once(apple, "listening")]);
  t.teardown(() => {
    vendor.close();
    apple.close();
  });
  const at = (server: { address(): unknown }) => `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const entries = [
    { vendor: "xiaomi", value: { base_url: at(vendor) } },
    { vendor: "apns", value: { base_url: at(apple) } },
  ];
  t.match(await clocks(entries), [
    { level: "wrong", text: /^3\d{3} s ahead of http:\S+: its signatures are refused; set the clock/ },
    { level: "wrong", text: /^3\d{3} s ahead of/ },
  ]);
  their = new Date(Date.now() + 7_200_000).toUTCString();
  t.match((await clocks(entries))[1], { level: "wrong", text: /^7\d{3} s behind/ });
  their = new Date().toUTCString();
  t.match(await clocks(entries), [{ level: "ok" }, { level: "ok" }]);
  their = undefined;
  t.match(await clocks(entries), [{ level: "ok", text: /without telling its time/ }, { level: "ok" }]);
  const port = await freePort();
  const nobody = `http://127.0.0.1:${port}`;
  t.match(await clocks([{ vendor: "xiaomi", value: { base_url: nobody } }]), [
    { level: "warning", text: /cannot be reached \(nobody listens there/ },
  ]);
  t.match(await clocks([{ vendor: "apns", value: { base_url: nobody } }]), [
    { level: "warning", text: /cannot be reached/ },
  ]);
  t.match(await clocks([{ vendor: "webpush", value: {} }]), [{ level: "ok", text: /compared with nobody's/ }]);
});

t.test("doctor: vendors are reached as the server reaches them, with vendors.ca_file and vendors.proxy", async (t) => {
  const authority = createAuthority(Date.now());
  const { ca } = authority;
  const { cert, key } = authority.server(["localhost"]);
  const vendor = createHttps({ cert, key }, (_request, response) => response.end()).listen(0, "127.0.0.1");
  const apple = createSafeHttp2({ cert, key }, (_request, response) => response.end()).listen(0, "127.0.0.1");
  let open = true;
  const asked: string[] = [];
  const proxy = createHttp().on("connect", ({ url = "", headers }, socket: Socket) => {
    asked.push(`${url.replace(/\d+$/, "")} ${headers["proxy-authorization"]}`);
    if (!open) return socket.end("HTTP/1.1 407 No\r\n\r\n");
    socket.write("HTTP/1.1 200 Yes\r\n\r\n");
    const far = connect(Number(url.split(":")[1]), "127.0.0.1");
    return socket
      .pipe(far)
      .pipe(socket)
      .on("error", () => far.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await Promise.all([vendor, apple, proxy].map((server) => once(server, "listening")));
  t.teardown(() => [vendor, apple, proxy].map((server) => server.close()));
  const portOf = (server: { address(): unknown }) => (server.address() as { port: number }).port;
  const entries = [
    { vendor: "xiaomi", value: { base_url: `https://localhost:${portOf(vendor)}` } },
    { vendor: "apns", value: { base_url: `https://localhost:${portOf(apple)}` } },
  ];
  const fine = { level: "ok", text: /^as that of|^\d s (behind|ahead of)/ };
  t.match(await clocks(entries, { ca }), [fine, fine]);
  const untrusted = { level: "warning", text: /\(its certificate is not trusted \(\w+\): name the .* with ca_file\)/ };
  t.match(await clocks(entries), [untrusted, untrusted]);
  t.same(asked, []);
  const through = { ca, proxy: `http://ann:p%40ss@127.0.0.1:${portOf(proxy)}` };
  t.match(await clocks(entries, through), [fine, fine]);
  const login = `Basic ${Buffer.from("ann:p@ss").toString("base64")}`;
  t.same(asked, [`localhost: ${login}`, `localhost: ${login}`]);
  open = false;
  const refused = { level: "warning", text: /cannot be reached \(.*vendors\.proxy answers 407\)/ };
  t.match(await clocks(entries, through), [refused, refused]);
});

t.test("doctor: what is stored for a domain, and whether its port 80 leads here", async (t) => {
  const port = await freePort();
  const at = (name: string, own = port) => reached(name, { host: "127.0.0.1", port: own }, port);
  t.match(await at("localhost"), { level: "ok", text: /^port \d+ of localhost \(.*127\.0\.0\.1.*\) leads here/ });
  t.match(await at("nobody.invalid"), {
    level: "wrong",
    text: /^nobody\.invalid has no address: it needs an A or AAAA/,
  });
  t.match(await at("localhost", 0), { level: "warning", text: /is not reached from here: nobody listens there/ });
  const other = createHttp((_request, response) => response.end("another")).listen(port, "127.0.0.1");
  await once(other, "listening");
  t.teardown(() => other.close());
  t.match(await at("localhost"), { level: "wrong", text: /^something else answers on port/ });
  const free = ["--client-port", "0", "--api-port", "0"];
  const flags = ["--client-domain", "push.invalid", "--acme-accept-terms", "--acme-port", `${port}`];
  const told = await cli(["doctor", ...free, ...flags, "--data", t.testdir({})]);
  t.equal(told.code, 1);
  t.match(told.out, /^ok {7}certificates {2}push\.invalid has no certificate yet$/m);
  t.match(told.out, /^wrong {4}domain {8}push\.invalid has no address/m);
});

t.test("completion: scripts that their shells take, with every command in them", async (t) => {
  const directory = t.testdir({});
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, out } = await cli(["completion", shell]);
    t.equal(code, 0);
    for (const word of ["serve", "job", "pause", "why", "doctor", "client-port"])
      t.match(out, word, `${shell}: ${word}`);
    if (shell === "bash") {
      writeFileSync(join(directory, "c"), out);
      const complete = (...words: string[]) =>
        spawnSync(
          "bash",
          [
            ...["--norc", "-c"],
            `. ./c; COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _pushbox; echo "\${COMPREPLY[@]}"`,
          ],
          { cwd: directory, encoding: "utf8" },
        ).stdout.trim();
      t.equal(complete("pushbox", "job", "pa"), "pause");
      t.equal(complete("pushbox", "notification", ""), "get why --help");
      t.match(complete("pushbox", "lane", "list", "--"), "--url");
    }
  }
  t.match(await cli(["completion", "tcsh"]), { code: 2, err: /bash, zsh, fish/ });
});
