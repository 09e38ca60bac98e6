// Which topics sessions are in: what lets them in, keeps them out and ends it.
import type { LoginFault } from "../../core/login.ts";
import { NOTI_TOPIC } from "../../core/notify.ts";
import { type From, topicChannel } from "../../core/packet.ts";
import { type EventLimits, type Subscription, topicBytesLimit, topicCost, topicsLimit } from "./events.ts";
import type { Gate } from "./gate.ts";
import type { Hub } from "./hub.ts";
import type { Members } from "./members.ts";
import type { Refusal } from "./refusals.ts";
import type { Refuser } from "./refuser.ts";
import { positionOf, type Replay } from "./replay.ts";
import type { Session } from "./session.ts";

const heldOut = (topic: string): Refusal => ({
  code: "topic_held",
  message: `the backend keeps this client out of the topic ${topic} for a while`,
});

interface TopicsOptions {
  readonly hub: Hub;
  readonly gate: Gate;
  readonly limits: EventLimits;
  readonly members: Members;
  readonly refuser: Refuser;
  readonly replay: Replay;
}

export class Topics {
  readonly #options: TopicsOptions;

  constructor(options: TopicsOptions) {
    this.#options = options;
  }

  /** Subscribes to what the client, or its token, asked for; the replay follows. */
  subscribe(session: Session, event: string, subscriptions: readonly Subscription[]): void {
    const { members, replay } = this.#options;
    this.enter(session, event, subscriptions);
    members.flush();
    replay.next(session);
  }

  /** Joins topics at once, or with a position after what was missed of them, which `Replay.next` begins. Refusals are told. */
  enter(session: Session, event: string, subscriptions: readonly Subscription[]): void {
    const { gate, hub, limits, refuser } = this.#options;
    const guarded = gate.guardsTopics;
    let forbidden: LoginFault | undefined;
    let full = false;
    let large = false;
    let held: string | undefined;
    for (const subscription of subscriptions) {
      const { topic, after } = subscription;
      const channel = topicChannel(topic);
      if (session.isJoining(channel)) continue;
      if (guarded) {
        const fault = gate.topicFault(session.seat?.login, topic);
        forbidden ??= fault;
        if (fault !== undefined) continue;
      }
      if (session.connection.in(channel)) {
        const unseen = after === undefined ? undefined : session.unseen(channel);
        if (after === undefined || unseen === undefined) continue; // a second replay would repeat what was sent (B14)
        session.joined(channel);
        hub.holdAgain(session, channel, { after }, unseen);
        continue;
      }
      if (hub.orders.holds.has(topic, session.pushId, session.uid)) {
        held = topic;
        continue;
      }
      if (session.topics >= limits.topics) {
        full = true;
        continue;
      }
      const bytes = session.topicBytes + topicCost(topic);
      if (bytes > limits.topicBytes) {
        large = true;
        continue;
      }
      this.#admit(session, topic, positionOf(session, subscription));
    }
    if (held !== undefined) refuser.refuse(session, event, heldOut(held));
    if (forbidden !== undefined) refuser.refuseLogin(session, event, forbidden);
    if (full) refuser.refuse(session, event, { code: "topics_limit", message: topicsLimit(limits) });
    if (large) refuser.refuse(session, event, { code: "topic_bytes_limit", message: topicBytesLimit(limits) });
  }

  /** Whatever the limits on what clients ask for: for the backend. @returns true, it is in the topic */
  join(session: Session, topic: string): true {
    const channel = topicChannel(topic);
    if (!session.isJoining(channel) && !session.connection.in(channel)) this.#admit(session, topic, undefined);
    this.#options.members.flush();
    return true;
  }

  #admit(session: Session, topic: string, from: From | undefined): void {
    const { hub, members } = this.#options;
    const channel = topicChannel(topic);
    session.topics++;
    session.topicBytes += topicCost(topic);
    if (topic === NOTI_TOPIC) session.notiSince = hub.notiCount;
    if (from === undefined) {
      session.joined(channel, hub.newest);
      session.connection.join(channel);
    } else {
      session.joined(channel);
      hub.hold(session, channel, from);
    }
    members.entered(session, topic);
    if (hub.tracing.on)
      hub.tracing.moved(session, topic, from === undefined ? "joined" : "joins after what it missed:");
  }

  /** @returns whether it was subscribed */
  leave(session: Session, topic: string): boolean {
    const { hub, members } = this.#options;
    const channel = topicChannel(topic);
    if (session.isJoining(channel)) hub.release(session, channel);
    else if (!session.connection.leave(channel)) return false;
    session.left(channel);
    members.unsubscribed(session, topic);
    session.topics--;
    session.topicBytes -= topicCost(topic);
    if (topic === NOTI_TOPIC) session.notiSince = -1;
    if (hub.tracing.on) hub.tracing.moved(session, topic, "left");
    return true;
  }

  /** Its user is held out of the topic. */
  throwOut(session: Session, topic: string): void {
    if (this.leave(session, topic)) this.#options.refuser.refuse(session, "subscribeTopic", heldOut(topic));
  }
}
