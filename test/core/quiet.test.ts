// Quiet hours by the wall clock of a zone, on the days on which it is set too.
import t from "tap";
import type { Notification } from "../../src/core/notification.ts";
import { quietAt, quietHours, quietUntil } from "../../src/core/quiet.ts";

const end = (hours: string, zone: string, at: string): string | undefined => {
  const until = quietUntil(quietHours(hours, zone, "send"), Date.parse(at));
  return until === undefined ? undefined : new Date(until).toISOString().replace(":00.000Z", "Z");
};

t.test("a night ends in the morning of its zone, and by day nothing waits", (t) => {
  for (const [hours, zone, at, wanted] of [
    ["22:00-08:00", "Europe/Berlin", "2026-06-10T19:59:59.999Z", undefined],
    ["22:00-08:00", "Europe/Berlin", "2026-06-10T20:00:00Z", "2026-06-11T06:00Z"],
    ["22:00-08:00", "Europe/Berlin", "2026-06-11T05:59:59.999Z", "2026-06-11T06:00Z"],
    ["22:00-08:00", "Europe/Berlin", "2026-06-11T06:00:00Z", undefined],
    ["22:00-08:00", "Asia/Shanghai", "2026-06-10T15:00:00Z", "2026-06-11T00:00Z"],
    ["12:30-14:07", "Asia/Kathmandu", "2026-06-10T06:45:00Z", "2026-06-10T08:22Z"],
    ["0:00-24:00", "UTC", "", "refused"],
    ["22:00-24:00", "UTC", "2026-06-10T22:30:00Z", "2026-06-11T00:00Z"],
    ["00:01-00:00", "UTC", "2026-06-10T00:01:30Z", "2026-06-11T00:00Z"],
  ] as const)
    if (wanted === "refused") t.throws(() => end(hours, zone, at), { code: "invalid" }, hours);
    else t.equal(end(hours, zone, at), wanted, `${hours} ${zone} ${at}`);
  t.end();
});

t.test(
  "the night in which the clock goes forward is an hour shorter, that in which it goes back an hour longer",
  (t) => {
    t.equal(end("22:00-08:00", "Europe/Berlin", "2026-03-28T21:00:00Z"), "2026-03-29T06:00Z");
    t.equal(end("22:00-08:00", "Europe/Berlin", "2026-10-24T20:00:00Z"), "2026-10-25T07:00Z");
    t.equal(end("22:00-08:00", "Australia/Lord_Howe", "2026-10-03T12:00:00Z"), "2026-10-03T21:00Z", "by half an hour");
    t.end();
  },
);

t.test(
  "an end that the clock leaps over is the leap, one that comes twice is the first of them, and then it is quiet again",
  (t) => {
    t.equal(end("22:00-02:30", "Europe/Berlin", "2026-03-28T23:00:00Z"), "2026-03-29T01:00Z");
    t.equal(end("22:00-02:30", "Europe/Berlin", "2026-10-24T23:00:00Z"), "2026-10-25T00:30Z");
    t.equal(end("22:00-02:30", "Europe/Berlin", "2026-10-25T00:40:00Z"), undefined);
    t.equal(end("22:00-02:30", "Europe/Berlin", "2026-10-25T01:10:00Z"), "2026-10-25T01:30Z");
    t.equal(end("02:15-02:45", "Europe/Berlin", "2026-03-29T01:00:00Z"), undefined, "there is no such time that day");
    t.end();
  },
);

t.test("whoever is awake for less than a quarter of an hour a day is woken in it", (t) => {
  for (const [hours, zone, at, wanted] of [
    ["12:10-12:01", "UTC", "2026-06-10T13:00:00Z", "2026-06-11T12:01Z"],
    ["12:10-12:01", "UTC", "2026-06-10T12:00:59Z", "2026-06-10T12:01Z"],
    ["12:03-12:02", "Asia/Kathmandu", "2026-06-10T06:20:00Z", "2026-06-11T06:17Z"],
    ["02:11-02:10", "Europe/Berlin", "2026-03-28T02:00:00Z", "2026-03-30T00:10Z"], // the clock leaps over the one between
    ["02:11-02:10", "Europe/Berlin", "2026-10-24T23:00:00Z", "2026-10-25T00:10Z"],
    ["02:11-02:10", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:10Z"],
  ] as const)
    t.equal(end(hours, zone, at), wanted, `${hours} ${zone} ${at}`);
  t.end();
});

t.test("what is no time or no zone is refused with the way out", (t) => {
  for (const hours of ["22-8", "22:00", "25:00-08:00", "22:60-08:00", "08:00-08:00", "24:30-08:00", "x"])
    t.throws(() => quietHours(hours, undefined, "send"), { code: "invalid", message: /like 22:00-08:00/ }, hours);
  for (const zone of ["Berlin", "Mars/Olympus", ""])
    t.throws(() => quietHours("22:00-08:00", zone, "send"), { code: "invalid", message: /like Europe\/Berlin/ }, zone);
  t.match(quietHours(" 9:05 - 10:00 ", "europe/berlin", "drop"), { from: 545, to: 600, zone: "Europe/Berlin" });
  t.type(quietHours("22:00-08:00", undefined, "send").zone, "string");
  t.end();
});

t.test("who lives until the end waits for it, who does not goes at once or nowhere, as it is set", (t) => {
  const HOUR = 3_600_000;
  const at = Date.parse("2026-06-10T22:00:00Z");
  const note = (timeToLive: number, otherwise: "drop" | "send", more: Partial<Notification> = {}): Notification => ({
    id: "n",
    content: { android: { payload: {} } },
    type: "t",
    callerAddress: "",
    acceptedAt: at,
    timeToLive,
    quiet: quietHours("22:00-08:00", "UTC", otherwise),
    ...more,
  });
  t.equal(quietAt(note(11 * HOUR, "drop"), at), at + 10 * HOUR);
  t.equal(quietAt(note(10 * HOUR, "drop"), at), "drop", "its last moment is not enough");
  t.equal(quietAt(note(10 * HOUR, "send"), at), undefined);
  t.equal(quietAt(note(0, "drop"), at), "drop");
  t.equal(quietAt(note(11 * HOUR, "send"), at + 10 * HOUR), undefined);
  t.equal(quietAt(note(2 * HOUR, "drop", { sendAt: at + 9 * HOUR }), at), at + 10 * HOUR, "its life begins at sendAt");
  t.end();
});
