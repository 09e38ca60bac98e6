// This process's sessions by channel. A packet becomes one frame, whoever gets it. Topics are fanned out by the gateway's rooms;
// a device or a user has so few sessions that they are written to directly.
import type { PushId, Uid } from "../../core/device.ts";
import type { Hub as HubPort, Order } from "../../core/engine.ts";
import { PushError } from "../../core/errors.ts";
import { randomId } from "../../core/id.ts";
import { LargeMap } from "../../core/large-map.ts";
import type {
  ConnectionFilter,
  ConnectionSample,
  ConnectionView,
  LiveOrder,
  Member,
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
import { channelKind, channelName, sizeOf, topicChannel } from "../../core/packet.ts";
import { Recent } from "../../core/recent.ts";
import { Traces } from "../../core/trace.ts";
import type { Connection, Gateway } from "../transport/types.ts";
import { encodeFrame } from "./frames.ts";
import { Holds } from "./holds.ts";
import { Lingering } from "./lingering.ts";
import { Meters } from "./meters.ts";
import { Names } from "./names.ts";
import { LeftOut, Overload, type OverloadLimits } from "./overload.ts";
import { Proofs } from "./proofs.ts";
import { type Joining, Joins, type Session } from "./session.ts";
import { Tracing } from "./tracing.ts";

const TOPIC = topicChannel("");
const NOTI_CHANNEL = topicChannel(NOTI_TOPIC);
/** Notifications to everybody whose devices may be looked up at the same time. */
const MOST_NOTIS = 1000;
/** Packets that are to be acknowledged, whose ids are known: the newest. */
const MOST_ASKED = 10_000;
/** Seconds that `packetsIn10s` looks back. */
const WINDOW = 10;

/** What the conversation does to its sessions. */
export interface Actor {
  close(session: Session, reconnect: boolean): void;
  /** @returns whether it is in the topic now */
  join(session: Session, topic: string): boolean;
  /** @returns whether it was in it */
  leave(session: Session, topic: string): boolean;
  /** It has just been given a user who is held out of the topic. */
  held(session: Session, topic: string): void;
}

export class Hub implements HubPort {
  readonly #gateway: () => Gateway<Session>;
  readonly #now: () => number;
  /** Before the names of its connections: those of another run are nobody's. */
  readonly #run = randomId().slice(0, 6);
  readonly #maxHeld: number;
  readonly #devices = new LargeMap<PushId, Session>();
  readonly #users = new LargeMap<Uid, Session>();
  /** Sessions that hold a topic's packets until its backlog is sent. */
  readonly #joining = new Map<Channel, Set<Session>>();
  /** Of what was written to sessions on their devices' own channels. */
  readonly proofs: Proofs;
  /** Devices whose last session went within the disconnect delay. */
  readonly lingering = new Lingering();
  /** Who is held out of topics. */
  readonly holds: Holds;
  readonly tracing: Tracing;
  readonly #meters = new Meters();
  /** Set by the conversation. */
  actor: Actor | undefined = undefined;
  readonly #names: Names;
  /** Undefined: nothing is left out. */
  #overload: Overload | undefined = undefined;
  readonly leftOut = new LeftOut();
  readonly #platforms = new Map<string, number>();
  #named = 0;
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
    this.tracing = new Tracing(traces, {
      name: ({ serial }) => this.#nameOf(serial),
      ofDevice: (pushId) => chain(this.#devices.get(pushId), OF_DEVICE.next),
      ofUser: (uid) => chain(this.#users.get(uid), OF_UID.next),
      all: () => this.#gateway().connections(),
    });
    this.#gateway = gateway;
    this.#maxHeld = maxHeld;
    this.#now = now;
    this.proofs = new Proofs(now);
    const elapsed = (): number => performance.now();
    this.holds = new Holds(elapsed);
    this.#names = new Names(() => this.#topicsOfAll(), elapsed);
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
        let session = this.#devices.get(channelName(channel) as PushId);
        while (session !== undefined) {
          const next: Session | undefined = session.nextOfDevice; // sending may close the session
          if (session.isJoining(channel)) this.#keepBack(session, channel, packet);
          else this.send(session, channel, packet);
          session = next;
          online++;
        }
        return online;
      }
      case "uid": {
        let session = this.#users.get(channelName(channel) as Uid);
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
    const joining = this.#joining.size > 0 ? this.#joining.get(channel) : undefined;
    if (joining !== undefined) for (const session of joining) this.#keepBack(session, channel, packet);
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

  /**
   * The same for a topic that was joined without a position: what came live since then is not sent again.
   * @param unseen `newest` when it was joined
   */
  holdAgain(session: Session, topic: Channel, from: From, unseen: number): void {
    session.connection.leave(topic);
    // Before the first one of this process all there was came earlier.
    const until = Math.max(unseen, this.#oldest === 0 ? Number.POSITIVE_INFINITY : this.#oldest - 1);
    this.hold(session, topic, from, until);
  }

  /** What is held counts as what waits for a slow client; a backlog does not. */
  #keepBack(session: Session, channel: Channel, packet: Packet | KeptPacket): void {
    const { joins } = session;
    const joining = joins?.channels.get(channel);
    if (joins === undefined || joining === undefined) return;
    // What is held decides, not the packet that comes now: a single one may be larger than the limit (B20).
    if (joins.heldSize > this.#maxHeld) return session.connection.close("slow");
    joining.held.push(packet);
    joins.heldSize += sizeOf(packet);
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

  // ---- who is here

  name(session: Session, pushId: PushId, platform: string | undefined): void {
    session.pushId = pushId;
    link(this.#devices, pushId, session, OF_DEVICE);
    this.lingering.delete(pushId);
    this.#named++;
    session.platform = platform;
    if (this.tracing.on) this.tracing.look(session.connection);
    if (platform !== undefined) this.#platforms.set(platform, (this.#platforms.get(platform) ?? 0) + 1);
  }

  /** @returns whether this was the device's last session here */
  unname(session: Session): boolean {
    const { pushId, platform } = session;
    if (pushId === undefined) return false;
    this.proofs.trust(session);
    this.unbindSession(session);
    unlink(this.#devices, pushId, session, OF_DEVICE);
    session.pushId = undefined;
    session.platform = undefined;
    this.#named--;
    if (platform !== undefined) {
      const left = (this.#platforms.get(platform) ?? 1) - 1;
      if (left > 0) this.#platforms.set(platform, left);
      else this.#platforms.delete(platform);
    }
    return !this.#devices.has(pushId);
  }

  bindSession(session: Session, uid: Uid): void {
    if (session.uid === uid) return;
    this.unbindSession(session);
    session.uid = uid;
    link(this.#users, uid, session, OF_UID);
    if (this.tracing.on) this.tracing.look(session.connection);
    if (!this.holds.isEmpty) this.#holdBack(session, uid);
  }

  #holdBack(session: Session, uid: Uid): void {
    for (const topic of topicsOf(session)) if (this.holds.has(topic, undefined, uid)) this.actor?.held(session, topic);
  }

  unbindSession(session: Session): void {
    if (session.uid === undefined) return;
    unlink(this.#users, session.uid, session, OF_UID);
    session.uid = undefined;
  }

  carryOut(pushId: PushId, order: Order): void {
    this.lingering.rebind(pushId, order.kind === "bind" ? order.uid : undefined);
    for (let session = this.#devices.get(pushId); session !== undefined; session = session.nextOfDevice) {
      if (session.greetings > 0) session.ordered = order;
      if (order.kind === "bind") this.bindSession(session, order.uid);
      else this.unbindSession(session);
    }
  }

  /** Devices with a session now, for the farewell at the end. */
  present(): Iterable<PushId> {
    return this.#devices.keys();
  }

  /** All there are, those that did not say who they are too. What comes or goes meanwhile may be seen or not. */
  *everybody(): IterableIterator<Session> {
    for (const { data } of this.#gateway().connections()) if (data !== undefined) yield data;
  }

  /** Since when it is connected, epoch milliseconds, to the second. */
  since({ connection }: Session): number {
    return this.#moment(connection.since);
  }

  has(pushId: PushId): boolean {
    return this.#devices.has(pushId);
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
    for (let session = this.#devices.get(pushId); session !== undefined; session = session.nextOfDevice)
      if (session.notiSince >= 0 && session.notiSince <= at) return true;
    return false;
  }

  // ---- Presence

  isConnected(pushId: PushId): boolean {
    return this.#devices.has(pushId) || this.lingering.has(pushId);
  }

  isAwake(pushId: PushId): boolean {
    for (let session = this.#devices.get(pushId); session !== undefined; session = session.nextOfDevice)
      if (!session.background) return true;
    return this.lingering.has(pushId);
  }

  count(topic: string): number {
    return this.#gateway().count(topicChannel(topic)) + (this.#joining.get(topicChannel(topic))?.size ?? 0);
  }

  async members(topic: string): Promise<Member[]> {
    const channel = topicChannel(topic);
    const pace = new Pace();
    const joined = await this.#gateway().members(channel);
    const joining = new Set(this.#joining.get(channel));
    const members = [...joining].map(member);
    for (const { data } of joined) {
      // One that was still joining is counted already.
      if (data !== undefined && !joining.has(data)) members.push(member(data));
      if (members.length % 64 === 0 && pace.over()) await pace.turn();
    }
    return members;
  }

  connectionsOf(pushId: PushId): Present[] {
    const found: Present[] = [];
    for (let session = this.#devices.get(pushId); session !== undefined; session = session.nextOfDevice) {
      const { connection, platform } = session;
      found.push({
        transport: connection.transport,
        revision: connection.revision,
        address: connection.address,
        since: this.#moment(connection.since),
        ...(platform === undefined ? {} : { platform }),
        topics: topicsOf(session),
      });
    }
    return found;
  }

  /** Epoch milliseconds of a second of the process's own clock. */
  #moment(second: number): number {
    const age = performance.now() - 1000 * second;
    return 1000 * Math.floor((this.#now() - age) / 1000);
  }

  rates(topic: string): TopicRates {
    return this.#meters.rates(topicChannel(topic));
  }

  async connections(filter: ConnectionFilter, limit: number, most: number): Promise<ConnectionSample> {
    const pace = new Pace();
    const now = performance.now();
    const connections: ConnectionView[] = [];
    let looked = 0;
    for (const connection of this.#gateway().connections()) {
      if (looked === most || connections.length === limit) break;
      if (++looked % 64 === 0 && pace.over()) await pace.turn();
      if (connection.open && fits(connection, filter, now)) connections.push(this.#view(connection));
    }
    return { connections, looked, open: this.#gateway().size };
  }

  #view(connection: Connection<Session>): ConnectionView {
    const { transport, revision, address, since, serial, waiting, data } = connection;
    return {
      connection: this.#nameOf(serial),
      ...(data === undefined ? {} : member(data)),
      ...{ transport, revision, address, since: this.#moment(since), waiting },
      topics: data?.topics ?? 0,
      background: data?.background ?? false,
    };
  }

  #nameOf(serial: number): string {
    return `${this.#run}-${serial}`;
  }

  async disconnect(name: string): Promise<boolean> {
    const pace = new Pace();
    const [run, serial] = name.split("-");
    if (run !== this.#run) return false;
    let looked = 0;
    for (const connection of this.#gateway().connections()) {
      if (connection.serial === Number(serial)) {
        connection.close();
        return true;
      }
      if (++looked % 256 === 0 && pace.over()) await pace.turn();
    }
    return false;
  }

  async seen(who: Exclude<Who, { topic: string }>): Promise<Seen[]> {
    const pace = new Pace();
    const answers: Seen[] = [];
    const ofUsers = "uids" in who;
    for (const id of ofUsers ? who.uids : who.pushIds) {
      const devices = new Set<PushId>();
      let since = Number.POSITIVE_INFINITY;
      await this.#visit(ofUsers, id, pace, ({ pushId, connection }) => {
        if (pushId !== undefined) devices.add(pushId);
        since = Math.min(since, connection.since);
      });
      for (const pushId of ofUsers ? this.lingering.of(id as Uid) : [id as PushId]) {
        const gone = this.lingering.get(pushId);
        if (gone === undefined) continue;
        devices.add(pushId);
        since = Math.min(since, gone.since);
      }
      const online = devices.size > 0;
      answers.push({ online, devices: [...devices], ...(online ? { since: this.#moment(since) } : {}) });
    }
    return answers;
  }

  /** The sessions of a user or a device, in pieces: one may be visited twice when others leave meanwhile. */
  async #visit(ofUser: boolean, id: string, pace: Pace, visit: (session: Session) => void): Promise<void> {
    const first = (): Session | undefined => (ofUser ? this.#users.get(id as Uid) : this.#devices.get(id as PushId));
    let session = first();
    while (session !== undefined) {
      visit(session);
      if (pace.over()) {
        await pace.turn();
        if ((ofUser ? session.uid : session.pushId) !== id) {
          session = first();
          continue;
        }
      }
      session = ofUser ? session.nextOfUid : session.nextOfDevice;
    }
    if (pace.over()) await pace.turn();
  }

  *#topicsOfAll(): Iterable<Iterable<string>> {
    for (const { data } of this.#gateway().connections()) if (data !== undefined) yield topicsOf(data);
  }

  async topics(prefix: string, after: string, limit: number): Promise<TopicCount[]> {
    const pace = new Pace();
    const page: TopicCount[] = [];
    let looked = 0;
    for (const topic of await this.#names.list(prefix, after)) {
      const count = this.count(topic);
      const leftOut = this.leftOut.of(topicChannel(topic));
      if (count > 0) page.push({ topic, count, ...(leftOut > 0 ? { leftOut } : {}) });
      if (page.length === limit) break;
      if (++looked % 64 === 0 && pace.over()) await pace.turn();
    }
    return page;
  }

  async order(who: Who, order: LiveOrder): Promise<number> {
    if (order.kind !== "close") this.#setHolds(who, order);
    const pace = new Pace();
    let done = 0;
    let looked = 0;
    for (const session of await this.#sessionsOf(who, pace)) {
      if (!session.gone && this.#act(session, order)) done++;
      if (++looked % 16 === 0 && pace.over()) await pace.turn();
    }
    return done;
  }

  #act(session: Session, order: LiveOrder): boolean {
    const { actor } = this;
    if (actor === undefined) return false;
    switch (order.kind) {
      case "close":
        actor.close(session, order.reconnect);
        return true;
      case "subscribe":
        return actor.join(session, order.topic);
      case "unsubscribe":
        return actor.leave(session, order.topic);
    }
  }

  #setHolds(who: Who, order: Exclude<LiveOrder, { kind: "close" }>): void {
    const { topic } = order;
    const time = order.kind === "unsubscribe" ? order.hold : 0;
    const named = "pushIds" in who ? who.pushIds.length : "uids" in who ? who.uids.length : 0;
    if (time === 0 && this.holds.isEmpty) return;
    if (time > 0 && !this.holds.takes(named))
      throw new PushError("unavailable", "too many are held out of topics: ask again later, or for shorter holds");
    if ("pushIds" in who) for (const pushId of who.pushIds) this.holds.holdDevice(topic, pushId, time);
    if ("uids" in who) for (const uid of who.uids) this.holds.holdUser(topic, uid, time);
  }

  /** As they are now: what is done to them may change the lists that they are in. */
  async #sessionsOf(who: Who, pace: Pace): Promise<Iterable<Session>> {
    const found = new Set<Session>();
    if ("topic" in who) {
      const channel = topicChannel(who.topic);
      for (const session of this.#joining.get(channel) ?? []) found.add(session);
      for (const { data } of await this.#gateway().members(channel)) {
        if (data !== undefined) found.add(data);
        if (found.size % 64 === 0 && pace.over()) await pace.turn();
      }
      return found;
    }
    const ofUsers = "uids" in who;
    for (const id of ofUsers ? who.uids : who.pushIds)
      await this.#visit(ofUsers, id, pace, (session) => found.add(session));
    return found;
  }

  sessions(): SessionCounts {
    return {
      total: this.#named,
      byPlatform: this.#platforms,
      packetsIn10s: this.written - this.#writtenAtTick + this.#perSecond.reduce((sum, count) => sum + count, 0),
    };
  }

  /** Closes a second of the window. @returns packets written in it */
  tick(): number {
    const count = this.written - this.#writtenAtTick;
    this.#writtenAtTick = this.written;
    this.#perSecond[this.#tick++ % WINDOW] = count;
    this.proofs.tick();
    this.holds.tick();
    if (this.tracing.on) this.tracing.tick();
    if (this.#meters.on) this.#meters.tick();
    this.#names.tick();
    return count;
  }
}

function fits(connection: Connection<Session>, filter: ConnectionFilter, now: number): boolean {
  const { platform, transport, revision, address, waiting, olderThan, youngerThan } = filter;
  const age = now - 1000 * connection.since;
  return (
    (platform === undefined || connection.data?.platform === platform) &&
    (transport === undefined || connection.transport === transport) &&
    (revision === undefined || connection.revision === revision) &&
    (address === undefined || connection.address === address || connection.countedAs === address) &&
    (olderThan === undefined || age >= olderThan) &&
    (youngerThan === undefined || age <= youngerThan) &&
    (waiting === undefined || connection.waiting >= waiting)
  );
}

/** Joined and joining. */
export function topicsOf({ connection, joins }: Session): string[] {
  const channels = [...connection.rooms(), ...(joins?.channels.keys() ?? [])] as Channel[]; // pings have rooms too
  return channels.filter((channel) => channel.startsWith(TOPIC)).map(channelName);
}

function member({ pushId, uid, platform }: Session): Member {
  return {
    ...(pushId === undefined ? {} : { pushId }),
    ...(uid === undefined ? {} : { uid }),
    ...(platform === undefined ? {} : { platform }),
  };
}

/** The names of a list's two links. */
interface Links {
  readonly next: "nextOfDevice" | "nextOfUid";
  readonly before: "beforeOfDevice" | "beforeOfUid";
}
const OF_DEVICE: Links = { next: "nextOfDevice", before: "beforeOfDevice" };
const OF_UID: Links = { next: "nextOfUid", before: "beforeOfUid" };

function* chain(first: Session | undefined, next: Links["next"]): Iterable<Session> {
  for (let session = first; session !== undefined; session = session[next]) yield session;
}

function link<K extends string>(heads: LargeMap<K, Session>, key: K, session: Session, { next, before }: Links): void {
  const head = heads.get(key);
  session[next] = head;
  if (head !== undefined) head[before] = session;
  heads.set(key, session);
}

/** Both ways, so that a list of any length is left at once: all sessions of a user may close together. */
function unlink<K extends string>(
  heads: LargeMap<K, Session>,
  key: K,
  session: Session,
  { next, before }: Links,
): void {
  const later = session[next];
  const earlier = session[before];
  session[next] = undefined;
  session[before] = undefined;
  if (later !== undefined) later[before] = earlier;
  if (earlier !== undefined) earlier[next] = later;
  else if (later === undefined) heads.delete(key);
  else heads.set(key, later);
}
