// Hosts that share one lane: what each may do, and what its answers mean.
import t from "tap";
import type { Outcome } from "../../src/core/vendor.ts";
import { Crowd, type Flight } from "../../src/delivery/crowd.ts";

const T = 1_800_000_000_000;
const LIMIT = 128;
const ACCEPTED: Outcome = { kind: "accepted" };
const SILENT: Outcome = { kind: "retry", reason: "no answer", unanswered: true };

/** Of so many requests those that go out at once. */
const going = (crowd: Crowd, host: string, count: number, now = T): readonly Flight[] =>
  Array.from({ length: count }, () => crowd.admit(host, LIMIT, now)).filter((flight) => typeof flight !== "number");

const answered = (crowd: Crowd, host: string, outcome: Outcome, now = T): Outcome =>
  crowd.told(going(crowd, host, 1, now)[0]!, outcome, now, now);

t.test("F1b: a host that has not answered yet gets one request, one that answers gets more", async (t) => {
  const crowd = new Crowd();
  const [first, second] = going(crowd, "new", 10);
  t.equal(second, undefined);
  crowd.told(first!, ACCEPTED, T, T);
  t.equal(going(crowd, "new", 100).length, 32);
});

t.test("F1b: hosts that never answer leave half of the lane to the others, and soon all of it", async (t) => {
  const crowd = new Crowd();
  answered(crowd, "good", ACCEPTED);
  const silent = Array.from({ length: 400 }, (_, n) => `silent-${n}`);
  const hanging = silent.flatMap((host) => going(crowd, host, 1));
  t.equal(hanging.length, LIMIT / 2);
  t.equal(going(crowd, "good", 100).length, 32);
  t.equal(going(crowd, "new", 1, T + 1999).length, 0);
  t.equal(going(crowd, "new", 1, T + 2000).length, 1, "one that nobody has asked yet waits two seconds, no longer");
  t.equal(crowd.hanging(T + 2000), LIMIT / 2 + 32, "they count no more");
  for (const flight of hanging)
    t.match(crowd.told(flight, SILENT, T + 9000, T + 9000), { kind: "retry", scope: "token", after: 15_000 });
  t.equal(crowd.hanging(T + 2000), 32);
  t.equal(crowd.admit("silent-0", LIMIT, T + 9000 + 14_999), T + 9000 + 15_000, "each rests after its first");
});

t.test("F1b: not more requests hang than there are connections for", async (t) => {
  const crowd = new Crowd();
  answered(crowd, "good", ACCEPTED);
  let hanging = 0;
  for (let n = 0; n < 5000; n++) hanging += going(crowd, `silent-${n}`, 1, T + n * 100).length;
  t.ok(hanging >= 512 && hanging <= 512 + LIMIT / 2, String(hanging));
  t.equal(going(crowd, "good", 1, T + 1_000_000).length, 1);
});

t.test("F1b: what a host has too much of is looked at again one by one", async (t) => {
  const crowd = new Crowd();
  answered(crowd, "good", ACCEPTED);
  going(crowd, "good", 32);
  const turn = () => crowd.admit("good", LIMIT, T) as number;
  const turns = Array.from({ length: 64 }, turn);
  t.ok(turns[0]! > T && turns.every((at, n) => n === 0 || at >= turns[n - 1]!));
  t.ok(turns[63]! - turns[0]! >= 400, "two full loads come in two turns");
  const late = Array.from({ length: 100_000 }, turn).at(-1)!;
  t.ok(late <= T + 30_000, "none is put off far beyond what the host may show");
});

t.test("F1: a host that answers with trouble only rests by itself, and longer if it asks for that", async (t) => {
  const crowd = new Crowd();
  for (let n = 0; n < 3; n++) {
    const said = answered(crowd, "down", { kind: "retry", reason: "503", after: n === 2 ? 60_000 : 0 });
    t.match(said, { kind: "retry", scope: "token", reason: "503" }, "the lane goes on");
  }
  t.equal(crowd.admit("down", LIMIT, T + 1), T + 60_000);
  t.equal(going(crowd, "other", 1, T + 1).length, 1);
  crowd.forgive();
  t.equal(going(crowd, "down", 1, T + 1).length, 1, "resumed by hand");
});

t.test("F2: a host that refuses our credentials says nothing of those of the others", async (t) => {
  const crowd = new Crowd();
  const suspect = { from: T, orDenied: true, spares: true } as const;
  for (const outcome of [
    { kind: "denied", reason: "401" },
    { kind: "paused", reason: "quota", until: T + 9000 },
    { kind: "retry", reason: "403", suspect },
  ] satisfies Outcome[]) {
    const said = answered(crowd, outcome.reason, outcome);
    t.match(said, { kind: "retry", scope: "token", reason: outcome.reason });
    t.notMatch(said, { suspect: { orDenied: true } });
  }
  const gone: Outcome = { kind: "gone", reason: "410" };
  t.equal(answered(crowd, "dead", gone), gone);
});
