// Huawei Push Kit: https://developer.huawei.com/consumer/en/doc/HMSCore-References/https-send-api-0000001050986197 (Android, v1)
// and https://developer.huawei.com/consumer/en/doc/harmonyos-references/push-scenariozed-api-request-param (HarmonyOS, v3).
// Two services of one vendor: a phone's token belongs to one of them, and their credentials have nothing in common.
import { createHmac, type KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { z } from "zod";
import { PushError } from "../core/errors.ts";
import type { Notification } from "../core/notification.ts";
import { DAY } from "../core/time.ts";
import type { Outcome, Receipt } from "../core/vendor.ts";
import { asList, asText, excerpt, judge, parseObject, understand, type Verdict } from "./answer.ts";
import type { CommonApp, Dialect, HttpReply, Key } from "./dialect.ts";
import { check, common, word } from "./entry.ts";
import { entryKeys, key, secretKey } from "./entry-keys.ts";
import { type Fields, fieldsOf, isFields, merge, unaddressed } from "./fields.ts";
import { serviceAccountFile } from "./keys.ts";
import { lifetime, nextDay } from "./lifetime.ts";
import { notifyId } from "./notify-id.ts";
import { type ClientApp, clientCredential, clientEntry, clientOf, tokenUrlKey } from "./oauth.ts";
import { phoneService } from "./phones.ts";
import { sameSecret } from "./receipt.ts";
import { ANY_LENGTH, fit, sendingKey, shorthand, words } from "./text.ts";

interface Callback {
  readonly secret: string;
  readonly user: string;
}

export interface HuaweiApp extends ClientApp {
  readonly channel?: string;
  readonly category?: string;
  readonly callback?: Callback;
  readonly truncate: boolean;
  readonly fields: Fields;
}

export interface HarmonyApp extends CommonApp {
  readonly project: string;
  readonly signer: { readonly key: KeyObject; readonly keyId: string; readonly account: string };
  readonly category: string;
  readonly callback?: Callback;
  readonly truncate: boolean;
  readonly fields: Fields;
}

/** Bytes of the whole body but for the tokens; and those of it that stand around what is rendered. */
const LIMIT = 4096;
const V1_AROUND = '{"message":,"token":[]}'.length;
const V3_AROUND = ',"target":{"token":[]}'.length;
const LONGEST = 15 * DAY;
const TOKEN_URL = "https://oauth-login.cloud.huawei.com/oauth2/v3/token";
const HOST = "https://push-api.cloud.huawei.com";

const signatureKeys: readonly Key[] = [
  secretKey("callback_secret", { en: "What Huawei signs its receipts with.", zh: "华为给回执签名所用的密钥。" }),
  key("callback_user", "push", { en: "The user name entered beside it.", zh: "与密钥一同填写的用户名。" }),
];
const callbackKeys = { callback_secret: word.optional(), callback_user: word.optional() };

/** Without it, Huawei repeats its call. */
export const RECEIPT_ANSWER = { code: "0", message: "success" };

export const huawei: Dialect<HuaweiApp> = {
  ...phoneService("huawei", { en: "Huawei (Android)", zh: "华为（Android）" }),
  keys: [
    ...entryKeys(HOST, "`message`", [
      key("client_id", "10086001", { en: "The App ID of AppGallery Connect.", zh: "AppGallery Connect 中的 App ID。" }),
      secretKey("client_secret", { en: "Its App Secret.", zh: "对应的 App Secret。" }),
      key("channel_id", "news", { en: "The notification channel.", zh: "通知渠道。" }),
      key("category", "IM", {
        en: "Of every notification; it must have been granted.",
        zh: "所有通知的消息分类；须已申请获批。",
      }),
      ...signatureKeys,
    ]),
    tokenUrlKey(TOKEN_URL),
  ],

  parse(entry) {
    const shape = z.strictObject({
      ...common,
      ...callbackKeys,
      ...clientEntry,
      channel_id: word.optional(),
      category: word.optional(),
    });
    const own = check("huawei", shape, entry);
    return {
      app: own.package_name,
      baseUrl: own.base_url ?? HOST,
      ...clientOf(own, TOKEN_URL),
      ...(own.channel_id === undefined ? {} : { channel: own.channel_id }),
      ...(own.category === undefined ? {} : { category: own.category }),
      ...callbackOf(own),
      truncate: own.truncate,
      fields: own.fields,
    };
  },

  credential: (app, now, exchange) => clientCredential("huawei", app, now, exchange),

  encode(app, note, to, credential, now) {
    const { title, message } = words("huawei", note, ANY_LENGTH);
    const build = (body: string): Fields => ({
      android: {
        ttl: `${Math.floor(lifetime(note, now, 1000, LONGEST) / 1000)}s`,
        bi_tag: shorthand(note.id, 64),
        ...(app.category === undefined ? {} : { category: app.category }),
        notification: {
          title,
          body,
          notify_id: notifyId(note.id),
          click_action: { type: 1, intent: openingIntent(app.app, note, body) },
          ...(app.channel === undefined ? {} : { channel_id: app.channel }),
        },
      },
    });
    const extra = unaddressed(fieldsOf("huawei", app.fields, note), "token", "topic", "condition");
    const text = fit("huawei", message, LIMIT - V1_AROUND, app.truncate, (body) =>
      JSON.stringify(merge(build(body), extra)),
    );
    return {
      method: "POST",
      url: `${app.baseUrl}/v1/${encodeURIComponent(app.clientId)}/messages:send`,
      headers: { authorization: `Bearer ${credential}`, "content-type": "application/json" },
      // The limit is on the whole without the tokens.
      body: `{"message":${text.slice(0, -1)},"token":${JSON.stringify(tokensOf(to))}}}`,
    };
  },

  decode: (_app, reply, to, now) => decodeReply(reply, tokensOf(to), now, "v1"),
  receiptAnswer: RECEIPT_ANSWER,
  receipts: (app, request) => receiptsOf(app.callback, request),
};

export const harmony: Dialect<HarmonyApp> = {
  ...phoneService("harmony", { en: "Huawei (HarmonyOS)", zh: "华为（HarmonyOS）" }),
  keys: entryKeys(HOST, { en: "the body: `payload`, `pushOptions`", zh: "请求体（`payload`、`pushOptions`）" }, [
    key("service_account_file", "harmony.json", {
      en: "The JSON file from Huawei's API console.",
      zh: "从华为 API Console 下载的 JSON 文件。",
    }),
    key("project_id", "388421841222", {
      en: "Where it is not the service account's own project.",
      zh: "与服务账号所属项目不同时填写。",
    }),
    key("category", "MARKETING", {
      en: "Of every notification; MARKETING needs no grant.",
      zh: "所有通知的消息分类；MARKETING 无需申请。",
    }),
    ...signatureKeys,
  ]),

  parse(entry, read) {
    const names = ["project_id", "key_id", "sub_account"] as const;
    const shape = z.strictObject({
      ...common,
      ...callbackKeys,
      service_account_file: serviceAccountFile(read, "private_key", names),
      project_id: word.optional(),
      category: word.default("MARKETING"),
    });
    const own = check("harmony", shape, entry);
    const account = own.service_account_file;
    return {
      app: own.package_name,
      account: `${account.sub_account} ${account.key_id}`,
      baseUrl: own.base_url ?? HOST,
      project: own.project_id ?? account.project_id,
      signer: { key: account.key, keyId: account.key_id, account: account.sub_account },
      category: own.category,
      ...callbackOf(own),
      truncate: own.truncate,
      fields: own.fields,
    };
  },

  async credential({ signer }, now) {
    const issued = Math.floor(now / 1000);
    const value = await new SignJWT({})
      .setProtectedHeader({ alg: "PS256", typ: "JWT", kid: signer.keyId })
      .setIssuer(signer.account)
      .setAudience(TOKEN_URL)
      .setIssuedAt(issued)
      .setExpirationTime(issued + 3600)
      .sign(signer.key);
    return { value, expires: (issued + 3600) * 1000 };
  },

  encode(app, note, to, credential, now) {
    const { title, message } = words("harmony", note, ANY_LENGTH);
    const build = (body: string): Fields => ({
      payload: {
        notification: {
          category: app.category,
          title,
          body,
          clickAction: { actionType: 0, data: { customize: customize(note, body) } },
          notifyId: notifyId(note.id),
          // Of messages with the same one a phone shows the first of a day, so a repeated request does no harm.
          appMessageId: sendingKey(note, 64),
        },
      },
      pushOptions: {
        ttl: Math.floor(lifetime(note, now, 1000, LONGEST) / 1000),
        biTag: shorthand(note.id, 64),
      },
    });
    const extra = unaddressed(fieldsOf("harmony", app.fields, note), "target");
    const text = fit("harmony", message, LIMIT - V3_AROUND, app.truncate, (body) =>
      JSON.stringify(merge(build(body), extra)),
    );
    return {
      method: "POST",
      url: `${app.baseUrl}/v3/${encodeURIComponent(app.project)}/messages:send`,
      headers: { authorization: `Bearer ${credential}`, "content-type": "application/json", "push-type": "0" },
      body: `${text.slice(0, -1)},"target":{"token":${JSON.stringify(tokensOf(to))}}}`,
    };
  },

  decode: (_app, reply, to, now) => decodeReply(reply, tokensOf(to), now, "v3"),
  receiptAnswer: RECEIPT_ANSWER,
  receipts: (app, request) => receiptsOf(app.callback, request),
};

const tokensOf = (to: readonly { readonly token: string }[]) => to.map(({ token }) => token);

/** Both SDKs look for a list of two: the id, and what was sent for Android. */
function customize(note: Notification, shown: string): readonly [string, Fields] {
  const { message = "" } = note.content.android;
  return [note.id, { ...note.content.android, message: message === "" ? "" : shown }];
}

/** Opens the app as its icon does, with the list as the extra `customize`: shown notifications hand over nothing else. */
export function openingIntent(packageName: string, note: Notification, message: string): string {
  const extra = encodeURIComponent(JSON.stringify(customize(note, message)));
  const main = "action=android.intent.action.MAIN;category=android.intent.category.LAUNCHER";
  return `intent:#Intent;${main};launchFlags=0x10000000;package=${packageName};S.customize=${extra};end`;
}

const OK = "80000000";
const PARTIAL = "80100000";
const ALL_DEAD = "80300007";

const CODES: Readonly<Record<string, Verdict>> = {
  "80100017": "retry",
  "80200001": "denied",
  "80200003": "denied",
  "80200005": "denied",
  "80300002": "denied",
  "80300011": "denied",
  "80300013": "denied",
  "80300029": "paused",
  "80300030": "paused",
  "80300036": "denied",
  "80300037": "paused",
  "80600003": "retry",
  "81000001": "retry",
};

/** A right that the message needs, or an address for receipts that it names. */
const RIGHTS: readonly string[] = ["80300002", "80300011", "80300013"];

/** Why v3 took no token; last what is the tokens' own fault, so that nothing said beside it costs a token. */
const REASONS: Readonly<Record<string, Verdict>> = {
  noPushTypeRight: "denied",
  noRight: "denied",
  appinfoError: "denied",
  disableSendHuaweiMsgBecauseOfPenalty: "paused",
  countryNotSupport: "refused",
  tokenPlatformNotSupport: "refused",
  tokenFormatError: "gone",
};

/** The reason in what `msg` says besides the tokens, which may be many and of any form; undefined: none that is known. */
function reasonIn(msg: string): string | undefined {
  const { illegal_tokens: _tokens, ...rest } = parseObject(msg) ?? { msg };
  const text = JSON.stringify(rest);
  return Object.keys(REASONS).find((name) => text.includes(name));
}

/** @param unknown what a code that is in no table means */
export function decodeReply(
  reply: HttpReply,
  tokens: readonly string[],
  now: number,
  version: "v1" | "v3",
  unknown: Verdict = "retry",
): Outcome[] {
  const answer = understand(reply, now);
  const code = "said" in answer ? asText(answer.said["code"]) : undefined;
  if ("outcome" in answer || code === undefined) {
    const reason = `HTTP ${reply.status}`;
    const outcome: Outcome = "outcome" in answer ? answer.outcome : { kind: "retry", reason };
    const refusal = [401, 403, 404].includes(reply.status);
    return tokens.map(() => (refusal ? { kind: "denied", reason } : outcome));
  }
  const { said } = answer;
  const requestId = asText(said["requestId"]);
  const accepted: Outcome = requestId === undefined ? { kind: "accepted" } : { kind: "accepted", receipt: requestId };
  if (code === OK) return tokens.map(() => accepted);
  const msg = asText(said["msg"]) ?? "";
  const why = reasonIn(msg);
  const reason = excerpt(code, why ?? msg, []);
  if (code === ALL_DEAD) {
    // v3 says so as well to an app that must register again: without a clear word it has to say so on another day.
    if (version === "v3" && why === undefined)
      return tokens.map(() => ({ kind: "refused", reason, suspect: { from: nextDay(now) } }));
    const kind = version === "v1" ? "gone" : REASONS[why ?? ""]!;
    return tokens.map(() => (kind === "denied" ? { kind, reason, settings: true } : judge(kind, reason, now)));
  }
  if (code === PARTIAL) {
    const illegal = new Set(asList(parseObject(msg)?.["illegal_tokens"]));
    // A list that names none of our tokens says nothing of any.
    if (!tokens.some((token) => illegal.has(token))) return tokens.map(() => ({ kind: "retry", reason }));
    const kind = version === "v1" || why === undefined || why === "tokenFormatError" ? "gone" : "refused";
    return tokens.map((token) => (illegal.has(token) ? { kind, reason: excerpt(PARTIAL, why, []) } : accepted));
  }
  const kind = CODES[code] ?? (/^80[13]/.test(code) ? "refused" : reply.status === 401 ? "denied" : unknown);
  return tokens.map(() =>
    RIGHTS.includes(code) ? { kind: "denied", reason, settings: true } : judge(kind, reason, now),
  );
}

function callbackOf(own: {
  readonly callback_secret?: string | undefined;
  readonly callback_user?: string | undefined;
}) {
  return own.callback_secret === undefined
    ? {}
    : { callback: { secret: own.callback_secret, user: own.callback_user ?? "" } };
}

/** Neither on the way for good nor arrived: 27 is kept until the phone is online. */
const PENDING = 27;

/** Both versions of the callback: `deliveryStatus.result` in one, `status` in the other, with the same numbers. */
function receiptsOf(
  callback: Callback | undefined,
  request: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
): readonly Receipt[] {
  if (callback !== undefined && !signed(callback, request.headers["x-huawei-callback-id"] ?? "")) {
    throw new PushError("denied", "x-huawei-callback-id does not match callback_secret");
  }
  return receiptsIn(request.body, (result) => {
    if (result === PENDING) return undefined;
    return result === 0 ? "arrived" : result === 2 || result === 5 ? "gone" : "suppressed";
  });
}

/** @param eventOf undefined: this result says nothing. @throws PushError("invalid") */
export function receiptsIn(
  body: string,
  eventOf: (result: number) => Receipt["event"] | undefined,
): readonly Receipt[] {
  const statuses = parseObject(body)?.["statuses"];
  if (!Array.isArray(statuses)) throw new PushError("invalid", "statuses is missing");
  return statuses.filter(isFields).flatMap((status): Receipt[] => {
    const delivery = isFields(status["deliveryStatus"]) ? status["deliveryStatus"] : status;
    const result = Number(delivery["result"] ?? delivery["status"]);
    const event = Number.isInteger(result) ? eventOf(result) : undefined;
    if (event === undefined) return [];
    const at = Number(delivery["timestamp"]);
    const notification = asText(status["biTag"]);
    const receipt = asText(status["requestId"]);
    const token = asText(status["token"]);
    return [
      {
        event,
        ...(receipt === undefined ? {} : { receipt }),
        ...(token === undefined ? {} : { token }),
        ...(notification === undefined || notification === "" ? {} : { notification }),
        ...(Number.isFinite(at) && at > 0 ? { at } : {}),
      },
    ];
  });
}

/** `timestamp=...;nonce=...;value=...`; newer configurations' secrets are base64. */
function signed({ secret, user }: Callback, header: string): boolean {
  const fields = Object.fromEntries(
    header
      .split(";")
      .map((part) => [part.slice(0, part.indexOf("=")).trim(), part.slice(part.indexOf("=") + 1).trim()]),
  );
  const { timestamp = "", nonce = "", value = "" } = fields;
  const given = Buffer.from(value, "base64").toString("hex");
  return [Buffer.from(secret), Buffer.from(secret, "base64")].some((key) => {
    return sameSecret(createHmac("sha256", key).update(`${timestamp}${nonce}${user}`).digest("hex"), given);
  });
}
