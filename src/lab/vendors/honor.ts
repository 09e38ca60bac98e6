// Honor Push: a flat body, times in the header, answers that say 200 and name the tokens they failed.
// Tokens: "dead" is expired, "failing" is not delivered. Failures: throttle, denied, expired-credential, internal.

import { ensure, Failures, fieldsIn, only, textIn } from "../checks.ts";
import type { FakeReply, FakeRequest, FakeVendor, Shown } from "../fake.ts";
import { json, TokenEndpoint } from "../oauth.ts";
import { jsonIn, strictly } from "../requests.ts";
import { clickExtra, pairOf } from "./huawei.ts";

const APP_ID = "900100200";
const CLIENT = { id: "lab-client", secret: "lab/secret+1" };

const FAILURES: Readonly<Record<string, FakeReply>> = {
  throttle: { status: 429 },
  denied: { status: 401 },
  "expired-credential": json(200, { code: "80200003", message: "token expired" }),
  internal: json(200, { code: 81000001, message: "internal error" }),
};

const NOTIFICATION = [
  ...["title", "body", "image", "clickAction", "notifyId", "tag", "group", "badge", "importance", "style"],
  ...["bigTitle", "bigBody", "buttons"],
];

export function fakeHonor(): FakeVendor {
  const failures = new Failures();
  const tokens = new Map<string, string>();
  const shown: Shown[] = [];
  let count = 0;
  const endpoint = new TokenEndpoint((form) => {
    ensure(form.get("grant_type") === "client_credentials", "grant_type");
    ensure(
      form.get("client_id") === CLIENT.id && form.get("client_secret") === CLIENT.secret,
      "client_id or client_secret",
    );
  });

  function send(request: FakeRequest, now: number): FakeReply {
    if (request.path !== `/api/v1/${APP_ID}/sendMessage` || request.method !== "POST") return { status: 404 };
    const failing = failures.next(...Object.keys(FAILURES));
    if (failing !== undefined) return FAILURES[failing]!;
    if (endpoint.problem(request, now) !== undefined) return { status: 401 };
    ensure(request.headers["content-type"] === "application/json", "content-type");
    ensure(
      Math.abs(Number(request.headers["timestamp"]) - now) < 600_000,
      "timestamp is not the present in milliseconds",
    );
    const body = jsonIn(request.body, "the body");
    only(body, ["data", "notification", "android", "token"], "the body");
    const { token, ...rest } = body;
    ensure(Array.isArray(token) && token.length > 0 && token.length <= 1000, "token is not a list of 1 to 1000");
    if (Buffer.byteLength(JSON.stringify({ ...rest, token: [] })) > 4096)
      return json(200, { code: "80300008", message: "too big" });
    const android = fieldsIn(body["android"], "android");
    only(android, ["ttl", "biTag", "targetUserType", "notification", "data"], "android");
    const [, seconds] = /^(\d+)s$/.exec(String(android["ttl"])) ?? [];
    ensure(Number(seconds) >= 1 && Number(seconds) <= 1_296_000, "android.ttl is not 1s to 1296000s");
    const notification = fieldsIn(android["notification"], "notification");
    only(notification, NOTIFICATION, "notification");
    ensure(Number.isInteger(notification["notifyId"]) && Number(notification["notifyId"]) >= 0, "notifyId");
    const click = fieldsIn(notification["clickAction"], "clickAction");
    const [id, sent] = pairOf(clickExtra(click, "clickAction"));
    const inState = (state: string) => token.filter((one) => tokens.get(String(one)) === state);
    for (const one of token) {
      if (tokens.has(String(one))) continue;
      shown.push({
        vendor: "honor",
        token: String(one),
        title: textIn(notification, "title", "notification"),
        message: textIn(notification, "body", "notification"),
        payload: sent?.["payload"],
        id,
      });
    }
    const data = {
      sendResult: true,
      requestId: `lab-${now}-${++count}`,
      failTokens: inState("failing"),
      expireTokens: inState("dead"),
    };
    return json(200, { code: 200, message: "success", data });
  }

  return {
    name: "honor",
    http2: false,
    logsIn: true,
    config: (baseUrl) => ({
      package_name: "com.example.lab",
      app_id: APP_ID,
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      base_url: baseUrl,
      token_url: `${baseUrl}/auth/token`,
    }),
    handle: (request, now) =>
      strictly(
        () => (request.path === "/auth/token" ? endpoint.handle(request, now) : send(request, now)),
        (message) => json(200, { code: "80100003", message }),
      ),
    shown,
    tokens,
    fail: (kind, times) => failures.add(kind, times),
    kinds: Object.keys(FAILURES),
    login: endpoint,
  };
}
