// Web Push: RFC 8030 (delivery), RFC 8291 (encryption), RFC 8292 (VAPID). The token is the browser's PushSubscription as JSON.
import { createECDH, createPrivateKey, type KeyObject, randomBytes } from "node:crypto";
import { SignJWT } from "jose";
import { z } from "zod";
import { DAY, HOUR, MINUTE } from "../core/time.ts";
import type { Host, Outcome } from "../core/vendor.ts";
import { asText, excerpt, parseObject, retryAfter } from "./answer.ts";
import type { CommonApp, Dialect, HttpReply } from "./dialect.ts";
import { Unsendable } from "./dialect.ts";
import { check, common, flag, word } from "./entry.ts";
import { commonKeys, key, secretKey } from "./entry-keys.ts";
import { type Fields, fieldsOf, isFields, merge } from "./fields.ts";
import { lifetime } from "./lifetime.ts";
import { fit, shorthand } from "./text.ts";
import { type BrowserKeys, encrypt, LONGEST_TEXT } from "./webpush-encryption.ts";

export interface WebPushApp extends CommonApp {
  readonly signer: { readonly key: KeyObject; readonly publicKey: string; readonly subject: string };
  readonly hosts?: readonly string[];
  readonly truncate: boolean;
  readonly fields: Fields;
}

const LONGEST = 28 * DAY;
const SECOND = 1000;
const HALF_DAY = 12 * HOUR;

export const webpush: Dialect<WebPushApp> = {
  name: "webpush",
  tokenTypes: ["webpush"],
  tellsNoArrival: true,
  typeAfterDeath: null, // a browser has no type of its own
  batch: 1,
  transport: { http2: true, connections: 2, streams: 100, timeout: 15_000, gate: false },
  sample: JSON.stringify({
    endpoint: "https://push.example.com/nobody",
    keys: {
      p256dh: "BB4YUy_UdUwC8wQdnHXOszuD_9gax85P6ILMscmLxYlupGwxHE4v9A3ZajZT5uRURdMt_khuztdcepDGoYiBwKM",
      auth: "AAAAAAAAAAAAAAAAAAAAAA",
    },
  }),
  title: { en: "Browsers (Web Push)", zh: "浏览器（Web Push）" },
  keys: [
    key("app", "push.example.com", {
      en: "The name that web clients give as their package name.",
      zh: "网页客户端作为包名上报的名称。",
    }),
    secretKey("private_key", { en: "The VAPID key: 32 bytes in base64url.", zh: "VAPID 私钥：32 字节的 base64url。" }),
    key("subject", "mailto:admin@example.com", {
      en: "Whom a push service may write to: a mailto: or https: address.",
      zh: "推送服务的联系方式：mailto: 或 https: 地址。",
    }),
    key("hosts", ["googleapis.com", "mozilla.com", "push.apple.com", "notify.windows.com"], {
      en: "The only push services to talk to, with their subdomains; without it any public one.",
      zh: "只允许访问的推送服务域名，含其子域名；不写则允许任何公网服务。",
    }),
    key("private_hosts", false, {
      en: "Also talk to hosts in private networks: for tests only.",
      zh: "也允许访问内网主机：仅供测试。",
    }),
    ...commonKeys("", {
      en: "the payload; `headers` in it are urgency and topic of the request",
      zh: "载荷（其中的 `headers` 为请求的 urgency 和 topic）",
    }).slice(1),
  ],

  parse(entry) {
    const shape = z.strictObject({
      app: word,
      private_key: word.regex(/^[\w-]{43}$/, "must be 32 bytes in base64url: 43 characters"),
      subject: word.refine(isContact, CONTACT),
      hosts: z.array(word).optional(),
      private_hosts: flag.default(false),
      truncate: common.truncate,
      fields: common.fields,
    });
    const own = check("webpush", shape, entry);
    const { key, publicKey } = vapidKey(own.private_key);
    return {
      app: own.app,
      account: publicKey,
      baseUrl: "",
      publicOnly: !own.private_hosts,
      vouched: own.hosts !== undefined,
      signer: { key, publicKey, subject: own.subject },
      ...(own.hosts === undefined ? {} : { hosts: own.hosts }),
      truncate: own.truncate,
      fields: own.fields,
    };
  },

  host: (app, token) => hostOf(app, token),

  /** A credential is for one push service: each has its own account. */
  route(app, token) {
    const { origin, hostname } = new URL(subscription(token).endpoint);
    if (app.hosts !== undefined && !app.hosts.some((host) => isOf(hostname, host))) {
      throw new Unsendable(`webpush: ${hostname} is not one of the configured hosts`);
    }
    return [{ ...app, baseUrl: origin, account: `${app.account} ${origin}` }];
  },

  async credential({ signer, baseUrl }, now) {
    const expires = Math.floor((now + HALF_DAY) / 1000);
    const value = await new SignJWT({})
      .setProtectedHeader({ alg: "ES256", typ: "JWT" })
      .setAudience(baseUrl)
      .setExpirationTime(expires)
      .setSubject(signer.subject)
      .sign(signer.key);
    return { value, expires: expires * 1000 };
  },

  encode(app, note, to, credential, now) {
    const { endpoint, keys } = subscription(to[0]!.token);
    const { title, message = "", payload } = note.content.android;
    if (title === undefined || title === "") throw new Unsendable("webpush: nothing to show: android.title is missing");
    const { headers, ...extra } = fieldsOf("webpush", app.fields, note);
    const text = fit("webpush", message, LONGEST_TEXT, app.truncate, (body) =>
      JSON.stringify(merge({ title, body, data: payload, tag: note.id, id: note.id }, extra)),
    );
    return {
      method: "POST",
      url: endpoint,
      headers: {
        // One large service refuses 0, which others take for: only if the browser is there now.
        ttl: String(Math.floor(lifetime(note, now, SECOND, LONGEST) / 1000)),
        urgency: "high",
        topic: shorthand(note.id, 32),
        ...ownHeaders(headers),
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        authorization: `vapid t=${credential}, k=${app.signer.publicKey}`,
      },
      body: encrypted(text, keys),
    };
  },

  nobody(host = "updates.push.services.mozilla.com") {
    const browser = createECDH("prime256v1");
    const keys = { p256dh: browser.generateKeys("base64url"), auth: randomBytes(16).toString("base64url") };
    return JSON.stringify({ endpoint: `https://${host}/wpush/v2/nobody-has-this-token`, keys });
  },

  decode: (_app, reply, to, now) => to.map(() => judge(reply, now)),
};

const CONTACT =
  "must be a mailto: or https: address that a push service can reach, such as mailto:admin@example.com; Apple refuses localhost and the like";

/** With a name that means the same everywhere (RFC 8292, 2.1). */
function isContact(subject: string): boolean {
  const [, domain] = /^mailto:[^@<>?]+@([^@<>?]+)$/.exec(subject) ?? [];
  if (domain !== undefined) return isPublicName(domain);
  return subject.startsWith("https://") && URL.canParse(subject) && isPublicName(new URL(subject).hostname);
}

const isPublicName = (name: string): boolean =>
  /^([a-z0-9_-]+\.)+[a-z][a-z0-9-]*[a-z0-9]$/i.test(name) &&
  !/\.(local|localhost|localdomain|internal|lan|invalid)$/i.test(name);

/** A key for `private_key`, and what pages give as `applicationServerKey`. */
export function createVapidKey(): { readonly privateKey: string; readonly publicKey: string } {
  const curve = createECDH("prime256v1");
  const publicKey = curve.generateKeys("base64url");
  // A private key may begin with zeros, which Node leaves out.
  const bytes = curve.getPrivateKey();
  return { privateKey: Buffer.concat([Buffer.alloc(32 - bytes.length), bytes]).toString("base64url"), publicKey };
}

/** What pages subscribe with. @param privateKey of an entry, checked */
export const publicKeyOf = (privateKey: string): string => vapidKey(privateKey).publicKey;

function vapidKey(privateKey: string): { readonly key: KeyObject; readonly publicKey: string } {
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(privateKey, "base64url");
  const point = curve.getPublicKey();
  const x = point.subarray(1, 33).toString("base64url");
  const y = point.subarray(33).toString("base64url");
  const key = createPrivateKey({ key: { kty: "EC", crv: "P-256", d: privateKey, x, y }, format: "jwk" });
  return { key, publicKey: point.toString("base64url") };
}

/** The services that nearly all browsers use; Windows has a host for each of its regions. */
const SERVICES = [
  "fcm.googleapis.com",
  "updates.push.services.mozilla.com",
  "web.push.apple.com",
  "notify.windows.com",
];

/** A name of the DNS, and a port. */
const LONGEST_HOST = 260;

const isOf = (hostname: string, host: string): boolean => hostname === host || hostname.endsWith(`.${host}`);

function hostOf(app: WebPushApp, token: string): Host | undefined {
  const endpoint = asText(parseObject(token)?.["endpoint"]);
  if (endpoint === undefined || !URL.canParse(endpoint)) return undefined;
  const { host, hostname } = new URL(endpoint);
  if (host.length > LONGEST_HOST || (app.hosts !== undefined && !app.hosts.some((one) => isOf(hostname, one))))
    return undefined;
  const service = SERVICES.find((one) => isOf(host, one));
  if (service !== undefined) return { name: service, known: true };
  return { name: host, known: app.hosts?.includes(hostname) === true };
}

/** @throws Unsendable for what is no PushSubscription: a client may have sent anything as its token */
function subscription(token: string): { readonly endpoint: string; readonly keys: BrowserKeys } {
  const said = parseObject(token);
  const keys = isFields(said?.["keys"]) ? said["keys"] : {};
  const endpoint = asText(said?.["endpoint"]) ?? "";
  const p256dh = asText(keys["p256dh"]) ?? "";
  const auth = asText(keys["auth"]) ?? "";
  if (!/^https:\/\//.test(endpoint) || !URL.canParse(endpoint))
    throw new Unsendable("webpush: no https endpoint in the token");
  if (!/^[\w-]{87}=?$/.test(p256dh) || !/^[\w-]{22}(==)?$/.test(auth)) {
    throw new Unsendable("webpush: keys.p256dh or keys.auth in the token is malformed");
  }
  const url = new URL(endpoint);
  if (url.username !== "" || url.password !== "") throw new Unsendable("webpush: the endpoint has a user or password");
  url.hash = ""; // is for readers of a page
  return { endpoint: url.href, keys: { p256dh, auth } };
}

/** @throws Unsendable */
function encrypted(text: string, keys: BrowserKeys): Buffer {
  try {
    return encrypt(text, keys);
  } catch {
    throw new Unsendable("webpush: keys.p256dh in the token is no point of P-256");
  }
}

function ownHeaders(own: unknown): Readonly<Record<string, string>> {
  const { urgency, topic, ...rest } = isFields(own) ? own : {};
  const foreign = Object.keys(rest)[0];
  if (foreign !== undefined) throw new Unsendable(`webpush: ${foreign} is not a header that a notification may set`);
  if (urgency !== undefined && !/^(very-low|low|normal|high)$/.test(String(urgency))) {
    throw new Unsendable("webpush: urgency must be very-low, low, normal or high");
  }
  if (topic !== undefined && !/^[\w-]{1,32}$/.test(String(topic))) {
    throw new Unsendable("webpush: topic must be at most 32 characters of base64url");
  }
  return {
    ...(urgency === undefined ? {} : { urgency: String(urgency) }),
    ...(topic === undefined ? {} : { topic: String(topic) }),
  };
}

function judge(reply: HttpReply, now: number): Outcome {
  const { status } = reply;
  const reason = excerpt(String(status), parseObject(reply.body)?.["reason"], []);
  // What an accepted message is answered with is not said; a page for people is some other server's.
  const page = status === 200 && /^\s*</.test(reply.body);
  if (status === 201 || status === 202 || (status === 200 && !page)) return { kind: "accepted", ...receiptOf(reply) };
  if (status === 404 || status === 410) return { kind: "gone", reason };
  if (status === 400 || status === 413) return { kind: "refused", reason };
  // The subscription was made with another key than ours, or ours is wrong for all: the next minute tells. No subscription is
  // deleted for it: Apple says so of whatever is wrong with our token, and only 404 and 410 mean a death.
  if (status === 401 || status === 403)
    return { kind: "retry", reason, after: MINUTE, suspect: { from: now + MINUTE / 2, orDenied: true, spares: true } };
  const after = retryAfter(reply.headers["retry-after"], now);
  return after === undefined ? { kind: "retry", reason } : { kind: "retry", reason, after };
}

function receiptOf(reply: HttpReply): { readonly receipt?: string } {
  const { location } = reply.headers;
  return location === undefined ? {} : { receipt: location };
}
