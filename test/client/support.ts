// The client as a test wants it: what came, what is awaited, and a clock that makes its patience shorter.
import type { Test } from "tap";
import type { Events, Options, PushClient, State, Storage } from "../../src/client/api.ts";
import { createClient } from "../../src/client/client.ts";
import { type Environment, environment } from "../../src/client/environment.ts";

/** Delays are so many times shorter than in the field. */
const FASTER = 20;
/** So long a connection has to open, milliseconds: a busy machine needs its time for that, in a test too. */
const OPEN_WITHIN = 20_000;

export const faster: Environment = {
  ...environment,
  after: (milliseconds, act) =>
    environment.after(milliseconds === OPEN_WITHIN ? milliseconds : milliseconds / FASTER, act),
};

export function memory(): Storage & { readonly items: Map<string, string> } {
  const items = new Map<string, string>();
  return { items, getItem: (key) => items.get(key), setItem: (key, value) => items.set(key, value) };
}

export interface Watched {
  readonly client: PushClient;
  /** Every event, as it came. */
  readonly events: [name: keyof Events, event: unknown][];
  /** The data of messages. */
  readonly got: unknown[];
  readonly states: State[];
  /** Resolves when it is so; looked at with each event. */
  until(isSo: () => boolean, what?: string): Promise<void>;
  /** The next event of that name, or the first that has come when `from` is 0. */
  next<Name extends keyof Events>(name: Name, from?: number): Promise<Events[Name]>;
}

const NAMES: readonly (keyof Events)[] = ["message", "notification", "connect", "gap", "state", "error"];

export function watch(client: PushClient): Watched {
  const events: Watched["events"] = [];
  const got: unknown[] = [];
  const states: State[] = [];
  let tell = Promise.withResolvers<void>();
  for (const name of NAMES)
    client.on(name, (event) => {
      events.push([name, event]);
      if (name === "message") got.push((event as Events["message"]).data);
      if (name === "state") states.push(event as State);
      tell.resolve();
      tell = Promise.withResolvers();
    });
  async function until(isSo: () => boolean, what = "it"): Promise<void> {
    const late = AbortSignal.timeout(60_000);
    const tooLate = new Promise<never>((_, reject) =>
      late.addEventListener("abort", () =>
        reject(new Error(`not within 60 s: ${what}; ${JSON.stringify(events.slice(-20))}`)),
      ),
    );
    tooLate.catch(() => {});
    while (!isSo()) await Promise.race([tell.promise, tooLate]);
  }
  return {
    client,
    events,
    got,
    states,
    until,
    async next(name, from = events.length) {
      const find = () => events.slice(from).find(([one]) => one === name);
      await until(() => find() !== undefined, name);
      return find()?.[1] as never;
    },
  };
}

/** A client that is closed with its test. */
export function open(t: Test, url: string, options: Options = {}, its: Environment = faster): Watched {
  const watched = watch(createClient(url, options, its));
  t.teardown(() => watched.client.close());
  return watched;
}
