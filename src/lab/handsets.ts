// What the fakes of most phone vendors have in common: what their phones showed, how tokens stand, the failures that were asked for,
// and which message each phone was sent last.
import { Recent } from "../core/recent.ts";
import type { Fields } from "./checks.ts";
import { type FakeReply, type FakeVendor, REMEMBERED, type Shown } from "./fake.ts";
import type { Told } from "./receipts.ts";
import { jsonIn } from "./requests.ts";

/** Failures that look the same whatever the vendor. */
const COMMON: Readonly<Record<string, FakeReply>> = {
  busy: { status: 503, headers: { "content-type": "text/html" }, body: "<html>busy</html>" },
  garbage: { status: 200, headers: { "content-type": "text/html" }, body: "<html>hello</html>" },
};

/** A failure that is due, and its answer where that is the same whatever the vendor. */
interface Due {
  readonly fault?: string | undefined;
  readonly reply?: FakeReply | undefined;
}

export class Handsets {
  readonly shown: Shown[] = [];
  readonly tokens = new Map<string, string>();
  readonly #vendor: string;
  readonly #kinds: readonly string[];
  /** In the order in which they were asked for. */
  #due: readonly string[] = [];
  readonly #sent = new Recent<string, Told>(REMEMBERED);

  /** @param kinds of failures that are the vendor's own */
  constructor(vendor: string, ...kinds: readonly string[]) {
    this.#vendor = vendor;
    this.#kinds = [...Object.keys(COMMON), ...kinds];
  }

  /** What a `FakeVendor` has of them. `fail` throws an Error for a kind that this vendor does not have; asking again replaces. */
  get members(): Pick<FakeVendor, "name" | "http2" | "shown" | "tokens" | "fail" | "kinds"> {
    const { shown, tokens } = this;
    const vendor = this.#vendor;
    const kinds = this.#kinds;
    return {
      name: vendor,
      http2: false,
      shown,
      tokens,
      fail: (kind, times) => {
        if (!kinds.includes(kind)) throw new Error(`${vendor} does not fail by "${kind}", but by ${kinds.join(", ")}`);
        this.#due = [...this.#due.filter((other) => other !== kind), ...Array<string>(times).fill(kind)];
      },
      kinds,
    };
  }

  /** How the next request is to fail, if it is. */
  next(): Due {
    const [fault, ...rest] = this.#due;
    this.#due = rest;
    return { fault, reply: COMMON[fault ?? ""] };
  }

  show(token: string, what: Omit<Shown, "vendor" | "token">): void {
    this.shown.push({ vendor: this.#vendor, token, ...what });
  }

  /** Remembers the vendor's id of a message and what it carried along for its receipt. */
  sent(token: string, id: string, param: unknown): void {
    this.#sent.set(token, { token, id, param: String(param ?? "") });
  }

  /** Of the latest message to this token. */
  last(token: string): Told {
    return this.#sent.get(token) ?? { token, id: "unknown", param: "" };
  }
}

/** What the app finds in its intent when a notification is opened: texts only, so the payload is one of JSON. */
export function openedWith(extras: Fields): Pick<Shown, "payload" | "id"> {
  return { payload: jsonIn(extras["payload"] ?? "{}", "payload"), id: String(extras["id"]) };
}
