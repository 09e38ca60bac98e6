// Apple through other servers that hold its keys: their /api/apn, as socket.io-push and pushbox have it.
import { z } from "zod";
import { expiry, type Notification } from "../core/notification.ts";
import type { Outcome, Recipient } from "../core/vendor.ts";
import { asList, excerpt, understand } from "./answer.ts";
import type { Answer, CommonApp, Dialect, HttpReply } from "./dialect.ts";
import { NO_CREDENTIAL, Unsendable } from "./dialect.ts";
import { check, host, list, word } from "./entry.ts";
import { key, secretKey } from "./entry-keys.ts";
import { type Fields, isFields } from "./fields.ts";
import { formPost } from "./form.ts";

export interface RelayedApp extends CommonApp {
  readonly key?: string;
  readonly relays: readonly [string, ...string[]];
}

const shape = z.strictObject({
  bundle_id: word,
  relays: list(host).refine((urls) => new Set(urls).size === urls.length, "names one twice"),
  relay_key: word.optional(),
});

const MALFORMED = { kind: "refused", reason: "apns: the token is not hexadecimal" } as const satisfies Outcome;

/** A relay refuses a whole batch for one token that it cannot read. */
const sendable = ({ token }: Recipient): boolean => /^[0-9a-f]{1,200}$/i.test(token);

/** What concerns Apple, and nothing of what was meant for other vendors. */
function relayedContent({ id, content }: Notification): Fields {
  const { apn, android, vendors } = content;
  if (apn === undefined) throw new Unsendable("apns: nothing to show: apn is missing");
  const own = isFields(vendors) && Object.hasOwn(vendors, "apns") ? { vendors: { apns: vendors["apns"] } } : {};
  return { id, apn, android: { payload: android.payload }, ...own };
}

/**
 * `success` counts those that Apple took, `errorTokens` are dead. A pushbox also says what became of the others: `refusedTokens`
 * for ever, `retryTokens` not yet, and the `reason` of one of them. Another relay leaves those to be asked about one by one.
 */
function judge({ key }: RelayedApp, reply: HttpReply, to: readonly Recipient[], now: number): readonly Answer[] {
  const every = (outcome: Answer): readonly Answer[] => to.map(() => outcome);
  const alone = to.length > 1 ? { alone: true as const } : {};
  const { status } = reply;
  const secrets = key === undefined ? [] : [key];
  const read = understand(reply, now);
  const said = "said" in read ? read.said : {};
  const reason = excerpt(`relay: HTTP ${status}`, said["message"] ?? said["msg"], secrets);
  // Another relay may have the key, or the app.
  const denied: Answer = { kind: "elsewhere", outcome: { kind: "denied", reason } };
  if (status === 401 || status === 403 || status === 404) return every(denied);
  if (status === 400 || status === 413) return every({ kind: to.length > 1 ? "retry" : "refused", reason, ...alone });
  if ("outcome" in read) return every(status >= 500 ? { kind: "elsewhere", outcome: read.outcome } : read.outcome);
  if (said["msg"] === "bundleId not supported") return every(denied);
  const { success } = said;
  if (status !== 200 || typeof success !== "number") return every({ kind: "retry", reason });

  const why = excerpt("relay:", said["reason"], secrets);
  const told = (name: string, outcome: Outcome): readonly (readonly [string, Outcome])[] =>
    asList(said[name]).map((token) => [token, outcome]);
  const verdicts = new Map([
    ...told("retryTokens", { kind: "retry", reason: why }),
    ...told("refusedTokens", { kind: "refused", reason: why }),
    ...told("errorTokens", { kind: "gone", reason: "relay: the token is dead" }),
  ]);
  const others = new Set(to.map(({ token }) => token).filter((token) => !verdicts.has(token)));
  const rest: Outcome =
    success >= others.size
      ? { kind: "accepted" }
      : { kind: "retry", reason: `relay: Apple took ${success} of ${others.size}, not said which`, ...alone };
  return to.map(({ token }) => verdicts.get(token) ?? rest);
}

export const apnsRelay: Dialect<RelayedApp> = {
  name: "apns",
  tokenTypes: ["apn", "apns"],
  batch: 1000,
  // A relay asks Apple for each token before it answers.
  transport: { http2: false, connections: 4, streams: 1, timeout: 60_000, gate: false },
  title: { en: "Apple", zh: "苹果（APNs）" },
  keys: [
    key("bundle_id", "com.example.app", { en: "The app's bundle id.", zh: "应用的 bundle id。" }),
    key("relays", ["https://push2.example.com:11001"], {
      en: "Or other servers that have this app's key, instead of everything but bundle_id: they take turns, and stand in for each other.",
      zh: "或改由持有该应用密钥的其他服务器转发（此时只需再写 bundle_id）：它们轮流工作，互为备份。",
    }),
    secretKey("relay_key", { en: "The API key that the relays ask for.", zh: "中继要求的 API 密钥。" }),
  ],
  parse(entry) {
    const { bundle_id: app, relays, relay_key: key } = check("apns", shape, entry);
    const [first, ...others] = relays;
    return {
      app,
      account: `relay ${first}`,
      baseUrl: first!,
      relays: [first!, ...others],
      ...(key === undefined ? {} : { key }),
    };
  },
  peers({ relays, ...app }) {
    const at = (url: string): RelayedApp => ({ ...app, relays, account: `relay ${url}`, baseUrl: url });
    const [first, ...others] = relays;
    return [at(first), ...others.map(at)];
  },
  credential: async () => NO_CREDENTIAL,
  encode({ app, baseUrl, key }, note, to, _credential, now) {
    const tokens = to.filter(sendable).map(({ token }) => token);
    if (tokens.length === 0) throw new Unsendable(MALFORMED.reason);
    const fields = {
      notification: JSON.stringify(relayedContent(note)),
      bundleId: app,
      // The first relays take at most 1000 fields of a form, and 100 KB.
      tokens: JSON.stringify(tokens),
      timeToLive: String(Math.max(1, expiry(note) - now)),
    };
    return formPost(`${baseUrl}/api/apn`, fields, key === undefined ? {} : { authorization: `Bearer ${key}` });
  },
  nobody: () => "0".repeat(64),

  decode(app, reply, to, now) {
    const answers = judge(app, reply, to.filter(sendable), now)[Symbol.iterator]();
    return to.map((recipient) => (sendable(recipient) ? answers.next().value! : MALFORMED));
  },
};
