// Xiaomi Mi Push, https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1559: one form to up to 1000 registration ids,
// authorised by the app's secret. `fields` are merged into the form: "extra.channel_id", a template, whatever comes next.
import { z } from "zod";
import { PushError } from "../core/errors.ts";
import type { Notification } from "../core/notification.ts";
import { DAY, MINUTE } from "../core/time.ts";
import type { Receipt } from "../core/vendor.ts";
import { asList, asText, excerpt, judge, parseObject, understand } from "./answer.ts";
import { type Dialect, NO_CREDENTIAL, Unsendable } from "./dialect.ts";
import { type AppOf, appOf, callbackUrl, check, common, flag, word } from "./entry.ts";
import { callbackKey, entryKeys, foregroundKey, key, secretKey } from "./entry-keys.ts";
import { asTexts, type Fields, fieldsOf, isFields, merge } from "./fields.ts";
import { formPost } from "./form.ts";
import { lifetime } from "./lifetime.ts";
import { each, listed } from "./listed.ts";
import { notifyId } from "./notify-id.ts";
import { phoneService } from "./phones.ts";
import { receiptsOf } from "./receipt.ts";
import { fit, sendingKey, words } from "./text.ts";
import { verdicts } from "./verdicts.ts";

const entry = z.strictObject({
  ...common,
  app_secret: word,
  channel_id: word.optional(),
  notify_foreground: flag.default(true),
  callback_url: callbackUrl(1000),
});

export type XiaomiApp = AppOf<z.output<typeof entry>>;

const HOST = "https://api.xmpush.xiaomi.com";
const TITLE = 49;
const MESSAGE = 127;
const PAYLOAD_BYTES = 4096;
const EXTRAS = 10;
const EXTRA_CHARACTERS = 1024;
const JOBKEY = 20;
const PARAM_BYTES = 64;
const FORTNIGHT = 14 * DAY;
/** Delivered, clicked, invalid target, disabled by the user, filtered, quota exceeded. */
const EVENTS: ReadonlyMap<number, Receipt["event"]> = new Map([
  [1, "arrived"],
  [2, "clicked"],
  [16, "gone"],
  [32, "suppressed"],
  [64, "suppressed"],
  [128, "suppressed"],
]);
const ALL_EVENTS = [...EVENTS.keys()].reduce((bits, bit) => bits | bit);

const VERDICTS = verdicts({
  // Authentication, channel, blacklist, unknown app or package.
  denied: [21301, 27001, 10026, 22000, 22001, 22002, 22003, 22004, 22005, 22006, 22007, 22008],
  paused: [200001],
  // Too many a second; system, paused service, remote, busy; rates by address, user, app.
  retry: [200002, 10001, 10002, 10003, 10009, 10022, 10023, 10027],
  gone: [20301],
});
const COUNT = /^\d{1,15}$/;
const NO_VALID_TARGET = "20301";
const BAD_CHANNEL = "27001";
const AFTER: ReadonlyMap<string, number> = new Map([
  ["200002", 1000],
  ["10002", 300_000],
]);

export const xiaomi: Dialect<XiaomiApp> = {
  ...phoneService("xiaomi", { en: "Xiaomi", zh: "小米" }),
  keys: entryKeys(HOST, { en: "the form", zh: "表单" }, [
    secretKey("app_secret", { en: "The App Secret from Xiaomi's console.", zh: "小米后台的 App Secret。" }),
    key("channel_id", "news", {
      en: "Approved by Xiaomi for the app; messages without one are limited to a few a day.",
      zh: "小米为该应用审批的渠道；没有渠道的消息每天只能发很少几条。",
    }),
    foregroundKey,
    callbackKey(1000),
  ]),

  parse(given) {
    const own = check("xiaomi", entry, given);
    return appOf(own, HOST, own.package_name);
  },

  credential: async () => NO_CREDENTIAL,

  encode(app, note, to, _credential, now) {
    const { title, message } = words("xiaomi", note, { title: TITLE, message: MESSAGE, truncate: app.truncate });
    const { android } = note.content;
    const payload = (text: string) => JSON.stringify({ android: { ...android, message: text }, id: note.id });
    const form = merge(
      {
        title,
        description: message,
        payload: fit("xiaomi", android.message ?? "", PAYLOAD_BYTES, app.truncate, payload),
        restricted_package_name: app.app,
        pass_through: "0",
        notify_id: String(notifyId(note.id)),
        time_to_live: String(lifetime(note, now, MINUTE, FORTNIGHT)),
        "extra.notify_foreground": app.notify_foreground ? "1" : "0",
        // Only the first message with the same key is shown, so a repeated request does no harm.
        "extra.jobkey": sendingKey(note, JOBKEY),
        ...(app.channel_id === undefined ? {} : { "extra.channel_id": app.channel_id }),
        ...callback(app, note),
      },
      fieldsOf("xiaomi", app.fields, note),
    );
    const texts = asTexts(form);
    checkExtras(texts);
    const fields = { ...texts, registration_id: listed("xiaomi", to) };
    return formPost(`${app.baseUrl}/v3/message/regid`, fields, { authorization: `key=${app.app_secret}` });
  },

  decode(app, reply, to, now) {
    const understood = understand(reply, now);
    if ("outcome" in understood) return each(to, () => understood.outcome);
    const { said } = understood;
    const code = asText(said["code"]);
    if (code === "0" && said["result"] === "ok") {
      const data = isFields(said["data"]) ? said["data"] : {};
      const bad = new Set(asList(data["bad_regids"]));
      const receipt = asText(data["id"]);
      return each(to, (token) =>
        bad.has(token)
          ? { kind: "gone", reason: "bad_regids" }
          : { kind: "accepted", ...(receipt === undefined ? {} : { receipt }) },
      );
    }
    if (code === undefined || code === "0") {
      return each(to, () => judge("retry", `HTTP ${reply.status} without a code`, now));
    }
    const texts = [said["reason"] ?? said["description"], said["trace_id"]].filter((part) => typeof part === "string");
    const reason = excerpt(code, texts.join(" "), [app.app_secret]);
    // Said of several it does not tell whether each of them is dead.
    if (code === NO_VALID_TARGET && to.length > 1) return each(to, () => ({ kind: "retry", reason, alone: true }));
    if (code === BAD_CHANNEL) return each(to, () => ({ kind: "denied", reason, settings: true }));
    // Without a verdict it is a parameter, or unknown: trying again would not help.
    return each(to, () => judge(VERDICTS.get(code) ?? "refused", reason, now, AFTER.get(code)));
  },

  quota(reply) {
    const { data } = parseObject(reply.body) ?? {};
    if (!isFields(data)) return undefined;
    const [limit, used] = [data["day_quota"], data["day_acked"]].map((count) => asText(count) ?? "");
    return COUNT.test(limit!) && COUNT.test(used!) && Number(limit) > 0
      ? { limit: Number(limit), used: Number(used) }
      : undefined;
  },

  trace: {
    batch: 1,
    encode: (app, [receipt = ""]) => ({
      method: "GET",
      url: `${app.baseUrl}/v1/trace/message/status?msg_id=${encodeURIComponent(receipt)}`,
      headers: { authorization: `key=${app.app_secret}` },
    }),
    decode(_app, reply, [receipt = ""]) {
      const { code, data: outer } = parseObject(reply.body) ?? {};
      const data = isFields(outer) && isFields(outer["data"]) ? outer["data"] : outer;
      if (asText(code) !== "0" || !isFields(data)) return [];
      const counts = { target: data["resolved"], delivered: data["delivered"], clicked: data["click"] };
      const told = Object.entries(counts).filter(([, count]) => COUNT.test(asText(count) ?? ""));
      if (told.length === 0) return [];
      return [{ receipt, ...Object.fromEntries(told.map(([name, count]) => [name, Number(count)])) }];
    },
  },

  /** Xiaomi signs nothing: the secret is in the URL. */
  receipts(_app, request) {
    const data = parseObject(new URLSearchParams(request.body).get("data") ?? "");
    if (data === undefined) throw new PushError("invalid", "xiaomi: data is not a JSON object");
    return Object.entries(data).flatMap(([id, told]) => {
      const { type, targets, param, timestamp } = isFields(told) ? told : {};
      return receiptsOf(EVENTS.get(Number(type)), { id, targets, param, at: timestamp });
    });
  },
};

function callback(app: XiaomiApp, note: Notification): Fields {
  if (app.callback_url === undefined) return {};
  const param = Buffer.byteLength(note.id) <= PARAM_BYTES ? { "extra.callback.param": note.id } : {};
  return { "extra.callback": app.callback_url, "extra.callback.type": String(ALL_EVENTS), ...param };
}

function checkExtras(form: Readonly<Record<string, string>>): void {
  const extras = Object.entries(form).filter(([name]) => name.startsWith("extra."));
  const size = extras.reduce((sum, [name, value]) => sum + name.length - "extra.".length + value.length, 0);
  if (extras.length > EXTRAS || size > EXTRA_CHARACTERS) {
    throw new Unsendable(
      `xiaomi: ${extras.length} extra fields with ${size} characters, ${EXTRAS} with ${EXTRA_CHARACTERS} allowed`,
    );
  }
}
