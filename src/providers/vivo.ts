// vivo Push (iQOO), https://dev.vivo.com.cn/documentCenter/doc/362: a signed login, then JSON to /message/send, one registration
// id each. Lists are left aside: they need two calls, report no arrivals, and only here `requestId` covers each delivery.
// `fields` are merged into the body: "category", "skipType", whatever comes next.
import { createHash } from "node:crypto";
import { z } from "zod";
import { PushError } from "../core/errors.ts";
import type { Notification } from "../core/notification.ts";
import type { Outcome } from "../core/provider.ts";
import { asText, excerpt, judge, parseObject, understand } from "./answer.ts";
import { type CommonApp, Denied, type Dialect, type HttpRequest, Unsendable } from "./dialect.ts";
import {
  callbackKey,
  callbackUrl,
  check,
  common,
  commonKeys,
  flag,
  numericId,
  oneOf,
  packageName,
  word,
} from "./entry.ts";
import { type Fields, fieldsOf, isFields, merge, withTexts } from "./fields.ts";
import { lifetime } from "./lifetime.ts";
import { notifyId } from "./notify-id.ts";
import { receiptsOf } from "./receipt.ts";
import { extras, length, shorthand, words } from "./text.ts";
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

export interface VivoApp extends CommonApp, Omit<z.output<typeof entry>, "package_name" | "base_url"> {}

const TITLE = 40;
const MESSAGE = 100;
const CUSTOM = 1024;
const PARAM = 64;
const REQUEST_ID = 64;
const MINUTE = 60_000;
const DAY = 86_400_000;
/** A login is good for a day, and vivo asks for a new one every hour or two: one that fails is felt only the next day. */
const LOGIN = 20 * 3_600_000;
const RENEW = 2 * 3_600_000;

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
  name: "vivo",
  tokenTypes: ["vivo"],
  batch: 1,
  transport: { http2: false, connections: 32, streams: 1, timeout: 15_000, gate: false },
  title: "vivo, iQOO",
  keys: [
    packageName,
    { name: "app_id", why: "The app's number.", example: 10004 },
    { name: "app_key", why: "The app's key.", example: "..." },
    { name: "app_secret", why: "Its secret.", example: "...", secret: true },
    {
      name: "category",
      why: "Decides between system and operation messages, which have quotas of their own.",
      example: "IM",
    },
    {
      name: "notify_foreground",
      why: "Whether the phone shows it while the app is in the foreground.",
      example: true,
    },
    { name: "test_mode", why: "Reach only the test devices entered in vivo's console.", example: false },
    callbackKey(128),
    ...commonKeys("https://api-push.vivo.com.cn", "the body"),
  ],

  parse(given) {
    const { package_name, base_url, ...rest } = check("vivo", entry, given);
    const baseUrl = base_url ?? "https://api-push.vivo.com.cn";
    return { app: package_name, account: `${rest.app_id}@${baseUrl}`, baseUrl, ...rest };
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

  encode(app, note, to, authToken, now) {
    const { token, ref } = to[0]!;
    const { title, message } = words("vivo", note, { title: TITLE, message: MESSAGE, truncate: app.truncate });
    const own = fieldsOf("vivo", app.fields, note);
    const category = own["category"] ?? app.category;
    const body = withTexts(
      merge(
        {
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
        },
        own,
      ),
      "clientCustomMap",
    );
    checkCustom(body["clientCustomMap"]);
    const target = { appId: app.app_id, regId: token, requestId: shorthand(ref, REQUEST_ID) };
    return jsonPost(`${app.baseUrl}/message/send`, { ...body, ...target }, { authtoken: authToken });
  },

  decode(app, reply, to, now) {
    const understood = understand(reply, now);
    const one = "outcome" in understood ? understood.outcome : outcome(app, understood.said, now);
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
  const param = length(note.id) <= PARAM ? { "callback.param": note.id } : {};
  return { extra: { callback: app.callback_url, ...param } };
}

function checkCustom(map: unknown): void {
  const pairs = isFields(map) ? Object.entries(map) : [];
  const size = pairs.reduce((sum, [name, value]) => sum + length(name) + length(String(value)), 0);
  if (size > CUSTOM) throw new Unsendable(`vivo: the payload has ${size} characters, ${CUSTOM} allowed`);
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
