// Clients that come, go, subscribe and unsubscribe at random while packets are pushed, against what they must have seen.
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { type Choices, choices } from "../support/choices.ts";
import { RawClient } from "../support/clients.ts";

const SEED = 20_180_913;
const CLIENTS = 8;
const STEPS = 60;
const TOPICS = ["a", "b", "c", "d"];
const TTL = 600_000;

/** What a push says: its channel, and its number among that channel's kept pushes, or among those that are not kept. */
interface Said {
  readonly channel: string;
  readonly kept?: number;
  readonly live?: number;
}

/** One device that keeps its positions from connection to connection, as an app does. */
class Model {
  readonly id: string;
  readonly faults: string[] = [];
  readonly seen = new Map<string, number>();
  readonly #seenLive = new Map<string, number>();
  readonly #cursors = new Map<string, string>();
  readonly #port: number;
  readonly #subscribed = new Set<string>();
  #client: RawClient | undefined;
  received = 0;

  constructor(id: string, port: number) {
    this.id = id;
    this.#port = port;
  }

  #take(frame: string): void {
    if (!frame.startsWith('42["p"')) return;
    this.received++;
    const [, said, place] = JSON.parse(frame.slice(2)) as [string, Said, [string, string, number?]?];
    const { channel, kept, live } = said;
    if (kept !== undefined) {
      const last = this.seen.get(channel) ?? 0;
      if (kept !== last + 1) this.faults.push(`${this.id}: ${kept} after ${last} on ${channel}`);
      this.seen.set(channel, kept);
      if (place?.[0] !== channel) this.faults.push(`${this.id}: ${kept} of ${channel} names ${place?.[0]}`);
      else this.#cursors.set(channel, place[1]);
    }
    if (live !== undefined) {
      const last = this.#seenLive.get(channel) ?? 0;
      if (live <= last) this.faults.push(`${this.id}: live ${live} after ${last} on ${channel}`);
      this.#seenLive.set(channel, live);
    }
  }

  #cursor(channel: string): string {
    return this.#cursors.get(channel) ?? "0";
  }

  #hello(topics: readonly string[]) {
    for (const topic of topics) this.#subscribed.add(topic);
    const lastPacketIds = Object.fromEntries(topics.map((topic) => [topic, this.#cursor(topic)]));
    return { id: this.id, topics, lastPacketIds, lastUnicastId: this.#cursor(this.id) };
  }

  async connect(topics: readonly string[], patient: boolean): Promise<void> {
    await this.#client?.close();
    this.#subscribed.clear();
    const client = await RawClient.open(this.#port);
    this.#client = client;
    client.socket.addEventListener("message", ({ data }) => this.#take(String(data)));
    if (patient) await client.hello(this.#hello(topics));
    else client.emit("pushId", this.#hello(topics)); // the next step comes before the answer
  }

  async step({ chance, one, some }: Choices): Promise<void> {
    const client = this.#client;
    if (client === undefined || chance(0.25)) return this.connect(some(TOPICS), chance(0.6));
    const topic = one(TOPICS);
    if (this.#subscribed.has(topic) && chance(0.5)) {
      client.emit("unsubscribeTopic", { topic });
      // Only now does it know what it has seen of the topic, and may come back with that position.
      await client.settle();
      this.#subscribed.delete(topic);
    } else if (chance(0.15)) {
      // The same device says hello again, with positions that are out of date by the time they are read.
      client.emit("pushId", this.#hello([...this.#subscribed]));
    } else {
      this.#subscribed.add(topic);
      client.emit("subscribeTopic", { topic, lastPacketId: this.#cursor(topic) });
    }
    if (chance(0.3)) await client.settle();
  }

  /** Comes back for everything, once nothing more is pushed. */
  async finish(pushed: ReadonlyMap<string, number>): Promise<void> {
    await this.connect(TOPICS, true);
    const hasAll = () => [...TOPICS, this.id].every((channel) => this.seen.get(channel) === pushed.get(channel));
    for (let tries = 0; tries < 1000 && !hasAll(); tries++) await this.#client!.settle();
    await this.#client!.settle(); // and nothing twice
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }
}

t.test("holds 3: whatever a client does, each channel comes to it without gap, repeat or disorder", async (t) => {
  const server = await startTestApp(t, {
    storage: { keep: 100_000 },
    client: { disconnectDelay: 0, maxBackpressure: 100_000 }, // so that a backlog goes in several pages
  });
  const models = Array.from({ length: CLIENTS }, (_, i) => new Model(`device-${i}-0123456789`, server.clientPort));
  t.teardown(() => Promise.all(models.map((model) => model.close())));

  const pushed = new Map<string, number>();
  let going = true;
  const pushing = [...TOPICS, ...models.map(({ id }) => id)].map(async (channel, i) => {
    const { chance } = choices(SEED + 1000 + i);
    const target = TOPICS.includes(channel) ? { topic: channel } : { pushId: channel };
    for (let live = 1; going; live++) {
      if (chance(0.25)) await server.ok("push", { ...target, json: { channel, live } });
      else {
        const kept = (pushed.get(channel) ?? 0) + 1;
        pushed.set(channel, kept);
        await server.ok("push", { ...target, json: { channel, kept }, timeToLive: TTL });
      }
    }
  });
  await Promise.all(
    models.map(async (model, i) => {
      const choose = choices(SEED + i);
      for (let step = 0; step < STEPS; step++) await model.step(choose);
    }),
  );
  going = false;
  await Promise.all(pushing);
  await Promise.all(models.map((model) => model.finish(pushed)));

  t.same(
    models.flatMap(({ faults }) => faults.slice(0, 3)),
    [],
    `seed ${SEED}`,
  );
  for (const { id, seen } of models) {
    const missing = [...TOPICS, id].filter((channel) => seen.get(channel) !== pushed.get(channel));
    t.same(missing, [], `${id} has seen everything to the end`);
  }
  t.ok(
    models.every(({ received }) => received > 50),
    "there was something to see",
  );
  t.comment(`${[...pushed.values()].reduce((a, b) => a + b)} pushes, ${models.map((model) => model.received).join()}`);
});
