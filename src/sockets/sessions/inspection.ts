// What operators and the API ask of this process's connections (`Presence` of core/live.ts). Lists of any length are made in pieces.
import type { PushId } from "../../core/device.ts";
import { randomId } from "../../core/id.ts";
import type {
  ConnectionFilter,
  ConnectionSample,
  ConnectionView,
  Member,
  Named,
  Present,
  Seen,
  TopicCount,
} from "../../core/live.ts";
import { Pace } from "../../core/pace.ts";
import { topicChannel } from "../../core/packet.ts";
import type { Connection, Gateway } from "../transport/types.ts";
import type { HeldPackets } from "./held-packets.ts";
import type { Lingering } from "./lingering.ts";
import { Names } from "./names.ts";
import type { LeftOut } from "./overload.ts";
import type { Roster } from "./roster.ts";
import { type Session, topicsOf } from "./session.ts";

interface InspectionOptions {
  readonly gateway: () => Pick<Gateway<Session>, "connections" | "count" | "members" | "size">;
  readonly roster: Roster;
  readonly held: HeldPackets;
  readonly lingering: Lingering;
  readonly leftOut: LeftOut;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds by the clock that connections are timed by. */
  readonly elapsed: () => number;
}

export class Inspection {
  readonly #options: InspectionOptions;
  /** Before the names of its connections: those of another run are nobody's. */
  readonly #run = randomId().slice(0, 6);
  readonly #names: Names;

  constructor(options: InspectionOptions) {
    this.#options = options;
    this.#names = new Names(() => this.#topicsOfAll(), options.elapsed);
  }

  /** Forgets lists of topics in which nobody has read for long. */
  tick(): void {
    this.#names.tick();
  }

  /** Connections that are in the topic, or are joining it. */
  count(topic: string): number {
    const { gateway, held } = this.#options;
    const channel = topicChannel(topic);
    return gateway().count(channel) + (held.of(channel)?.size ?? 0);
  }

  async members(topic: string): Promise<Member[]> {
    const { gateway, held } = this.#options;
    const channel = topicChannel(topic);
    const pace = new Pace();
    const joined = await gateway().members(channel);
    const joining = new Set(held.of(channel));
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
    for (const session of this.#options.roster.ofDevice(pushId)) {
      const { transport, revision, address } = session.connection;
      const { platform } = session;
      found.push({
        ...{ transport, revision, address, since: this.since(session) },
        ...(platform === undefined ? {} : { platform }),
        topics: topicsOf(session),
      });
    }
    return found;
  }

  /** Since when it is connected, epoch milliseconds, to the second. */
  since({ connection }: Session): number {
    return this.#moment(connection.since);
  }

  /** Epoch milliseconds of a second of the process's own clock. */
  #moment(second: number): number {
    const { elapsed, now } = this.#options;
    const age = elapsed() - 1000 * second;
    return 1000 * Math.floor((now() - age) / 1000);
  }

  async connections(filter: ConnectionFilter, limit: number, most: number): Promise<ConnectionSample> {
    const { elapsed, gateway } = this.#options;
    const pace = new Pace();
    const now = elapsed();
    const connections: ConnectionView[] = [];
    let looked = 0;
    for (const connection of gateway().connections()) {
      if (looked === most || connections.length === limit) break;
      if (++looked % 64 === 0 && pace.over()) await pace.turn();
      if (connection.open && fits(connection, filter, now)) connections.push(this.#view(connection));
    }
    return { connections, looked, open: gateway().size };
  }

  #view(connection: Connection<Session>): ConnectionView {
    const { transport, revision, address, since, waiting, data } = connection;
    return {
      connection: this.nameOf(connection),
      ...(data === undefined ? {} : member(data)),
      ...{ transport, revision, address, since: this.#moment(since), waiting },
      topics: data?.topics ?? 0,
      background: data?.background ?? false,
    };
  }

  /** The name of a connection, by which it can be closed. */
  nameOf({ serial }: Connection<Session>): string {
    return `${this.#run}-${serial}`;
  }

  /** @returns false: there is none of that name (any more) */
  async disconnect(name: string): Promise<boolean> {
    const pace = new Pace();
    const [run, serial] = name.split("-");
    if (run !== this.#run) return false;
    let looked = 0;
    for (const connection of this.#options.gateway().connections()) {
      if (connection.serial === Number(serial)) {
        connection.close();
        return true;
      }
      if (++looked % 256 === 0 && pace.over()) await pace.turn();
    }
    return false;
  }

  async seen(who: Named): Promise<Seen[]> {
    const { lingering } = this.#options;
    const pace = new Pace();
    const answers: Seen[] = [];
    if ("uids" in who)
      for (const uid of who.uids) answers.push(await this.#seen({ uids: [uid] }, lingering.of(uid), pace));
    else for (const pushId of who.pushIds) answers.push(await this.#seen({ pushIds: [pushId] }, [pushId], pace));
    return answers;
  }

  /** @param gone devices that count too while they linger */
  async #seen(who: Named, gone: Iterable<PushId>, pace: Pace): Promise<Seen> {
    const { lingering, roster } = this.#options;
    const devices = new Set<PushId>();
    let since = Number.POSITIVE_INFINITY;
    await roster.visit(who, pace, ({ pushId, connection }) => {
      if (pushId !== undefined) devices.add(pushId);
      since = Math.min(since, connection.since);
    });
    for (const pushId of gone) {
      const left = lingering.get(pushId);
      if (left === undefined) continue;
      devices.add(pushId);
      since = Math.min(since, left.since);
    }
    const online = devices.size > 0;
    return { online, devices: [...devices], ...(online ? { since: this.#moment(since) } : {}) };
  }

  *#topicsOfAll(): Iterable<Iterable<string>> {
    for (const { data } of this.#options.gateway().connections()) if (data !== undefined) yield topicsOf(data);
  }

  async topics(prefix: string, after: string, limit: number): Promise<TopicCount[]> {
    const pace = new Pace();
    const page: TopicCount[] = [];
    let looked = 0;
    for (const topic of await this.#names.list(prefix, after)) {
      const count = this.count(topic);
      const leftOut = this.#options.leftOut.of(topicChannel(topic));
      if (count > 0) page.push({ topic, count, ...(leftOut > 0 ? { leftOut } : {}) });
      if (page.length === limit) break;
      if (++looked % 64 === 0 && pace.over()) await pace.turn();
    }
    return page;
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

function member({ pushId, uid, platform }: Session): Member {
  return {
    ...(pushId === undefined ? {} : { pushId }),
    ...(uid === undefined ? {} : { uid }),
    ...(platform === undefined ? {} : { platform }),
  };
}
