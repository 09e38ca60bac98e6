// Meizu Flyme Push, https://github.com/MEIZUPUSH/PushAPI: each form is signed; up to 100 pushIds; the answer lists only those that
// failed, and the same number may mean one thing of the call and another of a pushId. `fields` are merged into `messageJson`.
import { createHash } from "node:crypto";
import { z } from "zod";
import { PushError } from "../core/errors.ts";
import type { Notification } from "../core/notification.ts";
import { HOUR } from "../core/time.ts";
import type { Outcome, Receipt } from "../core/vendor.ts";
import { asList, asText, excerpt, judge, parseObject, understand } from "./answer.ts";
import { type Dialect, NO_CREDENTIAL } from "./dialect.ts";
import { type AppOf, appOf, callbackUrl, check, common, numericId, oneOf, word } from "./entry.ts";
import { callbackKey, entryKeys, key, secretKey } from "./entry-keys.ts";
import { type Fields, fieldsOf, isFields, merge } from "./fields.ts";
import { formPost } from "./form.ts";
import { lifetime, nextDay } from "./lifetime.ts";
import { each, listed } from "./listed.ts";
import { phoneService } from "./phones.ts";
import { receiptsOf, sameSecret } from "./receipt.ts";
import { extras, words } from "./text.ts";
import { verdicts } from "./verdicts.ts";

const entry = z
  .strictObject({
    ...common,
    app_id: numericId,
    app_secret: word,
    message_type: oneOf("public", "private").optional(),
    callback_url: callbackUrl(128),
    callback_token: word.optional(),
  })
  .refine(({ callback_url, callback_token }) => callback_url === undefined || callback_token !== undefined, {
    path: ["callback_token"],
    message: "is missing: callback_url needs it",
  });

export type MeizuApp = AppOf<z.output<typeof entry>>;

const HOST = "https://server-api-push.meizu.com";
const TITLE = 32;
const MESSAGE = 100;
const PARAM_BYTES = 64;
const EVENTS: ReadonlyMap<number, Receipt["event"]> = new Map([
  [1, "arrived"],
  [2, "clicked"],
]);

const OK = "200";
/** Of the whole call. */
const VERDICTS = verdicts({
  retry: [-1, 500, 1001, 1003, 110010],
  // Signature, app id and key, blacklist, package, task, secret.
  denied: [1006, 110000, 110001, 110009, 110031, 110032, 110033],
  paused: [110019],
});
/** Of one pushId. */
const TARGETS = verdicts({
  gone: [110002, 110003],
  retry: [501, 513, 518, 519],
});
/** This device has had enough for today; others have not. */
const DAILY = "110011";

export const meizu: Dialect<MeizuApp> = {
  ...phoneService("meizu", { en: "Meizu", zh: "魅族" }, { batch: 100 }),
  keys: entryKeys(HOST, "`messageJson`", [
    key("app_id", 10004, { en: "The app's number.", zh: "应用的 App ID。" }),
    secretKey("app_secret", { en: "Its secret.", zh: "对应的密钥。" }),
    key("message_type", "public", {
      en: "private ones, which need Meizu's approval, are not counted against the daily limit of public ones.",
      zh: "private（私信）须经魅族审批，不占 public（公信）的每日限额。",
    }),
    callbackKey(128),
    secretKey("callback_token", {
      en: "Needed by callback_url: the token that Meizu's console shows for the callback.",
      zh: "使用 callback_url 时必填：魅族后台为回执显示的 token。",
    }),
  ]),

  parse(given) {
    const own = check("meizu", entry, given);
    return appOf(own, HOST, own.app_id);
  },

  credential: async () => NO_CREDENTIAL,

  encode(app, note, to, _credential, now) {
    const fields = {
      appId: String(app.app_id),
      messageJson: JSON.stringify(messageOf(app, note, now)),
      pushIds: listed("meizu", to),
    };
    const path = "/garcia/api/server/push/varnished/pushByPushId";
    return formPost(app.baseUrl + path, { ...fields, sign: sign(fields, app.app_secret) });
  },

  decode(app, reply, to, now) {
    const understood = understand(reply, now);
    if ("outcome" in understood) return each(to, () => understood.outcome);
    const { code, message, value, msgId } = understood.said;
    const number = asText(code);
    if (number === undefined) return each(to, () => judge("retry", `HTTP ${reply.status} without a code`, now));
    const reason = excerpt(number, message, [app.app_secret]);
    if (number !== OK) return each(to, () => judge(VERDICTS.get(number) ?? "refused", reason, now));
    const receipt = asText(msgId);
    const failed = failures(value, new Set(to.map(({ token }) => token)));
    return each(to, (token) => {
      const failure = failed.get(token);
      if (failure !== undefined && failure !== OK) return targetOutcome(failure, now);
      return { kind: "accepted", ...(receipt === undefined ? {} : { receipt }) };
    });
  },

  receipts(app, request) {
    const form = new URLSearchParams(request.body);
    if (app.callback_token === undefined || !sameSecret(form.get("access_token") ?? "", app.callback_token)) {
      throw new PushError("denied", "meizu: access_token is not the configured callback_token");
    }
    const callbacks = parseObject(form.get("cb") ?? "");
    if (callbacks === undefined) throw new PushError("invalid", "meizu: cb is not a JSON object");
    return Object.entries(callbacks).flatMap(([key, told]) => {
      const { type, targets, param } = isFields(told) ? told : {};
      return receiptsOf(EVENTS.get(Number(type)), { id: key.replace(/-\d+$/, ""), targets, param });
    });
  },
};

function messageOf(app: MeizuApp, note: Notification, now: number): Fields {
  const { title, message } = words("meizu", note, { title: TITLE, message: MESSAGE, truncate: app.truncate });
  const type = app.message_type === undefined ? {} : { noticeMsgType: app.message_type === "private" ? 1 : 0 };
  return merge(
    {
      noticeBarInfo: { noticeBarType: 0, title, content: message, ...type },
      clickTypeInfo: { clickType: 0, parameters: extras(note) },
      // Hours, and rather too long than not at all.
      pushTimeInfo: { offLine: true, validTime: Math.ceil(lifetime(note, now, HOUR, 72 * HOUR) / HOUR) },
      advanceInfo: { notifyKey: createHash("sha256").update(note.id).digest("base64url").slice(0, 8) },
      ...callback(app, note),
    },
    fieldsOf("meizu", app.fields, note),
  );
}

function callback(app: MeizuApp, note: Notification): Fields {
  if (app.callback_url === undefined) return {};
  const param = Buffer.byteLength(note.id) <= PARAM_BYTES ? { "callback.param": note.id } : {};
  return { extra: { callback: app.callback_url, "callback.type": "3", ...param } };
}

/** Of the raw values, in the order of their names. */
export function sign(fields: Readonly<Record<string, string>>, secret: string): string {
  const names = Object.keys(fields).toSorted();
  const text = names.map((name) => `${name}=${fields[name]}`).join("");
  return createHash("md5")
    .update(text + secret)
    .digest("hex");
}

/** Code by pushId. Documented as code -> pushIds; one source has pushId -> code. */
function failures(value: unknown, tokens: ReadonlySet<string>): ReadonlyMap<string, string> {
  const entries = isFields(value) ? Object.entries(value) : [];
  return new Map(
    entries.flatMap(([key, told]): [string, string][] =>
      tokens.has(key) || !/^-?\d+$/.test(key)
        ? [[key, asText(told) ?? ""]]
        : asList(told).map((token): [string, string] => [token, key]),
    ),
  );
}

function targetOutcome(code: string, now: number): Outcome {
  if (code === DAILY) return { kind: "retry", reason: `pushId: ${code}`, scope: "token", after: nextDay(now) - now };
  // Not authorised, switched off by the user, folded; or unknown.
  return judge(TARGETS.get(code) ?? "refused", excerpt("pushId:", code, []), now);
}
