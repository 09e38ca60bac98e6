// Honor Push: https://developer.honor.com/cn/docs/11002/reference/downlink-message (rendered by script; see also its SDK's samples)
import { z } from "zod";
import { DAY } from "../core/time.ts";
import type { Outcome } from "../core/vendor.ts";
import { asList, asText, excerpt, parseObject } from "./answer.ts";
import type { CommonApp, Dialect, HttpReply } from "./dialect.ts";
import { check, common, commonKeys, packageName, word } from "./entry.ts";
import { type Fields, fieldsOf, isFields, merge } from "./fields.ts";
import { decodeReply, openingIntent, RECEIPT_ANSWER, receiptsIn } from "./huawei.ts";
import { lifetime } from "./lifetime.ts";
import { notifyId } from "./notify-id.ts";
import { credentialFrom, form } from "./oauth.ts";
import { fit, shorthand, words } from "./text.ts";

export interface HonorApp extends CommonApp {
  readonly appId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tokenUrl: string;
  readonly importance?: string;
  readonly truncate: boolean;
  readonly fields: Fields;
}

/** Bytes of the whole body but for the tokens; and those of it that stand around what is rendered. */
const LIMIT = 4096;
const AROUND = ',"token":[]'.length;
const LONGEST = 15 * DAY;
const ANY_LENGTH = { title: Number.POSITIVE_INFINITY, message: Number.POSITIVE_INFINITY, truncate: false };

export const honor: Dialect<HonorApp> = {
  name: "honor",
  tokenTypes: ["honor"],
  batch: 1000,
  doubtful: true,
  transport: { http2: false, connections: 16, streams: 1, timeout: 15_000, gate: false },
  title: { en: "Honor", zh: "荣耀" },
  keys: [
    packageName,
    { name: "app_id", why: { en: "The app's number at Honor.", zh: "应用在荣耀平台的编号。" }, example: "900100200" },
    {
      name: "client_id",
      why: {
        en: "Of the push service; not the app's own id and secret.",
        zh: "推送服务的 client_id；不是应用自己的 ID 和密钥。",
      },
      example: "...",
    },
    { name: "client_secret", why: { en: "Its secret.", zh: "对应的密钥。" }, example: "...", secret: true },
    {
      name: "importance",
      why: {
        en: "LOW (marketing) or NORMAL (service), as granted.",
        zh: "LOW（资讯营销）或 NORMAL（服务通讯），以平台授予的为准。",
      },
      example: "NORMAL",
    },
    ...commonKeys("https://push-api.cloud.honor.com", { en: "the body", zh: "请求体" }),
    {
      name: "token_url",
      why: { en: "Another token endpoint.", zh: "另一个换取令牌的地址。" },
      example: "https://iam.developer.honor.com/auth/token",
    },
  ],

  parse(entry) {
    const shape = z.strictObject({
      ...common,
      app_id: word,
      client_id: word,
      client_secret: word,
      token_url: common.base_url,
      importance: word.optional(),
    });
    const own = check("honor", shape, entry);
    return {
      app: own.package_name,
      account: own.client_id,
      baseUrl: own.base_url ?? "https://push-api.cloud.honor.com",
      appId: own.app_id,
      clientId: own.client_id,
      clientSecret: own.client_secret,
      tokenUrl: own.token_url ?? "https://iam.developer.honor.com/auth/token",
      ...(own.importance === undefined ? {} : { importance: own.importance }),
      truncate: own.truncate,
      fields: own.fields,
    };
  },

  async credential({ clientId, clientSecret, tokenUrl }, now, exchange) {
    const request = form({ grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret });
    return credentialFrom("honor", await exchange({ method: "POST", url: tokenUrl, ...request }), now);
  },

  encode(app, note, to, credential, now) {
    const { title, message } = words("honor", note, ANY_LENGTH);
    const build = (body: string): Fields => ({
      android: {
        ttl: `${Math.floor(lifetime(note, now, 1000, LONGEST) / 1000)}s`,
        biTag: shorthand(note.id, 64),
        notification: {
          title,
          body,
          notifyId: notifyId(note.id),
          clickAction: { type: 1, intent: openingIntent(app.app, note, body) },
          ...(app.importance === undefined ? {} : { importance: app.importance }),
        },
      },
    });
    const extra = fieldsOf("honor", app.fields, note);
    const text = fit("honor", message, LIMIT - AROUND, app.truncate, (body) =>
      JSON.stringify(merge(build(body), extra)),
    );
    return {
      method: "POST",
      url: `${app.baseUrl}/api/v1/${encodeURIComponent(app.appId)}/sendMessage`,
      headers: {
        authorization: `Bearer ${credential}`,
        "content-type": "application/json",
        timestamp: String(now),
      },
      // The limit is on the whole without the tokens.
      body: `${text.slice(0, -1)},"token":${JSON.stringify(to.map(({ token }) => token))}}`,
    };
  },

  decode(_app, reply, to, now) {
    const tokens = to.map(({ token }) => token);
    return decodeSuccess(reply, tokens) ?? decodeReply(reply, tokens, now, "v1", "refused");
  },

  // Honor shows the shape to its customers only; it is read as Huawei's, from which it came. Of the results only the one that means
  // arrived is believed: no token is given up for a number whose meaning is a guess.
  // The service is Huawei's of old; the document does not say.
  receiptAnswer: RECEIPT_ANSWER,
  receipts: (_app, { body }) => receiptsIn(body, (result) => (result === 0 ? "arrived" : undefined)),
};

/** 200 with two lists; everything else is believed to be as at Huawei, whose codes Honor inherited; those it added are final. */
function decodeSuccess(reply: HttpReply, tokens: readonly string[]): Outcome[] | undefined {
  const said = parseObject(reply.body);
  const code = asText(said?.["code"]);
  if (said === undefined || reply.status !== 200 || (code !== "200" && code !== "80000000")) return undefined;
  const data = isFields(said["data"]) ? said["data"] : {};
  const receipt = asText(data["requestId"]);
  const expired = new Set(asList(data["expireTokens"]));
  const failed = new Set(asList(data["failTokens"]));
  const reason = excerpt(code, said["message"], []);
  return tokens.map((token): Outcome => {
    if (expired.has(token)) return { kind: "gone", reason: `${reason}: in expireTokens` };
    if (failed.has(token)) return { kind: "retry", reason: `${reason}: in failTokens`, after: 60_000, once: true };
    return receipt === undefined ? { kind: "accepted" } : { kind: "accepted", receipt };
  });
}
