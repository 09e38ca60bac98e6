// FCM HTTP v1: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
import type { KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { z } from "zod";
import type { Notification } from "../core/notification.ts";
import { DAY, MINUTE } from "../core/time.ts";
import { asText, excerpt, parseObject, retryAfter } from "./answer.ts";
import type { Answer, CommonApp, Dialect, HttpReply } from "./dialect.ts";
import { Unsendable } from "./dialect.ts";
import { check, common, word } from "./entry.ts";
import { entryKeys, key } from "./entry-keys.ts";
import { type Fields, fieldsOf, isFields, merge, unaddressed, withTexts } from "./fields.ts";
import { serviceAccountFile } from "./keys.ts";
import { lifetime } from "./lifetime.ts";
import { credentialBy } from "./oauth.ts";
import { fit } from "./text.ts";

export interface FcmApp extends CommonApp {
  readonly project: string;
  readonly signer: {
    readonly key: KeyObject;
    readonly keyId: string;
    readonly email: string;
    readonly audience: string;
  };
  readonly channel?: string;
  readonly truncate: boolean;
  readonly fields: Fields;
}

const LIMIT = 4096;
const LONGEST = 28 * DAY;
/** Milliseconds, where an answer of this status does not say. */
const PATIENCE: ReadonlyMap<number, number> = new Map([
  [429, MINUTE],
  [503, 10_000],
]);
/** The first pause, milliseconds: people correct a project's credentials. */
const MEND = MINUTE;
const THIRD_PARTIES = "Apple and web tokens of FCM";
const SCOPE = "https://www.googleapis.com/auth/firebase.messaging";

export const fcm: Dialect<FcmApp> = {
  name: "fcm",
  tokenTypes: ["fcm"],
  tellsNoArrival: true,
  batch: 1,
  transport: { http2: true, connections: 2, streams: 100, timeout: 15_000, gate: false },
  title: { en: "Google (FCM)", zh: "谷歌（FCM）" },
  keys: entryKeys("https://fcm.googleapis.com", "`message`", [
    key("service_account_file", "firebase.json", {
      en: "The JSON file from the Firebase console: project settings, service accounts.",
      zh: "从 Firebase 控制台下载的 JSON 文件：项目设置 → 服务账号。",
    }),
    key("project_id", "my-project", {
      en: "Where it is not the service account's own project.",
      zh: "与服务账号所属项目不同时填写。",
    }),
    key("channel_id", "news", { en: "The notification channel on Android.", zh: "Android 通知渠道。" }),
  ]),

  parse(entry, read) {
    const names = ["project_id", "private_key_id", "client_email", "token_uri"] as const;
    const shape = z.strictObject({
      ...common,
      service_account_file: serviceAccountFile(read, "private_key", names),
      project_id: word.optional(),
      channel_id: word.optional(),
    });
    const own = check("fcm", shape, entry);
    const account = own.service_account_file;
    const project = own.project_id ?? account.project_id;
    return {
      app: own.package_name,
      account: `${account.client_email} ${account.private_key_id}`,
      identity: `${project} ${account.client_email} ${account.private_key_id}`,
      baseUrl: own.base_url ?? "https://fcm.googleapis.com",
      project,
      signer: {
        key: account.key,
        keyId: account.private_key_id,
        email: account.client_email,
        audience: account.token_uri,
      },
      ...(own.channel_id === undefined ? {} : { channel: own.channel_id }),
      truncate: own.truncate,
      fields: own.fields,
    };
  },

  async credential({ signer }, now, exchange) {
    const issued = Math.floor(now / 1000);
    const assertion = await new SignJWT({ scope: SCOPE })
      .setProtectedHeader({ alg: "RS256", typ: "JWT", kid: signer.keyId })
      .setIssuer(signer.email)
      .setAudience(signer.audience)
      .setIssuedAt(issued)
      .setExpirationTime(issued + 3600)
      .sign(signer.key);
    const fields = { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion };
    return credentialBy("fcm", signer.audience, fields, now, exchange);
  },

  encode(app, note, to, credential, now) {
    const { title } = note.content.android;
    if (title === undefined || title === "") throw new Unsendable("fcm: nothing to show: android.title is missing");
    const extra = unaddressed(fieldsOf("fcm", app.fields, note), "token", "topic", "condition", "fid");
    const message = fit("fcm", note.content.android.message ?? "", LIMIT, app.truncate, (text) =>
      JSON.stringify(textual(merge(messageOf(app, note, title, text, now), extra))),
    );
    return {
      method: "POST",
      url: `${app.baseUrl}/v1/projects/${encodeURIComponent(app.project)}/messages:send`,
      headers: { authorization: `Bearer ${credential}`, "content-type": "application/json" },
      // The limit is on the message without the token.
      body: `{"message":${message.slice(0, -1)},"token":${JSON.stringify(to[0]!.token)}}}`,
    };
  },

  decode: (_app, reply, to, now) => to.map(() => judge(reply, now)),
};

function messageOf(app: FcmApp, note: Notification, title: string, message: string, now: number): Fields {
  const { payload } = note.content.android;
  return {
    notification: { title, ...(message === "" ? {} : { body: message }) },
    // Values are texts only; SDKs look for this one.
    data: { payload: JSON.stringify({ title, message, payload, id: note.id }) },
    android: {
      priority: "HIGH",
      collapse_key: note.id,
      ttl: `${Math.floor(lifetime(note, now, 0, LONGEST) / 1000)}s`,
      notification: { tag: note.id, ...(app.channel === undefined ? {} : { channel_id: app.channel }) },
    },
  };
}

/** Both maps of data hold texts only. */
function textual(message: Fields): Fields {
  const { android } = message;
  return withTexts(isFields(android) ? { ...message, android: withTexts(android, "data") } : message, "data");
}

function judge(reply: HttpReply, now: number): Answer {
  const said = parseObject(reply.body) ?? {};
  if (reply.status === 200) {
    return typeof said["name"] === "string"
      ? { kind: "accepted", receipt: said["name"] }
      : { kind: "retry", reason: "200 without a message name" };
  }
  const error = isFields(said["error"]) ? said["error"] : {};
  const details = (Array.isArray(error["details"]) ? error["details"] : []).filter(isFields);
  const own = asText(details.find((detail) => typeIs(detail, "google.firebase.fcm.v1.FcmError"))?.["errorCode"]);
  const code = own ?? asText(error["status"]) ?? "";
  const reason = excerpt(`${reply.status} ${code}`.trim(), error["message"], []);
  const after = retryAfter(reply.headers["retry-after"], now);
  switch (code) {
    case "UNREGISTERED":
      return { kind: "gone", reason };
    case "INVALID_ARGUMENT":
      return namesToken(details, error["message"]) ? { kind: "gone", reason } : { kind: "refused", reason };
    case "SENDER_ID_MISMATCH":
      // The token is another project's: as likely ours is the wrong one, so the token stays.
      return { kind: "aside", reason };
    case "QUOTA_EXCEEDED":
    case "RESOURCE_EXHAUSTED":
      return { kind: "retry", reason, after: after ?? PATIENCE.get(429)! };
    case "UNAVAILABLE":
      return { kind: "retry", reason, after: after ?? PATIENCE.get(503)! };
    case "THIRD_PARTY_AUTH_ERROR":
      // The project's own credentials for Apple or for Web Push. Tokens of Android know nothing of it.
      return { kind: "apart", way: THIRD_PARTIES, outcome: { kind: "retry", reason, after: MEND, scope: "token" } };
    case "UNAUTHENTICATED":
    case "PERMISSION_DENIED":
    case "NOT_FOUND":
      return { kind: "denied", reason };
  }
  if (reply.status === 400) return { kind: "refused", reason };
  // A bare 404 means a wrong project: it says nothing of the token.
  if (reply.status === 401 || reply.status === 403 || reply.status === 404) return { kind: "denied", reason };
  const wait = after ?? PATIENCE.get(reply.status);
  return wait === undefined ? { kind: "retry", reason } : { kind: "retry", reason, after: wait };
}

function typeIs(detail: Fields, type: string): boolean {
  return typeof detail["@type"] === "string" && detail["@type"].endsWith(type);
}

/** Whether the argument that is invalid is the token and nothing else. */
function namesToken(details: readonly Fields[], message: unknown): boolean {
  const violations = details.flatMap((detail) =>
    typeIs(detail, "google.rpc.BadRequest") && Array.isArray(detail["fieldViolations"])
      ? detail["fieldViolations"]
      : [],
  );
  if (violations.length > 0)
    return violations.every((violation) => isFields(violation) && violation["field"] === "message.token");
  return typeof message === "string" && /registration token is not (a )?valid/i.test(message);
}
