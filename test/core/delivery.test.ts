import t from "tap";
import {
  count,
  type Deaths,
  type Delivery,
  NO_DEATHS,
  type Settlement,
  settle,
  suspicious,
} from "../../src/core/delivery.ts";
import type { PushId } from "../../src/core/device.ts";
import type { Notification } from "../../src/core/notification.ts";
import { Traits } from "../../src/core/traits.ts";
import type { Outcome } from "../../src/core/vendor.ts";
import { TRAITS } from "../../src/vendors/index.ts";

const traits = new Traits(TRAITS);

const T = 1_800_000_000_000;
const HOUR = 3_600_000;

const delivery = (more: Partial<Delivery> = {}): Delivery => ({
  delivery: 7,
  job: 3,
  lane: { vendor: "apns", app: "com.example" },
  pushId: "device-0001" as PushId,
  type: "apn",
  token: "ab",
  attempts: 0,
  lease: { name: 1, until: T + 1 },
  ...more,
});

const note = (more: Partial<Notification> = {}): Notification => ({
  id: "n1",
  content: { android: { payload: {} } },
  timeToLive: HOUR,
  type: "pushMany",
  acceptedAt: T,
  callerAddress: "127.0.0.1",
  ...more,
});

const after = (outcome: Outcome, attempts = 0, now = T, dice = 0.5, about = note()): Settlement =>
  settle(delivery({ attempts }), about, outcome, now, dice, traits);

t.test("what follows from each outcome", async (t) => {
  t.match(after({ kind: "accepted", receipt: "r1" }), { kind: "accepted", receipt: "r1" });
  t.notOk("receipt" in after({ kind: "accepted" }));
  t.match(after({ kind: "gone", reason: "410" }), { kind: "gone", reason: "410", forget: {} });
  t.match(after({ kind: "gone", reason: "410", at: T - 5 }), { forget: { registeredBefore: T - 5 } });
  t.notOk("forget" in after({ kind: "gone", reason: "10000", kept: true }), "F4b: our settings may be at fault");
  const refused = after({ kind: "refused", reason: "too long" });
  t.match(refused, { kind: "refused", reason: "too long" });
  t.notOk("forget" in refused, "a message at fault costs no token");
  t.match(after({ kind: "denied", reason: "403" }), { kind: "again", at: T, tried: false });
  t.match(
    after({ kind: "paused", until: T + 500, reason: "quota" }),
    { kind: "again", at: T, tried: false },
    "the lane waits",
  );
});

t.test("what is worth one more try gets no third", async (t) => {
  const once: Outcome = { kind: "retry", reason: "in failTokens", once: true };
  t.match(after(once), { kind: "again", tried: true });
  const refused = after(once, 1);
  t.match(refused, { kind: "refused", reason: "in failTokens", counters: ["failed_apn"] });
  t.notOk("forget" in refused);
});

t.test("a retry waits 1 s, 2 s, 4 s and so on up to 5 minutes, 20 % more or less", async (t) => {
  const waits = (dice: number) =>
    [0, 1, 2, 8, 9, 250].map((attempts) => {
      const next = after({ kind: "retry", reason: "503" }, attempts, T, dice);
      return next.kind === "again" ? next.at - T : 0;
    });
  t.same(waits(0.5), [1000, 2000, 4000, 256_000, 300_000, 300_000]);
  t.same(waits(0), [800, 1600, 3200, 204_800, 240_000, 240_000]);
  t.ok(waits(0.999999).every((wait) => wait <= 360_000));
});

t.test("a vendor that says when is not asked before", async (t) => {
  t.match(after({ kind: "retry", reason: "429", after: 90_000 }), { kind: "again", at: T + 90_000, tried: true });
  t.match(after({ kind: "retry", reason: "429", after: 10 }), { at: T + 1000 }, "nor sooner than we would");
  const brief = note({ timeToLive: 600_000 });
  const hour = { kind: "retry", reason: "HTTP 503", after: HOUR } as const;
  t.match(
    after(hour, 0, T, 0.5, brief),
    { kind: "again", at: T + 300_000 },
    "an hour ends nothing that lives 10 minutes",
  );
  t.match(
    after({ ...hour, scope: "token" }, 0, T, 0.5, brief),
    { kind: "expired" },
    "save where it is about one token",
  );
});

t.test("nothing is tried after its time to live", async (t) => {
  const late = after({ kind: "retry", reason: "503" }, 9, T + HOUR - 200_000);
  t.match(late, { kind: "expired", reason: "503", counters: ["failed_apn"] });
  const quota = after({ kind: "paused", until: T + HOUR, reason: "quota" });
  t.match(quota, { kind: "again", at: T }, "F5: the quota comes back too late, but an operator may be sooner");
  t.match(after({ kind: "paused", until: T + 2 * HOUR, reason: "quota" }, 0, T + HOUR), { kind: "expired" });
  const brief = note({ timeToLive: 0 });
  t.match(after({ kind: "retry", reason: "503" }, 0, T + 598_000, 0.5, brief), { kind: "again" });
  t.match(
    after({ kind: "retry", reason: "503" }, 0, T + 599_000, 0.5, brief),
    { kind: "expired" },
    "10 minutes for ttl 0",
  );
  const scheduled = note({ sendAt: T + HOUR });
  t.match(
    after({ kind: "retry", reason: "503" }, 0, T + HOUR, 0.5, scheduled),
    { kind: "again" },
    "counted from sendAt",
  );
});

t.test("a vendor that is down for days is asked again for as long as the notification lives", async (t) => {
  const end = 28 * 24 * HOUR;
  const month = note({ timeToLive: end });
  t.match(after({ kind: "retry", reason: "x" }, 8000, T + end - 300_001, 0.5, month), { kind: "again", tried: true });
  t.match(after({ kind: "retry", reason: "x" }, 8001, T + end - 300_000, 0.5, month), { kind: "expired", reason: "x" });
});

t.test("what Apple accepted counts as arrived, what Xiaomi accepted does not yet", async (t) => {
  t.same((after({ kind: "accepted" }) as { counters: unknown }).counters, ["accepted_apn", "arrive_apn"]);
  const xiaomi = delivery({ lane: { vendor: "xiaomi", app: "a" } });
  t.match(settle(xiaomi, note(), { kind: "accepted" }, T, 0, traits), { counters: ["accepted_xiaomi"] });
});

t.test("more than 30 % dead of at least 50 is suspicious", async (t) => {
  const of = (accepted: number, gone: number): Deaths => count(NO_DEATHS, accepted, gone, T);
  t.notOk(suspicious(of(0, 49)), "too few to tell");
  t.ok(suspicious(of(0, 50)));
  t.notOk(suspicious(of(70, 30)));
  t.ok(suspicious(of(69, 31)));
  const first = count(NO_DEATHS, 40, 9, T);
  t.ok(suspicious(count(first, 0, 20, T + 599_999)), "counted together within 10 minutes");
  t.notOk(suspicious(count(first, 0, 20, T + 600_000)), "a new window begins");
});
