// What servers and networks do to connections, felt through a vendor: each request ends in time with the outcome that is true,
// nothing is sent twice unasked, and the next request finds a way. Faults of single answers are in conformance.ts, GOAWAY in the
// middle of many requests in undici.test.ts.
import t, { type Test } from "tap";
import type { Outcome } from "../../src/core/vendor.ts";
import { ENHANCE_YOUR_CALM, type Fault, REFUSED_STREAM, type ServeOptions } from "../../src/lab/server.ts";
import { fakeApns } from "../../src/lab/vendors/apns.ts";
import { apns } from "../../src/vendors/apns.ts";
import { createVendor } from "../../src/vendors/client.ts";
import type { Transport } from "../../src/vendors/dialect.ts";
import { authority, configured, NOW, notification } from "./conformance.ts";
import { appAt, kinds, plain, providing, recipients, serving, silent } from "./plain.ts";

/** Milliseconds: more than any answer takes, on a busy machine too; and where some never come. */
const PATIENT = 20_000;
const TIMEOUT = 4000;

async function stage(t: Test, transport: Partial<Transport>, options: Partial<ServeOptions> = {}) {
  const http2 = transport.http2 ?? true;
  const server = await serving(t, { ...silent, http2 }, { interposed: true, ...options });
  const own = providing(t, plain({ timeout: PATIENT, ...transport }), [appAt(server.url)]);
  const send = (count: number, from = 0) => own.send("a", notification(), recipients(count, from), NOW);
  /** How often the server was asked for each of so many. */
  const asked = (count: number, from = 0) =>
    recipients(count, from).map(({ token }) => server.requests.filter(({ path }) => path === `/${token}`).length);
  return { server, send, asked };
}

const accepted = (count: number) => Array(count).fill("accepted");
const retried = (count: number) => Array(count).fill("retry");
const ways: readonly Partial<Transport>[] = [
  { http2: true, streams: 50 },
  { http2: false, connections: 8, streams: 1 },
];

for (const transport of ways) {
  const name = transport.http2 ? "HTTP/2" : "HTTP/1.1";

  t.test(`${name}: a TLS handshake that fails is trouble that passes, and is not repeated by itself`, async (t) => {
    const { server, send, asked } = await stage(t, transport);
    server.misbehave({ fault: { kind: "no-tls" }, times: Number.POSITIVE_INFINITY });
    const outcomes = await send(20);
    t.same(kinds(outcomes), retried(20));
    t.match(outcomes[0], { reason: /ERR_SSL_.*HANDSHAKE_FAILURE/ });
    t.ok(server.attempts <= 20, `${server.attempts} attempts for 20 requests`);
    t.same(asked(20), Array(20).fill(0));
    server.behave();
    t.same(kinds(await send(20)), accepted(20));
    t.same(asked(20), Array(20).fill(1));
  });

  t.test(`${name}: a handshake that fails once in the middle of work costs nobody who has a connection`, async (t) => {
    const { server, send } = await stage(t, transport);
    t.same(kinds(await send(1)), accepted(1));
    server.misbehave({ fault: { kind: "cut" } });
    server.misbehave({ fault: { kind: "no-tls" } });
    t.same(kinds(await send(1)), retried(1));
    t.same(kinds(await send(1)), retried(1));
    t.same(kinds(await send(1)), accepted(1));
  });

  t.test(`${name}: a connection that is reset in the middle of an answer leaves it unknown`, async (t) => {
    const { server, send, asked } = await stage(t, transport);
    t.same(kinds(await send(1)), accepted(1));
    server.misbehave({ fault: { kind: "torn" } });
    const [outcome] = await send(1, 1);
    t.match(outcome, { kind: "retry", reason: /unknown/ });
    t.same(asked(1, 1), [1], "not sent twice");
    t.same(kinds(await send(5, 2)), accepted(5));
  });

  t.test(`${name}: a connection into a black hole costs what was on it, no longer than the timeout`, async (t) => {
    const { server, send, asked } = await stage(t, { ...transport, timeout: TIMEOUT });
    t.same(kinds(await send(1)), accepted(1));
    const before = server.connections;
    server.misbehave({ fault: { kind: "black-hole" } });
    const outcomes = kinds(await send(8, 1));
    // HTTP/1.1 has the others on connections of their own.
    const lost = outcomes.filter((kind) => kind === "retry").length;
    t.ok(transport.http2 ? lost >= 1 : lost === 1, `${lost} were on it`);
    t.equal(outcomes.filter((kind) => kind === "accepted").length, 8 - lost);
    t.ok(asked(8, 1).every((times) => times <= 1));
    // Whoever comes next may wait for the verdict on the connection, but is not lost with it.
    for (let tries = 0; kinds(await send(1, 20))[0] !== "accepted"; tries++)
      t.ok(tries < 4, "the connection is given up");
    t.ok(server.connections > before, "on a new connection");
  });

  t.test(`${name}: nothing hangs where every connection ends in a black hole`, async (t) => {
    const { server, send } = await stage(t, { ...transport, timeout: TIMEOUT });
    server.misbehave({ fault: { kind: "black-hole" }, times: Number.POSITIVE_INFINITY });
    t.same(kinds(await send(30)), retried(30));
    server.behave();
    for (let tries = 0; kinds(await send(1))[0] !== "accepted"; tries++) t.ok(tries < 4);
  });

  t.test(`${name}: SETTINGS, PINGs without an answer and GOAWAY are no trouble while answers come`, async (t) => {
    for (const fault of [
      { kind: "settings", streams: 1 },
      { kind: "no-ping" },
      { kind: "goaway", code: 0, graceful: true },
    ] satisfies readonly Fault[]) {
      const { server, send, asked } = await stage(t, transport);
      t.same(kinds(await send(1)), accepted(1));
      server.misbehave({ fault });
      t.same(kinds(await send(40, 1)), accepted(40), fault.kind);
      t.same(asked(40, 1), Array(40).fill(1), fault.kind);
    }
  });
}

t.test(
  "a server that has stopped speaking HTTP/2 is spoken to in HTTP/1.1, and in HTTP/2 once it does again",
  async (t) => {
    const { server, send } = await stage(t, { http2: true, streams: 10 });
    server.misbehave({ fault: { kind: "no-h2" } });
    t.same(kinds(await send(10)), accepted(10));
    t.equal(server.requests[0]?.http, 1);
    server.misbehave({ fault: { kind: "cut" } });
    t.same(kinds(await send(1)), retried(1));
    t.same(kinds(await send(10)), accepted(10));
    t.equal(server.requests.at(-1)?.http, 2);
  },
);

t.test("a server that speaks no HTTP/1.1 is not reached by it, and says so in time", async (t) => {
  const { server, send } = await stage(t, { http2: false, connections: 2, streams: 1 });
  server.misbehave({ fault: { kind: "no-h1" } });
  const [outcome] = await send(1);
  t.match(outcome, { kind: "retry", reason: /ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL/ });
  t.same(kinds(await send(4)), accepted(4));
});

t.test(
  "as Apple does, one stream until a first success: then as many as it allows, and one again when it says so",
  async (t) => {
    const { server, send } = await stage(
      t,
      { http2: true, streams: 50, gate: true, timeout: 3000 },
      { streams: { first: 1, full: 20 } },
    );
    server.misbehave({ fault: { kind: "slow", milliseconds: 30 }, times: 60 });
    t.same(kinds(await send(60)), accepted(60));
    t.ok(server.peak > 10 && server.peak <= 20, `${server.peak} at once`);
    server.misbehave({ fault: { kind: "settings", streams: 1 } });
    t.same(kinds(await send(1)), accepted(1));
    const before = server.requests.length;
    let flying = 0;
    let most = 0;
    server.misbehave({
      match: () => {
        most = Math.max(most, ++flying);
        setTimeout(() => flying--, 5);
        return true;
      },
      times: 20,
      fault: { kind: "slow", milliseconds: 10 },
    });
    t.same(kinds(await send(20)), accepted(20));
    t.equal(server.requests.length, before + 20);
    t.equal(most, 1, "one at a time");
    t.equal(server.connections, 1);
  },
);

t.test("a connection that allows no streams at all is given up in time, for one that does", async (t) => {
  const { server, send } = await stage(t, { http2: true, streams: 50, timeout: TIMEOUT });
  server.misbehave({ fault: { kind: "settings", streams: 0 } });
  t.same(kinds(await send(1)), accepted(1));
  const outcomes = kinds(await send(10));
  t.ok(outcomes.includes("retry") && outcomes.every((kind) => kind === "retry" || kind === "accepted"));
  t.same(kinds(await send(10)), accepted(10));
  t.equal(server.connections, 2);
});

t.test("a slow answer on a connection that answers no PINGs costs the connection, and nobody hangs", async (t) => {
  const { server, send } = await stage(t, { http2: true, streams: 50, timeout: TIMEOUT });
  server.misbehave({ fault: { kind: "no-ping" } });
  t.same(kinds(await send(1)), accepted(1));
  server.misbehave({ match: ({ path }) => path === "/t1", fault: { kind: "never" } });
  t.same(kinds(await send(1, 1)), retried(1));
  for (let tries = 0; kinds(await send(1, 2))[0] !== "accepted"; tries++) t.ok(tries < 4);
  t.equal(server.connections, 2);
});

t.test("a GOAWAY that leaves even what it took without an answer: unknown after the timeout, once each", async (t) => {
  const { server, send, asked } = await stage(t, { http2: true, streams: 50, timeout: TIMEOUT });
  t.same(kinds(await send(1)), accepted(1));
  server.misbehave({ skip: 9, fault: { kind: "goaway", code: 0, reason: "Shutdown", silent: true } });
  server.misbehave({ times: 9, fault: { kind: "slow", milliseconds: 1000 } });
  const outcomes = kinds(await send(30, 1));
  t.same(outcomes.slice(0, 10), retried(10), "those that it took");
  t.same(outcomes.slice(10), accepted(20), "the others go to a new connection");
  t.ok(asked(30, 1).every((times) => times === 1));
  t.equal(server.connections, 2);
});

t.test("refused streams on and on: every request ends, and none is asked more than twice", async (t) => {
  const { server, send, asked } = await stage(t, { http2: true, streams: 50 });
  server.misbehave({ fault: { kind: "reset", code: REFUSED_STREAM }, times: Number.POSITIVE_INFINITY });
  t.same(kinds(await send(30)), retried(30));
  t.ok(asked(30).every((times) => times <= 2));
  server.behave();
  t.same(kinds(await send(30, 30)), accepted(30));
});

t.test("a connection that refuses every stream, though it lives, is given up for another after a while", async (t) => {
  const { server, send } = await stage(t, { http2: true, streams: 50, timeout: TIMEOUT });
  t.same(kinds(await send(1)), accepted(1));
  server.misbehave({
    match: () => server.connections === 1,
    times: Number.POSITIVE_INFINITY,
    fault: { kind: "reset", code: ENHANCE_YOUR_CALM },
  });
  const begun = performance.now();
  let sent = 0;
  while (kinds(await send(1))[0] !== "accepted") {
    sent++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(sent >= 2 && performance.now() - begun > TIMEOUT * 1.5, "not at once: trouble passes");
  t.same(kinds(await send(30)), accepted(30));
  t.equal(server.connections, 2);
});

t.test(
  "a server that goes away after a few refusals, as Apple does after bad tokens, costs good tokens nothing",
  async (t) => {
    const fake = fakeApns();
    const server = await serving(t, fake);
    const own = createVendor(apns, [configured(apns, fake, server.url)], { ca: authority.ca });
    t.teardown(() => own.close());
    const hex = (n: number) => n.toString(16).padStart(64, "0");
    for (let n = 0; n < 12; n++) fake.tokens.set(hex(n * 2), "bad");
    server.misbehave({ fault: { kind: "intolerant", refusals: 3 }, times: Number.POSITIVE_INFINITY });
    const to = Array.from({ length: 24 }, (_, n) => ({ token: hex(n), ref: `r${n}` }));
    const outcomes: Outcome[] = [];
    // What was on its way when the connection closed is asked for again, as the queue would.
    for (const one of to) {
      let [outcome] = await own.send(own.apps[0]!, notification(), [one], NOW);
      for (let tries = 0; outcome?.kind === "retry" && tries < 3; tries++)
        [outcome] = await own.send(own.apps[0]!, notification(), [one], NOW);
      outcomes.push(outcome!);
    }
    t.same(
      kinds(outcomes),
      to.map((_, n) => (n % 2 === 0 ? "gone" : "accepted")),
    );
    t.equal(fake.shown.length, 12, "each once");
    // Each bad token is refused by both environments.
    t.ok(server.connections > 4 && server.connections <= 10, `${server.connections} connections`);
  },
);

t.test("a fault that needs our hands on the connection is not accepted without them", async (t) => {
  const server = await serving(t);
  t.throws(() => server.misbehave({ fault: { kind: "black-hole" } }), { message: /interposed/ });
  t.throws(() => server.misbehave({ fault: { kind: "no-ping" } }), { message: /interposed/ });
});

t.test("a rule holds until its time, by the clock of the server", async (t) => {
  let now = NOW;
  const { server, send } = await stage(t, { http2: true }, { now: () => now });
  const busy: Fault = { kind: "reply", reply: { status: 503 } };
  server.misbehave({ fault: busy, times: Number.POSITIVE_INFINITY, until: NOW + 1000 });
  t.same(kinds(await send(2)), retried(2));
  now += 999;
  t.same(kinds(await send(1)), retried(1));
  now += 1;
  t.same(kinds(await send(1)), accepted(1));
});
