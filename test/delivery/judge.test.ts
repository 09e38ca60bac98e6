import t from "tap";
import type { Delivery } from "../../src/core/delivery.ts";
import type { Notification } from "../../src/core/notification.ts";
import { PLAIN } from "../../src/core/traits.ts";
import type { Outcome } from "../../src/core/vendor.ts";
import {
  type Asked,
  judge,
  type Memory,
  NO_MEMORY,
  provesCredentials,
  type Verdict,
} from "../../src/delivery/judge.ts";
import { narrower } from "../../src/delivery/window.ts";

const T = 1_800_000_000_000;
const note: Notification = {
  id: "n",
  content: { android: { payload: {} } },
  timeToLive: 3_600_000,
  type: "pushMany",
  acceptedAt: T,
  callerAddress: "",
};
const delivery = (n: number): Delivery => ({
  delivery: n,
  job: 1,
  lane: { vendor: "xiaomi", app: "a" },
  pushId: `d${n}` as Delivery["pushId"],
  type: "xiaomi",
  token: `t${n}`,
  attempts: 0,
  lease: { name: 1, until: T + 600_000 },
});
const ACCEPTED: Outcome = { kind: "accepted" };
const retry = (more: object = {}): Outcome => ({ kind: "retry", reason: "busy", ...more });
const GONE: Outcome = { kind: "gone", reason: "dead" };
const DENIED: Outcome = { kind: "denied", reason: "key" };
const PAUSED: Outcome = { kind: "paused", reason: "quota", until: T + 9000 };

const verdict = (outcomes: readonly Outcome[], more: Partial<Asked> = {}, memory: Memory = NO_MEMORY): Verdict => {
  const to = more.to ?? outcomes.map((_, i) => delivery(i));
  return judge(
    outcomes,
    { note, to, outdated: false, traits: PLAIN, ...more },
    memory,
    { now: T, elapsed: T },
    () => 0.5,
  );
};
const narrowed: Memory = { ...NO_MEMORY, window: narrower(NO_MEMORY.window, T, 0) };

interface Row {
  readonly what: string;
  readonly outcomes: readonly Outcome[];
  readonly settled: readonly string[];
  /** Of the window. */
  readonly dares: "less" | "more" | "the same";
  readonly rest?: string;
  readonly alone?: readonly number[];
}

const ROWS: readonly Row[] = [
  { what: "accepted", outcomes: [ACCEPTED], settled: ["accepted"], dares: "more" },
  { what: "a dead token is an answer", outcomes: [GONE], settled: ["gone"], dares: "more" },
  { what: "refused", outcomes: [{ kind: "refused", reason: "size" }], settled: ["refused"], dares: "more" },
  { what: "the vendor's trouble", outcomes: [retry()], settled: ["again"], dares: "less" },
  { what: "one token's trouble", outcomes: [retry({ scope: "token" })], settled: ["again"], dares: "the same" },
  { what: "some accepted, some not", outcomes: [ACCEPTED, retry()], settled: ["accepted", "again"], dares: "more" },
  {
    what: "rejecting batches is not an outage: the lane keeps sending",
    outcomes: [retry({ alone: true }), retry({ alone: true })],
    settled: ["again", "again"],
    dares: "more",
    alone: [0, 1],
  },
  { what: "credentials refused", outcomes: [DENIED], settled: ["again"], dares: "more", rest: "stopped" },
  { what: "a spent quota", outcomes: [PAUSED], settled: ["again"], dares: "more", rest: "paused" },
  {
    what: "`stopped` outranks `paused`, in either order",
    outcomes: [PAUSED, DENIED, PAUSED],
    settled: ["again", "again", "again"],
    dares: "more",
    rest: "stopped",
  },
];

for (const { what, outcomes, settled, dares, rest, alone = [] } of ROWS)
  t.test(`what an answer means: ${what}`, async (t) => {
    const { settlements, memory, ...said } = verdict(outcomes, {}, narrowed);
    t.same(
      settlements.map(({ kind }) => kind),
      settled,
    );
    const before = narrowed.window.share;
    const { share } = memory.window;
    t.equal(share < before ? "less" : share > before ? "more" : "the same", dares);
    t.equal(said.rest?.state, rest);
    t.same(said.alone, alone);
    t.equal(said.accepted, outcomes.filter(({ kind }) => kind === "accepted").length);
  });

t.test("an answer to credentials that were replaced settles its deliveries and says nothing of the lane", async (t) => {
  const { settlements, rest, memory } = verdict([DENIED], { outdated: true }, narrowed);
  t.match(settlements, [{ kind: "again", tried: false }]);
  t.equal(rest, undefined);
  t.equal(memory.window, narrowed.window);
});

t.test("a fault of ours in sending costs no delivery: each is tried again, and the lane dares less", async (t) => {
  const { settlements, memory } = verdict([], { to: [delivery(1), delivery(2)] });
  t.match(settlements, [{ kind: "again" }, { kind: "again" }]);
  t.ok(memory.window.share < 1);
});

t.test("a host that gives no answer at all is waited for with less patience", async (t) => {
  let memory = NO_MEMORY;
  for (let i = 0; i < 3; i++) {
    const said = verdict([retry({ unanswered: true })], {}, memory);
    t.ok(said.unanswered);
    ({ memory } = said);
  }
  t.ok(memory.window.until > T);
  t.notOk(verdict([retry()]).unanswered);
});

t.test("when too many tokens are said to be dead their deliveries end, but no token is forgotten", async (t) => {
  const some = verdict(Array.from({ length: 49 }, () => GONE));
  t.match(some.settlements[0], { forget: {} }, "too few to tell");
  const first = verdict([GONE], {}, some.memory);
  t.match(first.suspicion, "50 of the last 50 tokens are said to be dead");
  t.match(first.settlements, [{ kind: "gone" }]);
  t.notOk("forget" in first.settlements[0]!);
  const next = verdict([ACCEPTED, GONE], {}, first.memory);
  t.equal(next.suspicion, undefined, "told once");
  t.notOk("forget" in next.settlements[1]!);
});

t.test("credentials are proven by what was taken or judged, not by what may be their fault", async (t) => {
  for (const [outcome, proves] of [
    [ACCEPTED, true],
    [GONE, true],
    [{ kind: "refused", reason: "size" }, true],
    [{ kind: "refused", reason: "all invalid", suspect: { from: T } }, false],
    [retry(), false],
    [DENIED, false],
    [PAUSED, false],
  ] as const)
    t.equal(provesCredentials([outcome]), proves, outcome.kind);
});
