// Keeps each account's credential: one request for it at a time however many wait, a fresh one ahead of need, and no hammering
// of a token endpoint that refuses.

import { Recent } from "../core/recent.ts";
import { Term } from "../core/term.ts";
import { MINUTE } from "../core/time.ts";
import type { CommonApp, Credential, Dialect, Exchange } from "./dialect.ts";
import { Signatures } from "./signatures.ts";

const RENEW_AHEAD = 5 * MINUTE;
/** As young as this, one that a denial brought is not replaced by the next: somebody else may log in whenever we do. */
const YOUNG = 30_000;
/** After a failure the same answer is given for so long, without asking again. */
const FAILURE_HOLDS = 10_000;

/** Web Push has one for each host, and clients choose the hosts: so many are kept, those of the longest unused account go. */
const MOST = 1000;

interface Held {
  readonly value: string;
  readonly expires: Term;
  readonly renew: Term;
  /** A denial does not replace it before; `stated` by the dialect, else because it is young. */
  readonly keep: Term;
  readonly stated: boolean;
  /** It replaced one that was denied. */
  readonly substitute: boolean;
}

interface Entry {
  credential?: Held;
  pending?: Promise<string>;
  failure?: { readonly error: unknown; readonly until: Term };
}

/** By account: apps of one account share its credential. */
export class Credentials<App extends CommonApp> {
  readonly #dialect: Dialect<App>;
  readonly #exchange: (app: App) => Exchange;
  readonly #signatures: Signatures;
  readonly #entries = new Recent<string, Entry>(MOST);

  constructor(dialect: Dialect<App>, exchange: (app: App) => Exchange, signatures = new Signatures()) {
    this.#signatures = signatures;
    this.#dialect = dialect;
    this.#exchange = exchange;
  }

  /** The account's credential, at once while it is valid. Rejects as `Dialect.credential` does. */
  get(app: App, now: number): string | Promise<string> {
    const entry = this.#entry(app);
    const { credential, failure } = entry;
    const failed = failure !== undefined && !failure.until.over(now);
    if (credential !== undefined && !credential.expires.over(now)) {
      const due = credential.renew.over(now);
      // A failed renewal is felt only once the old credential has expired.
      if (due && !failed && entry.pending === undefined) this.#make(app, entry, now).catch(() => undefined);
      return credential.value;
    }
    if (entry.pending !== undefined) return entry.pending;
    if (failed) return Promise.reject(failure.error);
    return this.#make(app, entry, now);
  }

  /**
   * Another credential than `used`, which the vendor denied; undefined when there is none to be had now. A young one is replaced
   * too, for a login made elsewhere may have ended it, but not its substitute: two servers that end each other's would log in
   * without end.
   * @param expired the vendor says that its time is over
   */
  async renew(app: App, used: string, now: number, expired = false): Promise<string | undefined> {
    const entry = this.#entry(app);
    const { credential, failure, pending } = entry;
    if (used === "" || credential === undefined) return undefined;
    if (credential.value !== used) return credential.value;
    if (pending !== undefined) return other(await pending, used);
    if (failure !== undefined && !failure.until.over(now)) throw failure.error;
    const kept = !credential.keep.over(now);
    if (kept && (credential.substitute || (credential.stated && !expired))) return undefined;
    return other(await this.#make(app, entry, now, true, expired ? used : undefined), used);
  }

  #entry(app: App): Entry {
    const known = this.#entries.get(app.account);
    if (known !== undefined && this.#entries.size < MOST) return known;
    const entry = known ?? {};
    // The order is that of the latest use, which matters only when there are many.
    this.#entries.set(app.account, entry);
    return entry;
  }

  #make(app: App, entry: Entry, now: number, substitute = false, expired?: string): Promise<string> {
    const pending = this.#dialect.credential(app, now, this.#exchange(app), expired, this.#signatures).then(
      ({ value, expires, renew, keep }: Credential) => {
        const ahead = Math.min(RENEW_AHEAD, (expires - now) / 2);
        entry.credential = {
          value,
          expires: new Term(expires, now),
          renew: new Term(renew ?? expires - ahead, now),
          keep: new Term(keep ?? now + YOUNG, now),
          stated: keep !== undefined,
          substitute,
        };
        delete entry.failure;
        delete entry.pending;
        return value;
      },
      (error: unknown) => {
        entry.failure = { error, until: new Term(now + FAILURE_HOLDS, now) };
        delete entry.pending;
        throw error;
      },
    );
    entry.pending = pending;
    return pending;
  }
}

const other = (value: string, used: string): string | undefined => (value === used ? undefined : value);
