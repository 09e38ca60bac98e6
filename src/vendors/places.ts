// Where a request goes: read from its URL once for each app, not for each of a million requests.
import { isPrivateHost } from "../http/public.ts";
import { type CommonApp, Unsendable } from "./dialect.ts";

/** A host, and by whose connection it is asked. */
export interface Place {
  readonly origin: string;
  /** Requests of one place share a line. */
  readonly key: string;
}

interface Known extends Place {
  /** Of the URLs that go there: with the slash, so that no other host's begin with it. */
  readonly beginning: string;
  readonly probing: boolean;
}

export class Places {
  readonly #vendor: string;
  /** Of the app's latest request: the next one nearly always goes there too. */
  readonly #latest = new WeakMap<CommonApp, Known>();

  /** @param vendor for messages */
  constructor(vendor: string) {
    this.#vendor = vendor;
  }

  /**
   * @param probing on a connection of its own
   * @throws Unsendable where a device chose a host that is not public
   */
  of(app: CommonApp, url: string, probing: boolean): Place {
    const latest = this.#latest.get(app);
    if (latest?.probing === probing && url.startsWith(latest.beginning)) return latest;
    const { origin, hostname } = new URL(url);
    const publicOnly = app.publicOnly === true;
    if (publicOnly && isPrivateHost(hostname))
      throw new Unsendable(`${this.#vendor}: ${hostname} is not a public address`);
    const key = `${origin} ${app.account} ${publicOnly} ${app.vouched === true} ${probing}`;
    const place = { origin, key, beginning: `${origin}/`, probing };
    this.#latest.set(app, place);
    return place;
  }
}
