import t from "tap";
import { asList, excerpt, judge, retryAfter, understand } from "../../src/vendors/answer.ts";
import { receiptsOf } from "../../src/vendors/receipt.ts";
import { verdicts } from "../../src/vendors/verdicts.ts";
import { json, NOW } from "../support/vendor.ts";

t.test("only an object below status 500 is an answer", async (t) => {
  t.same(understand(json({ a: 1 }), NOW), { said: { a: 1 } });
  t.same(understand(json({ a: 1 }, 400), NOW), { said: { a: 1 } });
  for (const reply of [json([]), json(null), json(1), { status: 200, headers: {}, body: "" }]) {
    t.same(understand(reply, NOW), { outcome: { kind: "retry", reason: "HTTP 200" } });
  }
  for (const status of [429, 500, 503]) {
    t.same(understand({ ...json({ a: 1 }, status), headers: { "retry-after": "2" } }, NOW), {
      outcome: { kind: "retry", reason: `HTTP ${status}`, after: 2000 },
    });
  }
});

t.test("Retry-After is seconds or a date, and nonsense is ignored", async (t) => {
  t.equal(retryAfter("7", NOW), 7000);
  t.equal(retryAfter(new Date(NOW + 5000).toUTCString(), NOW), 5000);
  for (const header of [
    undefined,
    "",
    "soon",
    "-1",
    "1e9",
    "99999999999999999999",
    new Date(NOW - 5000).toUTCString(),
  ]) {
    t.equal(retryAfter(header, NOW), undefined, String(header));
  }
});

t.test("a reason is one short line without secrets", async (t) => {
  t.equal(excerpt("1", "key a.b* wrong\r\n\u2028x a.b*", ["a.b*"]), "1 key *** wrong x ***");
  t.equal(excerpt("1", "y".repeat(500), []).length, 160);
  for (const text of [undefined, "", 5, {}]) t.equal(excerpt("1", text, []), "1");
});

t.test("codes, lists, times as vendors spell them", async (t) => {
  t.equal(verdicts({ gone: [1], retry: [-2] }).get("-2"), "retry");
  t.equal(verdicts({ gone: [1] }).get("constructor"), undefined);
  t.same(judge("paused", "r", NOW), { kind: "paused", reason: "r", until: Date.UTC(2026, 10, 23, 16) });
  t.same(judge("gone", "r", NOW, 5), { kind: "gone", reason: "r" });
  t.same(asList("a, b,,"), ["a", "b"]);
  t.same(asList(["a", 5, " b "]), ["a", "b"]);
  t.same(asList({}), []);
  const at = (time: unknown) => receiptsOf("arrived", { id: 7, targets: "a", param: "", at: time });
  t.same(
    [NOW, String(NOW)].map(at),
    [NOW, NOW].map((time) => [{ token: "a", event: "arrived", receipt: "7", at: time }]),
  );
  t.same([5, null, "x", undefined].map(at), Array(4).fill([{ token: "a", event: "arrived", receipt: "7" }]));
});
