import { test } from "tap";
import { callOf, type Given } from "../../../src/cli/send/call.ts";

/** As it goes over the wire. */
function call(given: Given): { readonly problems: readonly string[]; readonly kind: string; readonly body: unknown } {
  const problems: string[] = [];
  const { kind, body } = callOf(given, problems);
  return { problems, kind, body: JSON.parse(JSON.stringify(body)) as unknown };
}

const filter = { tagStart: "v_", tagLessThan: "2", tagGreaterThan: "1.5" };
const RAW = '{"android":{"title":"A","channel":"c"},"apn":{"alert":"B","badge":9},"payload":{"a":1},"more":[1]}';
const raw = JSON.parse(RAW) as Readonly<Record<string, unknown>>;

test("every parameter of /api/push and /api/notification has its flag", (t) => {
  const rows: [given: Given, body: object][] = [
    [
      { push: "x", topic: "t", ttl: "5", idempotencyKey: "k" },
      { json: "x", topic: "t", timeToLive: 5, idempotencyKey: "k" },
    ],
    [
      { push: "x", topic: "t", ttl: "1h" },
      { json: "x", topic: "t", timeToLive: 3_600_000 },
    ],
    [
      { push: "", uid: ["u"], ...filter },
      { json: "", uid: ["u"], ...filter },
    ],
    [
      { data: "eA==", pushId: ["d"] },
      { data: "eA==", pushId: ["d"] },
    ],
    [
      {
        title: "T",
        tag: "vip",
        ...filter,
        type: "news",
        ttl: "5",
        sendAt: "7",
        rate: "0",
        dryRun: true,
        idempotencyKey: "k",
      },
      {
        notification: { android: { title: "T" }, apn: { alert: "T" } },
        tag: "vip",
        ...filter,
        type: "news",
        timeToLive: 5,
        sendAt: "7",
        rate: 0,
        dryRun: true,
        idempotencyKey: "k",
      },
    ],
    [
      {
        all: true,
        title: "T",
        message: "M",
        payload: '{"a":1}',
        badge: "2",
        sound: "s",
        id: "7",
        vendors: '{"vivo":{"x":1}}',
      },
      {
        pushAll: true,
        notification: {
          android: { title: "T", message: "M" },
          apn: { alert: { title: "T", body: "M" }, badge: 2, sound: "s" },
          payload: { a: 1 },
          id: "7",
          vendors: { vivo: { x: 1 } },
        },
      },
    ],
    [
      { uid: ["u"], badge: "0" },
      { uid: ["u"], notification: { apn: { badge: 0 } } },
    ],
  ];
  for (const [given, body] of rows) {
    const kind = "notification" in body ? "notification" : "push";
    t.strictSame(call(given), { problems: [], kind, body }, JSON.stringify(given));
  }
  t.end();
});

test("raw content goes as it is, and the flags are laid over it", (t) => {
  const content = (given: Given): unknown => {
    const { problems, body } = call({ all: true, ...given });
    t.same(problems, []);
    return (body as { notification: unknown }).notification;
  };
  t.strictSame(content({ notification: RAW }), raw);
  t.strictSame(content({ notification: '{"android":5}' }), { android: 5 }, "the server says what is wrong with it");
  t.strictSame(content({ notification: RAW, title: "T", badge: "0", sound: "s.caf", id: "7", payload: '{"b":2}' }), {
    ...raw,
    android: { title: "T", channel: "c" },
    apn: { alert: "T", badge: 0, sound: "s.caf" },
    id: "7",
    payload: { b: 2 },
  });
  t.strictSame(content({ notification: RAW, message: "M" }), {
    ...raw,
    android: { title: "A", channel: "c", message: "M" },
    apn: { alert: { body: "M" }, badge: 9 },
  });
  t.strictSame(content({ notification: '{"vendors":{"oppo":{"a":1}}}', vendors: '{"vivo":{"x":1}}' }), {
    vendors: { oppo: { a: 1 }, vivo: { x: 1 } },
  });
  t.end();
});

test("what the API would misunderstand is not sent, and every problem is told", (t) => {
  for (const [given, ...problems] of [
    [{ all: true, badge: "1", message: "M" }, "--title is missing: without one Android shows nothing"],
    [{ all: true, id: "n1" }, "--title is missing: without one Android shows nothing"],
    [{ topic: "a", push: "x", data: "eA==" }, "--data is the old form of a push: give it or JSON, not both"],
    [
      { uid: ["a"], push: "x", tagLessThan: "2", tagGreaterThan: "1" },
      "--tag-less-than and --tag-greater-than: --tag-start is missing, it says which tag holds the version",
    ],
    [
      { uid: ["a"], push: "x", tagStart: "v_" },
      "--tag-start alone filters nothing: give --tag-less-than or --tag-greater-than",
    ],
    [
      { all: true, title: "T", tagStart: "v_", tagLessThan: "2" },
      "--tag-start filters devices: use it with --push-id, --uid or --tag",
    ],
    [
      { all: true, title: "T", badge: "many", vendors: "7", notification: '{"apn":7}' },
      "--badge many: write a whole number from 0 to 2147483647",
      `--vendors 7: write a JSON object, like '{"vivo":{"category":"IM"}}'`,
      "--notification: its apn is not an object",
    ],
  ] as [Given, ...string[]][])
    t.same(call(given).problems, problems, JSON.stringify(given));
  const [problem] = call({ all: true, notification: `{"a":${"x".repeat(1000)}` }).problems;
  t.match(problem, /^--notification \{"a":x+\.\.\.: write a JSON object, like .* \(Unexpected token/);
  t.ok(problem!.length < 500, "not all of it is repeated");
  t.end();
});
