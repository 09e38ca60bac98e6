// The torture of events: phones come, go, bind and change rooms while the server is killed; a backend that fails now and then is told.
// In the end its last word on everybody is compared with what is, and every event of the log with what it took.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { stringify } from "smol-toml";
import { Webhook } from "standardwebhooks";
import { type Dice, dice } from "./plan.ts";
import { Server } from "./server.ts";

export interface EventsOptions {
  /** An empty directory for the configuration and the data. */
  readonly directory: string;
  readonly kills: number;
  readonly devices: number;
  readonly seed: number;
  /** They change rooms, and some do not return after the last kill: what a kill hid is told half a minute later. */
  readonly absent: boolean;
  /** Milliseconds for the end, until all is told. */
  readonly limit: number;
  readonly tell: (line: string) => void;
}

export interface EventsResult {
  readonly kills: number;
  /** In the log, taken by the backend, and those of them that it had already. */
  readonly logged: number;
  readonly taken: number;
  readonly repeated: number;
  /** Requests, and those that the backend failed. */
  readonly requests: number;
  readonly failed: number;
  /** Calls that were answered, and those repeated because of a kill. */
  readonly calls: number;
  readonly callsRepeated: number;
  readonly types: ReadonlyMap<string, number>;
  readonly seconds: number;
  readonly problems: readonly string[];
  readonly serverErrors: readonly string[];
}

interface Told {
  readonly id: string;
  readonly type: string;
  readonly key: string;
  readonly seq: number;
  readonly data: Readonly<Record<string, unknown>>;
}

const DELAY = 300;
/** What is not back after a start is told of after so many milliseconds more than the disconnect delay, and a look each second. */
const RETURN = 33_000;
const ROOMS = 5;
const FAULTS = 0.04;

/** Of these types each one counts. */
const HAPPENED: ReadonlySet<string> = new Set(["client.packet", "job.finished"]);

export async function tortureEvents(options: EventsOptions): Promise<EventsResult> {
  const { directory, kills, seed, tell } = options;
  const begun = Date.now();
  const random = dice(seed);
  const backend = await startBackend(dice(seed + 1));
  const server = new Server(config(directory, backend), join(directory, "data"));
  const failure = server.crashed.then((error) => Promise.reject(error));
  failure.catch(() => undefined); // it is felt in the races below
  const end = (): void => server.end();
  process.once("exit", end);
  const life = { moving: options.absent, isOver: false, calls: 0, repeated: 0, jobs: [] as string[] };
  const phones = Array.from({ length: options.devices }, (_, i) => new Phone(i, server, life, dice(seed + 2 + i)));
  try {
    server.start();
    await Promise.race([failure, server.url()]);
    const lived = Promise.all(phones.map((phone) => phone.live()));
    lived.catch(() => undefined);
    for (let kill = 1; kill <= kills; kill++) {
      await Promise.race([failure, server.url()]);
      await Promise.race([failure, lived, pause(100 + 700 * random())]);
      await server.kill();
      if (kill % 10 === 0) tell(`${kill} kills, ${backend.taken.length} events taken`);
    }
    await Promise.race([failure, server.url()]);
    await pause(500);
    life.isOver = true;
    await Promise.race([failure, lived]);
    backend.behave();
    const back = server.kills.at(-1)?.back ?? 0;
    for (const phone of phones) await Promise.race([failure, phone.end(options.absent)]);
    if (options.absent) await pause(Math.max(0, back + RETURN + DELAY - Date.now()));
    await Promise.race([failure, quiet(server, options.limit)]);
    const problems = [...backend.problems];
    const log = await readLog(server);
    problems.push(...compare(log, backend.taken, life.jobs));
    problems.push(...(await lastWords(server, phones, backend.taken)));
    const code = await server.stop();
    if (code !== 0) problems.push(`the server ended with ${code} after SIGTERM`);
    const ids = new Set(backend.taken.map(({ id }) => id));
    return {
      kills: server.kills.length,
      logged: log.length,
      taken: backend.taken.length,
      repeated: backend.taken.length - ids.size,
      requests: backend.requests,
      failed: backend.failed,
      calls: life.calls,
      callsRepeated: life.repeated,
      types: countedTypes(log),
      seconds: Math.round((Date.now() - begun) / 1000),
      problems,
      serverErrors: server.errors,
    };
  } finally {
    life.isOver = true;
    end();
    process.off("exit", end);
    for (const phone of phones) phone.cut();
    await backend.close();
  }
}

function config(directory: string, { url, secret }: Backend): string {
  const file = join(directory, "torture.toml");
  const tell = [{ name: "backend", url, secret, events: ["*"], timeout: 2000 }];
  const client = { disconnect_delay: DELAY };
  writeFileSync(file, stringify({ client, hooks: { topics: ["room:"], tell } }), { mode: 0o600 });
  return file;
}

// ---- the backend

interface Backend {
  readonly url: string;
  readonly secret: string;
  /** Events of requests that it answered with success, in the order of its answers. */
  readonly taken: readonly Told[];
  readonly problems: readonly string[];
  readonly requests: number;
  readonly failed: number;
  /** It fails no more. */
  behave(): void;
  close(): Promise<void>;
}

async function startBackend(random: Dice): Promise<Backend> {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const hook = new Webhook(secret);
  const taken: Told[] = [];
  const problems: string[] = [];
  const state = { requests: 0, failed: 0, fails: true };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const piece of request.setEncoding("utf8")) body += piece as string;
    hook.verify(body, request.headers as Record<string, string>); // throws: caught below
    state.requests++;
    const { data } = JSON.parse(body) as { readonly data: { readonly events: readonly Told[] } };
    const fault = state.fails && random() < FAULTS ? random() : 1;
    if (fault < 1) state.failed++;
    if (fault < 0.3) response.destroy();
    else if (fault < 0.5) response.writeHead(503, { "retry-after": "1" }).end();
    else if (fault < 0.6) response.writeHead(500).end();
    else if (fault < 1) {
      const failed = data.events.filter(() => random() < 0.5).map(({ id }) => id);
      taken.push(...data.events.filter(({ id }) => !failed.includes(id)));
      response.end(JSON.stringify({ failed }));
    } else {
      taken.push(...data.events);
      response.end();
    }
  }

  const listening = createServer((request, response) =>
    answer(request, response).catch((error: unknown) => {
      // A request that a kill cuts off is no problem.
      if (!request.readableAborted) problems.push(`a request that is wrong: ${String(error)}`);
      response.destroy();
    }),
  ).listen(0, "127.0.0.1");
  await once(listening, "listening");
  return {
    url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}/`,
    secret,
    taken,
    problems,
    get requests() {
      return state.requests;
    },
    get failed() {
      return state.failed;
    },
    behave() {
      state.fails = false;
    },
    async close() {
      listening.closeAllConnections();
      listening.close();
      await once(listening, "close");
    },
  };
}

// ---- phones

interface Life {
  /** From room to room. */
  readonly moving: boolean;
  isOver: boolean;
  calls: number;
  repeated: number;
  /** Notifications of jobs that were answered for. */
  readonly jobs: string[];
}

/** One that does as it likes, server or not. */
class Phone {
  readonly id: string;
  readonly #server: Server;
  readonly #life: Life;
  readonly #random: Dice;
  readonly #number: number;
  #socket: WebSocket | undefined;
  room = "";

  constructor(number: number, server: Server, life: Life, random: Dice) {
    this.id = `torture-phone-${number}`;
    this.#number = number;
    this.#server = server;
    this.#life = life;
    this.#random = random;
  }

  get isConnected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  async live(): Promise<void> {
    while (!this.#life.isOver) {
      await this.#act();
      await pause(80 * this.#random());
    }
  }

  /** Comes back; then stays or goes. @param absent it may also not come back */
  async end(absent: boolean): Promise<void> {
    const choice = this.#random();
    if (absent && choice < 0.3) return this.cut();
    while (!this.isConnected) await this.#come();
    if (choice < 0.6) this.cut();
  }

  cut(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #act(): Promise<void> {
    if (!this.isConnected) return this.#come();
    const choice = this.#random();
    const user = `user${Math.floor((this.#number * 7 + this.#random() * 3) % 11)}`;
    if (choice < 0.25) this.cut();
    else if (choice < 0.4) this.#emit("packetProxy", { path: "/torture", sequenceId: "1", data: { at: Date.now() } });
    else if (choice < 0.6) await this.#call("uid/bind", { pushId: this.id, uid: user });
    else if (choice < 0.65) await this.#call("uid/remove", { pushId: this.id });
    else if (choice < 0.7) {
      const id = `job-${this.#number}-${this.#life.calls}`;
      await this.#call("notification", { tag: "nobody", notification: { id, android: { title: "t" } } });
      this.#life.jobs.push(id);
    } else {
      const room = this.#anyRoom();
      if (room === this.room) return;
      if (this.room !== "") this.#emit("unsubscribeTopic", { topic: this.room });
      this.#emit("subscribeTopic", { topic: room });
      this.room = room;
    }
  }

  #anyRoom(): string {
    return `room:${this.#life.moving ? Math.floor(this.#random() * ROOMS) : this.#number % ROOMS}`;
  }

  async #call(path: string, body: object): Promise<void> {
    await this.#server.call(path, JSON.stringify(body), () => {
      this.#life.repeated++;
    });
    this.#life.calls++;
  }

  #emit(event: string, argument: object): void {
    if (this.isConnected) this.#socket?.send(`42${JSON.stringify([event, argument])}`);
  }

  /** Resolves once it is there, or the server is gone. */
  async #come(): Promise<void> {
    const url = await this.#server.clientUrl();
    const socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=3&transport=websocket`);
    this.#socket = socket;
    this.room = "";
    const room = this.#anyRoom();
    await new Promise<void>((resolve) => {
      const beat = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send("2"), 5000);
      const late = setTimeout(() => socket.close(), 5000);
      socket.addEventListener("open", () => {
        const hello = { id: this.id, version: 1, platform: "android", topics: [room] };
        socket.send(`42${JSON.stringify(["pushId", hello])}`);
      });
      socket.addEventListener("message", ({ data }) => {
        if (!String(data).startsWith('42["pushId"')) return;
        clearTimeout(late);
        this.room = room;
        resolve();
      });
      const gone = (): void => {
        clearInterval(beat);
        clearTimeout(late);
        if (this.#socket === socket) this.#socket = undefined;
        resolve();
      };
      socket.addEventListener("close", gone);
      socket.addEventListener("error", gone);
    });
  }
}

// ---- the end

const nothing = (): void => {};

/** Until nothing waits and nothing new comes for a while. */
async function quiet(server: Server, limit: number): Promise<void> {
  const until = Date.now() + limit;
  let newest = -1;
  for (let same = 0; same < 5; ) {
    if (Date.now() > until) throw new Error("the events do not come to an end");
    const { hooks } = (await server.call("hook/list", undefined, nothing)) as {
      readonly hooks: readonly { readonly waiting: number; readonly inFlight: number; readonly delivered: number }[];
    };
    const { waiting = 1, inFlight = 1, delivered = 0 } = hooks[0] ?? {};
    same = waiting === 0 && inFlight === 0 && delivered === newest ? same + 1 : 0;
    newest = delivered;
    if (waiting > 0) await server.call("hook/resume", "{}", nothing);
    await pause(DELAY);
  }
}

async function readLog(server: Server): Promise<Told[]> {
  const events: Told[] = [];
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page = (await server.call(`event/list?limit=1000&after=${after}`, undefined, nothing)) as {
      readonly events: readonly Told[];
      readonly next?: number;
    };
    events.push(...page.events);
    after = page.next;
  }
  return events;
}

/** What an event is the last word on. */
function subject({ type, key, data }: Told): string {
  const member = /^topic\.(joined|left)$/.test(type) ? ` ${String(data["pushId"])}` : "";
  return `${type.slice(0, type.indexOf("."))}${member === "" ? "" : " member"} ${key}${member}`;
}

function compare(log: readonly Told[], taken: readonly Told[], jobs: readonly string[]): string[] {
  const problems: string[] = [];
  const has = new Set(taken.map(({ id }) => id));
  for (const { id, type, key } of log)
    if (HAPPENED.has(type) && !has.has(id)) problems.push(`${type} ${id} of ${key} is lost`);
  const finished = new Set(taken.filter(({ type }) => type === "job.finished").map(({ key }) => key));
  for (const id of jobs) if (!finished.has(`notification:${id}`)) problems.push(`the end of job ${id} is not told`);
  const last = new Map<string, Told>();
  for (const event of log) last.set(subject(event), event);
  for (const [what, { id, type }] of last)
    if (!HAPPENED.has(type) && !has.has(id)) problems.push(`the last word on ${what}, ${id}, is not told`);
  const newest = new Map<string, number>();
  const seen = new Set<string>();
  for (const { id, key, seq } of taken) {
    if (!seen.has(id) && (newest.get(key) ?? 0) > seq) problems.push(`${seq} of ${key} came after ${newest.get(key)}`);
    if (!seen.has(id)) newest.set(key, seq);
    seen.add(id);
  }
  return problems;
}

/** What the backend was told last, against what is. */
async function lastWords(server: Server, phones: readonly Phone[], taken: readonly Told[]): Promise<string[]> {
  const problems: string[] = [];
  const latest = new Map<string, Told>();
  for (const event of taken) {
    const what = subject(event);
    if ((latest.get(what)?.seq ?? 0) < event.seq) latest.set(what, event);
  }
  const expect = (what: string, isTold: unknown, is: unknown): void => {
    if (isTold !== is) problems.push(`${what}: told ${String(isTold)}, and it is ${String(is)}`);
  };
  const users = new Map<string, boolean>();
  const rooms = new Map<string, boolean>();
  for (const { id, isConnected, room } of phones) {
    const { uid } = (await server.call(`device/get?pushId=${id}`, undefined, nothing)) as { readonly uid?: string };
    expect(`${id} is online`, latest.get(`device device:${id}`)?.type === "device.online", isConnected);
    const bound = latest.get(`uid device:${id}`);
    expect(`the user of ${id}`, bound?.type === "uid.bound" ? bound.data["uid"] : undefined, uid);
    if (uid !== undefined) users.set(uid, isConnected || users.get(uid) === true);
    for (let i = 0; i < ROOMS; i++) {
      const topic = `room:${i}`;
      const isThere = isConnected && room === topic;
      rooms.set(topic, isThere || rooms.get(topic) === true);
      expect(`${id} in ${topic}`, latest.get(`topic member topic:${topic} ${id}`)?.type === "topic.joined", isThere);
    }
  }
  for (const [uid, is] of users) expect(`${uid} is online`, latest.get(`user user:${uid}`)?.type === "user.online", is);
  for (const [topic, is] of rooms)
    expect(`${topic} is occupied`, latest.get(`topic topic:${topic}`)?.type === "topic.occupied", is);
  return problems;
}

function countedTypes(log: readonly Told[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { type, data } of log) {
    const name = data["reason"] === "server_restart" ? `${type}, server_restart` : type;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return new Map([...counts].sort());
}
