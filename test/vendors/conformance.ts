// What every dialect must do through the client, over real connections to its fake vendor. Each case has its own server.
import type { Test } from "tap";
import t from "tap";
import type { Notification } from "../../src/core/notification.ts";
import type { Outcome, Vendor } from "../../src/core/vendor.ts";
import { createAuthority } from "../../src/lab/authority.ts";
import type { FakeRequest, FakeVendor } from "../../src/lab/fake.ts";
import { type Fault, INTERNAL_ERROR, type LabServer, REFUSED_STREAM, serve } from "../../src/lab/server.ts";
import { createVendor } from "../../src/vendors/client.ts";
import type { CommonApp, Dialect } from "../../src/vendors/dialect.ts";
import { eventually } from "../support/until.ts";

export interface Conformity<App extends CommonApp> {
  readonly dialect: Dialect<App>;
  readonly fake: () => FakeVendor;
  /** The n-th device's token. */
  readonly token: (n: number, url: string, fake: FakeVendor) => string;
  /** The vendor issues credentials: one that is denied is renewed once. */
  readonly renews: boolean;
  /** What follows from a denial that a new credential does not heal; `denied` unless given. */
  readonly denial?: Outcome["kind"];
  /** Whether the vendor says which token is dead; true unless given. */
  readonly tellsDead?: boolean;
  readonly streams?: { readonly first: number; readonly full: number };
  /** Answers below that mean nothing to it: it is their status that counts. */
  readonly meaningless?: readonly string[];
  /** Merged over the fake's configuration entry. */
  readonly entry?: Readonly<Record<string, unknown>>;
  /** APNs: further apps with the same credentials, which are not the lane's own. */
  readonly others?: readonly string[];
}

/** Far from any boundary that credentials or quotas know. */
export const NOW = Date.UTC(2027, 0, 15, 8, 5);
const HOUR = 3_600_000;

export const authority = createAuthority(Date.now());
const certificate = authority.server(["127.0.0.1"]);

export function notification(
  content: Partial<Notification["content"]> = {},
  more: Partial<Notification> = {},
): Notification {
  return {
    id: "note0000001",
    content: {
      android: { title: "Ann", message: "Hello, Bob", payload: { order: 7, list: [1, "x"] } },
      apn: { alert: { title: "Ann", body: "Hello, Bob" }, badge: 0 },
      ...content,
    },
    timeToLive: HOUR,
    type: "pushMany",
    acceptedAt: NOW,
    callerAddress: "127.0.0.1",
    ...more,
  };
}

/** The configuration that a fake asks for, with its files in memory. */
export function configured<App extends CommonApp>(
  dialect: Dialect<App>,
  fake: FakeVendor,
  url: string,
  more: Readonly<Record<string, unknown>> = {},
): App {
  const files = new Map<string, string>();
  const entry = fake.config(url, (file, text) => {
    files.set(`/${file}`, text);
    return `/${file}`;
  });
  const read = (path: string) => {
    const text = files.get(path);
    if (text === undefined) throw new Error(`${path}: no such file`);
    return text;
  };
  return dialect.parse({ ...entry, ...more }, read, NOW);
}

export interface Stage {
  readonly fake: FakeVendor;
  readonly server: LabServer;
  readonly vendor: Vendor;
  readonly clock: { now: number };
  /** How long the next requests may take: the whole answer half as long again, milliseconds. */
  patience(timeout: number): void;
  /** To the devices of these numbers. */
  send(devices: readonly number[], note?: Notification): Promise<readonly Outcome[]>;
}

/** Milliseconds, more than any answer takes, on a busy machine too; and what is enough for one on a connection that is there. */
const PATIENT = 20_000;
const IMPATIENT = 1000;

export async function stage<App extends CommonApp>(
  test: Test,
  { dialect, fake: makeFake, token, streams, entry, others = [] }: Conformity<App>,
): Promise<Stage> {
  const fake = makeFake();
  const clock = { now: NOW };
  const server = await serve(fake, {
    certificate,
    ca: authority.ca,
    now: () => clock.now,
    ...(streams === undefined ? {} : { streams }),
  });
  const transport = { ...dialect.transport, timeout: PATIENT };
  const apps = [entry, ...others.map((bundle_id) => ({ ...entry, bundle_id }))];
  const own = createVendor(
    { ...dialect, transport },
    apps.map((each) => configured(dialect, fake, server.url, each)),
    { ca: authority.ca },
  );
  test.teardown(async () => {
    await server.close();
    await own.close();
  });
  const app = own.apps[0]!;
  return {
    fake,
    server,
    vendor: own,
    clock,
    patience(timeout) {
      transport.timeout = timeout;
    },
    send: (devices, note = notification({}, { acceptedAt: clock.now })) =>
      own.send(
        app,
        note,
        devices.map((n) => ({ token: token(n, server.url, fake), ref: `${note.id}-${n}` })),
        clock.now,
      ),
  };
}

/** What authorised a request, where that is no signature of it. */
function secretOf({ headers, body }: FakeRequest): string | undefined {
  const { authorization, authtoken } = headers;
  const form = new URLSearchParams(body.toString()).get("auth_token");
  return (
    authtoken ?? authorization?.replace(/^(bearer |key=|vapid t=)/i, "").replace(/, k=.*/, "") ?? form ?? undefined
  );
}

/** An error with the same text wherever one of the vendors has its own. */
function complaint(text: string): string {
  const names = ["msg", "message", "desc", "description", "reason"].map((field) => `"${field}":"wrong: ${text}"`);
  return `{"code":"80100003","result":10045,${names},"error":{"status":"INVALID_ARGUMENT","message":"wrong: ${text}"}}`;
}

const kinds = (outcomes: readonly Outcome[]) => outcomes.map(({ kind }) => kind);

export function conformance<App extends CommonApp>(conformity: Conformity<App>): void {
  const { dialect, token } = conformity;
  const { name } = dialect;
  const denial = conformity.denial ?? "denied";

  t.test(`${name} shows the notification on each device`, async (t) => {
    const { fake, server, send } = await stage(t, conformity);
    t.same(kinds(await send([1, 2, 3])), ["accepted", "accepted", "accepted"]);
    t.same(fake.shown.map((shown) => shown.token).sort(), [1, 2, 3].map((n) => token(n, server.url, fake)).sort());
    for (const shown of fake.shown) {
      t.match(shown, { vendor: name, message: "Hello, Bob", id: "note0000001" });
      t.match(shown.payload, { order: 7, list: [1, "x"] });
    }
  });

  t.test(`${name} shows a notification that has only a title`, async (t) => {
    const { fake, send } = await stage(t, conformity);
    const note = notification({ android: { title: "Sale", payload: { order: 7 } }, apn: { alert: { title: "Sale" } } });
    t.same(kinds(await send([1], note)), ["accepted"]);
    t.match(fake.shown, [{ title: "Sale", payload: { order: 7 } }]);
  });

  t.test(`${name} says for each recipient beyond one batch what became of it`, async (t) => {
    const { fake, send } = await stage(t, conformity);
    const many = Array.from({ length: dialect.batch * 2 + 1 }, (_, n) => n);
    t.ok((await send(many)).every(({ kind }) => kind === "accepted"));
    t.equal(fake.shown.length, many.length);
  });

  if (dialect.batch > 1) {
    t.test(`${name}: what was registered as a token and is none costs no other its notification`, async (t) => {
      const { fake, server, vendor } = await stage(t, conformity);
      const tokens = [token(1, server.url, fake), "\u0000", "令牌", token(2, server.url, fake)];
      const to = tokens.map((text, n) => ({ token: text, ref: `ref${n}` }));
      const outcomes = await vendor.send(vendor.apps[0]!, notification(), to, NOW);
      t.same(kinds(outcomes), ["accepted", "refused", "refused", "accepted"]);
      t.same(fake.shown.map((shown) => shown.token).sort(), [tokens[0], tokens[3]].sort());
      const asked = server.requests.length;
      t.same(kinds(await vendor.send(vendor.apps[0]!, notification(), to.slice(1, 3), NOW)), ["refused", "refused"]);
      t.equal(server.requests.length, asked);
    });
  }

  t.test(`${name} that throttles is asked again later`, async (t) => {
    const { fake, send } = await stage(t, conformity);
    fake.fail("throttle", 1);
    const [outcome] = await send([1]);
    t.ok(outcome?.kind === "retry" || outcome?.kind === "paused", JSON.stringify(outcome));
    t.same(kinds(await send([1])), ["accepted"]);
  });

  t.test(
    `${name} that denies a credential gets ${conformity.renews ? "one new one" : "no second request"}`,
    async (t) => {
      const { fake, server, send, clock } = await stage(t, conformity);
      t.same(kinds(await send([1])), ["accepted"]);
      clock.now += 60_000;
      fake.fail("denied", 1);
      t.same(kinds(await send([1])), [conformity.renews ? "accepted" : denial]);
      clock.now += 60_000;
      fake.fail("denied", 2);
      t.same(kinds(await send([1])), [denial]);
      const before = server.requests.length;
      fake.fail("denied", 1);
      t.same(kinds(await send([1])), [denial], "not renewed again at once");
      t.equal(server.requests.length, before + 1);
      clock.now += HOUR;
      t.same(kinds(await send([1])), ["accepted"]);
    },
  );

  t.test(`${name} that hangs costs the others nothing, and comes back`, async (t) => {
    const { server, send, patience } = await stage(t, conformity);
    t.same(kinds(await send([1])), ["accepted"]);
    server.misbehave({ fault: { kind: "never" } });
    const before = server.requests.length;
    patience(IMPATIENT);
    const hanging = send([1]);
    await eventually(
      async () => server.requests.length,
      (count) => count > before,
    );
    patience(PATIENT);
    t.same(kinds(await send([2])), ["accepted"]);
    t.same(kinds(await hanging), ["retry"]);
    t.same(kinds(await send([1])), ["accepted"]);
  });

  const losses: Readonly<Record<string, Fault>> = {
    "a reset": { kind: "reset", code: INTERNAL_ERROR },
    "a cut connection": { kind: "cut" },
    "headers without an end": { kind: "unfinished" },
    "an endless body": { kind: "endless", bytes: 3_000_000 },
    "another server's page": { kind: "reply", reply: { status: 200, body: "<html>Welcome to our hotel</html>" } },
    "half of an answer": { kind: "reply", reply: { status: 200, body: '{"code":' } },
    "a list where an object should be": { kind: "reply", reply: { status: 200, body: "[null]" } },
    "a gateway's error": { kind: "reply", reply: { status: 502, body: "<html>Bad gateway</html>" } },
    "an empty error": { kind: "reply", reply: { status: 500 } },
  };
  for (const [what, fault] of Object.entries(losses)) {
    if (conformity.meaningless?.includes(what) === true) continue;
    t.test(`${name}: ${what} means to try again, and only then`, async (t) => {
      const { server, send, patience } = await stage(t, conformity);
      t.same(kinds(await send([1])), ["accepted"]);
      server.misbehave({ fault });
      if (fault.kind === "unfinished") patience(IMPATIENT);
      const [outcome] = await send([1]);
      t.equal(outcome?.kind, "retry", JSON.stringify(outcome));
      patience(PATIENT);
      t.same(kinds(await send([1])), ["accepted"]);
    });
  }

  t.test(`${name} that quotes what we are known by does not get it into what people and logs are told`, async (t) => {
    const { server, send } = await stage(t, conformity);
    await send([1]);
    const secret = secretOf(server.requests.at(-1)!);
    if (secret === undefined) return; // each request is signed instead
    for (const form of [secret, secret.replaceAll("/", "\\/")])
      for (const status of [200, 400, 403, 500]) {
        server.misbehave({ fault: { kind: "reply", reply: { status, body: complaint(form) } }, times: 2 });
        const said = JSON.stringify(await send([1]));
        t.notOk(said.includes(secret.slice(-20)) || said.includes(form.slice(-20)), `${status} ${said}`);
        server.behave();
      }
  });

  t.test(`${name} that goes away is reached on a new connection`, async (t) => {
    const { server, send } = await stage(t, conformity);
    t.same(kinds(await send([1])), ["accepted"]);
    const before = server.connections;
    server.misbehave({ fault: { kind: "goaway", code: 0, reason: "Shutdown" } });
    t.same(kinds(await send([1])), ["accepted"]);
    t.same(kinds(await send([1, 2])), ["accepted", "accepted"]);
    t.ok(server.connections > before);
    t.ok(server.connections <= before + dialect.transport.connections);
  });

  if (conformity.fake().http2) {
    t.test(`${name}: a refused stream is replayed on its own`, async (t) => {
      const { server, send } = await stage(t, conformity);
      t.same(kinds(await send([1])), ["accepted"]);
      server.misbehave({ fault: { kind: "reset", code: REFUSED_STREAM } });
      t.same(kinds(await send([1])), ["accepted"]);
    });
  }

  if (conformity.tellsDead ?? true) {
    t.test(`${name}: a dead token is gone, and no other`, async (t) => {
      const { fake, server, send } = await stage(t, conformity);
      fake.tokens.set(token(2, server.url, fake), "dead");
      t.same(kinds(await send([1, 2, 3])), ["accepted", "gone", "accepted"]);
      t.same(kinds(await send([2])), ["gone"]);
    });
  }

  if (dialect.doubtful === true && (conformity.tellsDead ?? true)) {
    t.test(`F4b: ${name}: a token that is dead to an app that reached none yet is not forgotten`, async (t) => {
      const { fake, server, send } = await stage(t, conformity);
      fake.tokens.set(token(2, server.url, fake), "dead");
      t.match(await send([2]), [
        { kind: "gone", kept: true, reason: /not believed before this app has been accepted there$/ },
      ]);
      t.same(kinds(await send([1])), ["accepted"]);
      t.match(await send([2]), [{ kind: "gone", kept: undefined }]);
    });
  }

  t.test(`${name} refuses what is too long, naming itself and the size, and asks nobody`, async (t) => {
    const { server, send } = await stage(t, conformity);
    const long = "文".repeat(6000);
    const [outcome] = await send(
      [1],
      notification({ android: { title: "T", message: long, payload: {} }, apn: { alert: long } }),
    );
    t.equal(outcome?.kind, "refused");
    t.match(outcome, { reason: new RegExp(`^${name}.*\\d`) });
    t.notMatch(outcome, { reason: /文/ });
    t.equal(server.requests.filter(({ body }) => body.length > 6000).length, 0);
  });

  t.test(`${name} refuses apps it has no configuration for`, async (t) => {
    const { vendor, clock } = await stage(t, conformity);
    const outcomes = await vendor.send("com.nobody", notification(), [{ token: "x", ref: "r" }], clock.now);
    t.same(kinds(outcomes), ["refused"]);
  });

  t.test(`${name} lists every problem of its configuration, with its key`, (t) => {
    t.throws(() => dialect.parse({ surprise: 1 }, () => "", NOW), {
      code: "invalid",
      message: new RegExp(`^${name}\\.\\w+: is missing\n[^]*${name}\\.surprise: unknown key`),
    });
    t.throws(() => dialect.parse("nonsense", () => "", NOW), { code: "invalid" });
    t.end();
  });
}
