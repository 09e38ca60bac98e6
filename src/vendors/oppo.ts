// OPPO Push (OnePlus, realme), https://open.oppomobile.com/new/developmentDoc/info?id=12968: a signed login for a token of 24
// hours, then up to 1000 messages in a form. `fields` are merged into each message's `notification`.
import { createHash } from "node:crypto";
import { z } from "zod";
import { PushError } from "../core/errors.ts";
import type { Notification } from "../core/notification.ts";
import { DAY, HOUR, MINUTE } from "../core/time.ts";
import type { Outcome } from "../core/vendor.ts";
import { asText, excerpt, judge, understand } from "./answer.ts";
import { Denied, type Dialect, Unsendable } from "./dialect.ts";
import { type AppOf, appOf, callbackUrl, check, common, oneOf, word } from "./entry.ts";
import { callbackKey, entryKeys, key, secretKey } from "./entry-keys.ts";
import { type Fields, fieldsOf, isFields, merge } from "./fields.ts";
import { formPost } from "./form.ts";
import { lifetime } from "./lifetime.ts";
import { notifyId } from "./notify-id.ts";
import { phoneService } from "./phones.ts";
import { receiptsOf } from "./receipt.ts";
import { checkPayload, extras, shorthand, words } from "./text.ts";
import { verdicts } from "./verdicts.ts";

const entry = z
  .strictObject({
    ...common,
    app_key: word,
    master_secret: word,
    region: oneOf("china", "overseas").default("china"),
    channel_id: word.optional(),
    category: word.optional(),
    notify_level: oneOf(1, 2, 16).optional(),
    callback_url: callbackUrl(200),
  })
  .refine(({ category, notify_level }) => category !== undefined || notify_level === undefined, {
    path: ["notify_level"],
    message: "needs category",
  });

export interface OppoApp extends AppOf<z.output<typeof entry>> {
  /** Whether `baseUrl` is one of OPPO's own hosts, of which each knows its region's registration ids only. */
  readonly regional: boolean;
  /** The other region's host: the app need not be known there. */
  readonly abroad?: true;
}

const HOSTS = { china: "https://api.push.oppomobile.com", overseas: "https://api-intl.push.oppomobile.com" };
const TITLE = 50;
const SHORT = 50;
const LONG = 128;
const PARAMETERS = 4000;
const PARAM = 50;
const REF = 64;
const TEN_DAYS = 10 * DAY;
/** Of the 24 hours a login is good for. */
const LOGIN = 20 * HOUR;

const VERDICTS = verdicts({
  // A stale or missing login, timestamps; then key, signature, blacklist, permissions.
  denied: [11, 29, 17, 18, 19, 14, 16, 26, 27, 28, 30],
  paused: [33],
  retry: [-1, -2, 13, 55],
  gone: [10000],
});
/** Key, signature, blacklist, permissions: a new login does not help. */
const ABROAD: ReadonlySet<string> = new Set(["14", "16", "26", "27", "28", "30"]);
const DUPLICATE = "32";

export const oppo: Dialect<OppoApp> = {
  ...phoneService("oppo", { en: "OPPO, OnePlus, realme", zh: "OPPO、一加、realme" }),
  keys: entryKeys(HOSTS.china, { en: "each message's `notification`", zh: "每条消息的 `notification` " }, [
    key("app_key", "...", { en: "The app's key.", zh: "应用的 App Key。" }),
    secretKey("master_secret", { en: "Its Master Secret.", zh: "对应的 Master Secret。" }),
    key("region", "china", {
      en: "Where the app is registered, china or overseas. Registration ids of the other region go to its host.",
      zh: "应用注册的区域：china 或 overseas。另一区域的 registration_id 发往该区域的主机。",
    }),
    key("channel_id", "news", { en: "The notification channel.", zh: "通知渠道。" }),
    key("category", "IM", { en: "Of every notification, as granted.", zh: "所有通知的消息分类，以平台授予的为准。" }),
    key("notify_level", 2, {
      en: "Needs category. 1: bar, 2: and lock screen, 16: and banner, vibration and sound.",
      zh: "须有 category。1：通知栏；2：加锁屏；16：再加横幅、震动和铃声。",
    }),
    callbackKey(200),
  ]),

  parse(given) {
    const own = check("oppo", entry, given);
    return { ...appOf(own, HOSTS[own.region], own.app_key), regional: own.base_url === undefined };
  },

  home(app, token) {
    const region = regionOf(token);
    if (!app.regional || region === app.region) return app;
    const baseUrl = HOSTS[region];
    return { ...app, baseUrl, account: `${app.app_key}@${baseUrl}`, abroad: true };
  },

  async credential(app, now, exchange) {
    const { app_key, master_secret } = app;
    const timestamp = String(now);
    const sign = createHash("sha256")
      .update(app_key + timestamp + master_secret)
      .digest("hex");
    const understood = understand(
      await exchange(formPost(`${app.baseUrl}/server/v1/auth`, { app_key, timestamp, sign })),
      now,
    );
    if ("outcome" in understood) throw new Error("oppo: the login was not answered");
    const { code, message, data } = understood.said;
    const token = isFields(data) ? data["auth_token"] : undefined;
    if (asText(code) === "0" && typeof token === "string" && token !== "")
      return { value: token, expires: now + LOGIN };
    const reason = `oppo: login: ${excerpt(asText(code) ?? "no code", message, [master_secret, sign])}`;
    if (VERDICTS.get(asText(code) ?? "") !== "denied") throw new Error(reason);
    throw app.abroad === true ? new Unsendable(`${reason}; asked at ${app.baseUrl}`) : new Denied(reason);
  },

  encode(app, note, to, auth_token, now) {
    const notification = notificationOf(app, note, now);
    const messages = to.map(({ token, ref }) => ({
      target_type: 2,
      target_value: token,
      verify_registration_id: false,
      notification: { ...notification, app_message_id: shorthand(ref, REF) },
    }));
    const url = `${app.baseUrl}/server/v1/message/notification/unicast`;
    return messages.length === 1
      ? formPost(url, { auth_token, message: JSON.stringify(messages[0]) })
      : formPost(`${url}_batch`, { auth_token, messages: JSON.stringify(messages) });
  },

  decode(app, reply, to, now) {
    const understood = understand(reply, now);
    if ("outcome" in understood) return to.map(() => understood.outcome);
    const { code, message, data } = understood.said;
    if (asText(code) !== "0") {
      const whole = outcome(app, code, message, undefined, now);
      // Said of several it does not tell which of their ids are invalid.
      const unclear = whole.kind === "gone" && to.length > 1;
      const all: Outcome = unclear ? { kind: "retry", reason: whole.reason, alone: true } : whole;
      return to.map(() => all);
    }
    if (to.length === 1 && !Array.isArray(data)) {
      return [outcome(app, 0, "", isFields(data) ? data["messageId"] : undefined, now)];
    }
    const items = Array.isArray(data) ? data.filter(isFields) : [];
    const answers = new Map(items.map((item) => [item["registrationId"], item]));
    return to.map(({ token }) => {
      const item = answers.get(token);
      if (item === undefined) return { kind: "retry", reason: "the answer leaves this one out" };
      return outcome(app, item["errorCode"] ?? 0, item["errorMessage"], item["messageId"], now);
    });
  },

  /** OPPO signs nothing: the secret is in the URL. */
  receipts(_app, request) {
    const events = parseList(request.body);
    if (events === undefined) throw new PushError("invalid", "oppo: the body is not a JSON array");
    return events.flatMap((told) => {
      const { eventType, messageId, registrationIds, param, eventTime } = isFields(told) ? told : {};
      const event = eventType === "push_arrive" ? "arrived" : undefined;
      return receiptsOf(event, { id: messageId, targets: registrationIds, param, at: eventTime });
    });
  },
};

function notificationOf(app: OppoApp, note: Notification, now: number): Fields {
  const { title, message } = words("oppo", note, { title: TITLE, message: LONG, truncate: app.truncate });
  const { channel_id, category, notify_level, callback_url } = app;
  const notification = merge(
    {
      title,
      style: message.length > SHORT ? 2 : 1,
      content: message,
      click_action_type: 0,
      action_parameters: JSON.stringify(extras(note)),
      notify_id: notifyId(note.id),
      off_line: true,
      off_line_ttl: Math.ceil(lifetime(note, now, MINUTE, TEN_DAYS) / 1000),
      network_type: 0,
      ...(channel_id === undefined ? {} : { channel_id }),
      ...(category === undefined ? {} : { category }),
      ...(notify_level === undefined ? {} : { notify_level }),
      ...(callback_url === undefined ? {} : { call_back_url: callback_url }),
      ...(callback_url === undefined || note.id.length > PARAM ? {} : { call_back_parameter: note.id }),
    },
    fieldsOf("oppo", app.fields, note),
  );
  const parameters = notification["action_parameters"];
  const action_parameters = typeof parameters === "string" ? parameters : JSON.stringify(parameters);
  checkPayload("oppo", action_parameters.length, PARAMETERS);
  return { ...notification, action_parameters };
}

function outcome(app: OppoApp, code: unknown, text: unknown, id: unknown, now: number): Outcome {
  const number = asText(code);
  if (number === undefined) return { kind: "retry", reason: "an answer without a code" };
  const receipt = asText(id);
  // A repetition of what was taken before: its id is lost, but it arrived.
  if (number === "0" || number === DUPLICATE) return { kind: "accepted", ...(receipt ? { receipt } : {}) };
  // An app that is not known abroad: a token of there, which a client may have made up, is no reason to stop.
  if (app.abroad === true && ABROAD.has(number)) {
    const reason = `${excerpt(number, text, [app.master_secret])}; asked at ${app.baseUrl}`;
    return { kind: "refused", reason };
  }
  // 10001, unsubscribed: the token may come to life again. The rest are parameters, or unknown.
  return judge(VERDICTS.get(number) ?? "refused", excerpt(number, text, [app.master_secret]), now);
}

function regionOf(token: string): OppoApp["region"] {
  const parts = token.split("_");
  return parts.length === 1 || (parts.length < 4 && parts[parts.length - 2] === "CN") ? "china" : "overseas";
}

function parseList(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
