// What the page of examples at /client/ asks instead of a business server: `emit` of its visitors is answered here. Anybody may, so
// it is bounded: what is said is short, and goes to few, seldom.
import type { PushId } from "../core/device.ts";
import type { Live } from "../core/live.ts";
import type { Draft, PushTarget } from "../core/push.ts";
import { MINUTE } from "../core/time.ts";

/** What an app says by `emit` under this path is an example's. */
const PREFIX = "/examples/";
const CHAT = "examples:chat";
const DRAWING = "examples:drawing";
/** What is said in the room is kept for so long, for those who come later. */
const KEPT = 10 * MINUTE;
const LONGEST_TEXT = 500;
/** Connections in a room; with more nobody is heard. */
const MOST_LISTENERS = 100;
/** Of all visitors together, in a second. */
const MOST_PER_SECOND = 60;

export interface ExamplesOptions {
  readonly live: Pick<Live, "count">;
  push(target: PushTarget, draft: Draft): unknown;
  /** Sends a notification to this device alone. */
  notify(pushId: PushId, title: string, message: string): Promise<unknown>;
  /** Milliseconds by a clock that is never set. */
  elapsed(): number;
}

/** Undefined: it is no example's path. Else the answer, whatever was said. */
export type Examples = (pushId: PushId, path: string, data: unknown) => Promise<object> | undefined;

/** What is said beyond 60 a second, or while a room has more than 100 connections, goes nowhere; the answer says so. */
export function createExamples({ live, push, notify, elapsed }: ExamplesOptions): Examples {
  let second = -1;
  let left = 0;

  function mayGoOn(): boolean {
    const now = Math.floor(elapsed() / 1000);
    if (now !== second) [second, left] = [now, MOST_PER_SECOND];
    return left-- > 0;
  }

  async function answer(pushId: PushId, name: string, said: Readonly<Record<string, unknown>>): Promise<object> {
    const topic = name === "draw" ? DRAWING : CHAT;
    const online = await live.count(topic);
    if (name === "online") return { online };
    if (!mayGoOn() || online > MOST_LISTENERS) return { error: "too many at once: try again later" };
    switch (name) {
      case "say": {
        const text = textOf(said["text"]).slice(0, LONGEST_TEXT);
        const body = { kind: "chat", from: textOf(said["from"]).slice(0, 24), text, online };
        await push({ kind: "topic", topic }, { event: "p", body: JSON.stringify(body), timeToLive: KEPT });
        return { online };
      }
      case "draw": {
        const line = Array.isArray(said["line"]) ? said["line"].slice(0, 4).map(numberOf) : [];
        const body = { kind: "draw", line, color: numberOf(said["color"]) };
        await push({ kind: "topic", topic }, { event: "p", body: JSON.stringify(body), timeToLive: 0 });
        return { online };
      }
      case "notify":
        await notify(pushId, "pushbox", "A notification to this device");
        return {};
      default:
        return { error: "there is no such example" };
    }
  }

  return (pushId, path, data) =>
    path.startsWith(PREFIX)
      ? answer(pushId, path.slice(PREFIX.length), Object(data) as Readonly<Record<string, unknown>>)
      : undefined;
}

// An object from JSON may have members named toString and valueOf that are no functions: `String` and `Number` throw then.
const textOf = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : "";
const numberOf = (value: unknown): number => Number(textOf(value)) || 0;
