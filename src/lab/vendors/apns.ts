// APNs as Apple documents it, with both environments: production at the root, the sandbox under /sandbox.
// What is said of a token, in words: "sandbox" lives there only, a bundle's name is the app's it is of (without one, any app's),
// "dead" was unregistered an hour ago, "dead=1800000000000" then, "bad" is none, "busy" has had too many notifications, "mute" gets
// no apns-id in its answer. `fail("patience", n)`: every n-th token that is unknown ends its connection.
import { generateKeyPairSync } from "node:crypto";
import { HOUR, MINUTE } from "../../core/time.ts";
import type { Certified } from "../authority.ts";
import { ensure, Failures, type Fields, fieldsIn, only, Violation } from "../checks.ts";
import type { FakeReply, FakeRequest, FakeVendor, Shown } from "../fake.ts";
import { jsonIn, verifiedJwt } from "../requests.ts";

/** The first is the one that the lab's configuration names. */
const BUNDLES = ["com.example.lab", "com.example.second", "com.example.third"];
const KEY_ID = "LABKEY0001";
const TEAM_ID = "LABTEAM001";

/** The types of push, and what their topics have behind the bundle's name. */
const TOPICS: Readonly<Record<string, string>> = {
  alert: "",
  background: "",
  voip: ".voip",
  complication: ".complication",
  fileprovider: ".pushkit.fileprovider",
  mdm: "",
  location: ".location-query",
  liveactivity: ".push-type.liveactivity",
  pushtotalk: ".voip-ptt",
  widgets: ".push-type.widgets",
  controls: ".push-type.controls",
};
const HEADERS = ["id", "topic", "push-type", "expiration", "priority", "collapse-id"].map((name) => `apns-${name}`);
const APS = [
  "alert",
  "badge",
  "sound",
  "thread-id",
  "category",
  "content-available",
  "mutable-content",
  "target-content-id",
  "interruption-level",
  "relevance-score",
  "filter-criteria",
  "stale-date",
  "content-state",
  "timestamp",
  "event",
];

/** What a client saw go wrong: status and reason. */
class Refusal extends Error {
  readonly status: number;
  readonly more: Fields;
  constructor(status: number, reason: string, more: Fields = {}) {
    super(reason);
    this.status = status;
    this.more = more;
  }
}

const FAILURES: Readonly<Record<string, readonly [number, string]>> = {
  throttle: [429, "TooManyRequests"],
  quota: [429, "TooManyProviderTokenUpdates"],
  denied: [403, "InvalidProviderToken"],
  "expired-credential": [403, "ExpiredProviderToken"],
  "other-key": [403, "UnrelatedKeyIdInToken"],
  "other-environment": [403, "BadEnvironmentKeyIdInToken"],
  busy: [503, "ServiceUnavailable"],
  shutdown: [503, "Shutdown"],
  idle: [400, "IdleTimeout"],
};

/** A key that is for one environment: what the other one answers. */
const KEYS: Readonly<Record<string, { readonly sandbox: boolean; readonly reason: string }>> = {
  "sandbox-key": { sandbox: true, reason: "BadEnvironmentKeyIdInToken" },
  "sandbox-key-odd": { sandbox: true, reason: "BadEnvironmentKeyInToken" },
  "production-key": { sandbox: false, reason: "BadEnvironmentKeyIdInToken" },
};
/** Two texts of a JWT are two JWTs, though they say the same. */
const COUNTS_TEXTS = "counts-jwts";
const KINDS: readonly string[] = [...Object.keys(FAILURES), ...Object.keys(KEYS), COUNTS_TEXTS];

/** With a certificate, clients authenticate by that and not by key. */
export function fakeApns(certificate?: Certified): FakeVendor {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const failures = new Failures();
  let patience = Number.POSITIVE_INFINITY;
  let unknown = 0;
  const tokens = new Map<string, string>();
  const shown: Shown[] = [];
  /** The JWT last seen: checking the signature of every request's would be most of the work. */
  let verified: { readonly jwt: string; readonly iat: number } | undefined;
  let issued: { readonly iat: number; readonly jwt: string; readonly since: number } | undefined;

  function issuedAt(jwt: string): number {
    const { header, claims } = verifiedJwt(jwt, "ES256", publicKey);
    ensure(header["kid"] === KEY_ID && claims["iss"] === TEAM_ID, "another key or team");
    only(header, ["alg", "kid", "typ"], "the JWT's header");
    only(claims, ["iss", "iat"], "the JWT's claims");
    return Number(claims["iat"]);
  }

  function authenticate(request: FakeRequest, now: number, countsTexts: boolean): void {
    if (certificate !== undefined) {
      if (request.clientCertificate === undefined) throw new Refusal(403, "MissingProviderToken");
      const own = request.clientCertificate.trim() === certificate.cert.replaceAll("\r", "").trim();
      if (!own) throw new Refusal(403, "BadCertificate");
      return;
    }
    const [, jwt] = /^bearer (.+)$/.exec(request.headers["authorization"] ?? "") ?? [];
    if (jwt === undefined) throw new Refusal(403, "MissingProviderToken");
    try {
      const iat = verified?.jwt === jwt ? verified.iat : issuedAt(jwt);
      verified = { jwt, iat };
      // Seconds, and not from the future: milliseconds would be.
      ensure(Number.isInteger(iat) && iat * 1000 <= now + MINUTE, "iat is from the future");
      if (iat * 1000 <= now - HOUR) throw new Refusal(403, "ExpiredProviderToken");
      issued ??= { iat, jwt, since: now };
      // Servers that know nothing of each other sign either side of a half hour: no update too many, by what their JWTs say.
      const another = countsTexts ? jwt !== issued.jwt : iat > issued.iat && (iat - issued.iat) * 1000 < 20 * MINUTE;
      if (another && now - issued.since < 20 * MINUTE) throw new Refusal(429, "TooManyProviderTokenUpdates");
      if (countsTexts ? another : iat > issued.iat) issued = { iat, jwt, since: now };
    } catch (error) {
      if (error instanceof Violation) throw new Refusal(403, "InvalidProviderToken");
      throw error;
    }
  }

  function checkHeaders({ headers }: FakeRequest, now: number): void {
    for (const name of Object.keys(headers)) {
      if (name.startsWith("apns-") && !HEADERS.includes(name)) throw new Refusal(400, "BadHeader");
    }
    if (headers["apns-topic"] === undefined) throw new Refusal(400, "MissingTopic");
    const type = headers["apns-push-type"] ?? "";
    if (!Object.hasOwn(TOPICS, type)) throw new Refusal(400, "InvalidPushType");
    const { bundle, suffix } = topicOf(headers["apns-topic"]);
    if (!BUNDLES.includes(bundle)) throw new Refusal(400, "TopicDisallowed");
    if (suffix !== TOPICS[type]) throw new Refusal(400, "BadTopic");
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(headers["apns-id"] ?? ""))
      throw new Refusal(400, "BadMessageId");
    if (Buffer.byteLength(headers["apns-collapse-id"] ?? "") > 64) throw new Refusal(400, "BadCollapseId");
    const expiration = headers["apns-expiration"] ?? "0";
    if (!/^\d+$/.test(expiration) || Number(expiration) > now / 1000 + 31 * 86_400)
      throw new Refusal(400, "BadExpirationDate");
    if (!["10", "5", "1"].includes(headers["apns-priority"] ?? "10")) throw new Refusal(400, "BadPriority");
  }

  function checkBody({ headers, body }: FakeRequest): { readonly aps: Fields; readonly payload: Fields } {
    if (body.length > (headers["apns-push-type"] === "voip" ? 5120 : 4096)) throw new Refusal(413, "PayloadTooLarge");
    const { aps: raw, ...payload } = jsonIn(body, "the payload");
    const aps = fieldsIn(raw, "aps");
    only(aps, APS, "aps");
    if (Object.keys(aps).length === 0) throw new Refusal(400, "PayloadEmpty");
    ensure(aps["badge"] === undefined || Number.isInteger(aps["badge"]), "aps.badge is not an integer");
    const background = headers["apns-push-type"] === "background";
    if (background && headers["apns-priority"] !== "5") throw new Refusal(400, "BadPriority");
    if (background !== (aps["alert"] === undefined && aps["badge"] === undefined && aps["sound"] === undefined)) {
      throw new Refusal(400, "InvalidPushType");
    }
    return { aps, payload };
  }

  function checkToken(token: string, sandbox: boolean, topic: string, now: number): void {
    const words = (tokens.get(token) ?? "").split(" ");
    if (words.includes("bad") || words.includes("sandbox") !== sandbox) throw new Refusal(400, "BadDeviceToken");
    const bundle = words.find((word) => /^\w+\./.test(word));
    if (bundle !== undefined && bundle !== topicOf(topic).bundle) throw new Refusal(400, "DeviceTokenNotForTopic");
    const dead = words.find((word) => /^dead\b/.test(word));
    if (dead !== undefined)
      throw new Refusal(410, "Unregistered", { timestamp: Number(dead.split("=")[1] ?? now - HOUR) });
    if (words.includes("busy")) throw new Refusal(429, "TooManyRequests");
  }

  function accept(request: FakeRequest, now: number): FakeReply {
    const [, sandbox, token] = /^(\/sandbox)?\/3\/device\/([0-9a-f]{1,200})$/.exec(request.path) ?? [];
    if (token === undefined) throw new Refusal(404, "BadPath");
    if (request.method !== "POST") throw new Refusal(405, "MethodNotAllowed");
    ensure(request.http === 2, "HTTP/1.1");
    const failing = failures.next(...KINDS) ?? "";
    if (FAILURES[failing] !== undefined) throw new Refusal(...FAILURES[failing]);
    const key = KEYS[failing];
    if (key !== undefined && key.sandbox !== (sandbox !== undefined)) throw new Refusal(403, key.reason);
    authenticate(request, now, failing === COUNTS_TEXTS);
    checkHeaders(request, now);
    const { aps, payload } = checkBody(request);
    checkToken(token, sandbox !== undefined, request.headers["apns-topic"]!, now);
    shown.push(show(token, aps, payload));
    if (tokens.get(token)?.split(" ").includes("mute")) return { status: 200 };
    return { status: 200, headers: { "apns-id": request.headers["apns-id"]! } };
  }

  return {
    name: "apns",
    http2: true,
    http2Only: true,
    streams: { first: 1, full: 1000 },
    config: (baseUrl, write) => ({
      bundle_id: BUNDLES[0]!,
      base_url: baseUrl,
      sandbox_url: `${baseUrl}/sandbox`,
      ...(certificate === undefined
        ? {
            key_file: write("apns.p8", privateKey.export({ type: "pkcs8", format: "pem" }) as string),
            key_id: KEY_ID,
            team_id: TEAM_ID,
          }
        : { cert_file: write("apns.crt", certificate.cert), key_file: write("apns.key", certificate.key) }),
    }),
    handle(request, now) {
      try {
        return accept(request, now);
      } catch (error) {
        if (error instanceof Refusal) {
          const body = JSON.stringify({ reason: error.message, ...error.more });
          const ends = error.message === "BadDeviceToken" && ++unknown % patience === 0;
          return { status: error.status, body, ...(ends ? { ends: { code: 0, reason: "BadDeviceToken" } } : {}) };
        }
        if (error instanceof Violation) return { status: 400, body: JSON.stringify({ reason: error.message }) };
        throw error;
      }
    },
    shown,
    tokens,
    fail(kind, times) {
      if (kind === "patience") patience = times;
      else failures.add(kind, times);
    },
    kinds: KINDS,
  };
}

function topicOf(topic = ""): { readonly bundle: string; readonly suffix: string } {
  const suffix =
    Object.values(TOPICS)
      .filter((known) => known !== "" && topic.endsWith(known))
      .sort((a, b) => b.length - a.length)[0] ?? "";
  return { bundle: topic.slice(0, topic.length - suffix.length), suffix };
}

function show(token: string, aps: Fields, payload: Fields): Shown {
  const { noti, ...rest } = payload;
  const { alert } = aps;
  const texts: Fields = typeof alert === "object" && alert !== null ? (alert as Fields) : { body: alert };
  const id = typeof noti === "object" && noti !== null ? (noti as Fields)["id"] : undefined;
  return {
    vendor: "apns",
    token,
    payload: rest,
    ...(typeof texts["title"] === "string" ? { title: texts["title"] } : {}),
    ...(typeof texts["body"] === "string" ? { message: texts["body"] } : {}),
    ...(typeof id === "string" ? { id } : {}),
  };
}
