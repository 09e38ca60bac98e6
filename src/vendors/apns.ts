// APNs: https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
import { createHash, createPublicKey, hash, type KeyObject, X509Certificate } from "node:crypto";
import { SignJWT } from "jose";
import { z } from "zod";
import { PushError } from "../core/errors.ts";
import { expiry, type Notification } from "../core/notification.ts";
import { MINUTE } from "../core/time.ts";
import type { Outcome } from "../core/vendor.ts";
import { excerpt, parseObject, retryAfter, type Verdict } from "./answer.ts";
import type { Answer, CommonApp, Credential, Dialect, HttpReply, ReadFile } from "./dialect.ts";
import { NO_CREDENTIAL, Unsendable } from "./dialect.ts";
import { check, common, oneOf, word } from "./entry.ts";
import { commonKeys, key } from "./entry-keys.ts";
import { type Fields, fieldsOf, isFields, merge } from "./fields.ts";
import { certificateProblems, keyFile, textFile } from "./keys.ts";
import { type Signature, Signatures } from "./signatures.ts";
import { fit } from "./text.ts";

export interface ApnsApp extends CommonApp {
  readonly topic: string;
  readonly environment: "production" | "sandbox";
  /** The same app in the other environment, asked for tokens that are unknown here. */
  readonly other?: ApnsApp;
  /** Absent where a client certificate authenticates. */
  readonly signer?: Signer;
  readonly truncate: boolean;
  readonly fields: Fields;
}

interface Signer {
  readonly key: KeyObject;
  readonly keyId: string;
  readonly teamId: string;
  /** Of the team, the key's id and the key itself. */
  readonly name: string;
}

function parse(entry: unknown, read: ReadFile, now: number): ApnsApp {
  const byCertificate = isFields(entry) && entry["cert_file"] !== undefined;
  return byCertificate ? parseCertificate(entry, read, now) : parseToken(entry, read);
}

const shape = z
  .strictObject(common)
  .omit({ package_name: true })
  .extend({
    bundle_id: word,
    environment: oneOf("auto", "production", "sandbox").default("auto"),
    topic: word.optional(),
    sandbox_url: common.base_url,
  });
const tenCharacters = word.regex(/^[A-Z0-9]{10}$/, "must be 10 capital letters and digits");

function parseToken(entry: unknown, read: ReadFile): ApnsApp {
  const tokenShape = shape.extend({ key_file: keyFile(read, "P-256"), key_id: tenCharacters, team_id: tenCharacters });
  const own = check("apns", tokenShape, entry);
  const { key_file: key, key_id: keyId, team_id: teamId } = own;
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" }).toString("base64");
  const signer = { key, keyId, teamId, name: `${teamId} ${keyId} ${publicKey}` };
  return inEnvironments(own, `key ${teamId} ${keyId}`, { signer });
}

function parseCertificate(entry: unknown, read: ReadFile, now: number): ApnsApp {
  const own = check("apns", shape.extend({ cert_file: textFile(read), key_file: textFile(read).optional() }), entry);
  const tls = { cert: own.cert_file, key: own.key_file ?? own.cert_file };
  const problems = certificateProblems(tls.cert, tls.key, now);
  const file = String((entry as Fields)["cert_file"]);
  if (problems.length > 0) {
    throw new PushError("invalid", problems.map((problem) => `apns.cert_file: ${file}: ${problem}`).join("\n"));
  }
  return inEnvironments(own, `certificate ${new X509Certificate(tls.cert).fingerprint256}`, { tls });
}

function inEnvironments(own: z.infer<typeof shape>, holder: string, proof: Pick<ApnsApp, "signer" | "tls">): ApnsApp {
  const at = (environment: ApnsApp["environment"], baseUrl: string): ApnsApp => ({
    app: own.bundle_id,
    environment,
    account: `${holder} ${baseUrl}`,
    baseUrl,
    topic: own.topic ?? own.bundle_id,
    truncate: own.truncate,
    fields: own.fields,
    ...proof,
  });
  const production = at("production", own.base_url ?? "https://api.push.apple.com");
  const sandbox = at("sandbox", own.sandbox_url ?? "https://api.sandbox.push.apple.com");
  switch (own.environment) {
    case "production":
      return production;
    case "sandbox":
      return sandbox;
    case "auto":
      return { ...production, other: sandbox };
  }
}

const routes = new WeakMap<ApnsApp, readonly [ApnsApp, ...ApnsApp[]]>();

/** The app's environments, then those of the other apps: a token that named no app came to the first. Made once for each app. */
function routesOf(app: ApnsApp, apps: readonly ApnsApp[]): readonly [ApnsApp, ...ApnsApp[]] {
  let known = routes.get(app);
  if (known === undefined) {
    const environments = (one: ApnsApp) => (one.other === undefined ? [] : [one.other]);
    const others = apps.filter((other) => other.app !== app.app).flatMap((other) => [other, ...environments(other)]);
    known = [app, ...environments(app), ...others];
    routes.set(app, known);
  }
  return known;
}

const HALF_HOUR = 30 * MINUTE;
/** Apple punishes a second JWT within 20 minutes of the first, which it may see some minutes after it was signed: while it is not reached. */
const HELD = 25 * MINUTE;

async function credentialOf(
  signer: Signer,
  now: number,
  expired: string | undefined,
  signatures: Signatures,
): Promise<Credential> {
  const known = signatures.get(signer.name);
  if (known !== undefined && known.issued <= now && now < known.expires) {
    const value = await known.value;
    if (value !== expired) return { value, expires: known.expires, renew: known.expires, keep: known.expires };
    // Another that was denied the same JWT may have signed meanwhile.
    if (signatures.get(signer.name) !== known) return await credentialOf(signer, now, expired, signatures);
  }
  const made = sign(signer, now, expired !== undefined);
  signatures.set(signer.name, made, now);
  return { value: await made.value, expires: made.expires, renew: made.expires, keep: made.expires };
}

/**
 * Apple takes a JWT for an hour after its `iat`. That is the last full half hour: whoever signs with this key, another server
 * too, mostly signs the same claims. After one that Apple says has expired, which a clock behind Apple's may do, it
 * is this second.
 */
function sign({ key, keyId, teamId }: Signer, now: number, expired: boolean): Signature {
  const unit = expired ? 1000 : HALF_HOUR;
  const issued = Math.floor(now / unit) * unit;
  const value = new SignJWT({})
    .setProtectedHeader({ alg: "ES256", kid: keyId })
    .setIssuer(teamId)
    .setIssuedAt(issued / 1000)
    .sign(key);
  return { value, issued, expires: Math.max(issued + HALF_HOUR, now + HELD) };
}

interface Push {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Latest {
  readonly app: ApnsApp;
  readonly credential: string;
  readonly second: number;
  readonly push: Push;
}

/** The latest push of each notification: thousands of devices are sent the same one. Valid for a second: Apple counts in those. */
const pushes = new WeakMap<Notification, Latest>();

/** With all headers but those of one device. */
function push(app: ApnsApp, note: Notification, credential: string, now: number): Push {
  const second = Math.floor(now / 1000);
  const before = pushes.get(note);
  if (before?.app === app && before.second === second && before.credential === credential) return before.push;
  const { body, headers } = render(app, note, now);
  const made = { body, headers: credential === "" ? headers : { ...headers, authorization: `bearer ${credential}` } };
  pushes.set(note, { app, credential, second, push: made });
  return made;
}

function render(app: ApnsApp, note: Notification, now: number): Push {
  const { apn } = note.content;
  if (apn === undefined) throw new Unsendable("apns: nothing to show: apn is missing");
  const { alert, badge: given, sound = "default", ...rest } = apn;
  const shown = isFields(alert) || (typeof alert === "string" && alert !== "");
  // A form's fields are all text.
  const badge = typeof given === "string" && /^\d{1,9}$/.test(given) ? Number(given) : given;
  // Without anything to see, the app is to be woken.
  const silent = !shown && typeof badge !== "number";
  const aps: Fields = {
    ...(shown ? { alert, sound } : {}),
    ...(typeof badge === "number" ? { badge } : {}),
    ...(silent ? { "content-available": 1 } : {}),
    ...rest,
  };
  const { headers: own, ...extra } = fieldsOf("apns", app.fields, note);
  const payload = merge({ ...note.content.android.payload, noti: { id: note.id }, aps }, extra);
  const headers = {
    "apns-topic": app.topic,
    "apns-push-type": silent ? "background" : "alert",
    "apns-priority": silent ? "5" : "10",
    "apns-expiration": String(expiration(note, now)),
    "apns-collapse-id": collapseId(note.id),
    ...ownHeaders(own),
  };
  const text = isFields(alert) ? alert["body"] : alert;
  const withText = (body: string) =>
    body === text ? payload : merge(payload, { aps: { alert: isFields(alert) ? { body } : body } });
  const limit = headers["apns-push-type"] === "voip" ? 5120 : 4096;
  const fitting = fit("apns", typeof text === "string" ? text : "", limit, app.truncate && shown, (body) =>
    JSON.stringify(typeof text === "string" ? withText(body) : payload),
  );
  return { body: fitting, headers };
}

const MONTH = 30 * 86_400;

/** Unix seconds. For the connected only (timeToLive 0) Apple is given 10 minutes, and nothing is stored longer than 30 days. */
function expiration(note: Notification, now: number): number {
  return Math.min(Math.floor(expiry(note) / 1000), Math.floor(now / 1000) + MONTH);
}

/** At most 64 bytes: a second notification of the same id takes the first one's place. */
function collapseId(id: string): string {
  return /^[!-~]{1,64}$/.test(id) ? id : createHash("sha256").update(id).digest("base64url");
}

function ownHeaders(own: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(isFields(own) ? own : {}).map(([name, value]) => [name.toLowerCase(), String(value)]);
  const foreign = entries.find(([name, value]) => !/^apns-(?!id$)[a-z-]+$/.test(name!) || !/^[!-~]*$/.test(value!));
  if (foreign !== undefined) throw new Unsendable(`apns: ${foreign[0]} is not a header that a notification may set`);
  return Object.fromEntries(entries);
}

/** A UUID for one delivery, the same at every try: what Apple's log of deliveries is searched by. */
function uuidOf(ref: string): string {
  const hex = hash("sha256", ref);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const VERDICTS: Readonly<Record<string, Verdict>> = {
  Unregistered: "gone",
  ExpiredToken: "gone",
  BadTopic: "denied",
  TopicDisallowed: "denied",
  MissingTopic: "denied",
  IdleTimeout: "retry",
  Shutdown: "retry",
};

/** Where the reason is none we know, the status says it. */
const BY_STATUS: Readonly<Record<number, Verdict>> = {
  400: "refused",
  403: "denied",
  404: "refused",
  405: "refused",
  410: "gone",
  413: "refused",
};

/** BadEnvironmentKeyIdInToken as Apple documents it, BadEnvironmentKeyInToken as it is said to answer, BadCertificateEnvironment. */
const KEY_OF_OTHER_ENVIRONMENT = /Environment/;
/** The server is about to close the connection, which other requests had better not take. */
const LEAVING: readonly string[] = ["Shutdown", "IdleTimeout"];

function judgeReply(reply: HttpReply, now: number): Answer {
  const said = reply.body === "" ? {} : parseObject(reply.body);
  const code = typeof said?.["reason"] === "string" ? said["reason"] : "";
  if (reply.status === 200 && said !== undefined && code === "") {
    const receipt = reply.headers["apns-id"];
    return receipt === undefined ? { kind: "accepted" } : { kind: "accepted", receipt };
  }
  const reason = excerpt(String(reply.status), code, []);
  // It is of another app, but of this environment; or unknown in this one, whatever the app.
  if (code === "DeviceTokenNotForTopic")
    return { kind: "elsewhere", environment: "same", settings: true, outcome: { kind: "gone", reason } };
  if (code === "BadDeviceToken") return { kind: "elsewhere", environment: "other", outcome: { kind: "gone", reason } };
  if (KEY_OF_OTHER_ENVIRONMENT.test(code) && reply.status === 403)
    return { kind: "elsewhere", outcome: { kind: "denied", reason } };
  if (code === "ExpiredProviderToken") return { kind: "anew", with: "credential", outcome: { kind: "denied", reason } };
  // A connection belongs to the first key that was used on it.
  if (code === "UnrelatedKeyIdInToken")
    return { kind: "anew", with: "connection", outcome: { kind: "denied", reason } };
  if (code === "TooManyProviderTokenUpdates") return { kind: "paused", until: now + 20 * MINUTE, reason };
  if (code === "TooManyRequests") {
    // To this device.
    const after = retryAfter(reply.headers["retry-after"], now);
    return { kind: "retry", reason, scope: "token", ...(after === undefined ? {} : { after }) };
  }
  const kind = VERDICTS[code] ?? BY_STATUS[reply.status] ?? "retry";
  if (kind === "denied" && VERDICTS[code] !== undefined) return { kind, reason, settings: true };
  const outcome = detailed(kind, reason, said ?? {}, reply, now);
  return LEAVING.includes(code) ? { kind: "leave", outcome } : outcome;
}

function detailed(kind: Verdict, reason: string, said: Fields, reply: HttpReply, now: number): Outcome {
  const at = said["timestamp"];
  if (kind === "gone" && typeof at === "number") return { kind, reason, at };
  const after = retryAfter(reply.headers["retry-after"], now);
  if (kind === "retry" && after !== undefined) return { kind, reason, after };
  return kind === "paused" ? { kind: "retry", reason } : { kind, reason };
}

export const apns: Dialect<ApnsApp> = {
  name: "apns",
  tokenTypes: ["apn", "apns"],
  statistics: "apn",
  tellsNoArrival: true,
  shows: "apn",
  datesDeaths: true,
  // Tokens came as `<ab cd>`: the system's own description of bytes.
  noise: /[<> ]/g,
  hexadecimal: true,
  typeAfterDeath: "apnNoToken",
  batch: 1,
  // How many of them are used is for the lane to find out (delivery/turns.ts).
  transport: { http2: true, connections: 2, streams: 500, timeout: 15_000, gate: true },
  title: { en: "Apple", zh: "苹果（APNs）" },
  keys: [
    key("bundle_id", "com.example.app", { en: "The app's bundle id.", zh: "应用的 bundle id。" }),
    key("key_file", "AuthKey_ABCDE12345.p8", { en: "Apple's .p8 key.", zh: "苹果签发的 .p8 密钥文件。" }),
    key("key_id", "ABCDE12345", { en: "Its id: 10 characters.", zh: "该密钥的 ID：10 个字符。" }),
    key("team_id", "FGHIJ67890", { en: "The team's id: 10 characters.", zh: "开发者团队的 ID：10 个字符。" }),
    key("cert_file", "apns.pem", {
      en: "Or a client certificate (PEM) instead of key_id and team_id; key_file is its key then, if not in the same file.",
      zh: "或用客户端证书（PEM）代替 key_id 和 team_id；私钥若不在同一文件中，用 key_file 指定。",
    }),
    key("environment", "auto", {
      en: "auto: production, then for tokens unknown there the sandbox; or only one of them: production, sandbox.",
      zh: "auto：先用生产环境，那里不认识的令牌再用沙盒；也可只用其一：production、sandbox。",
    }),
    key("topic", "com.example.app.voip", {
      en: "apns-topic, where it is not the bundle_id.",
      zh: "apns-topic，与 bundle_id 不同时填写。",
    }),
    ...commonKeys("https://api.push.apple.com", {
      en: "the payload; `headers` in it are apns-* headers of the request",
      zh: "载荷（payload；其中的 `headers` 成为请求的 apns-* 头）",
    }),
    key("sandbox_url", "https://api.sandbox.push.apple.com", {
      en: "Another host instead of the sandbox's.",
      zh: "代替沙盒环境的主机地址。",
    }),
  ],
  parse,
  route: (app, _token, apps = [app]) => routesOf(app, apps),
  async credential(app, now, _exchange, expired, signatures = new Signatures()) {
    return app.signer === undefined ? NO_CREDENTIAL : await credentialOf(app.signer, now, expired, signatures);
  },
  encode(app, note, to, credential, now) {
    const { token, ref } = to[0]!;
    if (!/^[0-9a-f]{1,200}$/i.test(token)) throw new Unsendable("apns: the token is not hexadecimal");
    const { body, headers } = push(app, note, credential, now);
    return {
      method: "POST",
      url: `${app.baseUrl}/3/device/${token.toLowerCase()}`,
      headers: { ...headers, "apns-id": uuidOf(ref) },
      body,
    };
  },
  nobody: () => "0".repeat(64),

  decode: (_app, reply, to, now) => to.map(() => judgeReply(reply, now)),
};
