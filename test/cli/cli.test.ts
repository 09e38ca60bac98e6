// The command line: what it prints, and its exit codes; of real processes where signals, limits or a server at work are the point.
import { once } from "node:events";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import t from "tap";
import { version } from "../../src/app/version.ts";
import { hiddenWord } from "../../src/cli/systemd.ts";
import { endedHere, runHere } from "../support/cli.ts";
import { free, kill, main, messages, run, start } from "../support/process.ts";

t.test("without a command: help with examples and exit codes, 0", async (t) => {
  const { code, out, err } = await runHere(t.testdir({}));
  t.equal(code, 0);
  t.equal(err, "");
  for (const part of [
    "Usage: pushbox",
    "serve",
    "backup",
    "Examples:",
    "curl http",
    "Exit codes: 0 done, 1 failed at run time, 2 wrong",
  ])
    t.ok(out.includes(part), part);
});

t.test("every command explains itself with an example", async (t) => {
  const commands = ["serve", "check", "config", "init", "backup", "restore", "healthcheck", "lab"];
  const directory = t.testdir({});
  const helps = await Promise.all(commands.map((command) => runHere(directory, command, "--help")));
  for (const [at, { code, out }] of helps.entries()) {
    t.equal(code, 0, commands[at] ?? "");
    t.match(out, /Examples?[:,]/, commands[at] ?? "");
  }
  t.match(helps[0]?.out, /--client-port <port>/);
});

t.test("--version is the package's", async (t) => {
  const { version: packaged } = JSON.parse(
    readFileSync(resolve(import.meta.dirname, "../../package.json"), "utf8"),
  ) as {
    version: string;
  };
  t.equal(version, packaged);
  t.same(await run(t.testdir({}), "--version"), { code: 0, out: `${version}\n`, err: "" });
});

t.test("D7: help and version are commands too; a part of a flag's name is enough for a suggestion", async (t) => {
  const directory = t.testdir({});
  t.same(await runHere(directory, "version"), { code: 0, out: `${version}\n`, err: "" });
  t.match(await runHere(directory, "help"), { code: 0, out: /^Usage: pushbox/ });
  t.match(await runHere(directory, "help", "serve"), { code: 0, out: /^Usage: pushbox serve[\s\S]*--client-port/ });
  t.match(await runHere(directory, "help", "job", "rate"), { code: 0, out: /^Usage: pushbox job rate / });
  t.match(await runHere(directory, "help", "srve"), {
    code: 2,
    out: "",
    err: /unknown command 'srve'[\s\S]*Did you mean/,
  });
  t.match(await runHere(directory, "help", "job", "stop"), { code: 2, err: /unknown command 'stop'/ });
  t.match(await runHere(directory, "help", "serve", "x"), { code: 0, out: /^Usage: pushbox serve/ });
  t.match(await runHere(directory, "serve", "--port", "80"), {
    code: 2,
    err: /^--port: unknown flag; did you mean --client-port or --api-port or --admin-port/,
  });
});

t.test("an unknown command: the one that was meant, 2", async (t) => {
  const { code, err } = await run(t.testdir({}), "srve");
  t.equal(code, 2);
  t.match(err, /unknown command 'srve'[\s\S]*Did you mean serve\?/);
});

t.test("wrong flags, variables and file: all at once, 2, and nothing is started", async (t) => {
  const directory = t.testdir({ "p.toml": "[client]\nprot = 1" });
  const { code, out, err } = await endedHere(
    directory,
    ["serve", "--config", "p.toml", "--api-prot", "5", "--foo=x", "word", "--storage-keep", "none"],
    { env: { PUSHBOX_DTA: "x" } },
  );
  t.equal(code, 2);
  t.equal(out, "");
  t.same(err.split("\n"), [
    "warning: PUSHBOX_DTA: unknown variable, without effect; did you mean PUSHBOX_DATA?",
    "word: unexpected; settings are flags, see pushbox serve --help",
    "--api-prot: unknown flag; did you mean --api-port?",
    "--foo: unknown flag; see pushbox serve --help",
    "p.toml:2: unknown setting client.prot; did you mean port?",
    '--storage-keep: storage.keep: "none" does not fit; write a whole number from 1 to 10_000',
    "5 problems",
    "",
  ]);
  t.notOk(existsSync(join(directory, "pushbox-data")));
});

t.test("check: 0 when all is right, 2 otherwise; it starts nothing", async (t) => {
  const directory = t.testdir({});
  t.match(await runHere(directory, "check"), { code: 0, out: "the configuration is right\n" });
  t.match(await runHere(directory, "check", "--api-host", "::"), {
    code: 2,
    err: /--api-host: .*--insecure-api\n1 problem\n$/,
  });
  t.match(await endedHere(directory, ["check"], { env: { PUSHBOX_CONFIG: "none.toml" } }), {
    code: 2,
    err: /none\.toml: there is no such file/,
  });
  t.notOk(existsSync(join(directory, "pushbox-data")));
});

t.test("init writes a file for its owner only, once; serve takes it", async (t) => {
  const directory = t.testdir({});
  t.match(await runHere(directory, "init"), {
    code: 0,
    out: /^pushbox\.toml written\. Start with it: pushbox serve --config pushbox\.toml\n.* public half for pages is [\w-]{87}\n$/,
  });
  const written = readFileSync(join(directory, "pushbox.toml"), "utf8");
  t.equal(statSync(join(directory, "pushbox.toml")).mode & 0o777, 0o600);
  t.match(await runHere(directory, "check", "--config", "pushbox.toml"), { code: 0, err: "" });
  const [plain, asWritten] = [
    await runHere(directory, "config"),
    await runHere(directory, "config", "--config", "pushbox.toml"),
  ];
  t.equal(asWritten.out, plain.out, "it changes nothing as it is");
  // With its comments taken off every setting is one of the file, and still the default; the examples of lists aside.
  const settings = written.slice(0, written.indexOf("# Push services of vendors."));
  const bare = settings.replace(/^#\[\[.*\n(#[a-z_]+ = .*\n)*/gm, "").replace(/^#(?=[a-z_0-9]+ = )/gm, "");
  writeFileSync(join(directory, "bare.toml"), bare);
  const { code, out } = await runHere(directory, "config", "--config", "bare.toml");
  t.equal(code, 0);
  const values = (text: string): string[] => text.split("\n").map((line) => line.replace(/ +# .*/, ""));
  t.same(values(out), values(plain.out));
  t.same(out.match(/# default$/gm), ["# default", "# default", "# default"], "all but the lists of tables");
  t.match(await runHere(directory, "init"), {
    code: 1,
    err: "pushbox.toml exists and is left as it is: name another file\n",
  });
  t.equal(readFileSync(join(directory, "pushbox.toml"), "utf8"), written);
  t.match(await runHere(directory, "init", "no/where.toml"), {
    code: 1,
    err: "no/where.toml cannot be opened: it or its directory is missing (ENOENT)\n",
  });
});

t.test(
  "init --systemd prints a unit that starts this program with the configuration of the service, and writes nothing",
  async (t) => {
    const directory = t.testdir({});
    const { code, out, err } = await run(directory, "init", "--systemd");
    t.same({ code, left: readdirSync(directory) }, { code: 0, left: [] });
    t.match(err, hiddenWord([process.execPath, main]) === undefined ? /^$/ : /^warning: the unit cannot see /);
    t.equal(hiddenWord(["/home/ann/pushbox"]), "/home/ann/pushbox", "ProtectHome");
    t.equal(hiddenWord(["/usr/local/bin/pushbox"]), undefined);
    const start = (unit: string) => /^ExecStart=(.*)$/m.exec(unit)?.[1];
    const program = `${process.execPath} ${main}`;
    t.equal(start(out), `${program} serve --config /etc/pushbox/pushbox.toml`);
    for (const line of ["User=pushbox", "StateDirectory=pushbox", "ProtectSystem=strict", "LimitNOFILE=1000000"])
      t.ok(out.includes(`\n${line}\n`), line);
    t.notMatch(out, /^MemoryDenyWriteExecute/m, "V8 could not start");
    const elsewhere = await runHere(directory, "init", "--systemd", "our 5%.toml");
    t.equal(start(elsewhere.out), `${program} serve --config "${join(directory, "our 5%%.toml")}"`);
  },
);

t.test("config prints what holds, without a secret", async (t) => {
  const { code, out } = await endedHere(t.testdir({}), ["config", "--client-port", "5"], {
    env: { PUSHBOX_API_KEYS: "a:k3y.0f-7h3_b4ck3nd" },
  });
  t.equal(code, 0);
  t.match(out, /^port = 5 +# --client-port$/m);
  t.notMatch(out, "k3y.0f-7h3_b4ck3nd");
});

t.test("serve: first the version, the data, both addresses and a line to try; SIGTERM ends it with 0", async (t) => {
  const directory = t.testdir({});
  const server = start(directory, ["serve", ...free]);
  const log = messages(await server.printed(/try: curl/));
  t.equal(log[0], `pushbox ${version}`);
  t.match(log.slice(-4), [
    `data in ${directory}/pushbox-data`,
    /^clients connect to http:\/\/127\.0\.0\.1:\d+$/,
    /^API at http:\/\/127\.0\.0\.1:\d+$/,
    /^try: curl http:\/\/127\.0\.0\.1:\d+\/api\/push -d topic=news -d json=hello$/,
  ]);
  t.equal(statSync(join(directory, "pushbox-data")).mode & 0o777, 0o700);
  const api = log.at(-2)?.replace("API at ", "") ?? "";
  t.match(await runHere(directory, "healthcheck", "--api-port", new URL(api).port), {
    code: 0,
    out: `${api}/healthz answers 200\n`,
  });
  server.child.kill("SIGTERM");
  const { code, err, out } = await server.ended;
  t.equal(code, 0);
  t.equal(err, "");
  t.same(messages(out).slice(-2), ["SIGTERM: stopping", "stopped"]);
});

t.test(
  "serve: SIGTERM ends it with 0 in seconds, whoever is connected; a second server is refused, the next has the ports",
  async (t) => {
    const directory = t.testdir({});
    const server = start(directory, ["serve", ...free]);
    const [client = "", api = ""] = messages(await server.printed(/try: curl/))
      .slice(-3)
      .map((line) => line.slice(line.indexOf("http")));
    const agent = new Agent({ keepAlive: true });
    t.teardown(() => agent.destroy());
    const ask = (url: string) =>
      new Promise<{ status: number | undefined; text: string }>((done, fail) =>
        get(url, { agent }, async (answer) => {
          let text = "";
          for await (const chunk of answer.setEncoding("utf8")) text += chunk;
          done({ status: answer.statusCode, text });
        }).once("error", fail),
      );

    // The limit of the whole head is set before uWebSockets.js is loaded, by whomever.
    const ids = Array.from({ length: 800 }, (_, i) => `pushId=a-device-${String(i).padStart(10, "0")}`).join("&");
    t.equal((await ask(`${api}/api/push?json=1&timeToLive=60000&${ids}`)).status, 200);
    const polling = `${client}/socket.io/?EIO=4&transport=polling`;
    const between = await ask(polling);
    const { text } = await ask(polling);
    const pending = ask(`${polling}&sid=${/"sid":"([^"]+)"/.exec(text)?.[1]}`);
    const socket = new WebSocket(`${client.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
    const left = new Promise((done) => socket.addEventListener("close", done));
    await new Promise((done) => socket.addEventListener("open", done));
    t.equal(between.status, 200);

    const ports = ["serve", "--client-host", "127.0.0.1", "--client-port", new URL(client).port];
    ports.push("--api-port", new URL(api).port);
    t.equal((await runHere(t.testdir({}), ...ports)).code, 1);

    server.child.kill("SIGTERM");
    t.match(await server.ended, { code: 0, err: "" });
    t.equal((await pending).text, "1");
    await left;

    const next = start(directory, ports);
    await next.printed(/try: curl/);
    t.equal((await ask(`${api}/healthz`)).status, 200);
    next.child.kill("SIGTERM");
    t.equal((await next.ended).code, 0);
  },
);

t.test("healthcheck: 1 when nobody answers", async (t) => {
  t.match(await runHere(t.testdir({}), "healthcheck", "--api-port", "1"), {
    code: 1,
    err: /^http:\/\/127\.0\.0\.1:1\/healthz: /,
  });
});

/** A server with much to say, for the cases up to the one that ends it. */
function startChatty() {
  const directory = t.testdir({ "p.toml": "", d: {} });
  chmodSync(join(directory, "p.toml"), 0o600);
  chmodSync(join(directory, "d"), 0o755);
  const flags = ["--config", "p.toml", "--data", "d", "--api-host", "0.0.0.0", "--insecure-api"];
  flags.push("--client-max-connections", "400");
  const server = start(directory, ["serve", ...free, ...flags], { limit: "-n 500" });
  t.teardown(() => kill(server.child));
  return { ...server, directory };
}

let chatty: ReturnType<typeof startChatty> | undefined;
/** The one and only, whichever case comes first. */
function theChatty() {
  chatty ??= startChatty();
  return chatty;
}

t.test("SIGHUP reads the configuration again and tells what changed and what needs a restart", async (t) => {
  const server = theChatty();
  const file = join(server.directory, "p.toml");
  await server.printed(/try: curl/);
  writeFileSync(file, 'log_level = "loud"');
  server.child.kill("SIGHUP");
  await server.printed(/nothing was changed, because of the problems above/);
  writeFileSync(file, 'log_level = "debug"\n[storage]\nkeep = 11');
  server.child.kill("SIGHUP");
  const log = messages(await server.printed(/needs a restart/));
  t.ok(
    log.includes(
      'p.toml:1: log_level: "loud" does not fit; write one of "trace", "debug", "info", "warn", "error", "fatal"',
    ),
  );
  t.same(log.slice(-2), ["SIGHUP: changed: log_level", "SIGHUP: storage.keep has changed and needs a restart"]);
});

t.test("an API without keys on an open address is said loudly at every start", async (t) => {
  t.match(await theChatty().printed(/try: curl/), /"level":"warn".*INSECURE: the API on 0\.0\.0\.0 needs no key/);
});

t.test("a port in use: which, and what to do, 1", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  t.teardown(() => other.close());
  const { port } = other.address() as { port: number };
  const { code, err } = await runHere(
    t.testdir({}),
    "serve",
    "--client-host",
    "127.0.0.1",
    "--client-port",
    `${port}`,
    "--api-port",
    "0",
  );
  t.equal(code, 1);
  t.match(
    messages(err).at(-1),
    `port ${port} on 127.0.0.1 is in use: stop what uses it (ss -ltnp 'sport = :${port}'), or take another with --client-port`,
  );
});

t.test("a data directory that cannot be: why, and what to do, 1", async (t) => {
  const directory = t.testdir({ file: "" });
  const first = await runHere(directory, "serve", ...free, "--data", "file");
  t.equal(first.code, 1);
  t.equal(messages(first.err).at(-1), `the data directory ${directory}/file is a file: name another with --data`);
  const second = await runHere(directory, "serve", ...free, "--data", "/proc/none/data");
  t.equal(second.code, 1);
  t.match(
    messages(second.err).at(-1),
    /^the data directory \/proc\/none\/data cannot be made or written by this user: /,
  );
});

t.test("a data directory open to others is a warning", async (t) => {
  const text = `is open to other users of this machine: chmod 700 ${theChatty().directory}/d`;
  t.match(await theChatty().printed(/try: curl/), text);
});

t.test("fewer open files than connections: fewer connections, and it is said", async (t) => {
  t.match(
    await theChatty().printed(/try: curl/),
    "client.max_connections is 400, but this process may open 500 files, so at most 372 connections are taken; for more, raise the limit with ulimit -n",
  );
});

t.test("SIGINT ends it too", async (t) => {
  await theChatty().printed(/try: curl/);
  theChatty().child.kill("SIGINT");
  t.equal((await theChatty().ended).code, 0);
});

t.test("too few open files to serve anybody: said, and not started, 1", async (t) => {
  const { code, err } = await start(t.testdir({}), ["serve", ...free], { limit: "-n 100" }).ended;
  t.equal(code, 1);
  t.equal(
    messages(err).at(-1),
    "this process may open only 100 files, too few to serve anybody: raise the limit with ulimit -n, or LimitNOFILE= in systemd",
  );
});

t.test("backup and restore ask for a file", async (t) => {
  for (const command of ["backup", "restore"])
    t.same(await runHere(t.testdir({}), command), {
      code: 2,
      out: "",
      err: `file is missing; see pushbox ${command} --help\n1 problem\n`,
    });
});

t.test("no secret is printed, whatever is wrong with it and wherever it stands", async (t) => {
  const secret = "hunter2-hunter2-hunter2";
  const pem = `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`;
  const directory = t.testdir({
    "twice.toml": `[[api.keys]]\nname = "a"\nkey = "${secret}"\n[[api.keys]]\nname = "b"\nkey = "${secret}"\n`,
    "wrong.toml": `[[api.keys]]\nname = "a"\nkey = "${secret} "\nkye = "${secret}"\n`,
    "misplaced.toml": `api_keys = ["${secret}"]\n[client]\nkeys = "${secret}"\n`,
    "broken.toml": `[api]\nkeys = ["${secret}\n`,
    "right.toml": `[[api.keys]]\nname = "a"\nkey = "${secret}"\n`,
  });
  const runs = [
    ...["twice", "wrong", "misplaced", "broken"].map((name) => runHere(directory, "check", "--config", `${name}.toml`)),
    runHere(directory, "check", `--api-key=a:${secret}`),
    runHere(directory, "check", "--api-key", `a:${secret}`),
    runHere(directory, "check", "--api-keys", secret),
    runHere(directory, "check", "--client-tls-cert", "cert.pem", "--client-tls-key", pem),
    endedHere(directory, ["check"], { env: { PUSHBOX_API_KEYS: `a;${secret}` } }),
  ];
  for (const { code, out, err } of await Promise.all(runs)) {
    t.equal(code, 2, err);
    t.notMatch(out + err, secret, err);
  }
  const exported = await start(directory, ["check"], { env: { PUSHBOX_API_KEY: secret, PUSHBOX_API_KEI: secret } })
    .ended;
  t.match(
    exported,
    { code: 0, err: /^warning: PUSHBOX_API_KEI: unknown variable/ },
    "D2: send's key disturbs no other command",
  );
  t.notMatch(exported.out + exported.err, secret);
  const server = start(directory, ["serve", ...free, "--config", "right.toml", "--log-level", "trace"]);
  const log = await server.printed(/try: curl.*\n/);
  const api = messages(log)
    .find((line) => line.startsWith("API at "))
    ?.slice(7);
  await fetch(`${api}/api/push?topic=a&json=1`, { headers: { authorization: `Bearer ${secret}x` } });
  await fetch(`${api}/api/push?topic=a&json=1`, { headers: { authorization: `Bearer ${secret}` } });
  const { out, err } = await server.stop();
  t.notMatch(out + err, secret);
  t.match(log, "Authorization: Bearer KEY");
});
