// Everything that `pushbox lab --fault` knows, done to a real vendor: the outcome is the true one, in time; the
// vendor is asked a bounded number of times; and when it is over, the same vendor delivers again.
import t, { type Test } from "tap";
import type { Outcome } from "../../src/core/vendor.ts";
import type { FakeVendor } from "../../src/lab/fake.ts";
import { FAULTS } from "../../src/lab/faults.ts";
import { type Chosen, chosenFrom, misbehave } from "../../src/lab/misbehave.ts";
import { serve } from "../../src/lab/server.ts";
import { createVendor } from "../../src/vendors/client.ts";
import type { CommonApp, Dialect } from "../../src/vendors/dialect.ts";
import { Signatures } from "../../src/vendors/signatures.ts";
import { authority, configured, NOW, notification } from "../vendors/conformance.ts";
import { certificate } from "../vendors/plain.ts";

type Kind = Outcome["kind"];

/** What the vendor or the network does, and what that means for a notification. */
const OUTCOMES: Readonly<Record<string, Kind | readonly Kind[]>> = {
  throttle: ["retry", "paused"],
  // Google's passes within the minute, Umeng knows none.
  quota: ["paused", "retry"],
  deny: ["denied", "refused", "retry"],
  // Umeng tells of none.
  dead: ["gone", "accepted"],
  // With one recipient that is the one: dead, or not reached this time.
  partial: ["gone", "retry", "accepted"],
  busy: "retry",
  "bad-gateway": "retry",
  garbage: "retry",
  // A browser's push service has accepted it, whatever it adds to its 200.
  half: ["retry", "accepted"],
  "slow-0.2s": "accepted",
  slow: "retry",
  "slow-20s": "retry",
  hang: "retry",
  unfinished: "retry",
  endless: ["retry", "accepted"],
  reset: "retry",
  refuse: "retry",
  cut: "retry",
  torn: "retry",
  "black-hole": "retry",
  "no-ping": "accepted",
  "no-tls": "retry",
  // Apple's is not spoken to in HTTP/1.1; a vendor of HTTP/1.1 is not in HTTP/2.
  "no-h2": ["accepted", "retry"],
  "no-h1": ["accepted", "retry"],
  "one-stream": "accepted",
  "no-stream": ["accepted", "retry"],
  goaway: "accepted",
  "goaway-graceful": "accepted",
  intolerant: "accepted",
  "goaway-silent": "retry",
  "goaway-error": ["retry", "accepted"],
  revoked: "denied",
  "short-login": "accepted",
  "login-busy": "retry",
  "login-slow": "retry",
  "login-hang": "retry",
  "other-environment": "denied",
  // The lab's device is production's.
  "sandbox-key": "retry",
  "sandbox-key-odd": "retry",
  "production-key": "accepted",
  "counts-jwts": "accepted",
  shutdown: "retry",
  idle: "retry",
  "third-party-token": "retry",
  "other-key": "denied",
  expired: ["denied", "retry"],
  unavailable: "retry",
  "unavailable-after": "retry",
  "throttle-date": "retry",
  forbidden: "denied",
  // One recipient goes in no list.
  "partial-login": ["accepted", "denied"],
  "partial-quota": ["accepted", "paused"],
  "list-quota": "accepted",
  internal: "retry",
  "not-found": "denied",
  "third-party": "retry",
  "no-right": ["denied", "refused"],
  "too-large": "refused",
  sandbox: "accepted",
  "bad-token": "gone",
  "other-topic": "gone",
  malformed: "gone",
  foreign: "refused",
  failing: ["retry", "refused"],
  blocked: ["accepted", "refused", "retry"],
  inactive: ["accepted", "refused", "retry", "gone"],
  daily: ["retry", "paused"],
};

/** Those that only end with the patience of the client. */
const SILENT = new Set([
  ...["slow", "slow-20s", "hang", "unfinished", "black-hole", "no-stream", "goaway-silent", "login-slow", "login-hang"],
]);
const IMPATIENT = 400;
const PATIENT = 10_000;
/** Requests and connections that one notification may cost: a login, the request, and both once more. */
const MOST = 5;
/** One a minute: Apple takes no other key for twenty. A busy machine may need more than one within the impatient 400 ms. */
const TRIES = 25;
const MINUTE = 60_000;

export interface Subject<App extends CommonApp> {
  readonly dialect: Dialect<App>;
  readonly fake: FakeVendor;
  readonly token: (url: string) => string;
}

/** One test of all faults that this vendor can have. */
export function misdeeds<App extends CommonApp>({ dialect, fake, token }: Subject<App>): void {
  // Most of it is waiting: those of a file wait together.
  t.jobs = 4;
  t.test(`${fake.name} in each kind of trouble`, { buffered: true }, async (t) => {
    const clock = { now: NOW };
    const server = await serve(fake, { certificate, interposed: true, now: () => clock.now });
    t.teardown(() => server.close());
    const culprits = new Map([[fake.name, { fake, server, token: token(server.url), receipts: undefined }]]);
    const fakes = new Map([[fake.name, fake]]);
    const app = configured(dialect, fake, server.url);
    const signatures = new Signatures(); // a process has one, however often it is reloaded
    const run = async (name: string, chosen: readonly Chosen[]): Promise<void> => {
      const timeout = SILENT.has(name) ? IMPATIENT : PATIENT;
      const hasty = { ...dialect, transport: { ...dialect.transport, timeout } };
      const own = createVendor(hasty, [app], { ca: authority.ca, signatures });
      const send = async (): Promise<Kind | undefined> => {
        // Another notification each time: some vendors drop a repetition.
        const note = notification({}, { acceptedAt: clock.now, id: `${name}-${clock.now % 1e8}`.slice(-20) });
        const to = [{ token: token(server.url), ref: note.id }];
        const [outcome] = await own.send(own.apps[0]!, note, to, clock.now);
        return outcome?.kind;
      };
      misbehave(culprits, chosen);
      const before = { requests: server.requests.length, attempts: server.attempts };
      const kind = await send();
      t.ok([OUTCOMES[name]!].flat().includes(kind!), `${name}: ${kind}`);
      t.ok(
        server.requests.length - before.requests <= MOST,
        `${name}: ${server.requests.length - before.requests} requests`,
      );
      t.ok(server.attempts - before.attempts <= MOST, `${name}: ${server.attempts - before.attempts} connections`);
      misbehave(culprits, []);
      let last: Kind | undefined;
      for (let tries = 0; tries < TRIES && last !== "accepted"; tries++) {
        clock.now += MINUTE;
        last = await send();
      }
      t.equal(last, "accepted", `${name}: it delivers again`);
      await own.close();
    };
    for (const name of Object.keys(OUTCOMES)) {
      const chosen = able(name, fakes);
      if (chosen !== undefined) await run(name, chosen);
    }
  });
}

function able(name: string, fakes: ReadonlyMap<string, FakeVendor>): readonly Chosen[] | undefined {
  try {
    return chosenFrom(`all=${name}`, fakes);
  } catch {
    return undefined; // this vendor cannot
  }
}

/** In one of the files that use this. */
export function everyFaultIsTried(): void {
  t.test("every fault of the lab is tried here, but for those of receipts", (t: Test) => {
    const tried = Object.keys(FAULTS).filter((name) => !("receipts" in FAULTS[name]!));
    t.same(Object.keys(OUTCOMES).toSorted(), tried.toSorted());
    t.end();
  });
}
