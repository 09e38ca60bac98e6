// When something is tried again, and what an answer means.
import t from "tap";
import { failedIds, meaning, patience, pause } from "../../src/hooks/plan.ts";

t.test(
  "retries come after 1 s, 5 s, 30 s, 2 min, 10 min, 30 min, then every hour, each a little later by chance",
  (t) => {
    const planned = [1000, 5000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 3_600_000];
    t.strictSame(
      planned.map((_, i) => pause(i + 1, 0)),
      planned,
    );
    t.strictSame(
      planned.map((_, i) => pause(i + 1, 1)),
      planned.map((time) => (time / 10) * 11),
    );
    t.equal(pause(100, 0), 3_600_000);
    t.end();
  },
);

t.test("Retry-After is seconds or a date, and no more than a day", (t) => {
  const now = Date.UTC(2026, 10, 26, 10);
  for (const [value, milliseconds] of [
    [undefined, 0],
    ["120", 120_000],
    [" 7 ", 7000],
    ["Thu, 26 Nov 2026 10:01:00 GMT", 60_000],
    ["Thu, 26 Nov 2026 09:00:00 GMT", 0],
    ["99999999", 86_400_000],
    ["soon", 0],
    ["-5", 0],
  ] as const)
    t.equal(patience(value, now), milliseconds, String(value));
  t.end();
});

t.test(
  "a success settles; a redirect, a refusal of whoever calls and a server in trouble say nothing of the events",
  (t) => {
    for (const status of [200, 201, 202, 204, 299]) t.equal(meaning(status), "delivered", String(status));
    for (const status of [301, 302, 304, 307, 401, 403, 404, 408, 429, 502, 503, 504])
      t.equal(meaning(status), "down", String(status));
    for (const status of [400, 413, 422, 500]) t.equal(meaning(status), "disliked", String(status));
    t.equal(meaning(410), "gone");
    t.end();
  },
);

t.test("the ids that a success names as failed are understood, and nothing else in it", (t) => {
  t.strictSame([...failedIds('{"failed":["evt_1","evt_2"]}')], ["evt_1", "evt_2"]);
  for (const body of [
    "",
    "ok",
    "{}",
    '{"failed":true}',
    '{"failed":[1]}',
    '{"failed":["evt_1"',
    '"failed"',
    'null "failed"',
  ])
    t.equal(failedIds(body).size, 0, body);
  t.end();
});
