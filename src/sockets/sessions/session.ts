// One live socket's part in the push layer: a few fields, no closure, timer or promise of its own.
import type { PushId, Uid } from "../../core/device.ts";
import type { Order } from "../../core/engine.ts";
import type { Channel, KeptPacket, Packet } from "../../core/packet.ts";
import type { Connection } from "../transport/gateway.ts";

/**
 * Fresh until its first valid `pushId` event, then named, at the end gone. A fresh session may subscribe to topics already.
 * Its channels are joined, or *joining*: live packets are held while the backlog is read.
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
  /** What came live on channels whose backlog is still being read. */
  joining: Map<Channel, (Packet | KeptPacket)[]> | undefined = undefined;
  /** Hellos that wait for the store, and the newest order that came meanwhile: it is newer than the record they will get. */
  greetings = 0;
  ordered: Order | undefined = undefined;
  /** Further sessions of the same device, of the same user: lists threaded through the sessions themselves. */
  nextOfDevice: Session | undefined = undefined;
  nextOfUid: Session | undefined = undefined;

  constructor(connection: Connection<Session>) {
    this.connection = connection;
  }
}
