// No notification is lost, and none repeated without cause, whatever the vendors do and however often the server is killed. The
// same at full size: npm run torture.
import t from "tap";
import { compare, type Observed, type Row } from "../scripts/torture/compare.ts";
import type { Call, Device } from "../scripts/torture/plan.ts";
import { torture } from "../scripts/torture/run.ts";
import type { Kill } from "../scripts/torture/server.ts";
import type { Acceptance } from "../scripts/torture/vendors.ts";

t.test("3,000 deliveries through failing vendors, with the server killed 3 times, are all accounted for", async (t) => {
  const result = await torture({
    directory: t.testdir(),
    deliveries: 3000,
    kills: 3,
    seed: 1,
    hangs: 1,
    limit: 240_000,
    tell: (line) => t.comment(line),
  });
  t.strictSame(result.problems, []);
  t.strictSame(result.serverErrors, []);
  t.equal(result.kills, 3);
  t.ok((result.rows.get("accepted") ?? 0) > 2500, `${result.rows.get("accepted")} accepted`);
  t.ok((result.rows.get("gone") ?? 0) > 0, "dead tokens were met");
  t.ok((result.rows.get("refused") ?? 0) > 0, "tokens that show nothing were met");
  t.ok(result.faults.size >= 5, `faults: ${[...result.faults.keys()].join(", ")}`);
});

// ---- the comparison itself

const DEVICE: Device = { pushId: "torture000000001", vendor: "apns", token: "1", state: "fine", tagged: false };
const DEAD: Device = { ...DEVICE, pushId: "torture000000002", token: "2", state: "dead" };
const CALL: Call = { id: "t", kind: "list", devices: [DEVICE, DEAD], body: "" };
const ACCEPTED: Row = { pushId: DEVICE.pushId, provider: "apns", state: "accepted", retries: 0 };
const GONE: Row = { pushId: DEAD.pushId, provider: "apns", state: "gone", reason: "410", retries: 0 };
const SHOWN: Acceptance = { vendor: "apns", token: "1", id: "t", arrived: 1000, at: 1000, fault: undefined };

const NOT_BELIEVED: Row = { ...GONE, reason: "410: not believed before this app has been accepted there" };

interface Change {
  readonly rows?: readonly Row[];
  readonly accepted?: readonly Acceptance[];
  readonly kills?: readonly Kill[];
  readonly ended?: readonly number[];
  readonly stored?: readonly (readonly [string, string | undefined])[];
  readonly progress?: object;
  readonly jobs?: number;
}

function observed(change: Change): Observed {
  const { rows = [ACCEPTED, GONE], accepted = [SHOWN], kills = [], ended = [], stored = [], jobs = 1 } = change;
  const progress = { seen: 2, skipped: 0, queued: 2, waiting: 0, accepted: 1, failed: 1, ...change.progress };
  const job = { target: "pushIds", state: "finished", progress };
  const counts = { target_apn: 2, accepted_apn: 1, failed_apn: 1, arrive_apn: 1 };
  return {
    devices: CALL.devices,
    calls: [CALL],
    reads: new Map([["t", { deliveries: rows, jobs: Array(jobs).fill(job), counts }]]),
    stored: new Map([[DEVICE.pushId, "1"], [DEAD.pushId, undefined], ...stored]),
    accepted,
    faults: ended.map((at) => ({ vendor: "apns", fault: "cut", at })),
    kills,
  };
}

t.test("what holds has no problem", async (t) => {
  t.strictSame(compare(observed({})).problems, []);
});

t.test("a token whose death was not believed is still there", async (t) => {
  t.strictSame(compare(observed({ rows: [ACCEPTED, NOT_BELIEVED], stored: [[DEAD.pushId, "2"]] })).problems, []);
});

const wrongs: readonly (readonly [string, Change, RegExp])[] = [
  ["a delivery that is missing", { rows: [ACCEPTED] }, /1 x a device that was addressed has no delivery/],
  ["a delivery that waits for ever", { rows: [{ ...ACCEPTED, state: "queued" }, GONE] }, /1 x queued at the end/],
  ["a delivery that is there twice", { rows: [ACCEPTED, ACCEPTED, GONE] }, /1 x a device has two deliveries/],
  ["an acceptance that the vendor knows nothing of", { accepted: [] }, /but the vendor has not accepted it/],
  ["a living token called dead", { rows: [{ ...GONE, pushId: DEVICE.pushId }, GONE] }, /gone, but the token lives/],
  ["a refusal without a fault", { rows: [{ ...ACCEPTED, state: "refused" }, GONE] }, /nothing was wrong with it/],
  ["what nobody sent", { accepted: [SHOWN, { ...SHOWN, token: "3" }] }, /accepted what nobody sent/],
  ["a repetition without a cause", { accepted: [SHOWN, { ...SHOWN, arrived: 2000, at: 2000 }] }, /without a cause/],
  [
    "a repetition long before a kill",
    { accepted: [SHOWN, { ...SHOWN, arrived: 30_000, at: 30_000 }], kills: [{ at: 20_000, back: 20_100 }] },
    /without a cause/,
  ],
  ["a call that was taken twice", { jobs: 2 }, /taken more than once/],
  ["a sum that is wrong", { progress: { accepted: 2 } }, /a job's accepted is not what its deliveries say/],
  ["a dead token that stays", { stored: [[DEAD.pushId, "2"]] }, /a dead token is not forgotten/],
  [
    "a token that is forgotten though its death was not believed",
    { rows: [ACCEPTED, NOT_BELIEVED], stored: [[DEAD.pushId, undefined]] },
    /a living token is forgotten/,
  ],
  ["a living token that is forgotten", { stored: [[DEVICE.pushId, undefined]] }, /a living token is forgotten/],
];

for (const [what, change, problem] of wrongs)
  t.test(`the comparison notices ${what}`, async (t) => {
    t.match(compare(observed(change)).problems.join("\n"), problem);
  });

t.test("a repetition is put down to the kill, the lost answer or the lost connection that caused it", async (t) => {
  const second = { ...SHOWN, arrived: 3000, at: 3000 };
  const causes = (change: Change) => [...compare(observed(change)).duplicates.keys()];
  t.strictSame(causes({ accepted: [SHOWN, second], kills: [{ at: 1500, back: 1600 }] }), ["in flight at a kill"]);
  t.strictSame(causes({ accepted: [{ ...SHOWN, fault: "cut" }, second] }), ["cut: its answer was lost"]);
  t.match(causes({ accepted: [SHOWN, second], ended: [1100] }), [/^cut: its connection was ended/]);
});
