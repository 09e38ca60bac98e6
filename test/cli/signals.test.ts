// Signals to a real process at work: it ends in order, and takes over what can change while it runs.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect as connectPlain } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import t, { type Test } from "tap";
import { createAuthority } from "../../src/lab/authority.ts";
import { startTestApp } from "../support/app.ts";
import { runHere } from "../support/cli.ts";
import { GENERATIONS, RawClient, TRANSPORTS } from "../support/clients.ts";
import { freePorts } from "../support/ports.ts";
import { free, messages, type Server, serve } from "../support/process.ts";
import { eventually } from "../support/until.ts";

const require = createRequire(import.meta.url);

interface Socket {
  readonly connected: boolean;
  readonly io: { once(event: string, act: () => void): void };
  on(event: string, act: (...args: unknown[]) => void): void;
  once(event: string, act: (...args: unknown[]) => void): void;
  emit(event: string, ...args: unknown[]): void;
  disconnect(): void;
}

type Io = (url: string, options: object) => Socket;

/** With the websocket that its time had in Node: the oldest ones do not get along with Node's own when nobody listens. */
function ioOf(generation: number): Io {
  const { WebSocket } = globalThis;
  Reflect.deleteProperty(globalThis, "WebSocket");
  try {
    return require(`socket.io-client${generation}`) as Io;
  } finally {
    globalThis.WebSocket = WebSocket;
  }
}

/** socket.io-client as an app uses it: it comes back by itself. */
function client(t: Test, generation: number, url: string, options: object): Socket {
  const io = ioOf(generation);
  const socket = io(url, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options });
  t.teardown(() => socket.disconnect());
  return socket;
}

const next = (socket: Socket, event: string): Promise<unknown[]> =>
  new Promise((done) => socket.once(event, (...args) => done(args)));

const port = (url: string): string => new URL(url).port;

t.test("SIGTERM: clients of every generation lose the transport, come back and get what they missed", async (t) => {
  const directory = t.testdir({});
  const ports = await freePorts();
  const first = await serve(t, directory, ports);
  const clients = await Promise.all(
    GENERATIONS.flatMap((generation) =>
      (["websocket", "polling"] as const).map(async (transport) => {
        const name = `socket.io-client ${generation}.x, ${transport}`;
        const socket = client(t, generation, first.clientUrl, { transports: [...TRANSPORTS[transport]] });
        const seen: unknown[][] = [];
        let last: unknown;
        socket.on("p", (...args) => {
          seen.push(args);
          last = args[1];
        });
        const hello = (): void =>
          socket.emit("pushId", {
            id: `signals-${generation}-${transport}`,
            version: 1,
            platform: "android",
            topics: ["news"],
            lastPacketIds: last === undefined ? {} : { news: (last as unknown[])[1] },
          });
        socket.on("connect", hello);
        await next(socket, "pushId");
        return { name, socket, seen, left: next(socket, "disconnect") };
      }),
    ),
  );
  const raw = await RawClient.open(Number(port(first.clientUrl)), "EIO=4&transport=websocket");
  raw.send("40");
  await raw.hello({ id: "signals-raw" });
  const frames: string[] = [];
  raw.socket.addEventListener("message", ({ data }) => frames.push(String(data)));

  const got = clients.map(({ socket }) => next(socket, "p"));
  await first.call("push", { topic: "news", json: '"before"', timeToLive: "600000" });
  await Promise.all(got);
  const ended = first.stop();
  for (const { name, left } of clients) t.match((await left)[0], /^transport (close|error)$/, name);
  await raw.closed;
  t.notOk(
    frames.some((frame) => frame.startsWith("41")),
    "nobody is told not to come back",
  );
  const { code, out, err } = await ended;
  t.same([code, err], [0, ""]);
  t.same(messages(out).slice(-2), ["SIGTERM: stopping", "stopped"]);

  const back = clients.map(({ socket }) => next(socket, "pushId"));
  const second = await serve(t, directory, ports);
  await Promise.all(back);
  const news = clients.map(({ socket }) => next(socket, "p"));
  await second.call("push", { topic: "news", json: '"after"', timeToLive: "600000" });
  await Promise.all(news);
  for (const { name, seen } of clients)
    t.same(
      seen.map(([body]) => body),
      ["before", "after"],
      `${name}: each once`,
    );
  for (const { socket } of clients) socket.disconnect();
  t.equal((await second.stop()).code, 0);
});

t.test("SIGTERM: what was answered with success before is there after", async (t) => {
  const directory = t.testdir({});
  const first = await serve(t, directory);
  let answered = 0;
  let stopping: Promise<unknown> | undefined;
  const accepted = new Set<number>();
  await Promise.all(
    Array.from({ length: 20 }, async (_, caller) => {
      for (let i = 0; ; i++) {
        const id = caller * 100_000 + i;
        const answer = await first
          .call("uid/bind", { pushId: `signals-load-${id}`, uid: `user${id}` })
          .catch(() => undefined);
        if (answer?.status !== 200) return; // refused, or nobody there any more
        accepted.add(id);
        if (++answered === 200) stopping = first.stop();
      }
    }),
  );
  await stopping;
  t.equal((await first.ended).code, 0);
  const second = await startTestApp(t, { data: join(directory, "pushbox-data") });
  const found = await second.post("device/get", {
    pushId: JSON.stringify([...accepted].map((id) => `signals-load-${id}`)),
  });
  const there = JSON.stringify(found.body);
  const missing = [...accepted].filter((id) => !there.includes(`"user${id}"`));
  t.ok(accepted.size >= 200);
  t.same(missing, []);
});

/** A POST whose body never ends. */
async function hanging(t: Test, server: Server): Promise<void> {
  const socket = connectPlain(Number(port(server.apiUrl)), "127.0.0.1");
  t.teardown(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write("POST /api/push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\ntopic=");
  // Anything that takes the way behind it through the server: its head has been seen then.
  t.equal((await server.call("stats/base", {})).status, 200);
}

t.test("SIGTERM: a request whose body does not arrive holds nobody up for long", async (t) => {
  const server = await serve(t, t.testdir({}));
  await hanging(t, server);
  // 1 would mean that the server's own patience was over.
  t.match(await server.stop(), { code: 0, out: /stopped"\}\n$/ });
});

t.test("a second signal ends it at once, with 1", async (t) => {
  const server = await serve(t, t.testdir({}));
  // Two different ones, for a signal that is still pending is not counted twice; and it does not go on before it has both.
  for (const signal of ["SIGSTOP", "SIGTERM", "SIGINT", "SIGCONT"] as const) server.child.kill(signal);
  const { code, out } = await server.ended;
  t.equal(code, 1);
  t.match(messages(out).slice(-2), [/^SIG(TERM|INT): stopping$/, /^SIG(TERM|INT) again: ending at once$/]);
});

t.test("a signal that a wrapper sends to the program and then to its group is one", async (t) => {
  const server = await serve(t, t.testdir({}));
  const { pid } = server.child;
  const isPending = (): boolean => /^ShdPnd:\s*0*[1-9a-f]/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  server.child.kill("SIGTERM");
  while (isPending()) await setImmediate(); // one that is still pending is not counted twice
  server.child.kill("SIGTERM");
  const { code, out } = await server.ended;
  t.equal(code, 0);
  t.same(messages(out).slice(-2), ["SIGTERM: stopping", "stopped"]);
});

const text = (keys: Readonly<Record<string, string>>, more = ""): string =>
  `log_level = "info"\n${Object.entries(keys)
    .map(([name, key]) => `[[api.keys]]\nname = "${name}"\nkey = "${key}"\n`)
    .join("")}${more}`;

t.test("SIGHUP: keys and their rules change at once, and connections stay", async (t) => {
  const [old, fresh] = ["old-key-0123456789", "new-key-0123456789"];
  const directory = t.testdir({ "p.toml": text({ backend: old }) });
  const file = join(directory, "p.toml");
  chmodSync(file, 0o600);
  const server = await serve(t, directory, ["--config", "p.toml"]);
  const raw = await RawClient.open(Number(port(server.clientUrl)));
  await raw.hello({ id: "signals-stays", topics: ["news"] });
  const status = async (key: string, path = "stats/base", fields = {}): Promise<number> =>
    (await server.call(path, fields, { authorization: `Bearer ${key}` })).status;
  const reload = async (content: string): Promise<string[]> => {
    const before = messages(await server.printed(/./)).length;
    writeFileSync(file, content);
    server.child.kill("SIGHUP");
    const reloads = messages(await server.printed(/./)).filter((line) => line.startsWith("SIGHUP: changed")).length;
    const said = messages(await server.printed(/"SIGHUP: (changed|nothing)/, reloads + 1)).slice(before);
    return said.filter((line) => !line.startsWith("refused ")); // who called with another key is told once a minute
  };
  t.same([await status(old), await status(fresh)], [200, 401]);

  t.same(await reload(text({ backend: fresh })), ["SIGHUP: changed: api.keys"]);
  t.same([await status(old), await status(fresh)], [401, 200]);

  const everybody = { notification: '{"android":{"title":"t","message":"m"}}', pushAll: "true" };
  t.equal(await status(fresh, "notification", everybody), 200);
  const two = { backend: fresh, boss: old };
  const [change] = await reload(text(two).replace("[[api.keys]]", '[api]\nbroadcast_keys = ["boss"]\n[[api.keys]]'));
  t.equal(change, "SIGHUP: changed: api.broadcast_keys, api.keys");
  t.equal(await status(fresh, "notification", everybody), 401);
  t.equal(await status(old, "notification", everybody), 200);

  t.ok(await server.call("push", { topic: "news", json: "1" }, { authorization: `Bearer ${fresh}` }));
  t.equal(await raw.next('42["p"'), '42["p",1]', "its connection has seen nothing of all that");
  await raw.close();
  const { code, out, err } = await server.stop();
  t.equal(code, 0);
  t.notMatch(out + err, old);
  t.notMatch(out + err, fresh);
});

t.test("SIGHUP: the log level changes, the last key cannot go, and every setting that waits is named", async (t) => {
  const directory = t.testdir({ "p.toml": text({ backend: "old-key-0123456789" }) });
  const server = await serve(t, directory, ["--config", "p.toml"]);
  chmodSync(join(directory, "p.toml"), 0o600);
  writeFileSync(
    join(directory, "p.toml"),
    'log_level = "debug"\ntrust_client_uid = true\n[client]\nmax_topics = 5\n[storage]\nkeep = 11\n',
  );
  server.child.kill("SIGHUP");
  const out = await server.printed(/needs a restart/, 4);
  t.same(messages(out).slice(-5), [
    "SIGHUP: changed: log_level",
    "SIGHUP: trust_client_uid has changed and needs a restart",
    "SIGHUP: client.max_topics has changed and needs a restart",
    "SIGHUP: api.keys has changed and needs a restart",
    "SIGHUP: storage.keep has changed and needs a restart",
  ]);
  t.equal((await server.call("stats/base", {})).status, 401, "the key is still asked for");
  const key = "old-key-0123456789";
  writeFileSync(join(directory, "p.toml"), text({ backend: key }).replace('"info"', '"error"'));
  server.child.kill("SIGHUP");
  await eventually(
    () => server.call("config", {}, { "x-api-key": key }),
    ({ text }) => (JSON.parse(text) as { log_level?: string }).log_level === "error",
  );
  const ended = await server.stop();
  t.equal(ended.code, 0);
  t.notMatch(ended.out, "SIGTERM", "only errors are logged now");
});

t.test("certificates: a pair that does not fit is refused, SIGHUP takes a new one and keeps connections", async (t) => {
  const authority = createAuthority(Date.now());
  const [one, two] = [authority.server(["127.0.0.1", "localhost"]), authority.server(["127.0.0.1", "localhost"])];
  const directory = t.testdir({ "cert.pem": one.cert, "key.pem": one.key, "other.pem": two.key });
  const tls = (key: string): string[] =>
    ["client", "api"].flatMap((name) => [`--${name}-tls-cert`, "cert.pem", `--${name}-tls-key`, key]);
  t.same(await runHere(directory, "serve", ...free, ...tls("other.pem")), {
    code: 2,
    out: "",
    err:
      "--client-tls-key: client.tls_key: other.pem is not the key of the certificate in cert.pem; give both files of one pair\n" +
      "--api-tls-key: api.tls_key: other.pem is not the key of the certificate in cert.pem; give both files of one pair\n" +
      "2 problems\n",
  });

  const server = await serve(t, directory, tls("key.pem"));
  t.match([server.clientUrl, server.apiUrl], [/^https:/, /^https:/]);
  /** The serial number of the certificate that a new connection gets. */
  const serial = async (url: string): Promise<string> => {
    const socket = connectTls({ host: "127.0.0.1", port: Number(port(url)), ca: authority.ca });
    await once(socket, "secureConnect");
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const before = [await serial(server.clientUrl), await serial(server.apiUrl)];
  const socket = client(t, 4, server.clientUrl, { transports: ["websocket"], ca: authority.ca });
  socket.on("connect", () =>
    socket.emit("pushId", { id: "signals-tls-1", version: 1, platform: "ios", topics: ["news"] }),
  );
  await next(socket, "pushId");
  t.match(await runHere(directory, "healthcheck", "--api-port", port(server.apiUrl), ...tls("key.pem").slice(4)), {
    code: 0,
    out: /^https:\/\/127\.0\.0\.1:\d+\/healthz answers 200\n$/,
  });

  writeFileSync(join(directory, "cert.pem"), two.cert);
  server.child.kill("SIGHUP");
  const refused = await server.printed(/nothing was changed/);
  t.match(
    messages(refused).at(-3),
    "client.tls_key: key.pem is not the key of the certificate in cert.pem; give both files of one pair",
  );
  t.same([await serial(server.clientUrl), await serial(server.apiUrl)], before, "the old pair goes on");

  writeFileSync(join(directory, "key.pem"), two.key);
  server.child.kill("SIGHUP");
  await server.printed(/SIGHUP: certificates read again; changed: no setting/);
  const after = [await serial(server.clientUrl), await serial(server.apiUrl)];
  t.ok(after[0] === after[1] && before[0] === before[1] && after[0] !== before[0], "new connections get the new pair");
  t.ok(socket.connected, "the connection of before has stayed");
  const came = next(socket, "p");
  const answer = await new Promise<string>((done, fail) => {
    const call = connectTls({ host: "127.0.0.1", port: Number(port(server.apiUrl)), ca: authority.ca });
    call.once("data", (data) => done(String(data))).once("error", fail);
    call.write("GET /api/push?topic=news&json=7 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  });
  t.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
  t.same(await came, [7]);
  socket.disconnect();
  t.equal((await server.stop()).code, 0);
});

t.test("a server that npm started ends when npm does, whoever ended it", async (t) => {
  const directory = t.testdir({});
  const root = join(import.meta.dirname, "../..");
  const main = join(root, "src", "main.ts");
  const command = `"${process.execPath}" "${join(root, "scripts", "run.mjs")}" "${main}" serve --client-port 0 --api-port 0 --admin-port 0`;
  // As npm does it: a shell, which is killed here and can pass nothing on.
  const shell = spawn("sh", ["-c", `${command}; true`], { cwd: directory, stdio: ["ignore", "pipe", "inherit"] });
  t.teardown(() => shell.kill("SIGKILL"));
  const lines = createInterface({ input: shell.stdout });
  const said: string[] = [];
  await new Promise<void>((ready) => {
    lines.on("line", (line) => {
      said.push(line);
      if (line.includes("API at ")) ready();
    });
  });
  const ended = once(lines, "close"); // nobody holds its output any more
  shell.kill("SIGKILL");
  await ended;
  t.match(said.at(-1), /stopped/);
});
