// What undici makes of servers that go away in the middle of many requests, felt through a vendor: the table of src/vendors/README.md 11.
// An update of undici that loses or doubles requests fails here.
import t, { type Test } from "tap";
import { type Fault, REFUSED_STREAM } from "../../src/lab/server.ts";
import { NOW, notification } from "./conformance.ts";
import { appAt, kinds, plain, providing, recipients, serving } from "./plain.ts";

const IN_FLIGHT = 50;

/**
 * A connection is there; of what is sent next, the so many-th request meets the fault while all before it wait for an answer.
 * @param slow milliseconds until that: more than a busy machine takes to send them all
 */
async function burst(t: Test, count: number, at: number, fault: Fault, { timeout = 20_000, slow = 1500 } = {}) {
  const server = await serving(t);
  const own = providing(t, plain({ streams: IN_FLIGHT, timeout }), [appAt(server.url)]);
  t.same(kinds(await own.send("a", notification(), recipients(1, 1000), NOW)), ["accepted"]);
  server.misbehave({ skip: at - 1, fault });
  server.misbehave({ times: count, fault: { kind: "slow", milliseconds: slow } });
  const outcomes = await own.send("a", notification(), recipients(count), NOW);
  const asked = new Map<string, number>();
  for (const { path } of server.requests) asked.set(path, (asked.get(path) ?? 0) + 1);
  return {
    server,
    outcomes,
    most: Math.max(...asked.values()),
    again: () => own.send("a", notification(), recipients(1, 2000), NOW),
  };
}

t.test("a graceful GOAWAY with 50 in flight and 50 waiting: all arrive, each once, over two connections", async (t) => {
  const { server, outcomes, most } = await burst(t, 2 * IN_FLIGHT, IN_FLIGHT, {
    kind: "goaway",
    code: 0,
    graceful: true,
  });
  t.ok(
    outcomes.every(({ kind }) => kind === "accepted"),
    JSON.stringify(outcomes.find(({ kind }) => kind !== "accepted")),
  );
  t.equal(outcomes.length, 100);
  t.equal(most, 1);
  t.equal(server.peak, IN_FLIGHT, "they were in flight together");
  t.equal(server.connections, 2);
});

t.test("a GOAWAY in the middle of a burst: what it leaves out is asked again on a new connection, once", async (t) => {
  const { server, outcomes, most } = await burst(t, IN_FLIGHT, 20, { kind: "goaway", code: 0, reason: "Shutdown" });
  t.ok(
    outcomes.every(({ kind }) => kind === "accepted"),
    JSON.stringify(outcomes.find(({ kind }) => kind !== "accepted")),
  );
  t.ok(most <= 2, `${most} times`);
  t.equal(server.connections, 2);
});

t.test(
  "a GOAWAY with an error: what is in flight is unknown, and the next request finds a new connection",
  async (t) => {
    const { server, outcomes, most, again } = await burst(t, IN_FLIGHT, IN_FLIGHT, { kind: "goaway", code: 11 });
    t.ok(
      outcomes.every(({ kind }) => kind === "retry"),
      JSON.stringify(outcomes.find(({ kind }) => kind !== "retry")),
    );
    t.equal(most, 1, "nothing was sent twice");
    t.same(kinds(await again()), ["accepted"]);
    t.equal(server.connections, 2);
  },
);

t.test("a connection that breaks: what is in flight is unknown, and the next request finds a new one", async (t) => {
  const { server, outcomes, most, again } = await burst(t, IN_FLIGHT, IN_FLIGHT, { kind: "cut" });
  t.equal(outcomes.length, IN_FLIGHT);
  t.ok(
    outcomes.every(({ kind }) => kind === "retry"),
    JSON.stringify(outcomes.find(({ kind }) => kind !== "retry")),
  );
  t.equal(most, 1, "nothing was sent twice");
  t.same(kinds(await again()), ["accepted"]);
  t.equal(server.connections, 2);
});

t.test(
  "a refused stream is asked again once; refused again it is unknown, and no other request feels it",
  async (t) => {
    const server = await serving(t);
    const own = providing(t, plain({ streams: IN_FLIGHT }), [appAt(server.url)]);
    const refuse = (token: string, times: number) =>
      server.misbehave({
        match: ({ path }) => path === `/${token}`,
        times,
        fault: { kind: "reset", code: REFUSED_STREAM },
      });
    refuse("t3", 1);
    refuse("t7", 2);
    const outcomes = kinds(await own.send("a", notification(), recipients(20), NOW));
    t.same(
      outcomes,
      Array.from({ length: 20 }, (_, n) => (n === 7 ? "retry" : "accepted")),
    );
    t.equal(server.requests.length, 22);
    t.equal(server.connections, 1);
  },
);

t.test("a request that is never answered costs itself alone, and the connection stays", async (t) => {
  const { server, outcomes, again } = await burst(t, IN_FLIGHT, 20, { kind: "never" }, { timeout: 4000, slow: 10 });
  t.same(
    kinds(outcomes).filter((kind) => kind !== "accepted"),
    ["retry"],
  );
  t.match(
    outcomes.find(({ kind }) => kind === "retry"),
    { reason: /UND_ERR_HEADERS_TIMEOUT|no complete answer/ },
  );
  t.same(kinds(await again()), ["accepted"]);
  t.equal(server.connections, 1);
});

t.test("a server that goes away after every request is not stormed: no more connections than requests", async (t) => {
  const server = await serving(t);
  const own = providing(t, plain({ streams: 10 }), [appAt(server.url)]);
  server.misbehave({ times: Number.POSITIVE_INFINITY, fault: { kind: "goaway", code: 0 } });
  const outcomes = await own.send("a", notification(), recipients(30), NOW);
  t.equal(outcomes.length, 30);
  t.ok(outcomes.every(({ kind }) => kind === "accepted" || kind === "retry"));
  t.ok(server.connections <= 31, `${server.connections} connections`);
});
