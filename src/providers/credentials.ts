// Keeps each account's credential: one request for it at a time however many wait, a fresh one ahead of need, and no hammering
// of a token endpoint that refuses.
import type { CommonApp, Credential, Dialect, Exchange } from "./dialect.ts";

const RENEW_AHEAD = 5 * 60_000;
const KEEP = 30_000;
/** After a failure the same answer is given for so long, without asking again. */
const FAILURE_HOLDS = 10_000;

interface Entry {
  credential?: Required<Credential>;
  pending?: Promise<string>;
  failure?: { readonly error: unknown; readonly until: number };
}

export class Credentials<App extends CommonApp> {
  readonly #dialect: Dialect<App>;
  readonly #exchange: (app: App) => Exchange;
  readonly #entries = new Map<string, Entry>();

  constructor(dialect: Dialect<App>, exchange: (app: App) => Exchange) {
    this.#dialect = dialect;
    this.#exchange = exchange;
  }

  /** The account's credential, at once while it is valid. Rejects as `Dialect.credential` does. */
  get(app: App, now: number): string | Promise<string> {
    const entry = this.#entry(app);
    const { credential, failure } = entry;
    const failed = failure !== undefined && now < failure.until;
    if (credential !== undefined && now < credential.expires) {
      const due = now >= credential.renew;
      // A failed renewal is felt only once the old credential has expired.
      if (due && !failed && entry.pending === undefined) this.#make(app, entry, now).catch(() => undefined);
      return credential.value;
    }
    if (entry.pending !== undefined) return entry.pending;
    if (failed) return Promise.reject(failure.error);
    return this.#make(app, entry, now);
  }

  /** Another credential than `used`, which the vendor denied; undefined when there is none to be had now. */
  async renew(app: App, used: string, now: number): Promise<string | undefined> {
    const entry = this.#entry(app);
    const { credential } = entry;
    if (used === "" || credential === undefined) return undefined;
    if (credential.value !== used) return credential.value;
    const value = await (entry.pending ?? (now < credential.keep ? undefined : this.#make(app, entry, now)));
    return value === used ? undefined : value;
  }

  #entry(app: App): Entry {
    let entry = this.#entries.get(app.account);
    if (entry === undefined) {
      entry = {};
      this.#entries.set(app.account, entry);
    }
    return entry;
  }

  #make(app: App, entry: Entry, now: number): Promise<string> {
    const pending = this.#dialect.credential(app, now, this.#exchange(app)).then(
      (credential) => {
        const ahead = Math.min(RENEW_AHEAD, (credential.expires - now) / 2);
        entry.credential = { renew: credential.expires - ahead, keep: now + KEEP, ...credential };
        delete entry.failure;
        delete entry.pending;
        return credential.value;
      },
      (error: unknown) => {
        entry.failure = { error, until: now + FAILURE_HOLDS };
        delete entry.pending;
        throw error;
      },
    );
    entry.pending = pending;
    return pending;
  }
}
