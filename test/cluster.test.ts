// Two nodes on one PostgreSQL behind the real haproxy and nginx, with the configurations that a release holds: only addresses and ports
// are others.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { delimiter, join, resolve } from "node:path";
import t, { type Test } from "tap";
import { parse } from "yaml";
import { PushClient } from "../src/client/index.ts";
import { rows } from "../src/config/settings.ts";
import { cli, runHere } from "./support/cli.ts";
import { SocketClient } from "./support/clients.ts";
import { freePort } from "./support/ports.ts";
import { postgres } from "./support/postgres.ts";
import { kill, main, nodeArguments, type Server, serve } from "./support/process.ts";
import { haproxyOf, installed, nginxOf } from "./support/proxies.ts";
import { eventually } from "./support/until.ts";

const cluster = resolve(import.meta.dirname, "../scripts/release/cluster");
const read = (name: string): string => readFileSync(join(cluster, name), "utf8");

/** Of a caller; nobody else's. */
const key = randomBytes(24).toString("hex");

interface Balancer {
  readonly name: string;
  readonly clients: number;
  readonly api: number;
}

/** The nodes' addresses in the place of a and b, the balancer's ports in that of its own. */
function addressed(text: string, nodes: Readonly<Record<"a" | "b", Server>>): string {
  return text.replace(/\b([ab]):(10001|11001)/g, (_, node: "a" | "b", port: string) =>
    new URL(port === "10001" ? nodes[node].clientUrl : nodes[node].apiUrl).host.replace("localhost", "127.0.0.1"),
  );
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A call from another address of this machine. */
function ask(port: number, path: string, body?: string, localAddress = "127.0.0.1"): Promise<Answer> {
  return new Promise((done, fail) => {
    const headers = { "x-forwarded-for": "9.9.9.9", ...(body === undefined ? {} : { "content-type": "text/plain" }) };
    const method = body === undefined ? "GET" : "POST";
    const call = request({ host: "127.0.0.1", port, path, method, localAddress, agent: false, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (some: string) => {
        text += some;
      });
      answer.on("end", () => done({ status: answer.statusCode ?? 0, text }));
    });
    call.setTimeout(30_000, () => call.destroy(new Error(`${path}: no answer`)));
    call.on("error", fail).end(body);
  });
}

/** As a backend does: again, with the key, until it is answered. */
async function push(api: number, text: string): Promise<void> {
  const fields = { topic: "news", json: JSON.stringify(text), timeToLive: "1h", idempotencyKey: text };
  for (let tries = 0; ; tries++) {
    const status = await fetch(`http://127.0.0.1:${api}/api/push`, {
      method: "POST",
      body: new URLSearchParams(fields),
    })
      .then(async (answer) => {
        await answer.text();
        return answer.status;
      })
      .catch(() => 0);
    if (status === 200) return;
    if (tries > 300) throw new Error(`${text} is answered with ${status}`);
    await new Promise((next) => setTimeout(next, 100));
  }
}

interface Connection {
  readonly pushId?: string;
  readonly node?: string;
  readonly address: string;
}

async function connections(api: number): Promise<readonly Connection[]> {
  const answer = await fetch(`http://127.0.0.1:${api}/api/connection/list`, { method: "POST" });
  return ((await answer.json()) as { readonly connections: readonly Connection[] }).connections;
}

/** A device on polling says who it is, by bare requests from that address, which name a forged one. */
async function pollFrom(port: number, address: string, id: string): Promise<void> {
  const path = "/socket.io/?EIO=4&transport=polling";
  const { text } = await ask(port, path, undefined, address);
  const { sid } = JSON.parse(text.slice(1)) as { readonly sid: string };
  for (const frame of ["40", `42${JSON.stringify(["pushId", { id, platform: "android" }])}`]) {
    t.equal((await ask(port, `${path}&sid=${sid}`, frame, address)).status, 200, "it came back to its node");
  }
}

/** One for each way in, as apps have them. */
function devices(t: Test, { name, clients }: Balancer) {
  const url = `http://127.0.0.1:${clients}`;
  const ways = ["websocket", "websocket", "websocket", "websocket", "polling", "polling"] as const;
  return ways.map((way, i) => {
    const got: unknown[] = [];
    const pushId = `${name}-${way}-${i}-device`;
    const client = new PushClient(url, { pushId, topics: ["news"], transports: [way] });
    t.teardown(() => client.close());
    client.on("message", ({ data }) => void got.push(data));
    return { pushId, got, ready: new Promise<void>((done) => client.on("connect", () => done())) };
  });
}

t.test("cluster: behind haproxy and nginx clients of both nodes lose nothing when one is killed", async (t) => {
  const server = await postgres(t);
  if (server === undefined) return void t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
  const there = [installed(t, "haproxy"), installed(t, "nginx")];
  if (!there.some(Boolean)) return;
  const url = await server.database();
  const directory = t.testdir({ a: {}, b: {} });
  const node = (name: "a" | "b") =>
    serve(t, join(directory, name), [
      ...["--engine", "postgres", "--postgres-url", url, "--node", name],
      ...["--client-trusted-proxies", "127.0.0.1", "--api-trusted-proxies", "127.0.0.1"],
    ]);
  const [a, b] = await Promise.all([node("a"), node("b")]);
  const nodes = { a, b };
  const balancers: Balancer[] = [];
  if (there[0]) {
    const [clients, api] = [await freePort(), await freePort()];
    const text = addressed(read("haproxy.cfg"), nodes)
      .replace(
        /^( +server ([ab]) \S+)$/gm,
        (line, _, name: "a" | "b") => `${line} port ${new URL(nodes[name].apiUrl).port}`,
      )
      .replace("bind :10001", `bind 127.0.0.1:${clients}`)
      .replace("bind :11001", `bind 127.0.0.1:${api}`)
      // haproxy warns of a name server that this machine does not reach; the nodes are named by address here.
      .replace("parse-resolv-conf", "nameserver one 127.0.0.1:53");
    await haproxyOf(t, clients, text);
    balancers.push({ name: "haproxy", clients, api });
  }
  if (there[1]) {
    const api = await freePort();
    const clients = await nginxOf(t, (port) =>
      addressed(read("nginx.conf"), nodes)
        .replace("listen 80", `listen 127.0.0.1:${port}`)
        .replace("listen 127.0.0.1:11001", `listen 127.0.0.1:${api}`),
    );
    balancers.push({ name: "nginx", clients, api });
  }

  const all = balancers.flatMap((balancer) => devices(t, balancer));
  await Promise.all(all.map(({ ready }) => ready));
  for (const { name, clients, api } of balancers) {
    await pollFrom(clients, "127.0.0.7", `${name}-from-elsewhere`);
    const found = await eventually(
      () => connections(api),
      (list) => list.some(({ pushId }) => pushId === `${name}-from-elsewhere`),
    );
    const of = (pushId: string): Connection | undefined => found.find((one) => one.pushId === pushId);
    t.equal(of(`${name}-from-elsewhere`)?.address, "127.0.0.7", `${name}: its own address, not the forged one`);
    const websockets = found.filter(({ pushId }) => pushId?.startsWith(`${name}-websocket`) === true);
    t.same(new Set(websockets.map((one) => one.node)), new Set(["a", "b"]), `${name}: websockets are spread`);
    const client = new SocketClient(2, `http://127.0.0.1:${clients}`, ["polling", "websocket"]);
    t.teardown(() => client.close());
    t.match(await client.hello({ id: `${name}-old-client` }), { id: `${name}-old-client` }, "polling, then websocket");
  }

  const apis = balancers.map(({ api }) => api);
  let sent = 0;
  const some = async (): Promise<void> => {
    for (let i = 0; i < 4; i++) await push(apis[sent % apis.length]!, `message-${sent++}`);
  };
  await some();
  // The one that clients on polling are at.
  const polling = (await connections(apis[0]!)).find(({ pushId }) => pushId?.includes("-polling-") === true)?.node;
  const victim = polling === "a" ? a : b;
  await kill(victim.child);
  await some();
  const expected = Array.from({ length: sent }, (_, i) => `message-${i}`);
  await eventually(
    async () => all.map(({ got }) => got.length),
    (counts) => counts.every((count) => count >= sent),
  );
  for (const { pushId, got } of all) t.same(got, expected, `${pushId}: each once, in order, over the kill`);
  const left = await connections(apis[0]!);
  t.same([...new Set(left.map((one) => one.node))], [victim === a ? "b" : "a"], "all are at the node that lives");
  if (there[0]) {
    const answer = await fetch(`http://127.0.0.1:${apis[0]}/readyz`);
    t.equal(answer.status, 200, "/readyz through haproxy is that of the node that is well");
  }
});

t.test(
  "cluster: the compose file names settings that exist, and runs the image as the Dockerfile makes it",
  async (t) => {
    interface Service {
      readonly image: string;
      readonly command?: readonly string[];
      readonly environment?: Readonly<Record<string, string>>;
      readonly secrets?: readonly string[];
      readonly volumes?: readonly string[];
      readonly ports?: readonly string[];
    }
    const file = parse(read("compose.yaml"), { merge: true }) as {
      readonly services: Readonly<Record<string, Service>>;
      readonly secrets: Readonly<Record<string, { readonly file: string }>>;
      readonly volumes: Readonly<Record<string, unknown>>;
      readonly networks: {
        readonly default: { readonly ipam: { readonly config: readonly { readonly subnet: string }[] } };
      };
    };
    const dockerfile = readFileSync(resolve(cluster, "../Dockerfile"), "utf8");
    const { services } = file;
    t.same(Object.keys(services).sort(), ["a", "b", "haproxy", "postgres"]);
    for (const name of ["a", "b"]) {
      const { image, command, environment = {}, secrets = [], volumes = [] } = services[name]!;
      t.equal(image, "pushbox");
      t.match(dockerfile, `CMD ${JSON.stringify(command)}`);
      t.match(dockerfile, `VOLUME ${volumes[0]?.split(":")[1]}`);
      const values = new Map<string, string>();
      for (const [variable, value] of Object.entries(environment)) {
        const row = rows.find((one) => one.variable === variable || `${one.variable}_FILE` === variable);
        t.ok(row, `${variable} is a setting`);
        if (value.startsWith("/run/secrets/")) t.ok(secrets.includes(value.slice("/run/secrets/".length)), variable);
        else values.set(variable, value);
      }
      t.equal(values.get("PUSHBOX_NODE"), name);
      t.equal(values.get("PUSHBOX_CLIENT_TRUSTED_PROXIES"), file.networks.default.ipam.config[0]?.subnet);
      // The server takes them, with its secrets in files.
      const directory = t.testdir({
        url: "postgres://pushbox:secret@postgres/pushbox\n",
        keys: `backend:${key}\n`,
      });
      const env = Object.entries(environment).map(([variable, value]) => [
        variable,
        value.endsWith("postgres-url")
          ? join(directory, "url")
          : value.endsWith("api-keys")
            ? join(directory, "keys")
            : value,
      ]);
      const shown = await cli(["config"], Object.fromEntries(env) as Record<string, string>);
      t.equal(shown.code, 0, shown.err);
      t.notMatch(shown.out, new RegExp(`secret@|${key}`));
    }
    for (const { secrets = [] } of Object.values(services))
      for (const secret of secrets) t.ok(secret in file.secrets, `${secret} is a file beside it`);
    const configuration = read("haproxy.cfg");
    for (const mapping of services["haproxy"]?.ports ?? [])
      t.match(configuration, `bind :${mapping.split(":").at(-1)}\n`);
    for (const [, name = "", port = ""] of configuration.matchAll(/server \w+ (\w+):(\d+)/g)) {
      t.ok(name in services, `haproxy finds ${name}`);
      t.match(dockerfile, new RegExp(`^EXPOSE .*\\b${port}\\b`, "m"));
    }
  },
);

t.test("cluster: the example of a node's configuration is right", async (t) => {
  const directory = t.testdir({
    "node.toml": read("node.toml").replace("16-characters-or-more", key),
    "postgres-url": "postgres://pushbox:hidden@127.0.0.1:1/pushbox\n",
  });
  const { code, out, err } = await runHere(directory, "config", "--config", "node.toml");
  t.equal(code, 0, err);
  t.match(out, 'node = "a"');
  t.notMatch(out, new RegExp(`hidden|${key}`));
});

t.test("cluster: every command of the page is run as it stands, in its order, there and back", async (t) => {
  const server = await postgres(t);
  if (server === undefined) return void t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
  const url = await server.database();
  const script = `#!/bin/sh\nexec "${process.execPath}" ${nodeArguments.join(" ")} "${main}" "$@"\n`;
  const directory = t.testdir({
    "pushbox.toml": read("node.toml").replace("16-characters-or-more", key),
    "postgres-url": `${url}\n`,
    bin: { pushbox: script },
  });
  chmodSync(join(directory, "bin/pushbox"), 0o755);
  chmodSync(join(directory, "pushbox.toml"), 0o600);
  const first = await serve(t, directory);
  await first.call("uid/bind", { pushId: "moved-device-1", uid: "ann" });
  await first.stop();
  const blocks = (name: string): string[] =>
    [...read(name).matchAll(/^ *```sh\n(.*?)^ *```$/gms)].map(([, text]) => text!.replace(/^ +/gm, ""));
  const commands = blocks("README.md").flatMap((block) => block.trim().split("\n"));
  t.same(blocks("README.zh-CN.md"), blocks("README.md"), "the Chinese one has the same");
  t.equal(commands.length, 10);
  const expected: readonly (readonly [part: string, out: RegExp])[] = [
    ["check", /the configuration is right/],
    ["doctor", /ok +postgres +notifications are heard/],
    ["--to --config", /devices: 1\n.*moved to the schema pushbox/s],
    ["move --from", /devices: 1\n.*moved to back/s],
    ["pg_notification_queue_usage", /pg_notification_queue_usage/],
    ["meta SET epoch", /^UPDATE 1$/m],
    ["events_seq", /1000000000\d{3}\b/],
  ];
  const PATH = [join(directory, "bin"), server.programs, process.env["PATH"]].join(delimiter);
  const environment = {
    PATH,
    URL: url,
    PUSHBOX_CLIENT_PORT: "0",
    PUSHBOX_API_PORT: "0",
    PUSHBOX_ADMIN_ENABLED: "false",
  };
  for (const written of commands) {
    const command = written.replace("/var/lib/pushbox", "pushbox-data"); // a package's directory is the whole machine's
    if (command.startsWith("pushbox serve")) {
      const back = await serve(t, directory, command.split(" ").slice(2));
      t.match((await back.call("device/get", { uid: "ann" })).text, "moved-device-1", command);
      await back.stop();
      continue;
    }
    const options = {
      cwd: directory,
      env: environment,
      encoding: "utf8",
      input: "",
      timeout: 120_000,
    } as const;
    const { status, stdout, stderr } = spawnSync("bash", ["--norc", "-c", command], options);
    // A machine of tests may have too few open files, and no PostgreSQL of its own to be safe: doctor says so.
    if (!command.includes("doctor")) t.equal(status, 0, `${command}\n${stdout}${stderr}`);
    t.match(stdout, expected.find(([part]) => command.includes(part))?.[1] ?? "", command);
  }
});
