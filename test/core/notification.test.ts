import { test } from "tap";
import { PushError } from "../../src/core/errors.ts";
import { parseExact } from "../../src/core/exact.ts";
import { randomId } from "../../src/core/id.ts";
import { normalise } from "../../src/core/notification.ts";

test("API 14: content is normalised once, and the caller's object stays as it was", async (t) => {
  const cases: [string, object, object][] = [
    ["nothing at all", {}, { android: { payload: {} } }],
    ["null parts are missing parts", { android: null, apn: null, payload: null }, { android: { payload: {} } }],
    ["payload moves to android", { payload: { a: 1 } }, { android: { payload: { a: 1 } } }],
    [
      "payload overwrites android.payload",
      { android: { title: "t", payload: { b: 2 } }, payload: { a: 1 } },
      { android: { title: "t", payload: { a: 1 } } },
    ],
    ["android.payload stays alone", { android: { payload: { b: 2 } } }, { android: { payload: { b: 2 } } }],
    [
      "apn.payload is ignored",
      { apn: { alert: "m", payload: { secret: 1 } } },
      { android: { payload: {} }, apn: { alert: "m" } },
    ],
    ["badge 0 stays", { apn: { badge: 0 } }, { android: { payload: {} }, apn: { badge: 0 } }],
    [
      "other fields pass",
      { id: "i", timestamp: 5, message: "x", android: { sound: "s" } },
      { id: "i", timestamp: 5, message: "x", android: { sound: "s", payload: {} } },
    ],
    [
      "a number is a text",
      { android: { title: 5, message: 0 } },
      { android: { title: "5", message: "0", payload: {} } },
    ],
  ];
  for (const [name, given, expected] of cases) {
    const before = JSON.stringify(given);
    t.strictSame(normalise(given), expected, name);
    t.equal(JSON.stringify(given), before, name);
  }
  const hostile = normalise(JSON.parse('{"__proto__":{"a":1},"android":{"__proto__":{"title":"t"}}}'));
  t.equal(hostile.android.title, undefined);
  t.equal(Object.getPrototypeOf(hostile), Object.prototype);
});

test("text that was cut through an emoji is shown, with the sign for what is missing", async (t) => {
  const cut = "Happy birthday 🎂".slice(0, -1);
  const { android, apn } = normalise({
    android: { title: cut, message: cut },
    apn: { alert: { title: cut, body: "🎂" } },
  });
  const expected = "Happy birthday \ufffd";
  t.match(android, { title: expected, message: expected });
  t.strictSame(apn, { alert: { title: expected, body: "🎂" } });
  t.strictSame(normalise({ apn: { alert: cut } }).apn, { alert: expected });
});

test("half a surrogate pair anywhere in a notification is shown as such, names and own fields of vendors too", async (t) => {
  const half = "a\ud83c";
  const whole = "a\ufffd";
  const given = {
    android: { title: "T", icon: half, lines: [half, "b"] },
    apn: { alert: { "loc-key": "K", "loc-args": [half] }, category: half },
    payload: { [half]: [{ deep: half }], count: 1 },
    vendors: { vivo: { extra: { [half]: half } } },
  };
  const { android, apn, vendors } = normalise(given);
  t.strictSame(android, {
    title: "T",
    icon: whole,
    lines: [whole, "b"],
    payload: { [whole]: [{ deep: whole }], count: 1 },
  });
  t.strictSame(apn, { alert: { "loc-key": "K", "loc-args": [whole] }, category: whole });
  t.strictSame(vendors, { vivo: { extra: { [whole]: whole } } });
  t.equal(given.android.icon, half, "the caller's own is left as it is");
  const payload = parseExact(`{"text":"\\ud83c","price":1.10,"__proto__":{"a":1}}`);
  t.equal(JSON.stringify(normalise({ payload }).android.payload), '{"text":"\ufffd","price":1.10,"__proto__":{"a":1}}');
});

test("F9: what is meant to be shown by Apple is text, or refused: never a silent push by mistake", async (t) => {
  for (const [apn, expected] of [
    [{ alert: 482913 }, { alert: "482913" }],
    [{ alert: { title: 5, body: 0, "loc-args": ["x"] } }, { alert: { title: "5", body: "0", "loc-args": ["x"] } }],
    [{ alert: { "loc-key": "K" } }, { alert: { "loc-key": "K" } }],
    [{ alert: "", badge: 5 }, { badge: 5 }],
    [{ alert: null, badge: "5" }, { badge: "5" }],
    [{ alert: "a", badge: null, sound: null }, { alert: "a" }],
    [{ alert: "a", badge: "" }, { alert: "a" }],
    [
      { alert: "a", sound: { name: "s", critical: 1 } },
      { alert: "a", sound: { name: "s", critical: 1 } },
    ],
    [{ "content-available": 1 }, { "content-available": 1 }],
    [{ "content-available": true }, { "content-available": 1 }],
    [{ "content-available": "1" }, { "content-available": 1 }],
    [{ "content-available": 0, alert: "a" }, { alert: "a" }],
    [
      { alert: "a", "mutable-content": "true", "relevance-score": "0.5" },
      { alert: "a", "mutable-content": 1, "relevance-score": 0.5 },
    ],
  ] as const)
    t.strictSame(normalise({ apn }).apn, expected, JSON.stringify(apn));
  for (const [apn, message] of [
    [{ alert: true }, "notification.apn.alert must be a string or an object"],
    [{ alert: ["a"] }, "notification.apn.alert must be a string or an object"],
    [{ alert: { title: true } }, "notification.apn.alert.title must be a string"],
    [{ alert: { body: {} } }, "notification.apn.alert.body must be a string"],
    [{ alert: "" }, "notification.apn.alert is empty: give a text, or leave it out"],
    [{ alert: {} }, "notification.apn.alert is empty: give a text, or leave it out"],
    [{ alert: { title: "", body: null } }, "notification.apn.alert is empty: give a text, or leave it out"],
    [{ alert: "a", badge: "many" }, "notification.apn.badge must be a whole number"],
    [{ alert: "a", badge: 1.5 }, "notification.apn.badge must be a whole number"],
    [{ alert: "a", badge: true }, "notification.apn.badge must be a whole number"],
    [{ alert: "a", sound: 5 }, "notification.apn.sound must be a string or an object"],
    [{ "content-available": 2 }, "notification.apn.content-available must be 1"],
    [{ alert: "a", "mutable-content": {} }, "notification.apn.mutable-content must be 1"],
    [{ alert: "a", "mutable-content": { toString: 1 } }, "notification.apn.mutable-content must be 1"],
  ] as const)
    t.throws(() => normalise({ apn }), { code: "invalid", message }, JSON.stringify(apn));
});

test("API 14: content that some channel could not carry is refused, naming the field", async (t) => {
  const deep = JSON.parse(`${'{"a":'.repeat(70)}1${"}".repeat(70)}`);
  for (const [given, message] of [
    [5, "notification must be a JSON object"],
    [null, "notification must be a JSON object"],
    [[], "notification must be a JSON object"],
    ["text", "notification must be a JSON object"],
    [{ android: "t" }, "notification.android must be a JSON object"],
    [{ android: [] }, "notification.android must be a JSON object"],
    [{ apn: 1 }, "notification.apn must be a JSON object"],
    [{ payload: "p" }, "notification.payload must be a JSON object"],
    [{ payload: [1] }, "notification.payload must be a JSON object"],
    [{ android: { payload: 1 } }, "notification.android.payload must be a JSON object"],
    [{ android: { title: {} } }, "notification.android.title must be a string"],
    [{ android: { message: false } }, "notification.android.message must be a string"],
    [deep, "notification is nested deeper than 64 levels"],
  ]) {
    t.throws(() => normalise(given), new PushError("invalid", message as string));
  }
});

test("API 13: a generated id has 12 alphanumerics, and no two are alike", async (t) => {
  const ids = Array.from({ length: 20_000 }, randomId);
  t.equal(new Set(ids).size, ids.length);
  t.ok(ids.every((id) => /^[A-Za-z0-9]{12}$/.test(id)));
});
