// Packets that come live on a channel while its backlog is read and sent to a session: they are held for it, and follow then. With
// `Hub.join` this is how a channel is joined without gap, repeat or disorder (holds 3).
import { type Channel, channelKind, type From, type KeptPacket, type Packet } from "../../core/packet.ts";
import { sizeOf } from "../../core/page.ts";
import { Joins, type Session } from "./session.ts";

export class HeldPackets {
  /** Sessions that hold a topic's packets. Those of a device are found by its name. */
  readonly #joining = new Map<Channel, Set<Session>>();
  readonly #most: number;

  /** @param most how much may be held for a session (`sizeOf`); with more it is closed as slow */
  constructor(most: number) {
    this.#most = most;
  }

  /** The sessions that are joining this topic; undefined: none. */
  of(topic: Channel): ReadonlySet<Session> | undefined {
    return this.#joining.size > 0 ? this.#joining.get(topic) : undefined;
  }

  /**
   * From here the channel's live packets are held for the session.
   * @param from its position
   * @param until what came later than this seq was sent to it already
   */
  hold(session: Session, channel: Channel, from: From, until = Number.POSITIVE_INFINITY): void {
    session.joins ??= new Joins();
    session.joins.channels.set(channel, { from, last: 0, until, read: false, held: [] });
    if (channelKind(channel) !== "topic") return;
    const joining = this.#joining.get(channel);
    if (joining === undefined) this.#joining.set(channel, new Set([session]));
    else joining.add(session);
  }

  /** What is held counts as what waits for a slow client; a backlog does not. */
  add(session: Session, channel: Channel, packet: Packet | KeptPacket): void {
    const { joins } = session;
    const joining = joins?.channels.get(channel);
    if (joins === undefined || joining === undefined) return;
    // What is held decides, not the packet that comes now: a single one may be larger than the limit (B20).
    if (joins.heldSize > this.#most) return session.connection.close("slow");
    joining.held.push(packet);
    joins.heldSize += sizeOf(packet);
  }

  /** The session no longer holds the channel's packets; whoever has what was held may still send it. */
  release(session: Session, channel: Channel): void {
    const joins = session.joins;
    const held = joins?.channels.get(channel)?.held;
    if (joins !== undefined && held !== undefined) {
      joins.channels.delete(channel);
      for (const packet of held) joins.heldSize -= sizeOf(packet);
    }
    const joining = this.#joining.get(channel);
    if (joining === undefined) return;
    joining.delete(session);
    if (joining.size === 0) this.#joining.delete(channel);
  }
}
