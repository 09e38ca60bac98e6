// The README, read as a newcomer does: every command in it is run, every configuration checked, every example tried.

import { spawn, spawnSync } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import t, { type Test } from "tap";
import { readmeProblems } from "../scripts/check/readmes.ts";
import { version } from "../src/app/version.ts";
import { rows, sections } from "../src/config/settings.ts";
import { initText } from "../src/config/text.ts";
import { createAuthority } from "../src/lab/authority.ts";
import { openVendors, VENDORS } from "../src/vendors/index.ts";
import { createVapidKey } from "../src/vendors/webpush.ts";
import { startTestApp } from "./support/app.ts";
import { endedHere, runHere } from "./support/cli.ts";
import { SocketClient, TRANSPORTS } from "./support/clients.ts";
import { freePort } from "./support/ports.ts";
import { type Ended, kill, main, nodeArguments } from "./support/process.ts";
import { installed, nginxOf } from "./support/proxies.ts";
import { eventually } from "./support/until.ts";

const privateKey = (kind: "ec" | "rsa"): string => {
  const { privateKey: key } =
    kind === "ec"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return String(key.export({ type: "pkcs8", format: "pem" }));
};

const root = resolve(import.meta.dirname, "..");
const readme = readFileSync(join(root, "README.md"), "utf8");

/** The fenced blocks of a language, in order. */
const blocks = (language: string): string[] =>
  [...readme.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, name]) => name === language)
    .map(([, , body]) => body ?? "");

const commands = blocks("sh")
  .flatMap((block) => block.split("\n"))
  .map((line) => line.replace(/\s+#.*$/, "").trim())
  .filter((line) => line !== "");

/** What is written without a fence, as a thing to type. */
const inline = [...readme.matchAll(/`(npm [^`]+|pushbox [^`]+)`/g)].map(([, command]) => command ?? "");

/** `curl` for machines without one: -d makes a form of it. */
const curl = `#!/usr/bin/env node
const [url, ...rest] = process.argv.slice(2);
const body = rest.filter((word) => word !== "-d").map((pair) => {
  const at = pair.indexOf("=");
  return encodeURIComponent(pair.slice(0, at)) + "=" + encodeURIComponent(pair.slice(at + 1));
}).join("&");
const headers = { "content-type": "application/x-www-form-urlencoded" };
fetch(url, { method: "POST", headers, body }).then(async (answer) => console.log(await answer.text()));
`;

/** Two ports nobody uses, and the text of a command with them in place of the README's. */
async function elsewhere(): Promise<{
  readonly env: Record<string, string>;
  readonly there: (text: string) => string;
}> {
  const [client, api] = [`${await freePort()}`, `${await freePort()}`];
  return {
    env: { PUSHBOX_CLIENT_PORT: client, PUSHBOX_API_PORT: api, PUSHBOX_ADMIN_PORT: "0" },
    there: (text) => text.replaceAll(":10001", `:${client}`).replaceAll(":11001", `:${api}`),
  };
}

/** What a newcomer sees, by a part of the command. */
const expected: readonly (readonly [string, RegExp])[] = [
  ["notification/get -d id=hi-1", /"id":"hi-1".*"deliveries":\[\{"pushId":"a-name-of-10-or-more","uid":"ann"/],
  [
    "send --url",
    /^accepted: .*\n(.*\n)*finished: 1 device looked at\naddressed: 1 by connection\n {2}a-name-of-10-or-more {2}connection {2}\w+/,
  ],
  ["job/get -d id=sale", /"id":"sale".*"state":"scheduled".*"rate":500/],
  ["job/cancel -d id=sale", /"id":"sale".*"state":"cancelled"/],
  ["dryRun=true", /^\{"code":"success","id":"sale-test","count":\d+,"routes":\{/],
  ["lab --devices", /(registered as lab-device-\w+\n.*){11}/],
];

function place(t: Test): string {
  const directory = t.testdir({});
  const script = (name: string, text: string): void => {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), text);
    chmodSync(join(directory, name), 0o755);
  };
  script("pushbox", `#!/bin/sh\nexec "${process.execPath}" ${nodeArguments.join(" ")} "${main}" "$@"\n`);
  script("last/curl", curl);
  return directory;
}

/** What comes of a command in a shell. Where it is pushbox alone, the shell takes its words apart, and they are run here. */
async function typed(command: string, cwd: string, env: Readonly<Record<string, string>>): Promise<Ended> {
  const [, line] = /^\.\/pushbox ([^|<>;&]*)$/.exec(command) ?? [];
  const script = line === undefined ? command : `printf '%s\\0' ${line}`;
  // With a pipe for its input bash would take itself for a remote login and read the user's settings.
  const { status, stdout, stderr } = spawnSync("bash", ["--norc", "-c", script], { cwd, env, encoding: "utf8" });
  if (line === undefined) return { code: status, out: stdout, err: stderr };
  return await endedHere(cwd, stdout.split("\0").slice(0, -1), { env });
}

t.test("every command runs in the order of the text, and the client gets what is pushed", async (t) => {
  const directory = place(t);
  const { env, there } = await elsewhere();
  const environment = { ...env, PATH: `${process.env["PATH"]}:${directory}/last` };
  let server: ReturnType<typeof serving> | undefined;
  let lab: ReturnType<typeof serving> | undefined;
  t.teardown(() => Promise.all([server, lab].map((running) => running && kill(running.child))));

  function serving(command: string, greeting = /try: curl/) {
    const child = spawn("bash", ["--norc", "-c", `exec ${command}`], {
      cwd: directory,
      env: environment,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (text: string) => {
      out += text;
    });
    /** Resolves with everything printed so far, once so many lines match. */
    const printed = (pattern: RegExp, times = 1) =>
      new Promise<string>((done, fail) => {
        const look = () => out.split("\n").filter((line) => pattern.test(line)).length >= times && done(out);
        child.stdout.on("data", look);
        child.on("exit", (code) => fail(new Error(`${command} ended with ${code}: ${out}`)));
        look();
      });
    return { child, ready: printed(greeting), printed, ended: once(child, "exit") };
  }

  // The program of the README, told where the client library is here.
  const example = blocks("js")[0] ?? "";
  const file = join(directory, "hello.mjs");
  writeFileSync(
    file,
    there(example).replace('"socket.io-client"', '"socket.io-client4"').replace("localhost", "127.0.0.1"),
  );
  let printed = "";

  for (const command of commands.filter((line) => /^(\.\/pushbox|curl)/.test(line))) {
    if (command === "./pushbox lab") {
      lab = serving(command, /socket\.emit/);
      await lab.ready;
      continue;
    }
    if (command.startsWith("./pushbox serve")) {
      if (server !== undefined) {
        server.child.kill("SIGTERM");
        t.same(await server.ended, [0, null]);
      }
      server = serving(command);
      await server.ready;
      continue;
    }
    if (command.includes("topic=news")) {
      const client = spawn(process.execPath, [...nodeArguments, file], { stdio: ["ignore", "pipe", "inherit"] });
      t.teardown(() => kill(client));
      const line = once(client.stdout.setEncoding("utf8"), "data");
      // It has subscribed once the topic counts it.
      await eventually(
        async () => (await fetch(there("http://127.0.0.1:11001/api/topicOnline?topic=news"))).json(),
        (answer) => (answer as { count?: number }).count === 1,
      );
      const done = await typed(there(command), directory, environment);
      t.match(done, { code: 0, out: /^\{"code":"success","id":"\w{12}","online":1\}$/ }, command);
      printed = String((await line)[0]); // it stays, as a newcomer's does
      continue;
    }
    const done = await typed(there(command), directory, environment);
    t.equal(done.code, 0, `${command}\n${done.err}`);
    t.notMatch(done.out, '"code":"error"', command);
    t.match(done.out, expected.find(([part]) => command.includes(part))?.[1] ?? /./, command);
    if (command.includes("from the lab")) {
      const out = await lab?.printed(
        /^shown .* (title="Hello" text="from the lab"|title="" text="Hello")/,
        VENDORS.length,
      );
      for (const { name } of VENDORS) t.match(out, new RegExp(`^shown +vendor=${name} `, "m"), "each vendor's phone");
    }
  }
  t.equal(printed, "{ hello: 'world' }\n", "as the comment in the example says");
  const restored = await typed(there("curl http://127.0.0.1:11001/api/device/get -d uid=ann"), directory, environment);
  t.match(restored.out, "a-name-of-10-or-more", "what was bound before the backup is in the data that was restored");
  for (const running of [server, lab]) {
    running?.child.kill("SIGTERM");
    t.same(await running?.ended, [0, null]);
  }
});

t.test("the other commands are those of CI, of package.json or of the help", async (t) => {
  const ci = readFileSync(join(root, ".ci/run"), "utf8");
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const help = (await runHere(t.testdir({}), "--help")).out;
  for (const command of [...commands.filter((line) => !/^(\.\/pushbox|curl)/.test(line)), ...inline]) {
    const [program, ...words] = command.split(/\s+/);
    if (program === ".ci/run" || command === "npm install socket.io-client") continue; // the client is tried from here
    if (program === "pushbox") {
      t.match(help, new RegExp(`^ {2}${words[0]}\\b`, "m"), command);
      continue;
    }
    t.equal(program, "npm", command);
    const name = words[0] === "run" ? words[1] : words[0];
    t.ok(name !== undefined && name in scripts, command);
    // Started from source as npm does it: CI has no terminal whose end would reach a server behind npm.
    if (name === "start") t.match(ci, /npm run smoke .*--source/);
    else if (name !== "bench" && name !== "torture")
      // a smaller torture is a test
      t.ok(ci.includes(words[0] === "run" ? `npm run ${name}` : `npm ${name}`), `CI runs ${command}`);
    if (words.includes("--target"))
      t.ok(ci.includes(words.slice(words.indexOf("--target")).join(" ")), `CI runs ${command}`);
  }
});

t.test("every configuration in it is right, and every setting it names exists", async (t) => {
  const directory = t.testdir({ "AuthKey_ABCDE12345.p8": privateKey("ec") });
  for (const [at, text] of blocks("toml").entries()) {
    const file = join(directory, `${at}.toml`);
    const placeholder = /[\w-]*characters-or-more/;
    writeFileSync(file, text.replace(placeholder, randomBytes(24).toString("hex")), { mode: 0o600 });
    t.match(await runHere(directory, "check", "--config", file), { code: 0, err: "" }, text);
    if (!placeholder.test(text)) continue;
    writeFileSync(file, text);
    t.match(
      await runHere(directory, "check", "--config", file),
      { code: 2, err: /(api\.keys\[1\]\.key|client\.auth\.keys\[1\]\.secret): does not fit; write a random one/ },
      "A2: a key that everybody can read is not taken",
    );
  }
  const names = new Set<string>([...rows.map((row) => row.name), ...sections]);
  for (const [, name = ""] of readme.matchAll(/`((?:client|api|storage|hooks|vendors)\.\w+)(?: = [^`]*)?`/g))
    t.ok(names.has(name), name);
  const defaults = new Map<string, unknown>(rows.map((row) => [row.name, row.setting.fallback]));
  t.match(
    [
      "storage.keep",
      "client.max_payload",
      "api.max_body",
      "client.max_id_length",
      "client.max_topic_length",
      "storage.device_days",
    ].map((key) => defaults.get(key)),
    [10, 1_000_000, 104_857_600, 128, 256, 90],
    "the numbers in the text",
  );
  t.equal(Number(defaults.get("client.ping_interval_v3")) + Number(defaults.get("client.ping_timeout_v3")), 115_000);
});

t.test(
  "the Chinese one has its headings, commands and configurations, so what holds for them here holds there",
  async (t) => {
    t.same(readmeProblems(root), []);
    const chinese = readFileSync(join(root, "README.zh-CN.md"), "utf8");
    // Tables: the same rows, with the same words of code.
    const code = (text: string): readonly string[] =>
      [
        ...text
          .split("\n## ")
          .slice(0, -1)
          .join("\n## ")
          .matchAll(/^\|.*\|$/gm),
      ].map(([row]) => [...row.matchAll(/`[^`]+`/g)].map(([word]) => word).join(" "));
    t.same(code(chinese), code(readme));
    const names = new Set<string>([...rows.map((row) => row.name), ...sections]);
    for (const [, name = ""] of chinese.matchAll(
      /`((?:client|api|admin|acme|storage|hooks|vendors)\.\w+)(?: = [^`]*)?`/g,
    ))
      t.ok(names.has(name), name);
  },
);

t.test("its table of vendors has all of them, with the keys that each needs, and no more", async (t) => {
  const account = { project_id: "p", private_key_id: "k", key_id: "k", client_email: "a@b", sub_account: "s" };
  const [expires, made] = [Date.now() + 86_400_000, Date.now() - 1000];
  const certified = createAuthority(Date.now()).client("com.example.app", made, expires);
  const files: Readonly<Record<string, string>> = {
    "AuthKey_ABCDE12345.p8": privateKey("ec"),
    "apns.pem": certified.cert + certified.key,
    "firebase.json": JSON.stringify({ ...account, token_uri: "https://google", private_key: privateKey("rsa") }),
    "harmony.json": JSON.stringify({ ...account, private_key: privateKey("rsa") }),
  };
  const problems = (vendor: string, value: Readonly<Record<string, unknown>>) =>
    openVendors([{ vendor, value, place: "", places: {} }], (file) => files[file] ?? "", Date.now()).problems;
  const { privateKey: vapid } = createVapidKey();
  const [, table = ""] = /^\| `\[\[vendors\.NAME\]\]` .*\n((?:\|.*\n)+)/m.exec(readme) ?? [];
  const rows = [...table.matchAll(/^\| `(\w+)` \| [^|]+ \| (`[^|]+) \|$/gm)];
  t.same(rows.map(([, name]) => name).sort(), VENDORS.map(({ name }) => name).sort());
  for (const [, name = "", needs = ""] of rows) {
    const known = VENDORS.find((vendor) => vendor.name === name)?.keys ?? [];
    for (const variant of needs.split("; or ")) {
      const keys = [...variant.matchAll(/`(\w+)`/g)].map(([, key]) => key ?? "");
      const entry = Object.fromEntries(
        keys.map((key) => [key, key === "private_key" ? vapid : known.find((each) => each.name === key)?.example]),
      );
      t.same(problems(name, entry), [], `${name}: ${variant}`);
      for (const key of keys) {
        const { [key]: _without, ...rest } = entry;
        t.ok(problems(name, rest).length > 0, `${name} needs ${key}`);
      }
    }
  }
});

t.test("its nginx block brings clients through the real nginx, with the addresses that they have", async (t) => {
  if (!installed(t, "nginx")) return;
  const app = await startTestApp(t, { client: { trustedProxies: ["127.0.0.1"] } });
  const [block = ""] = blocks("nginx");
  const port = await nginxOf(t, (port) =>
    block.replace("listen 80", `listen 127.0.0.1:${port}`).replace(":10001", `:${app.clientPort}`),
  );
  for (const transport of Object.values(TRANSPORTS)) {
    const client = new SocketClient(4, `http://127.0.0.1:${port}`, transport);
    await client.next("connect");
    client.socket.emit("pushId", { id: "behind-nginx", topics: ["news"] });
    await client.next("pushId");
    await app.ok("push", { topic: "news", json: '"through"' });
    t.same((await client.next("p"))[0], "through", transport.join());
    client.socket.disconnect();
  }
});

t.test("its table of events has each one that the code knows", async (t) => {
  const source = readFileSync(join(root, "src/sockets/sessions/events.ts"), "utf8");
  const known = [...source.matchAll(/^ {4}case "(\w+)":/gm)].map(([, name]) => name ?? "");
  const [, table = ""] = /^\| event \|.*\n((?:\|.*\n)+)/m.exec(readme) ?? [];
  const listed = (from: string): string[] =>
    [...table.matchAll(/^\| ([^|]+) \| (\w+) \|/gm)]
      .filter(([, , by]) => by === from)
      .flatMap(([, names = ""]) => [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? ""));
  // The old name of `token`; and one that is ignored.
  t.same(
    listed("client")
      .filter((name) => name !== "packetProxy")
      .sort(),
    known.filter((name) => name !== "apnToken").sort(),
  );
  t.same(listed("server").sort(), ["noti", "p", "push", "pushId", "refused"]);
});

t.test("it can be read in ten minutes", async (t) => {
  const [before = ""] = readme.split("\n## Changes\n");
  t.ok(before.split(/\s+/).length <= 1800, `${before.split(/\s+/).length} words`);
});

t.test("the changes begin with this version, or with what the next one will bring", async (t) => {
  const [, changes = ""] = readme.split("\n## Changes\n");
  const [first, second] = [...changes.matchAll(/^\*\*([\d.]+)\*\*$/gm)].map(([, number]) => number);
  t.ok(first === version || second === version, `${first}, ${second}`);
});

t.test("the first lines of init's file name what SIGHUP applies", async (t) => {
  const [lines = ""] = initText("").split("\n\n");
  for (const { name, setting } of rows)
    t.equal(new RegExp(`[ ,]${name}[ ,\n]`).test(lines), setting.live === true, name);
  t.same(
    lines.split("\n").filter((line) => line.length > 140),
    [],
    "each is seen whole",
  );
});
