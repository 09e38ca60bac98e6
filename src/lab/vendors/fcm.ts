// FCM HTTP v1 and Google's token endpoint. Tokens: "dead" is unregistered, "malformed" is none, "foreign" another project's,
// "third-party" Apple's or a browser's, for which the project has no credentials.
// Failures: throttle (Retry-After in seconds), throttle-date (as a date), quota (without), unavailable, unavailable-after, busy (a
// front end's page), internal, denied, forbidden, expired-credential, not-found, third-party.
import { ensure, Failures, type Fields, fieldsIn, only, textIn } from "../checks.ts";
import type { FakeReply, FakeRequest, FakeVendor, Shown } from "../fake.ts";
import { json, TokenEndpoint } from "../oauth.ts";
import { jsonIn, rsaKeys, strictly, verifiedJwt } from "../requests.ts";

const PROJECT = "lab-project";
const EMAIL = "pushbox@lab-project.iam.gserviceaccount.com";
const KEY_ID = "lab-key-1";
const SCOPE = "https://www.googleapis.com/auth/firebase.messaging";
const FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
const BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest";

export function fakeFcm(): FakeVendor {
  const { privateKey, publicKey } = rsaKeys();
  const failures = new Failures();
  const tokens = new Map<string, string>();
  const shown: Shown[] = [];
  let tokenUri = "";
  let count = 0;

  const endpoint = new TokenEndpoint((form, now) => {
    ensure(form.get("grant_type") === "urn:ietf:params:oauth:grant-type:jwt-bearer", "grant_type");
    const { header, claims } = verifiedJwt(form.get("assertion") ?? "", "RS256", publicKey);
    ensure(header["kid"] === KEY_ID && header["typ"] === "JWT", "kid or typ");
    ensure(claims["iss"] === EMAIL && claims["scope"] === SCOPE && claims["aud"] === tokenUri, "iss, scope or aud");
    const issued = Number(claims["iat"]);
    const expires = Number(claims["exp"]);
    ensure(Math.abs(issued * 1000 - now) < 600_000, "iat is not the present in seconds");
    ensure(expires > issued && expires <= issued + 3600, "exp is more than an hour after iat");
  });

  const known: Readonly<Record<string, (now: number) => FakeReply>> = {
    "throttle-date": (now) =>
      failure(429, "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED", { "retry-after": new Date(now + 90_000).toUTCString() }),
    "unavailable-after": () => failure(503, "UNAVAILABLE", "UNAVAILABLE", { "retry-after": "120" }),
    busy: () => ({ status: 503, headers: { "content-type": "text/html" }, body: "<html>busy</html>" }),
    forbidden: () => failure(403, undefined, "PERMISSION_DENIED"),
    throttle: () => failure(429, "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED", { "retry-after": "30" }),
    quota: () => failure(429, "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED"),
    denied: () => failure(401, undefined, "UNAUTHENTICATED"),
    "expired-credential": () => failure(401, undefined, "UNAUTHENTICATED"),
    unavailable: () => failure(503, "UNAVAILABLE", "UNAVAILABLE"),
    internal: () => failure(500, "INTERNAL", "INTERNAL"),
    "not-found": () => failure(404, undefined, "NOT_FOUND"),
    "third-party": () => failure(401, "THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED"),
  };

  function send(request: FakeRequest, now: number): FakeReply {
    const failing = failures.next(...Object.keys(known));
    if (failing !== undefined) return known[failing]!(now);
    if (endpoint.problem(request, now) !== undefined) return failure(401, undefined, "UNAUTHENTICATED");
    ensure(request.headers["content-type"] === "application/json", "content-type");
    const body = jsonIn(request.body, "the body");
    only(body, ["message", "validate_only"], "the body");
    const message = checkMessage(fieldsIn(body["message"], "message"));
    const { token, ...rest } = message;
    ensure(typeof token === "string", "message.token");
    ensure(Buffer.byteLength(JSON.stringify(rest)) <= 4096, "the message is larger than 4096 bytes");
    switch (tokens.get(token)) {
      case "dead":
        return failure(404, "UNREGISTERED", "NOT_FOUND");
      case "malformed":
        return invalid("The registration token is not a valid FCM registration token", "message.token");
      case "refused":
        return invalid("Request contains an invalid argument.", "message");
      case "third-party":
        return failure(401, "THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED");
      case "foreign":
        return failure(403, "SENDER_ID_MISMATCH", "PERMISSION_DENIED");
    }
    shown.push(show(token, message));
    return json(200, { name: `projects/${PROJECT}/messages/0:${++count}` });
  }

  return {
    name: "fcm",
    http2: true,
    streams: { first: 100, full: 100 },
    logsIn: true,
    config(baseUrl, write) {
      tokenUri = `${baseUrl}/token`;
      const account = {
        type: "service_account",
        project_id: PROJECT,
        private_key_id: KEY_ID,
        private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
        client_email: EMAIL,
        token_uri: tokenUri,
      };
      return {
        package_name: "com.example.lab",
        service_account_file: write("fcm.json", JSON.stringify(account)),
        base_url: baseUrl,
      };
    },
    handle(request, now) {
      if (request.path === "/token") return endpoint.handle(request, now);
      if (request.method !== "POST" || request.path !== `/v1/projects/${PROJECT}/messages:send`) {
        return { status: 404, headers: { "content-type": "text/html" }, body: "<html>Not Found</html>" };
      }
      return strictly(
        () => send(request, now),
        (problem) => invalid(problem, "message"),
      );
    },
    shown,
    tokens,
    fail(kind, times) {
      failures.add(kind, times);
      if (kind === "expired-credential") endpoint.revoke();
    },
    kinds: Object.keys(known),
    login: endpoint,
  };
}

const ANDROID = ["collapse_key", "priority", "ttl", "restricted_package_name", "data", "notification", "fcm_options"];

function checkMessage(message: Fields): Fields {
  only(message, ["token", "notification", "data", "android", "apns", "webpush", "fcm_options"], "message");
  if (message["notification"] !== undefined) {
    only(fieldsIn(message["notification"], "notification"), ["title", "body", "image"], "notification");
  }
  for (const [key, value] of Object.entries(fieldsIn(message["data"] ?? {}, "data"))) {
    ensure(typeof value === "string", `data.${key} is not a text`);
    ensure(!/^(from|message_type|google\..*|gcm\..*)$/.test(key), `data.${key} is reserved`);
  }
  const android = fieldsIn(message["android"] ?? {}, "android");
  only(android, ANDROID, "android");
  ensure(["NORMAL", "HIGH", undefined].includes(android["priority"] as string | undefined), "android.priority");
  const [, seconds] = /^(\d+)s$/.exec(String(android["ttl"] ?? "0s")) ?? [];
  ensure(seconds !== undefined && Number(seconds) <= 2_419_200, "android.ttl is not at most 2419200s");
  for (const name of ["collapse_key", "restricted_package_name"])
    ensure(["undefined", "string"].includes(typeof android[name]), `android.${name} is not a text`);
  for (const [key, value] of Object.entries(fieldsIn(android["data"] ?? {}, "android.data")))
    ensure(typeof value === "string", `android.data.${key} is not a text`);
  checkAndroid(fieldsIn(android["notification"] ?? {}, "android.notification"));
  return message;
}

const TEXTS = [
  ...["title", "body", "icon", "color", "sound", "tag", "click_action", "body_loc_key", "title_loc_key", "channel_id"],
  ...["ticker", "event_time", "image", "notification_priority", "visibility", "proxy"],
];
const LISTS = ["body_loc_args", "title_loc_args", "vibrate_timings"];
const FLAGS = ["sticky", "local_only", "default_sound", "default_vibrate_timings", "default_light_settings"];
const PRIORITIES = ["UNSPECIFIED", "MIN", "LOW", "DEFAULT", "HIGH", "MAX"].map((name) => `PRIORITY_${name}`);

function checkAndroid(notification: Fields): void {
  const where = "android.notification";
  only(notification, [...TEXTS, ...LISTS, ...FLAGS, "notification_count", "light_settings"], where);
  for (const [name, value] of Object.entries(notification)) {
    if (TEXTS.includes(name)) ensure(typeof value === "string", `${where}.${name} is not a text`);
    if (LISTS.includes(name)) ensure(Array.isArray(value), `${where}.${name} is not a list`);
    if (FLAGS.includes(name)) ensure(typeof value === "boolean", `${where}.${name} is not true or false`);
  }
  ensure(Number.isInteger(notification["notification_count"] ?? 0), `${where}.notification_count is not an integer`);
  const priority = notification["notification_priority"];
  ensure(priority === undefined || PRIORITIES.includes(String(priority)), `${where}.notification_priority`);
}

function show(token: string, message: Fields): Shown {
  const notification = fieldsIn(message["notification"] ?? {}, "notification");
  // The SDK looks for the text that it also sends itself.
  const sent = jsonIn(Buffer.from(textIn(fieldsIn(message["data"], "data"), "payload", "data")), "data.payload");
  only(sent, ["title", "message", "payload", "id"], "data.payload");
  ensure(sent["title"] === notification["title"], "data.payload.title is not what is shown");
  return {
    vendor: "fcm",
    token,
    title: textIn(sent, "title", "data.payload"),
    message: String(sent["message"]),
    payload: sent["payload"],
    id: textIn(sent, "id", "data.payload"),
  };
}

function failure(
  code: number,
  errorCode: string | undefined,
  status: string,
  headers: Readonly<Record<string, string>> = {},
): FakeReply {
  const details = errorCode === undefined ? [] : [{ "@type": FCM_ERROR, errorCode }];
  return json(code, { error: { code, message: "lab", status, details } }, headers);
}

function invalid(message: string, field: string): FakeReply {
  const details = [
    { "@type": FCM_ERROR, errorCode: "INVALID_ARGUMENT" },
    { "@type": BAD_REQUEST, fieldViolations: [{ field, description: message }] },
  ];
  return json(400, { error: { code: 400, message, status: "INVALID_ARGUMENT", details } });
}
