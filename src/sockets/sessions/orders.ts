// What the backend has live sessions do: they are closed, or join or leave a topic, and those named are held out of it.
import type { Uid } from "../../core/device.ts";
import { PushError } from "../../core/errors.ts";
import type { LiveOrder, Who } from "../../core/live.ts";
import { Pace } from "../../core/pace.ts";
import { topicChannel } from "../../core/packet.ts";
import type { Gateway } from "../transport/types.ts";
import type { HeldPackets } from "./held-packets.ts";
import { Holds } from "./holds.ts";
import type { Roster } from "./roster.ts";
import { type Session, topicsOf } from "./session.ts";

/** What the conversation does to its sessions. */
export interface Actor {
  /** @param reconnect false: it is told to stay away, and hangs up itself */
  close(session: Session, reconnect: boolean): void;
  /** @returns whether it is in the topic now */
  join(session: Session, topic: string): boolean;
  /** @returns whether it was in it */
  leave(session: Session, topic: string): boolean;
  /** It has just been given a user who is held out of the topic. */
  held(session: Session, topic: string): void;
}

interface OrdersOptions {
  readonly gateway: () => Pick<Gateway<Session>, "members">;
  readonly roster: Roster;
  readonly held: HeldPackets;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
}

export class Orders {
  readonly #options: OrdersOptions;
  /** Who is held out of topics. */
  readonly holds: Holds;
  /** Set by the conversation. */
  actor: Actor | undefined = undefined;

  constructor(options: OrdersOptions) {
    this.#options = options;
    this.holds = new Holds(options.elapsed);
  }

  /** Once a second. */
  tick(): void {
    this.holds.tick();
  }

  /** The session is this user's from now on: it leaves the topics that the user is held out of. */
  bound(session: Session, uid: Uid): void {
    if (this.holds.isEmpty) return;
    for (const topic of topicsOf(session)) if (this.holds.has(topic, undefined, uid)) this.actor?.held(session, topic);
  }

  /** @returns sessions that did it. Rejects with `PushError("unavailable")` when no more can be held out of topics. */
  async carryOut(who: Who, order: LiveOrder): Promise<number> {
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
    const { gateway, held, roster } = this.#options;
    const found = new Set<Session>();
    if (!("topic" in who)) {
      await roster.visit(who, pace, (session) => found.add(session));
      return found;
    }
    const channel = topicChannel(who.topic);
    for (const session of held.of(channel) ?? []) found.add(session);
    for (const { data } of await gateway().members(channel)) {
      if (data !== undefined) found.add(data);
      if (found.size % 64 === 0 && pace.over()) await pace.turn();
    }
    return found;
  }
}
