// Honor Push: https://developer.honor.com/cn/docs/11002/reference/downlink-message (rendered by script; see also its SDK's samples)
import { z } from "zod";
import { DAY, MINUTE } from "../core/time.ts";
import type { Outcome } from "../core/vendor.ts";
import { asList, asText, excerpt, parseObject } from "./answer.ts";
import type { Dialect, HttpReply } from "./dialect.ts";
import { check, common, word } from "./entry.ts";
import { entryKeys, key, secretKey } from "./entry-keys.ts";
import { type Fields, fieldsOf, isFields, merge, unaddressed } from "./fields.ts";
import { decodeReply, openingIntent, RECEIPT_ANSWER, receiptsIn } from "./huawei.ts";
import { lifetime } from "./lifetime.ts";
import { notifyId } from "./notify-id.ts";
import { type ClientApp, clientCredential, clientEntry, clientOf, tokenUrlKey } from "./oauth.ts";
import { phoneService } from "./phones.ts";
import { ANY_LENGTH, fit, shorthand, words } from "./text.ts";

export interface HonorApp extends ClientApp {
  readonly appId: string;
  readonly importance?: string;
  readonly truncate: boolean;
  readonly fields: Fields;
}

/** Bytes of the whole body but for the tokens; and those of it that stand around what is rendered. */
const LIMIT = 4096;
const AROUND = ',"token":[]'.length;
const LONGEST = 15 * DAY;
const HOST = "https://push-api.cloud.honor.com";
const TOKEN_URL = "https://iam.developer.honor.com/auth/token";

export const honor: Dialect<HonorApp> = {
  ...phoneService("honor", { en: "Honor", zh: "荣耀" }),
  keys: [
    ...entryKeys(HOST, { en: "the body", zh: "请求体" }, [
      key("app_id", "900100200", { en: "The app's number at Honor.", zh: "应用在荣耀平台的编号。" }),
      key("client_id", "...", {
        en: "Of the push service; not the app's own id and secret.",
        zh: "推送服务的 client_id；不是应用自己的 ID 和密钥。",
      }),
      secretKey("client_secret", { en: "Its secret.", zh: "对应的密钥。" }),
      key("importance", "NORMAL", {
        en: "LOW (marketing) or NORMAL (service), as granted.",
        zh: "LOW（资讯营销）或 NORMAL（服务通讯），以平台授予的为准。",
      }),
    ]),
    tokenUrlKey(TOKEN_URL),
  ],

  parse(entry) {
    const shape = z.strictObject({
      ...common,
      app_id: word,
      ...clientEntry,
      importance: word.optional(),
    });
    const own = check("honor", shape, entry);
    return {
      app: own.package_name,
      baseUrl: own.base_url ?? HOST,
      appId: own.app_id,
      ...clientOf(own, TOKEN_URL),
      ...(own.importance === undefined ? {} : { importance: own.importance }),
      truncate: own.truncate,
      fields: own.fields,
    };
  },

  credential: (app, now, exchange) => clientCredential("honor", app, now, exchange),

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
    const extra = unaddressed(fieldsOf("honor", app.fields, note), "token");
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
    if (failed.has(token)) return { kind: "retry", reason: `${reason}: in failTokens`, after: MINUTE, once: true };
    return receipt === undefined ? { kind: "accepted" } : { kind: "accepted", receipt };
  });
}
