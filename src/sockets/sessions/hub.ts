// This process's sessions by channel. A packet becomes one frame, whoever gets it. Topics are fanned out by the gateway's rooms;
// a device or a user has so few sessions that they are written to directly.
import type { PushId, Uid } from "../../core/device.ts";
import type { Hub as HubPort, Order } from "../../core/engine.ts";
import type {
  ConnectionFilter,
  ConnectionSample,
  LiveOrder,
  Member,
  Named,
  Present,
  Seen,
  SessionCounts,
  TopicCount,
  TopicRates,
  Who,
} from "../../core/live.ts";
import { NOTI_TOPIC } from "../../core/notify.ts";
import { Pace } from "../../core/pace.ts";
import type { Channel, From, KeptPacket, Packet, PacketId } from "../../core/packet.ts";
import { channelKind, channelName, topicChannel } from "../../core/packet.ts";
import { Recent } from "../../core/recent.ts";
import { Traces } from "../../core/trace.ts";
import type { Gateway } from "../transport/types.ts";
import { encodeFrame } from "./frames.ts";
import { HeldPackets } from "./held-packets.ts";
import { Inspection } from "./inspection.ts";
import { Lingering } from "./lingering.ts";
import { Meters } from "./meters.ts";
import { Orders } from "./orders.ts";
import { LeftOut, Overload, type OverloadLimits } from "./overload.ts";
import { Proofs } from "./proofs.ts";
import { Roster } from "./roster.ts";
import type { Joining, Session } from "./session.ts";
import { Tracing } from "./tracing.ts";

const NOTI_CHANNEL = topicChannel(NOTI_TOPIC);
/** Notifications to everybody whose devices may be looked up at the same time. */
const MOST_NOTIS = 1000;
/** Packets that are to be acknowledged, whose ids are known: the newest. */
const MOST_ASKED = 10_000;
/** Seconds that `packetsIn10s` looks back. */
const WINDOW = 10;

export class Hub implements HubPort {
  readonly #gateway: () => Gateway<Session>;
  readonly #now: () => number;
  readonly #roster = new Roster();
  readonly #held: HeldPackets;
  readonly #inspection: Inspection;
  /** What the backend has sessions do, and who is held out of topics. */
  readonly orders: Orders;
  /** Of what was written to sessions on their devices' own channels. */
  readonly proofs: Proofs;
  /** Devices whose last session went within the disconnect delay. */
  readonly lingering = new Lingering();
  readonly tracing: Tracing;
  readonly #meters = new Meters();
  /** Undefined: nothing is left out. */
  #overload: Overload | undefined = undefined;
  readonly leftOut = new LeftOut();
  /** The first and the last kept packet that was handed over, of any channel: 0 until there was one. */
  #oldest = 0;
  newest = 0;
  #frameOf: Packet | undefined = undefined;
  #frame = "";
  /** Packets written to clients since the start, and in each of the last seconds. */
  written = 0;
  readonly #perSecond = new Array<number>(WINDOW).fill(0);
  #writtenAtTick = 0;
  #tick = 0;
  /** Notifications that went to the topic `noti`, and the number of each of the latest. */
  notiCount = 0;
  readonly #notis = new Recent<PacketId, number>(MOST_NOTIS);
  readonly #asked = new Recent<PacketId, true>(MOST_ASKED);
  /** Packets and orders of other processes may have been missed. */
  #lost = false;

  /**
   * @param gateway looked up when first needed: hub and gateway refer to each other
   * @param maxHeld how much may be held for a session that is busy with a backlog (`sizeOf`); with more it is closed as slow
   */
  constructor(gateway: () => Gateway<Session>, maxHeld: number, now: () => number, traces = new Traces(now)) {
    this.#gateway = gateway;
    this.#now = now;
    this.#held = new HeldPackets(maxHeld);
    this.proofs = new Proofs(now);
    const elapsed = (): number => performance.now();
    const shared = { gateway, roster: this.#roster, held: this.#held, elapsed };
    this.#inspection = new Inspection({ ...shared, lingering: this.lingering, leftOut: this.leftOut, now });
    this.orders = new Orders(shared);
    this.tracing = new Tracing(traces, {
      name: (connection) => this.#inspection.nameOf(connection),
      ofDevice: (pushId) => this.#roster.ofDevice(pushId),
      ofUser: (uid) => this.#roster.ofUser(uid),
      all: () => this.#gateway().connections(),
    });
  }

  // ---- packets

  deliver(channel: Channel, packet: Packet | KeptPacket): number {
    if ("seq" in packet) {
      this.newest = packet.seq;
      if (this.#oldest === 0) this.#oldest = packet.seq;
    }
    let online = 0;
    switch (channelKind(channel)) {
      case "topic": {
        if (this.#meters.on) this.#meters.came(channel, packet);
        if (this.#overload !== undefined && !this.#overload.admits(channel, packet)) return 0;
        return this.#publish(channel, packet);
      }
      case "device": {
        let session = this.#roster.newestOfDevice(channelName(channel) as PushId);
        while (session !== undefined) {
          const next: Session | undefined = session.nextOfDevice; // sending may close the session
          if (session.isJoining(channel)) this.#held.add(session, channel, packet);
          else this.send(session, channel, packet);
          session = next;
          online++;
        }
        return online;
      }
      case "uid": {
        let session = this.#roster.newestOfUser(channelName(channel) as Uid);
        while (session !== undefined) {
          const next: Session | undefined = session.nextOfUid;
          this.send(session, channel, packet);
          session = next;
          online++;
        }
        return online;
      }
    }
  }

  #publish(channel: Channel, packet: Packet | KeptPacket): number {
    const joining = this.#held.of(channel);
    if (joining !== undefined) for (const session of joining) this.#held.add(session, channel, packet);
    if (channel === NOTI_CHANNEL && packet.event === "noti") this.#noteNoti(packet.id);
    const receivers = this.#gateway().count(channel);
    const online = receivers + (joining?.size ?? 0);
    if (receivers === 0) return online;
    this.written += receivers;
    if (this.#meters.on) this.#meters.went(channel, receivers);
    const frame = encodeFrame(channel, packet, this.#now());
    if (this.tracing.on) this.tracing.published(channel, frame, receivers);
    this.#gateway().publish(channel, frame);
    return online;
  }

  /**
   * What is left out from now on.
   * @param told of each packet that went to nobody
   */
  limit(limits: OverloadLimits, told: (reason: string, topic: string) => void): void {
    this.#overload?.end();
    const isOn = limits.packetsPerSecond > 0 || Object.keys(limits.topicRate).length > 0;
    this.#overload = isOn
      ? new Overload({
          limits,
          written: () => this.written,
          count: (channel) => this.#gateway().count(channel),
          publish: (channel, packet) => void this.#publish(channel, packet),
          leftOut: (reason, channel) => {
            this.leftOut.add(reason, channel);
            told(reason, channelName(channel));
          },
          elapsed: () => performance.now(),
        })
      : undefined;
  }

  /** Writes one packet to one session; one of its device's own channel is in doubt until it is proven to have arrived. */
  send(session: Session, channel: Channel, packet: Packet | KeptPacket): void {
    this.written++;
    const prove = "seq" in packet && channelKind(channel) === "device" && this.proofs.doubt(session, packet);
    session.connection.send(this.#frameFor(session, channel, packet), prove);
  }

  /**
   * A page of a channel's backlog; not to be followed by another one before the connection is drained.
   * @param first a frame that goes before it
   */
  sendBacklog(session: Session, channel: Channel, packets: readonly KeptPacket[], first: readonly string[]): void {
    this.written += packets.length;
    const prove = channelKind(channel) === "device" && this.proofs.doubtPage(session, packets);
    const frames = packets.map((packet) => this.#frameFor(session, channel, packet));
    session.connection.sendBacklog([...first, ...frames], prove);
  }

  /** With an ack id where the packet asks for it, and only to a client that said it gives one. */
  #frameFor(session: Session, channel: Channel, packet: Packet): string {
    const frame = this.#encode(channel, packet);
    if (packet.event !== "reach") return frame;
    this.#asked.set(packet.id, true);
    return session.acks && !session.background ? `42${session.asksFor(packet.id)}${frame.slice(2)}` : frame;
  }

  /** Whether a packet of this id was sent lately that is to be acknowledged. */
  wasAsked(id: PacketId): boolean {
    return this.#asked.has(id);
  }

  /** A list of 100,000 ids carries the same packet: without a position its frame is the same too. */
  #encode(channel: Channel, packet: Packet): string {
    if (packet.expires > 0) return encodeFrame(channel, packet, this.#now());
    if (this.#frameOf !== packet) {
      this.#frameOf = packet;
      this.#frame = encodeFrame(channel, packet, this.#now());
    }
    return this.#frame;
  }

  // ---- joining a channel without gap, repeat or disorder (holds 3)

  /** From here the channel's live packets are held for the session. @param from its position */
  hold(session: Session, channel: Channel, from: From): void {
    this.#held.hold(session, channel, from);
  }

  /**
   * The same for a topic that was joined without a position: what came live since then is not sent again.
   * @param unseen `newest` when it was joined
   */
  holdAgain(session: Session, topic: Channel, from: From, unseen: number): void {
    session.connection.leave(topic);
    // Before the first one of this process all there was came earlier.
    const until = Math.max(unseen, this.#oldest === 0 ? Number.POSITIVE_INFINITY : this.#oldest - 1);
    this.#held.hold(session, topic, from, until);
  }

  /**
   * The backlog is sent: now what was held, each kept packet only if newer than the last one sent. The broker promises that
   * every packet of the backlog has been handed to this hub already, so the session is joined at once.
   */
  join(session: Session, channel: Channel, { held, last }: Joining): void {
    this.release(session, channel);
    for (const packet of held) {
      if ("seq" in packet && packet.seq <= last) continue;
      this.send(session, channel, packet);
    }
    if (channelKind(channel) === "topic" && !session.gone) session.connection.join(channel);
  }

  /** The session no longer holds the channel's packets. */
  release(session: Session, channel: Channel): void {
    this.#held.release(session, channel);
  }

  // ---- who is here

  /** The session says which device it is, which lingers no more. */
  name(session: Session, pushId: PushId, platform: string | undefined): void {
    this.#roster.name(session, pushId, platform);
    this.lingering.delete(pushId);
    if (this.tracing.on) this.tracing.look(session.connection);
  }

  /** @returns whether this was the device's last session here */
  unname(session: Session): boolean {
    const { pushId } = session;
    if (pushId === undefined) return false;
    this.proofs.trust(session);
    this.#roster.unname(session);
    return !this.#roster.has(pushId);
  }

  /** The session is this user's: it leaves the topics that the user is held out of. */
  bindSession(session: Session, uid: Uid): void {
    if (session.uid === uid) return;
    this.#roster.bind(session, uid);
    if (this.tracing.on) this.tracing.look(session.connection);
    this.orders.bound(session, uid);
  }

  unbindSession(session: Session): void {
    this.#roster.unbind(session);
  }

  carryOut(pushId: PushId, order: Order): void {
    this.lingering.rebind(pushId, order.kind === "bind" ? order.uid : undefined);
    for (let session = this.#roster.newestOfDevice(pushId); session !== undefined; session = session.nextOfDevice) {
      if (session.greetings > 0) session.ordered = order;
      if (order.kind === "bind") this.bindSession(session, order.uid);
      else this.unbindSession(session);
    }
  }

  /** Devices with a session now, for the farewell at the end. */
  present(): Iterable<PushId> {
    return this.#roster.devices();
  }

  /** All there are, those that did not say who they are too. What comes or goes meanwhile may be seen or not. */
  *everybody(): IterableIterator<Session> {
    for (const { data } of this.#gateway().connections()) if (data !== undefined) yield data;
  }

  /** Since when it is connected, epoch milliseconds, to the second. */
  since(session: Session): number {
    return this.#inspection.since(session);
  }

  has(pushId: PushId): boolean {
    return this.#roster.has(pushId);
  }

  // ---- other processes

  lost(): void {
    this.#lost = true;
  }

  /** Every connection is closed, a part of them in a turn. */
  async abandon(): Promise<void> {
    const pace = new Pace();
    let closed = 0;
    for (const connection of [...this.#gateway().connections()]) {
      connection.close();
      if (++closed % 64 === 0 && pace.over()) await pace.turn();
    }
  }

  /**
   * Every connection is closed: its client comes back with its positions, is sent what it missed as after
   * any break, and its record is read again. Those that come from here on have missed nothing.
   */
  async regained(): Promise<void> {
    if (!this.#lost) return;
    this.#lost = false;
    // Who joins a topic without a position from now on has not been sent what was missed: as before the first packet.
    this.newest = 0;
    this.#oldest = 0;
    await this.abandon();
  }

  // ---- notifications to everybody

  #noteNoti(id: PacketId): void {
    this.#notis.set(id, this.notiCount++);
  }

  reached(pushId: PushId, id: PacketId): boolean {
    const at = this.#notis.get(id);
    if (at === undefined) return false;
    for (let session = this.#roster.newestOfDevice(pushId); session !== undefined; session = session.nextOfDevice)
      if (session.notiSince >= 0 && session.notiSince <= at) return true;
    return false;
  }

  // ---- Presence

  isConnected(pushId: PushId): boolean {
    return this.#roster.has(pushId) || this.lingering.has(pushId);
  }

  isAwake(pushId: PushId): boolean {
    for (let session = this.#roster.newestOfDevice(pushId); session !== undefined; session = session.nextOfDevice)
      if (!session.background) return true;
    return this.lingering.has(pushId);
  }

  count(topic: string): number {
    return this.#inspection.count(topic);
  }

  members(topic: string): Promise<Member[]> {
    return this.#inspection.members(topic);
  }

  connectionsOf(pushId: PushId): Present[] {
    return this.#inspection.connectionsOf(pushId);
  }

  rates(topic: string): TopicRates {
    return this.#meters.rates(topicChannel(topic));
  }

  connections(filter: ConnectionFilter, limit: number, most: number): Promise<ConnectionSample> {
    return this.#inspection.connections(filter, limit, most);
  }

  disconnect(name: string): Promise<boolean> {
    return this.#inspection.disconnect(name);
  }

  seen(who: Named): Promise<Seen[]> {
    return this.#inspection.seen(who);
  }

  topics(prefix: string, after: string, limit: number): Promise<TopicCount[]> {
    return this.#inspection.topics(prefix, after, limit);
  }

  order(who: Who, order: LiveOrder): Promise<number> {
    return this.orders.carryOut(who, order);
  }

  sessions(): SessionCounts {
    return {
      total: this.#roster.size,
      byPlatform: this.#roster.byPlatform,
      packetsIn10s: this.written - this.#writtenAtTick + this.#perSecond.reduce((sum, count) => sum + count, 0),
    };
  }

  /** Closes a second of the window. @returns packets written in it */
  tick(): number {
    const count = this.written - this.#writtenAtTick;
    this.#writtenAtTick = this.written;
    this.#perSecond[this.#tick++ % WINDOW] = count;
    this.proofs.tick();
    this.orders.tick();
    if (this.tracing.on) this.tracing.tick();
    if (this.#meters.on) this.#meters.tick();
    this.#inspection.tick();
    return count;
  }
}
