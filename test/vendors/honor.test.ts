import t from "tap";
import { fakeHonor } from "../../src/lab/vendors/honor.ts";
import { honor } from "../../src/vendors/honor.ts";
import { configured, conformance, NOW, notification, stage } from "./conformance.ts";

conformance({ dialect: honor, fake: fakeHonor, token: (n) => `honor-token-${n}`, renews: true });

const app = (more = {}) => configured(honor, fakeHonor(), "https://lab", more);
const to = ["a", "b", "c"].map((token) => ({ token, ref: token }));

t.test("the body is flat, the time in the header", (t) => {
  const request = honor.encode(app({ importance: "NORMAL" }), notification(), to, "token", NOW);
  t.equal(request.url, "https://lab/api/v1/900100200/sendMessage");
  t.same(request.headers, {
    authorization: "Bearer token",
    "content-type": "application/json",
    timestamp: String(NOW),
  });
  t.match(JSON.parse(String(request.body)), {
    token: ["a", "b", "c"],
    android: {
      ttl: "3600s",
      biTag: "note0000001",
      notification: {
        title: "Ann",
        body: "Hello, Bob",
        notifyId: 1355057663,
        importance: "NORMAL",
        clickAction: { type: 1 },
      },
    },
  });
  t.end();
});

t.test("each answer of Honor's has one meaning", (t) => {
  const decoded = (status: number, body: unknown) =>
    honor.decode(app(), { status, headers: {}, body: JSON.stringify(body) }, to, NOW);
  const lists = { requestId: "q", expireTokens: ["a"], failTokens: ["b"] };
  for (const code of [200, "200", "80000000"]) {
    t.match(decoded(200, { code, message: "m", data: lists }), [
      { kind: "gone" },
      { kind: "retry", once: true },
      { kind: "accepted", receipt: "q" },
    ]);
  }
  t.match(decoded(200, { code: 200 }), [{ kind: "accepted" }, { kind: "accepted" }, { kind: "accepted" }]);
  const table: readonly (readonly [unknown, string])[] = [
    ["80100003", "refused"],
    ["80200001", "denied"],
    [80200003, "denied"],
    ["80300007", "gone"],
    ["80300008", "refused"],
    ["80300010", "refused"],
    [81000001, "retry"],
    [80600003, "retry"],
    ["12345", "refused"],
    [80400001, "refused"],
    [99999999, "refused"],
  ];
  for (const [code, kind] of table) t.match(decoded(200, { code, message: "m" })[0], { kind }, String(code));
  t.match(decoded(401, {})[0], { kind: "denied" });
  t.match(decoded(429, {})[0], { kind: "retry" });
  t.match(decoded(503, { code: 12345 })[0], { kind: "retry" });
  t.match(decoded(401, { code: 12345 })[0], { kind: "denied" });
  t.end();
});

t.test("tokens that failed for no known reason are tried once more and kept", async (t) => {
  const { fake, send } = await stage(t, { dialect: honor, fake: fakeHonor, token: (n) => `t${n}`, renews: true });
  fake.tokens.set("t2", "failing");
  t.match(await send([1, 2]), [{ kind: "accepted" }, { kind: "retry", once: true }]);
});

t.test("receipts: what arrived is believed, any other number is not", async (t) => {
  const receipts = (body: string) => honor.receipts?.(app(), { headers: {}, query: "", body });
  const status = (token: string, more: object) => ({ token, requestId: "r1", biTag: "note0000001", ...more });
  const body = JSON.stringify({
    statuses: [
      status("a", { deliveryStatus: { result: 0, timestamp: NOW } }),
      status("b", { status: 0 }),
      status("c", { status: 2 }),
      status("d", { status: "who knows" }),
      "nonsense",
    ],
  });
  t.same(receipts(body), [
    { event: "arrived", receipt: "r1", token: "a", notification: "note0000001", at: NOW },
    { event: "arrived", receipt: "r1", token: "b", notification: "note0000001" },
  ]);
  for (const nonsense of ["", "[]", "{}", '{"statuses":1}'])
    t.throws(() => receipts(nonsense), { code: "invalid", message: /statuses is missing/ });
});

t.test("a notification's own fields name no other recipient", async (t) => {
  const { fake, server, send } = await stage(t, {
    dialect: honor,
    fake: fakeHonor,
    token: (n) => `t${n}`,
    renews: true,
  });
  t.match(await send([1], notification({ vendors: { honor: { token: ["other"] } } })), [{ kind: "accepted" }]);
  t.same(
    fake.shown.map(({ token }) => token),
    ["t1"],
  );
  t.notMatch(String(server.requests.at(-1)?.body), "other");
});

t.test("a tap may lead elsewhere, as the notification's own fields say", async (t) => {
  const { send } = await stage(t, { dialect: honor, fake: fakeHonor, token: (n) => `t${n}`, renews: true });
  for (const clickAction of [{ type: 2, url: "https://example.com" }, { type: 3 }]) {
    const note = notification({ vendors: { honor: { android: { notification: { clickAction } } } } });
    t.match(await send([1], note), [{ kind: "accepted" }]);
  }
});
