// Huawei Push Kit: v1 for Android with its token endpoint, v3 for HarmonyOS with the JWT that authorises directly.
// Tokens: "dead" is illegal; for v3 also "unentitled" (the app lacks a right) and "unexplained" (invalid, without a reason).
// Failures: throttle, quota, denied, expired-credential, internal, no-right (v3).
import type { KeyObject } from "node:crypto";
import { Recent } from "../../core/recent.ts";
import { DAY } from "../../core/time.ts";
import { ensure, Failures, type Fields, fieldsIn, only, textIn } from "../checks.ts";
import { type FakeReply, type FakeRequest, type FakeVendor, REMEMBERED, type Shown } from "../fake.ts";
import { json, TokenEndpoint } from "../oauth.ts";
import { jsonIn, rsaKeys, strictly, verifiedJwt } from "../requests.ts";

const APP_ID = "10086001";
const SECRET = "lab-secret+/=";
const PROJECT = "388421841222";
const PACKAGE = "com.example.lab";
const AUDIENCE = "https://oauth-login.cloud.huawei.com/oauth2/v3/token";

/** Each answer has an id of its own. */
let requests = 0;

const FAILURES: Readonly<Record<string, FakeReply>> = {
  throttle: { status: 503, body: "flow control" },
  quota: answer(200, "80300029", "test messages are used up"),
  denied: answer(401, "80200001", "authentication error"),
  "expired-credential": answer(401, "80200003", "token expired"),
  internal: answer(500, "81000001", "internal error"),
  "no-right": answer(200, "80300007", '{"success":0,"failure":1,"reason":"noPushTypeRight"}'),
};

export function fakeHuawei(): FakeVendor {
  const endpoint = new TokenEndpoint((form) => {
    ensure(form.get("grant_type") === "client_credentials", "grant_type");
    ensure(form.get("client_id") === APP_ID && form.get("client_secret") === SECRET, "client_id or client_secret");
  });
  const push = new Push("huawei", (request, now) => {
    const problem = endpoint.problem(request, now);
    if (problem === "unknown") return answer(401, "80200001", "authentication error");
    return problem === undefined ? undefined : answer(401, "80200003", "token expired");
  });
  const vendor = push.vendor(
    (baseUrl) => ({
      package_name: PACKAGE,
      client_id: APP_ID,
      client_secret: SECRET,
      base_url: baseUrl,
      token_url: `${baseUrl}/oauth2/v3/token`,
    }),
    (request, now) =>
      request.path === "/oauth2/v3/token"
        ? endpoint.handle(request, now)
        : push.send(request, now, `/v1/${APP_ID}/messages:send`, readV1),
  );
  return { ...vendor, login: endpoint };
}

export function fakeHarmony(): FakeVendor {
  const { privateKey, publicKey } = rsaKeys();
  const push = new Push("harmony", (request, now) => checkJwt(request, now, publicKey));
  return push.vendor(
    (baseUrl, write) => ({
      package_name: PACKAGE,
      base_url: baseUrl,
      service_account_file: write(
        "harmony.json",
        JSON.stringify({
          project_id: PROJECT,
          key_id: "lab-key-1",
          private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
          sub_account: "lab-account",
        }),
      ),
    }),
    (request, now) => {
      ensure(request.headers["push-type"] === "0", "push-type");
      return push.send(request, now, `/v3/${PROJECT}/messages:send`, readV3);
    },
  );
}

function checkJwt(request: FakeRequest, now: number, key: KeyObject): FakeReply | undefined {
  const check = (): FakeReply | undefined => {
    const [, token] = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "") ?? [];
    const { header, claims } = verifiedJwt(token ?? "", "PS256", key);
    ensure(header["kid"] === "lab-key-1" && header["typ"] === "JWT", "kid or typ");
    ensure(claims["iss"] === "lab-account" && claims["aud"] === AUDIENCE, "iss or aud");
    const issued = Number(claims["iat"]);
    const expires = Number(claims["exp"]);
    ensure(issued * 1000 <= now + 600_000, "iat is not the present in seconds");
    if (expires - issued > 86_400) return answer(401, "80300036", "the token lives too long");
    return expires * 1000 <= now ? answer(401, "80200005", "JWT expired") : undefined;
  };
  return strictly(check, (problem) => answer(401, "80200001", problem));
}

interface Read {
  readonly tokens: readonly unknown[];
  readonly title: string;
  readonly message: string;
  /** The pair that the SDK looks for: id and what was sent for Android. */
  readonly customize: unknown;
  /** v3: of the same one a phone shows the earliest within a day. */
  readonly appMessageId?: string;
}

/** What the two versions have in common: tokens, failures, answers. */
class Push {
  readonly #name: string;
  readonly #authorise: (request: FakeRequest, now: number) => FakeReply | undefined;
  readonly #failures = new Failures();
  readonly #tokens = new Map<string, string>();
  readonly #shown: Shown[] = [];
  readonly #seen = new Recent<string, number>(REMEMBERED);

  constructor(name: string, authorise: (request: FakeRequest, now: number) => FakeReply | undefined) {
    this.#name = name;
    this.#authorise = authorise;
  }

  vendor(config: FakeVendor["config"], handle: FakeVendor["handle"]): FakeVendor {
    return {
      name: this.#name,
      http2: false,
      ...(this.#name === "huawei" ? { logsIn: true as const } : {}),
      config,
      handle: (request, now) =>
        strictly(
          () => handle(request, now),
          (problem) => answer(400, "80100003", problem),
        ),
      shown: this.#shown,
      tokens: this.#tokens,
      fail: (kind, times) => this.#failures.add(kind, times),
      kinds: Object.keys(FAILURES),
    };
  }

  send(request: FakeRequest, now: number, path: string, read: (body: Fields) => Read): FakeReply {
    if (request.path !== path || request.method !== "POST") return { status: 404 };
    const failing = this.#failures.next(...Object.keys(FAILURES));
    const refusal = failing === undefined ? this.#authorise(request, now) : FAILURES[failing];
    if (refusal !== undefined) return refusal;
    ensure(request.headers["content-type"] === "application/json", "content-type");
    const { tokens, title, message, customize, appMessageId } = read(jsonIn(request.body, "the body"));
    ensure(tokens.length > 0 && tokens.every((token) => typeof token === "string"), "no tokens");
    if (tokens.length > 1000) return answer(400, "80300010", "too many tokens");
    const [id, android] = pairOf(customize);
    const illegal = (tokens as string[]).filter((token) => ILLEGAL.has(this.#tokens.get(token) ?? ""));
    const partial = { success: tokens.length - illegal.length, failure: illegal.length, illegal_tokens: illegal };
    const reason = this.#name === "harmony" ? reasonOf(illegal.map((token) => this.#tokens.get(token))) : {};
    // A reason comes after the tokens, however long their list.
    const said = JSON.stringify({ ...partial, ...reason });
    if (illegal.length === tokens.length) {
      return answer(200, "80300007", this.#name === "harmony" ? said : "all tokens are invalid");
    }
    for (const token of tokens as string[]) {
      if (illegal.includes(token)) continue;
      const key = `${token} ${appMessageId}`;
      if (appMessageId !== undefined && now - (this.#seen.get(key) ?? now - DAY) < DAY) continue;
      this.#seen.set(key, now);
      this.#shown.push({ vendor: this.#name, token, title, message, payload: android?.["payload"], id });
    }
    if (illegal.length === 0) return answer(200, "80000000", "Success");
    return answer(200, "80100000", said);
  }
}

const ILLEGAL: ReadonlySet<string> = new Set(["dead", "unentitled", "unexplained"]);

function reasonOf(states: readonly (string | undefined)[]): { readonly reason?: string } {
  if (states.includes("unentitled")) return { reason: "noPushTypeRight" };
  return states.includes("dead") ? { reason: "tokenFormatError" } : {};
}

const ANDROID_V1 = [
  "collapse_key",
  "urgency",
  "category",
  "ttl",
  "bi_tag",
  "receipt_id",
  "target_user_type",
  "notification",
];
const NOTIFICATION_V1 = [
  ...["title", "body", "image", "icon", "color", "sound", "default_sound", "tag", "group", "channel_id", "notify_id"],
  ...["click_action", "badge", "foreground_show", "importance", "style", "big_title", "big_body", "inbox_content"],
];

function readV1(body: Fields): Read {
  only(body, ["message", "validate_only"], "the body");
  const message = fieldsIn(body["message"], "message");
  only(message, ["data", "notification", "android", "token"], "message");
  const { token, ...rest } = message;
  ensure(Array.isArray(token), "message.token is not a list");
  checkSize({ message: { ...rest, token: [] } });
  const android = fieldsIn(message["android"], "android");
  only(android, ANDROID_V1, "android");
  const [, seconds] = /^(\d+)s$/.exec(String(android["ttl"])) ?? [];
  ensure(Number(seconds) >= 1 && Number(seconds) <= 1_296_000, "android.ttl is not 1s to 1296000s");
  const notification = fieldsIn(android["notification"], "notification");
  only(notification, NOTIFICATION_V1, "notification");
  checkNotifyId(notification["notify_id"]);
  const click = fieldsIn(notification["click_action"], "click_action");
  return {
    tokens: token,
    title: textIn(notification, "title", "notification"),
    message: textIn(notification, "body", "notification"),
    customize: clickExtra(click, "click_action"),
  };
}

/** All of the body but the tokens. */
function checkSize(body: Fields): void {
  ensure(Buffer.byteLength(JSON.stringify(body)) <= 4096, "the body is larger than 4096 bytes");
}

const NOTIFICATION_V3 = [
  ...[
    "category",
    "title",
    "body",
    "image",
    "style",
    "inboxContent",
    "clickAction",
    "notifyId",
    "appMessageId",
    "badge",
  ],
  ...["sound", "soundDuration", "foregroundShow"],
];

function readV3(body: Fields): Read {
  only(body, ["payload", "target", "pushOptions"], "the body");
  const { target, ...rest } = body;
  checkSize({ ...rest, target: { token: [] } });
  const tokens = fieldsIn(target, "target")["token"];
  ensure(Array.isArray(tokens), "target.token is not a list");
  const options = fieldsIn(body["pushOptions"] ?? {}, "pushOptions");
  only(options, ["testMessage", "ttl", "biTag", "receiptId", "collapseKey"], "pushOptions");
  const ttl = options["ttl"];
  ensure(Number.isInteger(ttl) && Number(ttl) >= 1 && Number(ttl) <= 1_296_000, "pushOptions.ttl is not 1 to 1296000");
  const notification = fieldsIn(fieldsIn(body["payload"], "payload")["notification"], "notification");
  only(notification, NOTIFICATION_V3, "notification");
  textIn(notification, "category", "notification");
  checkNotifyId(notification["notifyId"]);
  const { appMessageId } = notification;
  ensure(appMessageId === undefined || /^[A-Za-z0-9+/=_\- ]{1,64}$/.test(String(appMessageId)), "appMessageId");
  const click = fieldsIn(notification["clickAction"], "clickAction");
  const page = click["actionType"] === 1 && (click["action"] ?? click["uri"]) !== undefined;
  ensure(click["actionType"] === 0 || page, "clickAction.actionType is not 0, or 1 with action or uri");
  return {
    tokens,
    title: textIn(notification, "title", "notification"),
    message: textIn(notification, "body", "notification"),
    ...(appMessageId === undefined ? {} : { appMessageId: String(appMessageId) }),
    customize: fieldsIn(click["data"] ?? {}, "clickAction.data")["customize"],
  };
}

function checkNotifyId(id: unknown): void {
  ensure(
    Number.isInteger(id) && Number(id) >= 0 && Number(id) <= 2_147_483_647,
    "the notify id is not 0 to 2147483647",
  );
}

/** What a tap hands to the app: the extra of an intent; nothing where it opens an action, a page of the web, or just the app. */
export function clickExtra(click: Fields, where: string): unknown {
  const { type, intent, action, url } = click;
  ensure(type === 1 || type === 2 || type === 3, `${where}.type is not 1, 2 or 3`);
  ensure(type !== 2 || /^https:\/\//.test(String(url)), `${where}.url is not https`);
  ensure(type !== 1 || (intent === undefined) !== (action === undefined), `${where} has not one of intent and action`);
  return type === 1 && intent !== undefined ? extraOf(textIn(click, "intent", where)) : undefined;
}

/** The id and what was sent for Android, of what the app is handed; both empty when that is nothing. */
export function pairOf(customize: unknown): readonly [id: string, android?: Fields] {
  if (customize === undefined) return [""];
  ensure(Array.isArray(customize) && customize.length === 2, "customize is not a pair");
  return [String(customize[0]), fieldsIn(customize[1], "customize[1]")];
}

/** The extra `customize` of an intent URI, as Android reads it. */
export function extraOf(intent: string): unknown {
  const [, extras] = /^intent:#Intent;(.*);end$/.exec(intent) ?? [];
  ensure(extras !== undefined, "the intent is no intent URI");
  const extra = extras.split(";").find((part) => part.startsWith("S.customize="));
  ensure(extra !== undefined, "the intent has no customize");
  ensure(extras.split(";").includes(`package=${PACKAGE}`), "the intent opens another app");
  return JSON.parse(decodeURIComponent(extra.slice("S.customize=".length)));
}

function answer(status: number, code: string, msg: string): FakeReply {
  return json(status, { code, msg, requestId: `lab-request-${++requests}` });
}
