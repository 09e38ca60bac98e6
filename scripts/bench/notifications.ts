// Notifications: the whole path to one APNs host against clients that do nothing else, and a call to a million devices.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { LOAD_CORE, type Running, root, SERVER_CORE, start, tools } from "./servers.ts";
import { add, limit, median, put, short } from "./table.ts";

const COUNT = Number(process.env["NOTIFICATIONS"] ?? 60_000);
const FLAGS = ["--disable-warning=ExperimentalWarning"];

interface ApnsHost {
  readonly url: string;
  readonly child: ChildProcess;
}

/** @param nice of the host, so that who measures beside it need not wait for it */
async function apnsHost(nice = 0): Promise<ApnsHost> {
  const child = spawn(
    "taskset",
    ["-c", LOAD_CORE, "nice", "-n", `${nice}`, process.execPath, ...FLAGS, "scripts/bench/apns.ts", "server", tools],
    {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  for await (const url of createInterface({ input: child.stdout! })) return { url, child };
  throw new Error("the APNs host did not start");
}

/** Requests per second of a client that does nothing else. */
function client(kind: "undici" | "node-apn", { url }: ApnsHost): number {
  const out = execFileSync(
    "taskset",
    ["-c", SERVER_CORE, process.execPath, ...FLAGS, "scripts/bench/apns.ts", kind, tools, url, String(COUNT)],
    { cwd: root, stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" },
  );
  return (JSON.parse(out.trim().split("\n").at(-1)!) as { perSecond: number }).perSecond;
}

/** pushbox on a data directory with so many devices of that host. */
async function pushbox({ url }: ApnsHost, devices: number): Promise<Running> {
  const data = join(tools, `apns-${devices}`);
  execFileSync(process.execPath, [...FLAGS, "scripts/bench/fill.ts", data, String(devices), "apn"], {
    cwd: root,
    stdio: "inherit",
  });
  const config = join(tools, "apns.toml");
  const entry = [
    `[vendors]\nca_file = "ca.pem"\n`,
    `[[vendors.apns]]\nbundle_id = "com.example.lab"\nenvironment = "production"\nbase_url = "${url}"`,
    `key_file = "apns.p8"\nkey_id = "ABCDE12345"\nteam_id = "FGHIJ67890"\n`,
  ];
  writeFileSync(config, entry.join("\n"));
  return start("pushbox", { data }, [`--config=${config}`]);
}

interface JobFigures {
  readonly state: string;
  readonly progress: { readonly seen: number; readonly accepted: number };
}

async function call(server: Running, path: string, body: object): Promise<JobFigures & { readonly id: string }> {
  const answer = await fetch(`http://127.0.0.1:${server.httpPort}/api/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as JobFigures & { readonly id: string };
}

const notification = { apn: { alert: "Hello" }, android: { title: "Hello" }, payload: { order: 7 } };

/** Resolves with the seconds it took until `done` was true of the job. */
async function until(server: Running, id: string, from: number, done: (job: JobFigures) => boolean): Promise<number> {
  for (;;) {
    if (done(await call(server, "job/get", { id }))) return (performance.now() - from) / 1000;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function throughApns(rounds: number): Promise<void> {
  const figures = { undici: [] as number[], "node-apn": [] as number[], pushbox: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const host = await apnsHost();
    for (const kind of ["undici", "node-apn"] as const) figures[kind].push(client(kind, host));
    const server = await pushbox(host, COUNT);
    const from = performance.now();
    const { id } = await call(server, "notification", { pushAll: true, timeToLive: 3_600_000, notification });
    let accepted = 0;
    const seconds = await until(server, id, from, (job) => {
      accepted = job.progress.accepted;
      return job.state === "finished";
    });
    if (accepted !== COUNT) throw new Error(`only ${accepted} of ${COUNT} were accepted`);
    figures.pushbox.push(COUNT / seconds);
    await server.stop();
    host.child.kill();
  }
  const ours = median(figures.pushbox);
  add("notifications/s to one APNs host, the whole path", ">= 0.5 x bare undici", median(figures.undici), ours, 0.5);
  add("the same", ">= 2 x @parse/node-apn", median(figures["node-apn"]), ours, 2);
}

/** A call to a million devices, with a vendor that takes them as quickly as it can. */
export async function broadcast(latency: (server: Running) => Promise<number>): Promise<void> {
  const devices = Number(process.env["DEVICES"] ?? 1_000_000);
  const host = await apnsHost(10);
  execFileSync("taskset", ["-acp", LOAD_CORE, `${process.pid}`], { stdio: "ignore" });
  const server = await pushbox(host, devices);
  await latency(server);
  const quiet = [await latency(server), await latency(server), await latency(server)];
  const before = server.rss();
  const from = performance.now();
  const { id } = await call(server, "notification", { pushAll: true, timeToLive: 3_600_000, notification });
  let most = before;
  const watching = setInterval(() => {
    most = Math.max(most, server.rss());
  }, 100);
  let seconds = 0;
  const expanded = until(server, id, from, ({ progress }) => progress.seen >= devices).then((took) => {
    seconds = took;
  });
  const whileExpanded: number[] = [];
  while (seconds === 0) whileExpanded.push(await latency(server));
  await expanded;
  const sending = await latency(server);
  clearInterval(watching);
  const [idle, busy] = [median(quiet), median(whileExpanded)];
  const { progress } = await call(server, "job/get", { id });
  await server.stop();
  host.child.kill();
  const p99 = (what: string, measured: number): void =>
    put({
      what: `p99 of a topic push while ${what}: ms`,
      target: "<= 2 x idle",
      reference: short(idle),
      measured: short(measured),
      ratio: measured / idle,
      holds: measured <= 2 * idle,
    });
  p99(`a notification to ${devices} devices is expanded and sent`, busy);
  p99("it is sent", sending);
  limit("RSS growth meanwhile: MB", "<= 50", 50, (most - before) / 1e6);
  console.log(`\nexpanded ${short(devices / seconds)} devices/s, while ${progress.accepted} were sent`);
}
