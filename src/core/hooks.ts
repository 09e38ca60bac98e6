// Port: events on their way to the endpoints of the business server. Each endpoint ("hook") has a queue of its own, by its name,
// into which the engine puts what it is wanted for (`Events.want`). What engine.ts says of order and failure holds here as well.
import type { Event, EventQuery } from "./events.ts";

export interface HookEvent extends Event {
  /** Tries that this very event has failed. */
  readonly attempts: number;
}

/** What an event takes on the wire, about: bytes. */
export const wireSize = ({ key, data }: Pick<HookEvent, "key" | "data">): number =>
  Buffer.byteLength(key) + Buffer.byteLength(data) + 150;

interface HookClaim {
  /** Of distinct keys, the oldest of each. From here they are the caller's, until they are settled or the process ends. */
  readonly events: readonly HookEvent[];
  /** When the next one is due; absent: none waits but those behind another one of their key. */
  readonly next?: number;
  /** Another process had the endpoint until now: what that remembered of it is not known here. */
  readonly taken?: true;
}

/** What became of claimed events, by seq. A state event that goes back while a newer one of its subject waits gives way to it. */
export interface HookSettlement {
  readonly delivered: readonly number[];
  /** Failed by themselves: not again before `due`. */
  readonly retry: readonly { readonly seq: number; readonly due: number; readonly reason: string }[];
  /** As if they had not been claimed. */
  readonly back: readonly number[];
}

export interface HookDepth {
  readonly hook: string;
  /** Not settled yet. */
  readonly waiting: number;
  /** When the oldest of these was written. */
  readonly oldest?: number;
  /** Given up. */
  readonly dead: number;
  /** Forgotten for want of room (`HookBounds`). */
  readonly dropped: number;
}

/** Given up: it was not taken while events are kept. */
export interface DeadLetter extends HookEvent {
  /** Why it was not taken the last time. */
  readonly reason?: string;
  /** When it was given up. */
  readonly at: number;
}

/** What is kept at most, in the log and of what waits each. What is more is forgotten: what happened before what is, oldest first. */
export interface HookBounds {
  readonly events: number;
  readonly bytes: number;
  /** How long dead letters are kept, milliseconds. */
  readonly dead: number;
}

export interface HookQueue {
  /** @param size bytes of what is sent, about; one event at least, whatever its size */
  claim(hook: string, limit: number, size: number, now: number): Promise<HookClaim>;
  /** What became of events that were claimed. */
  settle(hook: string, settlement: HookSettlement): Promise<void>;
  /** The endpoint answers again: whatever waits for its next try is due. */
  hurry(hook: string): Promise<void>;
  /** Of those that something waits for, or did. */
  depths(): Promise<readonly HookDepth[]>;
  /** Oldest first. @param after seq of the last one listed */
  dead(hook: string, after: number, limit: number): Promise<readonly DeadLetter[]>;
  /** Queues dead letters, or events of the log, once more; those that wait are left. @returns how many */
  replay(hook: string, from: "dead" | "log", query: EventQuery): Promise<number>;
  /** From the next look on. Events that wait longer than `Wanted.keep` become dead letters. */
  bound(bounds: HookBounds): void;
  /** What is remembered beyond the life of the process, by name. */
  memory(): Promise<ReadonlyMap<string, string>>;
  /** Remembered by `memory`, in place of what had this name. */
  memorize(name: string, text: string): Promise<void>;
}

/** What became of requests to an endpoint. `partly`: it did not take some of the events. */
export const HOOK_RESULTS = [
  "delivered",
  "partly",
  "timeout",
  "unreachable",
  "redirect",
  "refused",
  "busy",
  "error",
  "gone",
] as const;
export type HookResult = (typeof HOOK_RESULTS)[number];

/** `at`: epoch ms */
export interface HookTrouble {
  readonly reason: string;
  readonly at: number;
}

/** An endpoint and how it does. Times are epoch milliseconds. */
export interface HookStatus {
  readonly name: string;
  /** Without its query, which may hold a secret. */
  readonly url: string;
  readonly events: readonly string[];
  readonly state: "running" | "failing" | "off";
  /** Events that wait, and when the oldest of them was written. */
  readonly waiting: number;
  readonly oldest?: number;
  /** Events given up, and forgotten for want of room. */
  readonly dead: number;
  readonly dropped: number;
  /** Since the start: events that it took, and requests by what became of them. */
  readonly delivered: number;
  readonly requests: Readonly<Record<HookResult, number>>;
  /** Requests under way. */
  readonly inFlight: number;
  /** Failures in a row. */
  readonly failures: number;
  readonly failingSince?: number;
  readonly nextTry?: number;
  readonly lastError?: HookTrouble;
  readonly off?: HookTrouble;
  /** The node that tells it, where there are several. */
  readonly node?: string;
}

/** What a test message came to. `status` absent: there was no answer. */
export interface HookTest {
  readonly delivered: boolean;
  readonly status?: number;
  readonly reason?: string;
  /** Milliseconds. */
  readonly took: number;
}

/** The endpoints that are configured. */
export interface Hooks {
  /** How each does, in the order of the configuration. */
  list(): Promise<readonly HookStatus[]>;
  /** @returns the names of those that go on now; undefined: there is none of this name */
  resume(name?: string): readonly string[] | undefined;
  /** Undefined: there is none of this name. */
  test(name: string): Promise<HookTest | undefined>;
}
