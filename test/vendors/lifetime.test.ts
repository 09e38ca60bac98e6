import t from "tap";
import { chinaTime, lifetime, nextDay } from "../../src/vendors/lifetime.ts";
import { NOW, note } from "../support/vendor.ts";

t.test("what is left of a notification's life, within the vendor's bounds", async (t) => {
  const left = (timeToLive: number, passed = 0) => lifetime(note({}, { timeToLive }), NOW + passed, 1000, 900_000);
  t.equal(left(5000), 5000);
  t.equal(left(5000, 3000), 2000);
  t.equal(left(5000, 9000), 1000, "over");
  t.equal(left(1_000_000), 900_000);
  t.equal(left(0), 600_000, "ten minutes for the connected");
  t.equal(left(0, 500_000), 100_000, "counted from when it was accepted");
});

t.test("quotas return at midnight in China", async (t) => {
  const table = [
    ["2026-11-23T15:59:59.999Z", "2026-11-23T16:00:00.000Z", "2026-11-23 23:59:59"],
    ["2026-11-23T16:00:00.000Z", "2026-11-24T16:00:00.000Z", "2026-11-24 00:00:00"],
    ["2026-12-31T20:00:00.000Z", "2027-01-01T16:00:00.000Z", "2027-01-01 04:00:00"],
  ] as const;
  for (const [now, midnight, time] of table) {
    t.equal(new Date(nextDay(Date.parse(now))).toISOString(), midnight);
    t.equal(chinaTime(Date.parse(now)), time);
  }
});
