// What telling a backend costs: events through one webhook and one stream, and what a backend that hangs does to everybody else.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { freePort } from "../../test/support/ports.ts";
import { LOAD_CORE, type Running, root, start } from "./servers.ts";
import { add, limit, median, put, short } from "./table.ts";

const DEVICES = 10_000;
const REGISTERED = 5000;
/** Events per second. */
const LEAST = 5000;

interface Counted {
  readonly events: number;
  readonly requests: number;
  /** Requests at once, at most. */
  readonly most: number;
  readonly offline: number;
}

interface Backend {
  readonly flags: readonly string[];
  counted(): Promise<Counted>;
  /** Resolves once so many have come. */
  until(what: "events" | "offline", count: number): Promise<Counted>;
  stop(): Promise<void>;
}

async function backend(events: readonly string[], mode = "answer"): Promise<Backend> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const args = [
    "-c",
    LOAD_CORE,
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    "scripts/bench/receiver.ts",
  ];
  const child: ChildProcess = spawn("taskset", [...args, String(port), mode], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const counted = async (): Promise<Counted> => (await (await fetch(url)).json()) as Counted;
  for (let i = 0; i < 400; i++) {
    const up = await counted().catch(() => undefined);
    if (up !== undefined) break;
    await pause(25);
  }
  const hook = { name: "bench", url, secret: `whsec_${randomBytes(32).toString("base64")}`, events };
  return {
    flags: [`--hooks-tell=${JSON.stringify(hook)}`, "--client-disconnect-delay=0"],
    counted,
    async until(what, count) {
      for (;;) {
        const now = await counted();
        if (now[what] >= count) return now;
        await pause(100);
      }
    },
    async stop() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

export interface Measures {
  /** Connections that stay for so many seconds; resolves once all have registered. */
  subscribe(
    server: Running,
    connections: number,
    seconds: number,
  ): Promise<{ readonly registered: number; readonly result: Promise<unknown>; stop(): void }>;
  /** p99 of a topic push, ms. */
  latency(server: Running): Promise<number>;
}

const api = (server: Running, path: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${server.httpPort}/api/${path}`);

/** The devices that `subscribe` connects have users. */
async function bindAll(server: Running, count: number): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      const id = String(i).padStart(9, "0");
      await (await api(server, `uid/bind?pushId=wsload${id}&uid=u${i}`)).text();
    }
  };
  await Promise.all(Array.from({ length: 20 }, one));
}

export async function telling(rounds: number, measures: Measures): Promise<void> {
  await throughput(rounds, measures);
  await registering(rounds, measures);
  await hanging(rounds, measures);
  await leaving(measures);
}

/** Of what the log holds, all over again. */
async function throughput(rounds: number, { subscribe }: Measures): Promise<void> {
  const receiver = await backend(["device.*"]);
  const server = await start("pushbox", undefined, receiver.flags);
  const began = Date.now();
  const clients = await subscribe(server, DEVICES / 2, 0.1);
  await clients.result;
  let { events } = await receiver.until("offline", DEVICES / 2);
  const sent: number[] = [];
  const read: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const from = performance.now();
    const { replayed } = (await (await api(server, `event/replay?hook=bench&from=${began}`)).json()) as {
      replayed: number;
    };
    events += replayed;
    await receiver.until("events", events);
    sent.push((replayed / (performance.now() - from)) * 1000);
    read.push(await streamed(server, replayed));
  }
  await server.stop();
  await receiver.stop();
  least(`events through one webhook, ${DEVICES} that waited: events/s`, median(sent));
  least("events through one stream, read from the log: events/s", median(read));
}

async function streamed(server: Running, count: number): Promise<number> {
  const from = performance.now();
  const request = get(`http://127.0.0.1:${server.httpPort}/api/events?types=device.*&after=0`);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  let seen = 0;
  let rest = "";
  for await (const piece of response.setEncoding("latin1")) {
    const lines = (rest + (piece as string)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("data: ")) seen++;
    if (seen >= count) break;
  }
  request.destroy();
  return (count / (performance.now() - from)) * 1000;
}

async function registering(rounds: number, { subscribe }: Measures): Promise<void> {
  const without: number[] = [];
  const told: number[] = [];
  for (let round = 0; round < rounds; round++)
    for (const figures of [without, told]) {
      const receiver = await backend(["user.*"]);
      const server = await start("pushbox", undefined, figures === told ? receiver.flags : []);
      await bindAll(server, REGISTERED);
      const clients = await subscribe(server, REGISTERED, 0.1);
      figures.push(REGISTERED / clients.registered);
      await clients.result;
      await server.stop();
      await receiver.stop();
    }
  add("connections registered per s, user events to a webhook", ">= 0.8 x without", median(without), median(told), 0.8);
}

async function hanging(rounds: number, { latency }: Measures): Promise<void> {
  const figures = { answer: [] as number[], hang: [] as number[] };
  for (let round = 0; round < rounds; round++)
    for (const mode of ["answer", "hang"] as const) {
      const receiver = await backend(["*"], mode);
      const server = await start("pushbox", undefined, receiver.flags);
      let isOver = false;
      const binding = (async () => {
        for (let i = 0; !isOver; i++) {
          await (await api(server, `uid/bind?pushId=wsload${String(i % 1000).padStart(9, "0")}&uid=u${i}`)).text();
          await pause(2);
        }
      })();
      await latency(server);
      figures[mode].push(await latency(server));
      isOver = true;
      await binding;
      await server.stop();
      await receiver.stop();
    }
  const [reference, measured] = [median(figures.answer), median(figures.hang)];
  const ratio = measured / reference;
  put({
    what: "p99 of a topic push while the backend hangs: ms",
    target: "<= 1.2 x one that answers",
    reference: short(reference),
    measured: short(measured),
    ratio,
    holds: ratio <= 1.2,
  });
}

async function leaving({ subscribe }: Measures): Promise<void> {
  const receiver = await backend(["device.*"]);
  const server = await start("pushbox", undefined, receiver.flags);
  const clients = await subscribe(server, DEVICES, 600);
  const before = await receiver.until("events", DEVICES);
  const from = performance.now();
  clients.stop();
  const after = await receiver.until("offline", DEVICES);
  const seconds = (performance.now() - from) / 1000;
  await server.stop();
  await receiver.stop();
  limit(`${DEVICES} devices gone at once, all told: s`, "<= 60", 60, seconds);
  limit("the same: requests", `<= ${DEVICES / 20}`, DEVICES / 20, after.requests - before.requests);
  limit("requests at once", "<= 5", 5, after.most);
}

function least(what: string, measured: number): void {
  add(what, `>= ${LEAST}`, LEAST, measured, 1);
}
