// What the parts of a conversation may have done by it, and the few things that they share.
import type { PushId, Uid } from "../../core/device.ts";
import type { Binding } from "../../core/engine.ts";
import type { Command, Subscription } from "./events.ts";
import type { Refusal } from "./refusals.ts";
import type { Session } from "./session.ts";

export interface RefusedEvent {
  readonly event: string;
  readonly reason?: string;
  readonly detail?: string | undefined;
}

export interface Desk {
  /** Tells the client and the log. */
  refuse(session: Session, event: string, refusal: Refusal): void;
  /** Tells the log alone. */
  note(session: Session, refusal: Refusal, about: RefusedEvent): void;
  /** Does what the client asked for. */
  obey(session: Session, event: string, command: Command): void;
  /** Subscribes to what the client, or its token, asked for; the replay follows. */
  enter(session: Session, event: string, subscriptions: readonly Subscription[]): void;
  /** Whatever the limits on what clients ask for. */
  join(session: Session, topic: string): void;
  leave(session: Session, topic: string): void;
  /** False: it asked for more than is stored meanwhile, and is closed. */
  mayWrite(session: Session, event: string, rows: number): boolean;
  /** An order that nobody waits for. */
  store(session: Session, command: Command, order: Promise<unknown>): void;
}

/** At once where the value is at hand. */
export const whenSo = <Value, Result>(
  value: Value | Promise<Value>,
  next: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> => (value instanceof Promise ? value.then(next) : next(value));

export const bindingOf = (pushId: PushId, uid: Uid, platform: string | undefined): Binding => ({
  pushId,
  uid,
  platformLimit: 0,
  timeToLive: 0,
  by: "client",
  ...(platform === undefined ? {} : { platform }),
});
