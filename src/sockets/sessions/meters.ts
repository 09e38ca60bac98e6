// How much goes through the topics that somebody looks at: counted from the first question on, until nobody has asked for a minute.

import type { TopicRates } from "../../core/live.ts";
import type { Channel, Packet } from "../../core/packet.ts";

/** Seconds that a rate is of, and for which a topic is counted that nobody asks about. */
const WINDOW = 10;
const KEPT = 60;
/** Topics counted at once, as many as all pages of the console may show: the one asked about longest ago makes room. */
const MOST = 1000;

type Counts = { -readonly [name in keyof Omit<TopicRates, "seconds">]: number };

const none = (): Counts => ({ in: 0, out: 0, kept: 0 });

interface Meter {
  /** Of this second, and of each of the last. */
  now: Counts;
  readonly last: Counts[];
  idle: number;
}

export class Meters {
  readonly #meters = new Map<Channel, Meter>();

  /** Asked before anything is counted. */
  get on(): boolean {
    return this.#meters.size > 0;
  }

  /** One packet for the topic came. */
  came(channel: Channel, { expires }: Packet): void {
    const counts = this.#meters.get(channel)?.now;
    if (counts === undefined) return;
    counts.in++;
    if (expires > 0) counts.kept++;
  }

  /** One packet for the topic went to so many connections. */
  went(channel: Channel, receivers: number): void {
    const counts = this.#meters.get(channel)?.now;
    if (counts !== undefined) counts.out += receivers;
  }

  /** Packets per second, means of up to 10 seconds; the first question begins to count, and its answer has 0 `seconds`. */
  rates(channel: Channel): TopicRates {
    let meter = this.#meters.get(channel);
    if (meter === undefined) {
      meter = { now: none(), last: [], idle: 0 };
      const [oldest] = this.#meters.keys();
      if (this.#meters.size >= MOST && oldest !== undefined) this.#meters.delete(oldest);
    } else this.#meters.delete(channel);
    this.#meters.set(channel, meter); // the one asked about last is the last to go
    meter.idle = 0;
    const { last } = meter;
    const mean = (name: keyof Counts): number =>
      last.length === 0 ? 0 : Math.round((10 * last.reduce((sum, one) => sum + one[name], 0)) / last.length) / 10;
    return { in: mean("in"), out: mean("out"), kept: mean("kept"), seconds: last.length };
  }

  /** A second is over. */
  tick(): void {
    for (const [channel, meter] of this.#meters) {
      meter.last.push(meter.now);
      if (meter.last.length > WINDOW) meter.last.shift();
      meter.now = none();
      if (++meter.idle > KEPT) this.#meters.delete(channel);
    }
  }
}
