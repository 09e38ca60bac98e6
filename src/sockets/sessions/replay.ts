// Sends a session what it has missed, one channel after the other, a page at a time: the next one is read when the last one has
// left, so that a backlog takes no more memory than a page, however slowly the client reads and whatever it asks for.
import type { Broker } from "../../core/engine.ts";
import type { Channel, From, KeptPacket, Page, Standing } from "../../core/packet.ts";
import { sizeOf } from "../../core/page.ts";
import type { Given } from "./events.ts";
import { encodeStanding } from "./frames.ts";
import type { Hub } from "./hub.ts";
import type { Joining, Joins, Session } from "./session.ts";

export interface ReplayOptions {
  readonly hub: Hub;
  readonly broker: Pick<Broker, "backlog">;
  /** Of a page, see `sizeOf`. */
  readonly pageSize: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Told of every packet that is sent. */
  readonly onSent: (session: Session, channel: Channel, packet: KeptPacket) => void;
  /** A page could not be read or sent: the session is closed after this, so that its client tries again. */
  readonly onError: (error: unknown, channel: Channel) => void;
}

export class Replay {
  readonly #options: ReplayOptions;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /** Goes on with the session's first channel, unless it is busy. */
  next(session: Session): void {
    const { joins } = session;
    if (joins === undefined || joins.page !== "none") return;
    for (const [channel, joining] of joins.channels) {
      joins.page = "read";
      void this.#read(session, joins, channel, joining, this.#page(session, channel, joining.from));
      return;
    }
    session.joins = undefined;
  }

  /**
   * Claims the session's first channel when it is this one, which is then read with another call of the store.
   * Undefined: the session is busy with another channel, this one's turn comes by itself.
   */
  claim(session: Session, channel: Channel): ((page: Promise<Page>) => Promise<void>) | undefined {
    const { joins } = session;
    if (joins === undefined || joins.page !== "none") return undefined;
    const joining = joins.channels.get(channel);
    if (joining === undefined || joins.channels.keys().next().value !== channel) return undefined;
    joins.page = "read";
    return (page) => this.#read(session, joins, channel, joining, page);
  }

  /** The last page has left. */
  drained(session: Session): void {
    const { joins } = session;
    // A page of the client's former session may leave while one for this session is read.
    if (joins === undefined || joins.page === "read") return;
    joins.page = "none";
    for (const [channel, joining] of joins.channels) {
      if (joining.read) this.#options.hub.join(session, channel, joining);
      break;
    }
    this.next(session);
  }

  async #read(session: Session, joins: Joins, channel: Channel, joining: Joining, page: Promise<Page>): Promise<void> {
    try {
      const answer = await page;
      joins.page = "none";
      if (session.gone) return;
      // Not when it was unsubscribed meanwhile, though it may have been subscribed again.
      if (joins.channels.get(channel) === joining) this.#send(session, joins, channel, joining, answer);
      this.next(session);
    } catch (error) {
      this.#options.onError(error, channel);
      if (!session.gone) session.connection.close(); // so that the client tries again
    }
  }

  #send(
    session: Session,
    joins: Joins,
    channel: Channel,
    joining: Joining,
    { packets: page, next, standing, epoch }: Page,
  ): void {
    const { hub, onSent, pageSize } = this.#options;
    const packets = page.filter(({ seq }) => seq <= joining.until);
    const size = packets.reduce((sum, packet) => sum + sizeOf(packet), 0);
    const told = standing === undefined ? [] : [encodeStanding(channel, before(joining, standing), epoch)];
    if (packets.length > 0) {
      joining.last = packets.at(-1)!.seq;
      hub.sendBacklog(session, channel, packets, told);
      joins.page = "leaving"; // until `drained`
      for (const packet of packets) onSent(session, channel, packet);
    } else for (const frame of told) session.connection.send(frame);
    if (next !== undefined) joining.from = next;
    joining.read = next === undefined || next > joining.until;
    // What is held may follow at once, unless it would have to wait behind a packet that is larger than a page.
    if (joining.read && size <= pageSize) hub.join(session, channel, joining);
  }

  #page({ epoch }: Session, channel: Channel, from: From): Promise<Page> {
    const { broker, now, pageSize } = this.#options;
    return broker.backlog(channel, from, pageSize, now(), epoch);
  }
}

/** Before the first packet that is held: should it get lost on the way, it is still missing. */
function before({ held }: Joining, standing: Standing): Standing {
  const first = held.find((packet) => "seq" in packet);
  return first === undefined || first.seq > standing.at ? standing : { ...standing, at: first.seq - 1 };
}

/** Where a client stands in a channel; undefined: it gave no position. What an SDK of old calls a position is an id. */
export function positionOf({ epoch }: Session, { after, since, fresh }: Given): From | undefined {
  if (after !== undefined) return { after };
  if (epoch === undefined) return undefined;
  return since === undefined ? (fresh ? "newest" : undefined) : { since };
}
