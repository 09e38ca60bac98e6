// Which devices are in the topics that somebody is told of (core/events.ts). A device counts once, however many connections it
// has there; connections that did not say which device they are count together. Without such topics nothing is kept.
import type { PushId } from "../../core/device.ts";
import type { Events, Happening } from "../../core/events.ts";
import { LargeMap } from "../../core/large-map.ts";
import type { Session } from "./session.ts";

/** A member whose last connection in the topic went. */
interface Leaving {
  readonly topic: string;
  readonly pushId: PushId | undefined;
  readonly reason: string;
  /** When it went, epoch milliseconds. */
  readonly at: number;
  /** By the clock that is never set: from then on it has left. */
  readonly until: number;
  readonly generation: number;
}

type Pair = string;
const pairOf = (pushId: string, topic: string): Pair => `${pushId.length} ${pushId}${topic}`;

export interface MembersOptions {
  readonly events: Pick<Events, "watches">;
  /** Tells the engine, at once. */
  readonly note: (happenings: readonly Happening[]) => void;
  readonly disconnectDelay: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
}

export class Members {
  readonly #options: MembersOptions;
  /** Connections of each member. */
  readonly #connections = new LargeMap<Pair, number>();
  /** In the order of time. */
  readonly #leaving = new LargeMap<Pair, Leaving>();
  /** Of the topics that are told of; sessions of an earlier one are counted when they are next looked at. */
  #generation = 0;
  /** What is to be told once the device itself is known to the engine. */
  #joined: Happening[] = [];

  constructor(options: MembersOptions) {
    this.#options = options;
  }

  /** The session is in the topic, or is joining it. Told with `flush`. */
  entered(session: Session, topic: string): void {
    if (!this.#options.events.watches(topic)) return;
    const topics = this.#topicsOf(session) ?? this.#watched(session);
    if (topics.has(topic)) return;
    topics.add(topic);
    this.#add(session, topic, session.pushId);
  }

  /** @param pushId under which it was counted */
  #topicsOf(session: Session, pushId = session.pushId): Set<string> | undefined {
    const { watched } = session;
    if (watched === undefined || watched.generation === this.#generation) return watched?.topics;
    const topics = this.#watched(session);
    for (const topic of watched.topics) {
      if (!this.#options.events.watches(topic)) continue;
      topics.add(topic);
      this.#add(session, topic, pushId);
    }
    return topics;
  }

  #watched(session: Session): Set<string> {
    const topics = new Set<string>();
    session.watched = { generation: this.#generation, topics };
    return topics;
  }

  #add(session: Session, topic: string, pushId: PushId | undefined): void {
    const pair = pairOf(pushId ?? "", topic);
    const connections = this.#connections.get(pair) ?? 0;
    this.#connections.set(pair, connections + 1);
    if (connections > 0) return;
    const back = this.#leaving.get(pair);
    this.#leaving.delete(pair);
    // Of other topics the engine may have forgotten it meanwhile; one that it knows it does not tell of again.
    if (back?.generation !== this.#generation) this.#joined.push(joined(session, pushId, topic, this.#options.now()));
  }

  /** Tells who has entered topics since the last call; not before the engine knows their devices. */
  flush(): void {
    if (this.#joined.length === 0) return;
    const joined = this.#joined;
    this.#joined = [];
    this.#options.note(joined);
  }

  /** It was unsubscribed: that is no accident, and told at once. */
  unsubscribed(session: Session, topic: string): void {
    if (this.#topicsOf(session)?.delete(topic)) this.#remove(session.pushId, topic, "unsubscribed", true);
  }

  /** The session is gone from all of its topics. @param atOnce nobody is given time to come back */
  gone(session: Session, reason: string, atOnce: boolean): void {
    const topics = this.#topicsOf(session);
    if (topics === undefined) return;
    session.watched = undefined;
    const { pushId } = session;
    for (const topic of topics) this.#remove(pushId, topic, reason, atOnce || pushId === undefined);
  }

  /** The session is another device from now on, or said only now which one it is. */
  renamed(session: Session, before: PushId | undefined): void {
    for (const topic of this.#topicsOf(session, before) ?? []) {
      this.#add(session, topic, session.pushId);
      this.flush();
      this.#remove(before, topic, "transport close", before === undefined);
    }
  }

  #remove(pushId: PushId | undefined, topic: string, reason: string, atOnce: boolean): void {
    const pair = pairOf(pushId ?? "", topic);
    const connections = this.#connections.get(pair) ?? 0;
    if (connections > 1) this.#connections.set(pair, connections - 1);
    else this.#connections.delete(pair);
    if (connections !== 1) return;
    const { disconnectDelay, now, elapsed } = this.#options;
    const at = now();
    this.flush();
    if (atOnce) this.#options.note([left(topic, pushId, reason, at)]);
    else this.#leave(pair, { topic, pushId, reason, at, until: elapsed() + disconnectDelay });
  }

  #leave(pair: Pair, leaving: Omit<Leaving, "generation">): void {
    this.#leaving.set(pair, { ...leaving, generation: this.#generation });
  }

  /** Could not be stored: it is told again with the next look. */
  again(happenings: readonly Happening[]): void {
    for (const one of happenings) {
      if (one.kind !== "left") continue;
      const pair = pairOf(one.pushId ?? "", one.topic);
      if (this.#connections.has(pair)) continue;
      const { topic, pushId, reason, at } = one;
      this.#leave(pair, { topic, pushId, reason, at, until: this.#options.elapsed() });
    }
  }

  /**
   * Tells of members whose time to come back is over.
   * @param told whether the device itself is gone, which says the same
   * @returns whether there are more
   */
  endDelays(limit: number, told: (pushId: PushId) => boolean): boolean {
    const time = this.#options.elapsed();
    const over: [Pair, Leaving][] = [];
    for (const part of this.#leaving.parts) {
      for (const entry of part) {
        if (entry[1].until > time || over.length === limit) break;
        over.push(entry);
      }
    }
    const happenings: Happening[] = [];
    for (const [pair, { topic, pushId, reason, at }] of over) {
      this.#leaving.delete(pair);
      if (pushId === undefined || !told(pushId)) happenings.push(left(topic, pushId, reason, at));
    }
    if (happenings.length > 0) this.#options.note(happenings);
    return over.length === limit;
  }

  /** What the engine was told of the session may be lost: told again with `flush`. */
  repeat(session: Session): void {
    const at = this.#options.now();
    for (const topic of this.#topicsOf(session) ?? []) this.#joined.push(joined(session, session.pushId, topic, at));
  }

  /**
   * The topics that are told of are others now: everybody is counted anew, with `entered`. Who is about to leave one that stays among
   * them still is.
   */
  recount(): void {
    this.#generation++;
    this.#connections.clear();
    this.#joined = this.#joined.filter((one) => one.kind !== "joined" || this.#options.events.watches(one.topic));
  }
}

function joined(session: Session, pushId: PushId | undefined, topic: string, at: number): Happening {
  const { platform } = session;
  const uid = session.greetings > 0 ? session.sub : undefined; // until then the record may be without it, or another's
  return {
    kind: "joined",
    topic,
    ...(pushId === undefined ? {} : { pushId }),
    ...(uid === undefined ? {} : { uid }),
    ...(platform === undefined ? {} : { platform }),
    at,
  };
}

const left = (topic: string, pushId: PushId | undefined, reason: string, at: number): Happening => ({
  kind: "left",
  topic,
  ...(pushId === undefined ? {} : { pushId }),
  reason,
  at,
});
