// npm run bench: pushbox against references in one run, server on one core and load on the other; prints a table of ratios.
// The machine's noise cancels out: reference and pushbox are measured in turn, three times, and the medians compared.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { before } from "./bench/before.ts";
import { onPostgres } from "./bench/cluster.ts";
import { pagesFilled, pagesOpen } from "./bench/console.ts";
import { telling } from "./bench/hooks.ts";
import { importing } from "./bench/import.ts";
import { hanging, logins } from "./bench/login.ts";
import { broadcast, throughApns } from "./bench/notifications.ts";
import { registering } from "./bench/registering.ts";
import { LOAD_CORE, type Running, root, type ServerName, start, stopAll, tools } from "./bench/servers.ts";
import { add, HEAD, limit, median, put, rows, short } from "./bench/table.ts";

const ROWS = "topic topic50 memory register device login hanging scan apns hooks import pages console broadcast";
const ROWS_ON_POSTGRES = "fanout kept claims hello nodes live standby";
const HELP = `npm run bench -- [rows]
  Rows: ${ROWS}; all without a name.
  before: only where it is named, with BEFORE=<directory of an earlier version>: processor time per operation, by turns with it.
npm run bench -- --engine postgres [rows]
  Rows: ${ROWS_ON_POSTGRES}; move only where it is named.
npm run bench -- --turns
  The longest turn of the main loop per call and timer; SESSIONS, ONLY and EVENTS change it.
Variables: ROUNDS (3), DEVICES (1,000,000), NOTIFICATIONS (60,000), CONNECTIONS. What was measured: scripts/README.md`;
const ROUNDS = Number(process.env["ROUNDS"] ?? 3);
const FRAME_PUSH = 'json={"text":"hello"}';

// ---- load

interface WsResult {
  readonly connections: number;
  readonly messages: number;
  readonly msgs_per_s: number;
  readonly closed: number;
  readonly min_per_conn: number;
}

interface Subscribers {
  /** Seconds until all had registered. */
  readonly registered: number;
  /** Resolves when the client has seen what it waited for. */
  readonly result: Promise<WsResult>;
  stop(): void;
}

async function subscribe(
  server: Running,
  connections: number,
  seconds: number,
  expected = 0,
  rate = 1e6,
  path = "",
): Promise<Subscribers> {
  const args = ["-p", server.wsPort, "-n", connections, "-m", server.mode, "-d", seconds, "-r", rate, "-f", 256];
  if (path !== "") args.push("-P", path);
  if (expected > 0) args.push("-e", expected);
  const child = spawn("taskset", ["-c", LOAD_CORE, join(tools, "wsload"), ...args.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout! });
  let finished: (result: WsResult) => void;
  const result = new Promise<WsResult>((resolve) => {
    finished = resolve;
  });
  const registered = await new Promise<number>((resolve, reject) => {
    lines.on("line", (line) => {
      if (line.startsWith("READY")) {
        const [, ready, took] = line.split(" ");
        if (Number(ready) !== connections)
          reject(new Error(`${server.name}: only ${ready} of ${connections} connected`));
        resolve(Number(took));
      } else if (line.startsWith("{")) finished(JSON.parse(line) as WsResult);
    });
    child.once("exit", (code) => reject(new Error(`wsload ended with ${code}`)));
  });
  return { registered, result, stop: () => void child.kill() };
}

interface HttpResult {
  readonly perSecond: number;
}

/** The same request over and over on so many connections, after a second that does not count: code is compiled on its way. */
async function call(server: Running, callers: number, seconds: number, body: string): Promise<number> {
  await load(server, callers, 1, body);
  return load(server, callers, seconds, body);
}

async function load(server: Running, callers: number, seconds: number, body: string): Promise<number> {
  const request = [
    "POST /api/push HTTP/1.1",
    "Host: 127.0.0.1",
    "Content-Type: application/x-www-form-urlencoded",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "",
    body,
  ].join("\r\n");
  const child = spawn(
    "taskset",
    ["-c", LOAD_CORE, join(tools, "http-load"), String(server.httpPort), String(callers), String(seconds)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  child.stdin!.end(request);
  let out = "";
  for await (const chunk of child.stdout!) out += chunk;
  return (JSON.parse(out) as HttpResult).perSecond;
}

// ---- measures: each returns a figure of one server

const encode = encodeURIComponent;

/** Frames delivered per second to 1,000 subscribers of one topic, and what each costs the server, microseconds. */
async function fanOutCost(server: Running, callers: number, seconds: number) {
  const subscribers = await subscribe(server, 1000, seconds + 2);
  const before = server.cpu();
  const calling = call(server, callers, seconds, `topic=bench&${FRAME_PUSH}`);
  const [result] = await Promise.all([subscribers.result, calling]);
  if (result.closed > 0) throw new Error(`${server.name}: ${result.closed} subscribers lost`);
  return { perSecond: result.msgs_per_s, cost: ((server.cpu() - before) * 1e6) / result.messages };
}

const fanOut = async (server: Running, callers: number, seconds: number): Promise<number> =>
  (await fanOutCost(server, callers, seconds)).perSecond;

/** @param token in the query; "": none */
async function registrations(server: Running, token = ""): Promise<number> {
  const connections = 5000;
  const path = token === "" ? "" : `/socket.io/?EIO=4&transport=websocket&token=${token}`;
  const subscribers = await subscribe(server, connections, 0.1, 0, 1e6, path);
  await subscribers.result;
  return connections / subscribers.registered;
}

async function memory(server: Running): Promise<number> {
  const connections = 10_000;
  await new Promise((resolve) => setTimeout(resolve, 2000)); // it answers before it has given back what loading took
  const before = server.rss();
  const subscribers = await subscribe(server, connections, 18, 0, 4000);
  await new Promise((resolve) => setTimeout(resolve, 15_000)); // idle: what registering left behind has settled
  const after = server.rss();
  await subscribers.result;
  return (after - before) / connections;
}

/** p99 in milliseconds from an HTTP call to the frame at one subscriber, calls one after another. */
async function latency(server: Running, calls: number): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.wsPort}/socket.io/?EIO=3&transport=websocket`);
  await once(socket, "open");
  let arrived: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    socket.addEventListener("message", ({ data }) => {
      if (String(data).startsWith('42["pushId"')) resolve();
      if (String(data).startsWith('42["p"')) arrived();
    });
  });
  socket.send('42["pushId",{"id":"latency-probe","topics":["latency"]}]');
  await ready;
  const times: number[] = [];
  for (let i = 0; i < calls; i++) {
    const frame = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const from = performance.now();
    await (await fetch(`http://127.0.0.1:${server.httpPort}/api/push?topic=latency&json=1`)).text();
    await frame;
    times.push(performance.now() - from);
  }
  socket.close();
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.99)]!;
}

async function compare(
  what: string,
  target: number,
  referenceName: ServerName,
  measure: (server: Running) => Promise<number>,
): Promise<void> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of [referenceName, "pushbox"] as const) {
      const server = await start(name);
      (name === "pushbox" ? ours : theirs).push(await measure(server));
      await server.stop();
    }
  }
  add(what, `>= ${target} x ${referenceName}`, median(theirs), median(ours), target);
}

// ---- the run

const { values: flags, positionals: only } = parseArgs({
  allowPositionals: true,
  options: { engine: { type: "string", default: "sqlite" }, turns: { type: "boolean" }, help: { type: "boolean" } },
});
if (flags.help) {
  console.log(HELP);
  process.exit();
}
const known = (flags.engine === "postgres" ? `${ROWS_ON_POSTGRES} move` : `${ROWS} before`).split(" ");
const unknown = only.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`there is no row ${unknown.join(", ")}; one of ${known.join(", ")}`);
  process.exit(2);
}
if (flags.turns) await (await import("./bench/turns.ts")).turns();
const wanted = (name: string) => only.length === 0 || only.includes(name);

async function main(): Promise<void> {
  mkdirSync(tools, { recursive: true });
  for (const tool of ["wsload", "http-load"]) {
    const source = join(root, "scripts", "bench", `${tool}.c`);
    if (!existsSync(source)) throw new Error(`${source} is missing`);
    execFileSync("cc", ["-O2", "-o", join(tools, tool), source], { stdio: "inherit" });
  }
  console.log(HEAD);

  if (flags.engine === "postgres")
    return onPostgres(ROUNDS, only, { subscribe: (server, seconds) => subscribe(server, 1000, seconds) });
  if (wanted("topic"))
    await compare("topic push by HTTP, 1,000 subscribers, 1 caller: frames/s", 0.9, "bare", (s) => fanOut(s, 1, 3));
  if (wanted("topic50")) await compare("the same with 50 callers: frames/s", 0.8, "turn", (s) => fanOut(s, 50, 3));
  if (wanted("memory")) {
    const figures: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const server = await start("pushbox");
      figures.push(await memory(server));
      await server.stop();
    }
    limit("RSS per idle registered connection at 10,000: bytes", "<= 3072", 3072, median(figures));
  }
  if (wanted("register")) await registering(ROUNDS, subscribe);
  if (wanted("device")) {
    await compare("push to one pushId by HTTP, 50 callers: calls/s", 0.5, "bare", async (server) => {
      if (server.name === "bare") return call(server, 50, 3, `pushId=${encode("wsload000000000")}&${FRAME_PUSH}`);
      const subscribers = await subscribe(server, 1, 5);
      const rate = await call(server, 50, 3, `pushId=wsload000000000&${FRAME_PUSH}`);
      await subscribers.result;
      return rate;
    });
    const live: number[] = [];
    const kept: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const server = await start("pushbox");
      for (const [figures, more] of [
        [live, ""],
        [kept, "&timeToLive=60000"],
      ] as const) {
        const subscribers = await subscribe(server, 1, 5);
        figures.push(await call(server, 50, 3, `pushId=wsload000000000&${FRAME_PUSH}${more}`));
        await subscribers.result;
      }
      await server.stop();
    }
    add(
      "the same with timeToLive (durable before the answer): calls/s",
      ">= 0.5 x without",
      median(live),
      median(kept),
      0.5,
    );
  }
  if (wanted("login")) await logins(ROUNDS, registrations);
  if (wanted("hanging")) await hanging(ROUNDS, (server) => latency(server, 1000));
  if (only.includes("before")) await before(ROUNDS, { load, subscribe });
  if (wanted("scan")) await scan();
  if (wanted("apns")) await throughApns(ROUNDS);
  if (wanted("hooks"))
    await telling(ROUNDS, {
      subscribe: (server, connections, seconds) => subscribe(server, connections, seconds, 0, 10_000),
      latency: (server) => latency(server, 2000),
    });
  const pages = {
    fanOut: (server: Running) => fanOutCost(server, 50, 6),
    subscribe: (server: Running, connections: number, seconds: number) =>
      subscribe(server, connections, seconds, 0, 5000),
  };
  if (wanted("import")) await importing(tools);
  if (wanted("pages")) await pagesOpen(ROUNDS, pages);
  if (wanted("console")) await pagesFilled(pages);
  if (wanted("broadcast")) await broadcast((server) => latency(server, 2000));
}

async function scan(): Promise<void> {
  const devices = Number(process.env["DEVICES"] ?? 1_000_000);
  const data = join(tools, "filled");
  execFileSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "scripts/bench/fill.ts", data, String(devices)],
    {
      cwd: root,
      stdio: "inherit",
    },
  );
  const server = await start("pushbox", { data });
  await latency(server, 300);
  const idle: number[] = [];
  const busy: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    idle.push(await latency(server, 2000));
    // Every device is read and left out by the filter, so this is the scan alone.
    await fetch(`http://127.0.0.1:${server.httpPort}/api/notification`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        tag: "everyone",
        tagStart: "v_",
        tagGreaterThan: "9",
        notification: { android: { title: "scan" } },
      }),
    });
    busy.push(await latency(server, 2000));
  }
  await server.stop();
  const ratio = median(busy) / median(idle);
  put({
    what: `p99 of a topic push while ${devices} device records are scanned: ms`,
    target: "<= 2 x idle",
    reference: short(median(idle)),
    measured: short(median(busy)),
    ratio,
    holds: ratio <= 2,
  });
}

for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.once(signal, () => {
    stopAll();
    rmSync(tools, { recursive: true, force: true });
    process.exit(1);
  });
try {
  await main();
  const missed = rows.filter((row) => !row.holds);
  console.log(missed.length === 0 ? "\nevery target holds" : `\n${missed.length} of ${rows.length} targets missed`);
  process.exitCode = missed.length === 0 ? 0 : 1;
} finally {
  stopAll();
  rmSync(tools, { recursive: true, force: true });
}
