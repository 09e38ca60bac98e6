// One live socket's part in the push layer: a few fields, no closure, timer or promise of its own.
import { Entry } from "../../core/agenda.ts";
import type { PushId, Uid } from "../../core/device.ts";
import type { Order } from "../../core/engine.ts";
import type { Login } from "../../core/login.ts";
import type { Channel, From, KeptPacket, Packet, PacketId } from "../../core/packet.ts";
import { channelName, topicChannel } from "../../core/packet.ts";
import { Recent } from "../../core/recent.ts";
import type { Connection } from "../transport/types.ts";
import type { Doubt } from "./doubt.ts";
import type { Welcome } from "./questions.ts";

/** A channel whose backlog is read and sent, and what came live on it meanwhile. */
export interface Joining {
  /** Where the next page begins. */
  from: From;
  /** The newest seq that was sent. */
  last: number;
  /** What came later than this seq was sent live already. */
  readonly until: number;
  /** Nothing further to read: what is held goes when the last page has left. */
  read: boolean;
  readonly held: (Packet | KeptPacket)[];
}

/** Its topics that are told of, as counted since `Members.clear` was last called. */
interface Watched {
  readonly generation: number;
  readonly topics: Set<string>;
}

const TOPIC = topicChannel("");
const NOTHING = -1;
/** Acknowledgements that are waited for on a connection: of the newest packets. */
const MOST_UNACKED = 256;

/** The channels that a session joins, one after the other. */
export class Joins {
  readonly channels = new Map<Channel, Joining>();
  /** Of all that is held, see `sizeOf`. */
  heldSize = 0;
  /** A page is read, or is on its way to the client. */
  page: "none" | "read" | "leaving" = "none";
}

/** Of a session that has logged in. */
export class Seat {
  readonly session: Session;
  readonly login: Login;
  /** That its token expires. */
  told = false;
  readonly due: Entry<Seat>;

  constructor(session: Session, login: Login) {
    this.session = session;
    this.login = login;
    this.due = new Entry<Seat>(this);
  }
}

/**
 * Fresh until its first valid `pushId` event, then named, at the end gone. A fresh session may subscribe to topics already.
 * Its channels are joined, or *joining*: live packets are held while the backlog is read and sent.
 */
export class Session {
  readonly connection: Connection<Session>;
  pushId: PushId | undefined = undefined;
  uid: Uid | undefined = undefined;
  platform: string | undefined = undefined;
  gone = false;
  /** Topics joined or joining. */
  topics = 0;
  /** What they take, see `topicCost`. */
  topicBytes = 0;
  /** How many notifications had gone to the topic `noti` when it subscribed to it; -1: it is not in it. */
  notiSince = -1;
  joins: Joins | undefined = undefined;
  /** It keeps exact positions: the epoch of those that it has, "" when it has none (README 4.16). */
  epoch: string | undefined = undefined;
  /** It has logged in with a token (`Gate`). */
  seat: Seat | undefined = undefined;
  /** The business server let it in. */
  welcome: Welcome | undefined = undefined;
  /** Topics joined without a position: what was kept up to that seq they were not sent. Those that differ are in the map. */
  #unseen: number | undefined = undefined;
  #others: Map<Channel, number> | undefined = undefined;
  /** What of its device's own channel may not have arrived, and how often proof was asked for (`Hub`). */
  doubt: Doubt | undefined = undefined;
  asks = 0;
  /** Hellos that wait for the store, and the newest order that came meanwhile: it is newer than the record they will get. */
  greetings = 0;
  ordered: Order | undefined = undefined;
  /** Rows that the store has yet to write for it. */
  writing = 0;
  watched: Watched | undefined = undefined;
  /** It acknowledges what asks for it (README 4.15). */
  acks = false;
  background = false;
  /** By ack id, the packets that it was sent and has not acknowledged. */
  #unacked: Recent<number, PacketId> | undefined = undefined;
  #lastAck = 0;
  /** Further sessions of the same device, of the same user: lists threaded through the sessions themselves. */
  nextOfDevice: Session | undefined = undefined;
  nextOfUid: Session | undefined = undefined;
  beforeOfDevice: Session | undefined = undefined;
  beforeOfUid: Session | undefined = undefined;

  constructor(connection: Connection<Session>) {
    this.connection = connection;
  }

  /** Who it is, and the only device that it may be, by its token or the word of the business server. */
  get sub(): Uid | undefined {
    return this.seat?.login.uid ?? this.welcome?.uid;
  }

  get onlyPushId(): PushId | undefined {
    return this.seat?.login.pushId ?? this.welcome?.pushId;
  }

  /** @returns the ack id with which the packet is sent */
  asksFor(id: PacketId): number {
    this.#unacked ??= new Recent(MOST_UNACKED);
    this.#unacked.set(++this.#lastAck, id);
    return this.#lastAck;
  }

  /** The packet that was sent with this ack id, once. */
  acked(ack: number): PacketId | undefined {
    const id = this.#unacked?.get(ack);
    this.#unacked?.delete(ack);
    return id;
  }

  isJoining(channel: Channel): boolean {
    return this.joins?.channels.has(channel) ?? false;
  }

  /** A topic was joined: what was kept of it up to that seq was not sent. Most sessions join theirs at once, in one way. */
  joined(topic: Channel, unseen = NOTHING): void {
    if (unseen !== NOTHING && this.topics === 1) this.#unseen ??= unseen;
    if ((this.#unseen ?? NOTHING) === unseen) this.#others?.delete(topic);
    else {
      this.#others ??= new Map();
      this.#others.set(topic, unseen);
    }
  }

  left(topic: Channel): void {
    this.#others?.delete(topic);
  }

  /** Of a topic that is joined: undefined when it has been sent all since its position. */
  unseen(topic: Channel): number | undefined {
    const unseen = this.#others?.get(topic) ?? this.#unseen ?? NOTHING;
    return unseen === NOTHING ? undefined : unseen;
  }
}

/** The names of its topics, joined and joining. */
export function topicsOf({ connection, joins }: Session): string[] {
  const channels = [...connection.rooms(), ...(joins?.channels.keys() ?? [])] as Channel[]; // pings have rooms too
  return channels.filter((channel) => channel.startsWith(TOPIC)).map(channelName);
}
