// What is left out when there is too much: of packets to topics that are not kept, and nothing else. Two rules: for the whole
// process (`client.max_packets_per_second`), fairly, and for each topic of a prefix (`client.topic_rate`), the newest first.
import { FairShare } from "../../core/fair.ts";
import { Pace } from "../../core/pace.ts";
import type { Channel, Packet } from "../../core/packet.ts";
import { channelName } from "../../core/packet.ts";
import { Recent } from "../../core/recent.ts";

export interface OverloadLimits {
  /** Packets to clients, one for each client; 0: as many as come. */
  readonly packetsPerSecond: number;
  /** Packets of a topic, by prefixes of topics' names; the longest that fits decides. */
  readonly topicRate: Readonly<Record<string, number>>;
}

type Reason = "overload" | "topic_rate";

/** Turns of a second, as far as a rate has so many. */
const TURNS = 10;
/** Milliseconds for which a topic that is pushed to no more is remembered, at least. */
const REMEMBERED = 3000;
/** Topics whose number of left out packets is known: those of the latest. */
const COUNTED = 10_000;

/** A topic with a rate. */
interface Rated {
  readonly channel: Channel;
  /** Packets of a turn, and its length in milliseconds. */
  readonly packets: number;
  readonly turn: number;
  until: number;
  sent: number;
  /** They go with the next turn; in the order they came. */
  waiting: Packet[];
}

export interface OverloadOptions {
  readonly limits: OverloadLimits;
  /** Packets written to clients since the start. */
  readonly written: () => number;
  /** Clients in a topic. */
  readonly count: (channel: Channel) => number;
  readonly publish: (channel: Channel, packet: Packet) => void;
  /** Told of each packet that goes to nobody. */
  readonly leftOut: (reason: Reason, channel: Channel) => void;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
}

export class Overload {
  readonly #options: OverloadOptions;
  readonly #fair: FairShare | undefined;
  readonly #rates: readonly (readonly [prefix: string, rate: number])[];
  #rated = new Map<Channel, Rated>();
  #before = new Map<Channel, Rated>();
  #renewedAt = 0;
  readonly #waiting = new Set<Rated>();
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(options: OverloadOptions) {
    this.#options = options;
    const { packetsPerSecond, topicRate } = options.limits;
    this.#fair = packetsPerSecond > 0 ? new FairShare(packetsPerSecond) : undefined;
    this.#rates = Object.entries(topicRate).sort(([a], [b]) => b.length - a.length);
  }

  /** Whether it may go now: otherwise it goes later, or to nobody. One that is kept always goes. */
  admits(channel: Channel, packet: Packet): boolean {
    const rated = this.#rates.length === 0 ? undefined : this.#ratedOf(channel);
    if (packet.expires > 0 || packet.event === "noti") {
      if (rated !== undefined) rated.sent++;
      return true;
    }
    return (rated === undefined || this.#hasTurn(rated, packet)) && this.#fits(channel);
  }

  #fits(channel: Channel): boolean {
    if (this.#fair === undefined) return true;
    const { count, written, elapsed } = this.#options;
    if (this.#fair.admits(channel, count(channel), written(), elapsed())) return true;
    this.#options.leftOut("overload", channel);
    return false;
  }

  #ratedOf(channel: Channel): Rated | undefined {
    const now = this.#options.elapsed();
    if (now - this.#renewedAt > REMEMBERED) {
      this.#renewedAt = now;
      this.#before = this.#rated;
      this.#rated = new Map();
    }
    let rated = this.#rated.get(channel) ?? this.#before.get(channel);
    if (rated === undefined) {
      const topic = channelName(channel);
      const rate = this.#rates.find(([prefix]) => topic.startsWith(prefix))?.[1];
      if (rate === undefined) return undefined;
      const packets = Math.ceil(rate / TURNS);
      rated = { channel, packets, turn: (1000 * packets) / rate, until: 0, sent: 0, waiting: [] };
    }
    this.#rated.set(channel, rated);
    if (now >= rated.until && rated.waiting.length === 0) {
      rated.until = now + rated.turn;
      rated.sent = 0;
    }
    return rated;
  }

  #hasTurn(rated: Rated, packet: Packet): boolean {
    if (rated.waiting.length === 0 && rated.sent < rated.packets) {
      rated.sent++;
      return true;
    }
    rated.waiting.push(packet);
    if (rated.waiting.length > rated.packets) {
      rated.waiting.shift();
      this.#options.leftOut("topic_rate", rated.channel);
    }
    this.#waiting.add(rated);
    this.#timer ??= setTimeout(() => void this.#turns(), Math.max(1, rated.until - this.#options.elapsed())).unref();
    return false;
  }

  /** Sends what waited for a turn that has begun. */
  async #turns(): Promise<void> {
    const { elapsed, publish } = this.#options;
    const pace = new Pace();
    let next = Number.POSITIVE_INFINITY;
    let looked = 0;
    for (const rated of this.#waiting) {
      if (++looked % 64 === 0 && pace.over()) await pace.turn();
      const now = elapsed();
      if (now < rated.until) {
        next = Math.min(next, rated.until - now);
        continue;
      }
      this.#waiting.delete(rated);
      const { waiting, channel } = rated;
      rated.waiting = [];
      rated.until = now + rated.turn;
      rated.sent = waiting.length;
      for (const packet of waiting) if (this.#fits(channel)) publish(channel, packet);
    }
    this.#timer =
      this.#waiting.size === 0
        ? undefined
        : setTimeout(() => void this.#turns(), Math.max(1, Math.min(next, 100))).unref();
  }

  /** What waits goes at once: other limits hold from here on. */
  end(): void {
    clearTimeout(this.#timer);
    for (const { channel, waiting } of this.#waiting)
      for (const packet of waiting) this.#options.publish(channel, packet);
    this.#waiting.clear();
  }
}

/** Packets that went to nobody, since the start. */
export class LeftOut {
  readonly totals: Record<Reason, number> = { overload: 0, topic_rate: 0 };
  readonly #byTopic = new Recent<Channel, number>(COUNTED);

  /** A packet for the topic went to nobody. */
  add(reason: Reason, channel: Channel): void {
    this.totals[reason]++;
    this.#byTopic.set(channel, this.of(channel) + 1);
  }

  /** Packets for the topic that went to nobody, as far as is remembered. */
  of(channel: Channel): number {
    return this.#byTopic.get(channel) ?? 0;
  }
}
