// npm run smoke [-- executable | --source]: what a release must do before it is one. Starts dist/pushbox as a user would, or what
// `npm start` starts, with a new data directory and free ports; pushes through it with a real client, copies its data, stops it,
// and starts the copy. Ends with a line "N passed, N failed".
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { io, type Socket } from "socket.io-client4";
import { chromium } from "../test/support/chromium.ts";
import { freePort } from "../test/support/ports.ts";
import { HOOK, smokeAtConsole } from "./smoke-console.ts";
import { smokeOnPostgres } from "./smoke-postgres.ts";

const root = resolve(import.meta.dirname, "..");
const source = process.argv[2] === "--source";
const executable = resolve(process.argv[2] ?? `dist/pushbox${process.platform === "win32" ? ".exe" : ""}`);
/** The words before a command's name. */
const program = source ? started() : [executable];
const deadline = 30_000;
const work = mkdtempSync(join(tmpdir(), "pushbox-smoke-"));
const [data, copy, other] = [join(work, "data"), join(work, "copy.db"), join(work, "other")];
const pushId = "smokedevice0123456789";
let passed = 0;
let failed = 0;
let output = "";

async function step<T>(name: string, act: () => Promise<T>, patience = deadline): Promise<T> {
  const started = performance.now();
  try {
    const result = await within(act(), patience);
    passed++;
    process.stdout.write(`ok  ${name}  ${(performance.now() - started).toFixed(0)} ms\n`);
    return result;
  } catch (error) {
    failed++;
    process.stdout.write(`not ok  ${name}\n${error instanceof Error ? error.stack : error}\n`);
    throw error;
  }
}

function within<T>(promise: Promise<T>, patience: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`nothing after ${patience / 1000} s`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function check(right: boolean, otherwise: string): void {
  if (!right) throw new Error(otherwise);
}

/** What `npm start` runs, without its last word "serve". */
function started(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: { start: string } };
  return scripts.start.split(" ").slice(0, -1);
}

/** Nothing of this process's surroundings but where programs and temporary files are. */
function surroundings(): NodeJS.ProcessEnv {
  const { HOME, PATH, TMPDIR } = process.env;
  return { ...(HOME && { HOME }), ...(PATH && { PATH }), ...(TMPDIR && { TMPDIR }) };
}

function start(clientPort: number, apiPort: number, ...more: string[]): ChildProcess {
  const ports = [
    "--client-host",
    "127.0.0.1",
    "--client-port",
    `${clientPort}`,
    "--api-port",
    `${apiPort}`,
    "--admin-port",
    "0",
  ];
  return begin("serve", ...ports, ...more);
}

/** Another command of the program, which goes on. */
function begin(...args: string[]): ChildProcess {
  const [command = "", ...words] = program;
  const child = spawn(command, [...words, ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: surroundings(),
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      output += text;
    });
  }
  return child;
}

/** Asks until the answer is 200; gives up when the server has ended. */
async function ready(child: ChildProcess, url: string): Promise<void> {
  while (child.exitCode === null) {
    const reply = await fetch(url).catch(() => undefined);
    await reply?.body?.cancel();
    if (reply?.status === 200) return;
    await new Promise((next) => setTimeout(next, 20));
  }
  throw new Error(`the server ended with ${child.exitCode}`);
}

async function call(url: string, parameters: Record<string, string>): Promise<unknown> {
  const reply = await fetch(url, { method: "POST", body: new URLSearchParams(parameters) });
  const text = await reply.text();
  check(reply.status === 200, `${url} answered ${reply.status}: ${text}`);
  return JSON.parse(text);
}

async function gone(child: ChildProcess): Promise<never> {
  const [code] = await once(child, "exit");
  throw new Error(`ended with ${code}`);
}

const event = (socket: Socket, name: string): Promise<unknown> =>
  new Promise((done) => socket.once(name, (value: unknown) => done(value)));

/** Runs another command of the program; it must end with 0. */
function run(...args: string[]): string {
  const [command = "", ...words] = program;
  const done = spawnSync(command, [...words, ...args], { cwd: root, env: surroundings(), encoding: "utf8" });
  check(done.status === 0, `${args[0]} ended with ${done.status}: ${done.stdout}${done.stderr}`);
  return done.stdout;
}

async function stop(child: ChildProcess): Promise<void> {
  const [stopped, started] = [once(child, "exit"), performance.now()];
  child.kill("SIGTERM");
  const [code] = await stopped;
  check(code === 0, `exit code ${code}`);
  check(performance.now() - started < 10_000, "it took longer");
}

async function smoke(child: ChildProcess, clientPort: number, apiPort: number): Promise<void> {
  const api = `http://127.0.0.1:${apiPort}`;
  await step("answers /healthz", () => ready(child, `${api}/healthz`));
  const socket = io(`http://127.0.0.1:${clientPort}`, { transports: ["websocket"], reconnection: false });
  try {
    await step("a client connects and is greeted", async () => {
      const refused = event(socket, "connect_error").then((error) => {
        throw error;
      });
      await Promise.race([event(socket, "connect"), refused]);
      const greeting = event(socket, "pushId");
      socket.emit("pushId", { id: pushId, version: 1, platform: "smoke", topics: ["smoke"] });
      check((JSON.stringify(await greeting) ?? "").includes(pushId), "the greeting does not name the device");
    });
    await step("a push to its topic arrives", async () => {
      const packet = event(socket, "p");
      await call(`${api}/api/push`, { topic: "smoke", json: '{"hello":[1,"ü"]}' });
      check(JSON.stringify(await packet) === '{"hello":[1,"ü"]}', "another payload arrived");
    });
    await step("a push to its pushId arrives", async () => {
      const packet = event(socket, "p");
      await call(`${api}/api/push`, { pushId, json: "42", timeToLive: "60000" });
      check((await packet) === 42, "another payload arrived");
    });
    await step("its record is in the database", async () => {
      const device = (await call(`${api}/api/device/get`, { pushId })) as {
        readonly _id?: string;
        readonly connected?: boolean;
      };
      check(device._id === pushId && device.connected === true, `device/get says ${JSON.stringify(device)}`);
      check(existsSync(join(data, "pushbox.db")), `nothing is in ${data}`);
    });
    await step("a GET may name several hundred ids", async () => {
      const ids = Array.from({ length: 500 }, (_, i) => `pushId=${pushId}${i}`).join("&");
      const { status } = await fetch(`${api}/api/push?json=1&${ids}`);
      check(status === 200, `answered ${status}`);
    });
    await step("healthcheck and metrics know of it", async () => {
      run("healthcheck", "--api-port", `${apiPort}`);
      const text = await (await fetch(`${api}/metrics`)).text();
      check(/^pushbox_sessions 1$/m.test(text), "the metrics show no session");
    });
    await step("pages get the client and its examples; the client comes in and is pushed to", async () => {
      for (const name of ["pushbox.js", "pushbox.d.ts", "legacy.js", "sw.js", ""]) {
        const { status } = await fetch(`http://127.0.0.1:${clientPort}/client/${name}`);
        check(status === 200, `/client/${name} answers ${status}`);
      }
      run("probe", "--url", `http://127.0.0.1:${clientPort}`, "--api", `http://127.0.0.1:${apiPort}`);
    });
    await step("the console serves its page, and the link that was printed sets its password", async () => {
      const [, url = "", link = ""] = /(http:\/\/127\.0\.0\.1:\d+)\/#setup=([\w-]+)/.exec(output) ?? [];
      const page = await (await fetch(url)).text();
      for (const [, file = ""] of page.matchAll(/(?:src|href)="(\/[\w.-]+)"/g))
        check((await fetch(url + file)).status === 200, `${file} is missing`);
      check(page.includes('src="/console.js"'), page);
      const answer = await fetch(`${url}/admin/setup`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ link, name: "smoke", password: "a password of a test" }),
      });
      check(answer.status === 200 && answer.headers.getSetCookie().length === 1, await answer.text());
    });
    await step("its data is copied while it runs", async () => {
      run("backup", copy, "--data", data);
    });
    await step("SIGTERM ends it with 0 within 10 s", () => stop(child));
    await step("nothing but log lines was printed", async () => {
      const other = output.split("\n").filter((line) => line !== "" && !line.startsWith('{"level":"'));
      check(other.length === 0, other.join("\n"));
    });
  } finally {
    socket.disconnect();
  }
}

/** A webhook's endpoint that takes everything. */
async function startEndpoint(): Promise<{
  readonly server: Server;
  readonly url: string;
  readonly told: () => number;
}> {
  let told = 0;
  const server = createServer((request, answer) => {
    request.resume().on("end", () => {
      told++;
      answer.end();
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, told: () => told };
}

let child: ChildProcess | undefined;
let lab: ChildProcess | undefined;
try {
  await step("the executable is there", async () =>
    check(source || existsSync(executable), `${executable}: npm run build makes it`),
  );
  if (!source)
    await step("A3: variables meant for Node do not reach it", async () => {
      const code = join(work, "injected.cjs");
      writeFileSync(code, "console.log('injected')");
      for (const NODE_OPTIONS of [`--require=${code}`, "--bogus"]) {
        const env = { ...surroundings(), NODE_OPTIONS, NODE_DEBUG: "net,tls,http" };
        const done = spawnSync(executable, ["check"], { cwd: work, env, encoding: "utf8" });
        const { status, stdout, stderr } = done;
        check(status === 0 && stdout === "the configuration is right\n" && stderr === "", JSON.stringify(done));
      }
    });
  if (!source)
    await step("D6: a temporary directory that cannot be used is told in one line", async () => {
      const env = { ...surroundings(), TMPDIR: join(work, "none") };
      const done = spawnSync(executable, ["serve", "--data", data], { cwd: work, env, encoding: "utf8" });
      check(
        done.status === 1 && /^pushbox: cannot write to .*: set TMPDIR to .*\n$/.test(done.stderr),
        JSON.stringify(done),
      );
    });
  const [clientPort, apiPort] = [await freePort(), await freePort()];
  child = start(clientPort, apiPort, "--data", data);
  await smoke(child, clientPort, apiPort);
  await step("the copy, restored elsewhere, has its record", async () => {
    run("restore", copy, "--data", other);
    child = start(clientPort, apiPort, "--data", other);
    await ready(child, `http://127.0.0.1:${apiPort}/healthz`);
    const device = await call(`http://127.0.0.1:${apiPort}/api/device/get`, { pushId });
    check(JSON.stringify(device).includes(pushId), `device/get says ${JSON.stringify(device)}`);
    await stop(child);
  });
  await smokeOnPostgres(other, { work, step, run, start, ready, call, stop });
  const endpoint = await startEndpoint();
  const file = join(work, "lab/smoke.toml");
  await step(
    "its lab starts every vendor; a server of the lab's configuration gets a device for each",
    async () => {
      lab = begin("lab", "--dir", join(work, "lab"));
      const ended = gone(lab);
      while (!output.includes("socket.emit")) await Promise.race([once(lab.stdout!, "data"), ended]);
      const config = readFileSync(join(work, "lab/pushbox-lab.toml"), "utf8");
      const hook = { name: HOOK, url: endpoint.url, secret: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], events: ["*"] };
      const lines = Object.entries({ ...hook, allow_private: true }).map(
        ([name, value]) => `${name} = ${JSON.stringify(value)}`,
      );
      writeFileSync(file, ['log_level = "info"', config, "[[hooks.tell]]", ...lines, ""].join("\n"), { mode: 0o600 });
      run("check", "--config", file);
      output = "";
      child = start(clientPort, apiPort, "--config", file);
      await ready(child, `http://127.0.0.1:${apiPort}/healthz`);
      while (!output.includes("#setup=")) await Promise.race([once(child.stdout!, "data"), gone(child)]);
      const registered = run("lab", "--dir", join(work, "lab"), "--devices", `http://127.0.0.1:${clientPort}`);
      check(registered.split("registered as").length === 12, registered);
    },
    2 * deadline,
  );
  // The pages from source are what the tests drive.
  if (chromium !== undefined && !source) {
    const [link = ""] = /http:\/\/127\.0\.0\.1:\d+\/#setup=[\w-]+/.exec(output) ?? [];
    const api = `http://127.0.0.1:${apiPort}`;
    const served = { chromium, link, clients: `http://127.0.0.1:${clientPort}`, file, told: endpoint.told, work };
    await step(
      "the console: every page's main task by keys alone, in both languages, each usable by everybody",
      () =>
        smokeAtConsole({
          ...served,
          call: async (path, parameters) => (await call(`${api}/api/${path}`, parameters)) as Record<string, unknown>,
        }),
      20 * deadline,
    );
  }
  await step("that server and its lab end with 0", async () => {
    await stop(child!);
    await stop(lab!);
    endpoint.server.close();
    endpoint.server.closeAllConnections();
  });
} catch {
  process.stdout.write(`--- output of the server\n${output}\n`);
} finally {
  for (const one of [child, lab]) if (one?.exitCode === null) one.kill("SIGKILL");
  rmSync(work, { recursive: true, force: true });
}
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
