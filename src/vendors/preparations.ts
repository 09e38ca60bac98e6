// For vendors that store a message first and then take lists of those who get it: each message is stored once, however many lists
// there are.
import type { Notification } from "../core/notification.ts";
import { Recent } from "../core/recent.ts";
import { Term } from "../core/term.ts";
import { HOUR } from "../core/time.ts";
import type { Outcome, Recipient } from "../core/vendor.ts";
import type { CommonApp, Exchange, Prepared, Preparing } from "./dialect.ts";

/** Messages remembered, and for how long: their time to live counts from when they were stored. */
const MOST = 1000;
const HOLDS = HOUR;

interface Message {
  readonly prepared: Promise<Prepared>;
  readonly until: Term;
}

export class Preparations<App extends CommonApp> {
  readonly #preparing: Preparing<App>;
  readonly #messages = new Recent<string, Message>(MOST);
  /** Accounts that may store nothing now. */
  readonly #resting = new Map<string, Extract<Prepared, { readonly kind: "alone" }>>();

  constructor(preparing: Preparing<App>) {
    this.#preparing = preparing;
  }

  /**
   * What the message is called at the vendor; undefined: these recipients need no such name; otherwise what becomes of them.
   * Rejects as `Dialect.encode` and the exchange do.
   */
  async get(
    app: App,
    note: Notification,
    to: readonly Recipient[],
    credential: string,
    now: number,
    exchange: Exchange,
  ): Promise<string | undefined | Outcome> {
    if (to.length < this.#preparing.from) return undefined;
    const resting = this.#resting.get(app.account);
    if (resting !== undefined && now < resting.until) return alone(resting.reason);
    const key = `${app.account} ${app.app} ${note.id} ${note.acceptedAt}`;
    const prepared = await this.#message(key, now, async () => {
      const reply = await exchange(this.#preparing.encode(app, note, credential, now));
      return this.#preparing.decode(app, reply, now);
    });
    if (prepared.kind === "prepared") return prepared.name;
    if (prepared.kind !== "alone") return prepared;
    this.#resting.set(app.account, prepared);
    return alone(prepared.reason);
  }

  /** Lists that wait for the same message ask once for it; what came of a failure is asked again by the next. */
  #message(key: string, now: number, make: () => Promise<Prepared>): Promise<Prepared> {
    const known = this.#messages.get(key);
    if (known !== undefined && !known.until.over(now)) return known.prepared;
    const forget = (): void => {
      if (this.#messages.get(key) === message) this.#messages.delete(key);
    };
    const message: Message = { prepared: make(), until: new Term(now + HOLDS, now) };
    message.prepared.then((prepared) => {
      if (prepared.kind !== "prepared") forget();
    }, forget);
    this.#messages.set(key, message);
    return message.prepared;
  }
}

const alone = (reason: string): Outcome => ({ kind: "retry", reason, alone: true });
