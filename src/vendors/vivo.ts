// vivo Push (iQOO), https://dev.vivo.com.cn/documentCenter/doc/362: a signed login, then JSON: to /message/send for one registration
// id; for 2 to 1000 of them the message to /message/saveListPayload, once, and its taskId with each list to /message/pushToList.
// `fields` are merged into the message: "category", "skipType", whatever comes next.
import { createHash } from "node:crypto";
import { z } from "zod";
import { PushError } from "../core/errors.ts";
import type { Notification } from "../core/notification.ts";
import { DAY, HOUR, MINUTE } from "../core/time.ts";
import type { Outcome, Recipient } from "../core/vendor.ts";
import { asText, excerpt, judge, parseObject, understand } from "./answer.ts";
import { Denied, type Dialect, type HttpRequest } from "./dialect.ts";
import { type AppOf, appOf, callbackUrl, check, common, flag, numericId, oneOf, word } from "./entry.ts";
import { callbackKey, entryKeys, foregroundKey, key, secretKey } from "./entry-keys.ts";
import { type Fields, fieldsOf, isFields, merge, withTexts } from "./fields.ts";
import { lifetime, nextDay } from "./lifetime.ts";
import { notifyId } from "./notify-id.ts";
import { phoneService } from "./phones.ts";
import { receiptsOf } from "./receipt.ts";
import { checkPayload, extras, sendingKey, shorthand, WIDE, words } from "./text.ts";
import { verdicts } from "./verdicts.ts";

const SYSTEM = ["IM", "ACCOUNT", "TODO", "DEVICE_REMINDER", "ORDER", "SUBSCRIPTION"] as const;
const OPERATION = ["NEWS", "CONTENT", "MARKETING", "SOCIAL"] as const;

const entry = z.strictObject({
  ...common,
  app_id: numericId,
  app_key: word,
  app_secret: word,
  category: oneOf(...SYSTEM, ...OPERATION).optional(),
  notify_foreground: flag.default(true),
  test_mode: flag.default(false),
  callback_url: callbackUrl(128),
});

export type VivoApp = AppOf<z.output<typeof entry>>;

const HOST = "https://api-push.vivo.com.cn";
const TITLE = 40;
const MESSAGE = 100;
const CUSTOM = 1024;
const PARAM = 64;
const REQUEST_ID = 64;
/** Messages to lists; those to single ids are still taken. */
const LISTS_SPENT = "10252";
/** A login is good for a day, and vivo asks for a new one every hour or two: one that fails is felt only the next day. */
const LOGIN = 20 * HOUR;
const RENEW = 2 * HOUR;

const VERDICTS = verdicts({
  // A stale login; its parameters, signature, clock; another app's.
  denied: [10000, 10200, 10201, 10202, 10203, 10204, 10205, 10206, 10207, 10094],
  paused: [10070, 10073, 10252, 10254],
  retry: [10040, 10072, 10250],
  gone: [10302, 10054],
});
/** Of `invalidUser`. Inactive for 90 days (3) may come back; 4 is none of our test devices. */
const STATUSES = verdicts({ gone: [1, 2], refused: [3, 4] });

export const vivo: Dialect<VivoApp> = {
  ...phoneService("vivo", { en: "vivo, iQOO", zh: "vivo、iQOO" }, { connections: 32 }),
  keys: entryKeys(HOST, { en: "the body", zh: "请求体" }, [
    key("app_id", 10004, { en: "The app's number.", zh: "应用的 App ID。" }),
    key("app_key", "...", { en: "The app's key.", zh: "应用的 App Key。" }),
    secretKey("app_secret", { en: "Its secret.", zh: "对应的密钥。" }),
    key("category", "IM", {
      en: "Decides between system and operation messages, which have quotas of their own.",
      zh: "决定属于系统消息还是运营消息，两者配额各自独立。",
    }),
    foregroundKey,
    key("test_mode", false, {
      en: "Reach only the test devices entered in vivo's console.",
      zh: "只发给 vivo 后台登记的测试设备。",
    }),
    callbackKey(128),
  ]),

  parse(given) {
    const own = check("vivo", entry, given);
    return appOf(own, HOST, own.app_id);
  },

  async credential(app, now, exchange) {
    const { app_id, app_key, app_secret } = app;
    const sign = createHash("md5").update(`${app_id}${app_key}${now}${app_secret}`).digest("hex");
    const login = { appId: app_id, appKey: app_key, timestamp: now, sign };
    const understood = understand(await exchange(jsonPost(`${app.baseUrl}/message/auth`, login)), now);
    if ("outcome" in understood) throw new Error("vivo: the login was not answered");
    const { result, desc, authToken } = understood.said;
    const code = asText(result) ?? "no result";
    if (code === "0" && typeof authToken === "string" && /^[!-~]+$/.test(authToken)) {
      return { value: authToken, expires: now + LOGIN, renew: now + RENEW };
    }
    const reason = `vivo: login: ${excerpt(code, desc, [app_secret, sign])}`;
    throw VERDICTS.get(code) === "denied" ? new Denied(reason) : new Error(reason);
  },

  preparing: {
    from: 2,
    encode(app, note, authToken, now) {
      const { pushMode: _ofTheList, regId: _nobody, ...message } = messageOf(app, note, now);
      const body = { ...message, appId: app.app_id, requestId: sendingKey(note, REQUEST_ID) };
      return jsonPost(`${app.baseUrl}/message/saveListPayload`, body, { authtoken: authToken });
    },
    decode(app, reply, now) {
      const understood = understand(reply, now);
      if ("outcome" in understood) return notAccepted(understood.outcome);
      const { said } = understood;
      const name = asText(said["taskId"]);
      if (asText(said["result"]) === "0" && name !== undefined) return { kind: "prepared", name };
      const whole = notAccepted(outcome(app, said, now));
      const spent = asText(said["result"]) === LISTS_SPENT;
      return spent ? { kind: "alone", until: nextDay(now), reason: whole.reason } : whole;
    },
  },

  encode(app, note, to, authToken, now, taskId) {
    const message = messageOf(app, note, now);
    const headers = { authtoken: authToken };
    if (taskId === undefined) {
      const { token, ref } = to[0]!;
      const target = { appId: app.app_id, regId: token, requestId: shorthand(ref, REQUEST_ID) };
      return jsonPost(`${app.baseUrl}/message/send`, { ...message, ...target }, headers);
    }
    // The same list, the same id: vivo drops a repetition.
    const requestId = shorthand(
      to
        .map(({ ref }) => ref)
        .toSorted()
        .join(" "),
      REQUEST_ID,
    );
    const list = { appId: app.app_id, regIds: to.map(({ token }) => token), taskId, requestId };
    return jsonPost(`${app.baseUrl}/message/pushToList`, { ...list, pushMode: message["pushMode"] }, headers);
  },

  decode(app, reply, to, now, taskId) {
    const understood = understand(reply, now);
    if ("outcome" in understood) return to.map(() => understood.outcome);
    if (taskId !== undefined) return listed(app, understood.said, to, now, taskId);
    const one = outcome(app, understood.said, now);
    return to.map(() => one);
  },

  /** vivo signs nothing: the secret is in the URL. */
  receipts(_app, request) {
    const tasks = parseObject(request.body);
    if (tasks === undefined) throw new PushError("invalid", "vivo: the body is not a JSON object");
    return Object.entries(tasks).flatMap(([id, told]) => {
      const { param, targets } = isFields(told) ? told : {};
      return receiptsOf("arrived", { id, targets, param });
    });
  },
};

/** All but whom it goes to. */
function messageOf(app: VivoApp, note: Notification, now: number): Fields {
  const { title, message } = words("vivo", note, {
    title: TITLE,
    message: MESSAGE,
    truncate: app.truncate,
    measure: WIDE,
  });
  const own = fieldsOf("vivo", app.fields, note);
  const category = own["category"] ?? app.category;
  const ours = {
    title,
    content: message,
    notifyType: 4,
    timeToLive: Math.ceil(lifetime(note, now, MINUTE, DAY) / 1000),
    skipType: 1,
    networkType: -1,
    classification: SYSTEM.some((name) => name === category) ? 1 : 0,
    ...(category === undefined ? {} : { category }),
    notifyId: Math.max(notifyId(note.id), 1),
    foregroundShow: app.notify_foreground,
    clientCustomMap: extras(note),
    pushMode: app.test_mode ? 1 : 0,
    ...callback(app, note),
  };
  const body = withTexts(merge(ours, own), "clientCustomMap");
  checkCustom(body["clientCustomMap"]);
  return body;
}

function jsonPost(url: string, body: object, headers: Readonly<Record<string, string>> = {}): HttpRequest {
  return {
    method: "POST",
    url,
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body),
  };
}

function callback(app: VivoApp, note: Notification): Fields {
  if (app.callback_url === undefined) return {};
  const param = note.id.length <= PARAM ? { "callback.param": note.id } : {};
  return { extra: { callback: app.callback_url, ...param } };
}

function checkCustom(map: unknown): void {
  const pairs = isFields(map) ? Object.entries(map) : [];
  const size = pairs.reduce((sum, [name, value]) => sum + name.length + String(value).length, 0);
  checkPayload("vivo", size, CUSTOM);
}

function outcome(app: VivoApp, said: Fields, now: number): Outcome {
  const code = asText(said["result"]);
  if (code === undefined) return { kind: "retry", reason: "an answer without a result" };
  const status = isFields(said["invalidUser"]) ? asText(said["invalidUser"]["status"]) : undefined;
  const receipt = asText(said["taskId"]);
  const reason = excerpt(status === undefined ? code : `${code} status ${status}`, said["desc"], [app.app_secret]);
  const invalid = STATUSES.get(status ?? "");
  const aboutUser = code === "0" || VERDICTS.get(code) === "gone";
  if (aboutUser && invalid !== undefined) return judge(invalid, reason, now);
  if (code === "0" && status === undefined) return { kind: "accepted", ...(receipt === undefined ? {} : { receipt }) };
  // The device's hours or silence, content, category, parameters; or unknown.
  return judge(VERDICTS.get(code) ?? "refused", reason, now, code === "10250" ? 1000 : undefined);
}

/** What a list was answered, which names only those it is not for. */
function listed(app: VivoApp, said: Fields, to: readonly Recipient[], now: number, taskId: string): readonly Outcome[] {
  const code = asText(said["result"]);
  if (code !== "0") {
    const whole = notAccepted(outcome(app, said, now));
    // It does not tell whose id is meant; and where lists are spent, single ones are not.
    const unclear = whole.kind === "gone" || code === LISTS_SPENT;
    return to.map(() => (unclear ? { kind: "retry", reason: whole.reason, alone: true } : whole));
  }
  const invalid = [said["invalidUsers"], said["invalidUser"]].flat().filter(isFields);
  const statuses = new Map(invalid.map(({ userid, status }) => [asText(userid), asText(status) ?? "none"]));
  return to.map(({ token }) => {
    const status = statuses.get(token);
    if (status === undefined) return { kind: "accepted", receipt: taskId };
    const reason = excerpt(`0 status ${status}`, said["desc"], [app.app_secret]);
    return judge(STATUSES.get(status) ?? "refused", reason, now);
  });
}

/** An answer without the name that it should give has accepted nothing. */
function notAccepted(whole: Outcome): Exclude<Outcome, { readonly kind: "accepted" }> {
  return whole.kind === "accepted" ? { kind: "retry", reason: "an answer without a taskId" } : whole;
}
