// Packets of the torture: callers push to topics, devices and users; receivers come and go with their positions. A trigger writes down what
// PostgreSQL ever kept, and in the end each receiver has had its channels' packets once, in that order.
import { setTimeout as pause } from "node:timers/promises";
import type { PushId } from "../../src/core/device.ts";
import { deviceChannel, topicChannel } from "../../src/core/packet.ts";
import type { Cluster } from "./cluster.ts";
import type { Pair } from "./pair.ts";
import type { Dice } from "./plan.ts";

const TOPICS = 10;
const TOPICS_EACH = 3;
const USERS = 8;
const HOUR = 3_600_000;
const BEAT = 3000;
/** A connection on which nothing has come for so long is left. */
const SILENCE = 12_000;

/** Pushes that were answered with success, or may have been made. */
export interface Pushed {
  readonly n: number;
  readonly kind: "topic" | "pushId" | "uid";
  readonly to: string;
  readonly kept: boolean;
  /** Of the packet; undefined: whether it was pushed is not known. */
  readonly id: string | undefined;
  /** Repeated until it was answered, with an idempotency key. */
  readonly repeatable: boolean;
  readonly at: number;
}

export interface Traffic {
  isOver: boolean;
  repeated: number;
  readonly pushed: Pushed[];
}

/** A socket that its node has closed. */
export interface Closing {
  readonly node: string;
  readonly at: number;
}

const topicOf = (i: number): string => `news-${i}`;
const userOf = (i: number): string => `reader-${i}`;

export class Receiver {
  readonly id: string;
  readonly uid: string;
  readonly topics: readonly string[];
  /** Ids of kept packets by channel, in the order they came. */
  readonly got = new Map<string, string[]>();
  /** Numbers of those that are not kept. */
  readonly passing: number[] = [];
  readonly closings: Closing[] = [];
  readonly #cluster: Cluster;
  readonly #random: Dice;
  #socket: WebSocket | undefined;

  constructor(number: number, cluster: Cluster, random: Dice) {
    this.id = `torture-receiver-${number}`;
    this.uid = userOf(number % USERS);
    this.topics = Array.from({ length: TOPICS_EACH }, (_, i) => topicOf((number * 3 + i) % TOPICS));
    this.#cluster = cluster;
    this.#random = random;
  }

  get isConnected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Comes back whenever it is away; now and then it leaves by itself. */
  async live(traffic: Traffic): Promise<void> {
    while (!traffic.isOver) {
      if (this.#socket === undefined) await this.come();
      else if (this.#random() < 0.02) this.leave();
      await pause(100 + 400 * this.#random());
    }
  }

  leave(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  /** Resolves once it is registered, or the connection has failed. */
  async come(): Promise<void> {
    const [node, server] = await this.#cluster.any();
    const url = await server.clientUrl();
    const socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=3&transport=websocket`);
    this.#socket = socket;
    let heard = Date.now();
    await new Promise<void>((resolve) => {
      const beat = setInterval(() => {
        if (Date.now() - heard > SILENCE) socket.close();
        else if (socket.readyState === WebSocket.OPEN) socket.send("2");
      }, BEAT);
      socket.addEventListener("open", () => socket.send(`42${JSON.stringify(["pushId", this.#hello()])}`));
      socket.addEventListener("message", ({ data }) => {
        heard = Date.now();
        if (this.#socket !== socket) return; // it has left
        const text = String(data);
        if (text.startsWith('42["pushId"')) resolve();
        else if (text.startsWith('42["p",')) this.#take(text);
      });
      const gone = (): void => {
        clearInterval(beat);
        if (this.#socket === socket) {
          this.#socket = undefined;
          this.closings.push({ node, at: Date.now() });
        }
        resolve();
      };
      socket.addEventListener("close", gone);
      socket.addEventListener("error", gone);
    });
  }

  #hello(): object {
    const last = (channel: string): string | undefined => this.got.get(channel)?.at(-1);
    const own = last(deviceChannel(this.id as PushId));
    const lastPacketIds = Object.fromEntries(this.topics.map((topic) => [topic, last(topicChannel(topic)) ?? "0"]));
    const known = { id: this.id, version: 1, platform: "android", topics: this.topics, lastPacketIds };
    return own === undefined ? known : { ...known, lastUnicastId: own };
  }

  #take(text: string): void {
    const [, { n }, place] = JSON.parse(text.slice(2)) as [string, { n: number }, [string, string, number]?];
    if (place === undefined) return void this.passing.push(n);
    const [name, id, unicast] = place;
    const channel = unicast === 1 ? deviceChannel(name as PushId) : topicChannel(name);
    const list = this.got.get(channel);
    if (list === undefined) this.got.set(channel, [id]);
    else list.push(id);
  }
}

/** What is written down of every packet that is kept. */
export async function watchLog(pair: Pair): Promise<void> {
  await pair.query(`
    CREATE TABLE public.torture_log (seq bigint PRIMARY KEY, channel text NOT NULL, id text NOT NULL, n bigint NOT NULL);
    CREATE FUNCTION public.torture_note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.event = 'p' THEN
        INSERT INTO public.torture_log VALUES (NEW.seq, NEW.channel, NEW.id, coalesce((NEW.body::json ->> 'n')::bigint, 0));
      END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER torture_note AFTER INSERT ON pushbox.packets FOR EACH ROW EXECUTE FUNCTION public.torture_note()`);
}

/** One caller, until the traffic is over. */
export async function push(
  cluster: Cluster,
  receivers: readonly Receiver[],
  traffic: Traffic,
  random: Dice,
  next: () => number,
): Promise<void> {
  const anyOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  while (!traffic.isOver) {
    const n = next();
    const choice = random();
    const kind = choice < 0.6 ? "topic" : choice < 0.8 ? "pushId" : "uid";
    const kept = random() < 0.85;
    const reader = anyOf(receivers);
    const to = kind === "topic" ? topicOf(Math.floor(random() * TOPICS)) : kind === "pushId" ? reader.id : reader.uid;
    const repeatable = random() < 0.5;
    const call = {
      [kind]: to,
      json: { n, text: "x".repeat(random() < 0.01 ? 9000 : 100) },
      ...(kept ? { timeToLive: HOUR } : {}),
      ...(repeatable ? { idempotencyKey: `torture-${n}` } : {}),
    };
    const body = JSON.stringify(call);
    const again = (): void => {
      traffic.repeated++;
    };
    const answer = await (repeatable ? cluster.call("push", body, again) : cluster.once("push", body));
    const id = (answer as { readonly id: string } | undefined)?.id;
    traffic.pushed.push({ n, kind, to, kept, id, repeatable, at: Date.now() });
    await pause(200 * random());
  }
}

interface Row {
  readonly channel: string;
  readonly id: string;
  readonly n: number;
}

export interface PacketFindings {
  readonly problems: readonly string[];
  readonly answered: number;
  readonly unknown: number;
  /** Of these, those that had been made. */
  readonly unknownMade: number;
  readonly kept: number;
  readonly received: number;
  readonly gaps: number;
  readonly repeats: number;
  readonly disorder: number;
  /** Not kept: to how many receivers they should have gone, if all had been there, and went. */
  readonly passingDue: number;
  readonly passing: number;
  readonly passingRepeated: number;
}

const readLog = async (pair: Pair): Promise<readonly Row[]> =>
  (await pair.query<Row>("SELECT channel, id, n::int AS n FROM public.torture_log ORDER BY seq")).map((row) => row);

/** Resolves when every receiver has had as much as the log has for it, or it is too late. */
export async function received(pair: Pair, receivers: readonly Receiver[], deadline: number): Promise<void> {
  const counts = new Map<string, number>();
  for (const { channel } of await readLog(pair)) counts.set(channel, (counts.get(channel) ?? 0) + 1);
  const lacks = ({ got, topics, id }: Receiver): boolean =>
    [...topics.map(topicChannel), deviceChannel(id as PushId)].some(
      (channel) => (got.get(channel)?.length ?? 0) < (counts.get(channel) ?? 0),
    );
  while (receivers.some(lacks) && Date.now() < deadline) {
    for (const receiver of receivers) if (!receiver.isConnected) await receiver.come();
    await pause(200);
  }
}

export async function account(
  pair: Pair,
  receivers: readonly Receiver[],
  pushed: readonly Pushed[],
): Promise<PacketFindings> {
  const log = await readLog(pair);
  const problems: string[] = [];
  const channels = new Map<string, Row[]>();
  const byNumber = new Map<number, Row[]>();
  for (const row of log) {
    for (const [map, key] of [
      [channels, row.channel],
      [byNumber, row.n],
    ] as const) {
      const list = (map as Map<string | number, Row[]>).get(key);
      if (list === undefined) (map as Map<string | number, Row[]>).set(key, [row]);
      else list.push(row);
    }
  }
  let [answered, unknown, unknownMade] = [0, 0, 0];
  for (const one of pushed) {
    const { n, id, kept, kind, to } = one;
    if (!kept) continue;
    const rows = byNumber.get(n) ?? [];
    const wanted =
      kind === "topic"
        ? [topicChannel(to)]
        : receivers
            .filter((each) => (kind === "uid" ? each.uid : each.id) === to)
            .map((each) => deviceChannel(each.id as PushId));
    if (id === undefined) {
      unknown++;
      if (rows.length > 0) unknownMade++;
      continue;
    }
    answered++;
    for (const channel of wanted)
      if (!rows.some((row) => row.channel === channel && row.id === id))
        problems.push(`${n} to ${kind} ${to} was answered, and ${channel} has lost it`);
    if (rows.length > wanted.length) problems.push(`${n} to ${kind} ${to} was kept ${rows.length} times`);
  }
  const sums = { received: 0, gaps: 0, repeats: 0, disorder: 0 };
  for (const { id, topics, got } of receivers) {
    for (const channel of [...topics.map(topicChannel), deviceChannel(id as PushId)]) {
      const places = new Map((channels.get(channel) ?? []).map((row, i) => [row.id, i]));
      const seen = new Set<string>();
      let last = -1;
      for (const packet of got.get(channel) ?? []) {
        const place = places.get(packet);
        sums.received++;
        if (place === undefined) problems.push(`${id} got ${packet} of ${channel}, which was never kept`);
        else if (seen.has(packet)) {
          sums.repeats++;
          problems.push(`${id} got ${packet} of ${channel} twice`);
        } else if (place < last) {
          sums.disorder++;
          problems.push(`${id} got ${packet} of ${channel} too late`);
        }
        seen.add(packet);
        last = Math.max(last, place ?? -1);
      }
      const missing = [...places.keys()].filter((packet) => !seen.has(packet));
      sums.gaps += missing.length;
      if (missing.length > 0)
        problems.push(`${id} lacks ${missing.length} of ${channel}: ${missing.slice(0, 3).join()}`);
    }
  }
  let [passingDue, passing, passingRepeated] = [0, 0, 0];
  const passed = receivers.map((receiver) => new Set(receiver.passing));
  for (const [i, receiver] of receivers.entries()) {
    passing += passed[i]!.size;
    passingRepeated += receiver.passing.length - passed[i]!.size;
  }
  for (const { kind, to, kept, id } of pushed)
    if (!kept && id !== undefined)
      passingDue += receivers.filter((each) =>
        kind === "topic" ? each.topics.includes(to) : (kind === "uid" ? each.uid : each.id) === to,
      ).length;
  return { problems, answered, unknown, unknownMade, kept: log.length, ...sums, passingDue, passing, passingRepeated };
}
