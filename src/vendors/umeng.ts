// Umeng U-Push, https://developer.umeng.com/docs/67966/detail/68343: JSON to up to 500 device tokens, signed over the very bytes
// that are sent. It never says that a token is dead. `fields` are merged into the body: "policy", "channel_properties", "payload".
import { createHash } from "node:crypto";
import { z } from "zod";
import { parseExact } from "../core/exact.ts";
import type { Notification } from "../core/notification.ts";
import { DAY, MINUTE } from "../core/time.ts";
import type { Outcome } from "../core/vendor.ts";
import { asText, excerpt, judge, understand, type Verdict } from "./answer.ts";
import { type Answer, type Dialect, NO_CREDENTIAL } from "./dialect.ts";
import { type AppOf, appOf, check, common, flag, oneOf, word } from "./entry.ts";
import { entryKeys, key, secretKey } from "./entry-keys.ts";
import { type Fields, fieldsOf, isFields, merge } from "./fields.ts";
import { chinaTime, lifetime } from "./lifetime.ts";
import { each, listed } from "./listed.ts";
import { ANY_LENGTH, extras, fit, words } from "./text.ts";
import { verdicts } from "./verdicts.ts";

const entry = z.strictObject({
  ...common,
  app_key: word,
  master_secret: word,
  display_type: oneOf("message", "notification").default("message"),
  test_mode: flag.default(false),
});

export type UmengApp = AppOf<z.output<typeof entry>>;

const HOST = "https://msgapi.umeng.com";
const PAYLOAD_BYTES = 1840;
const WEEK = 7 * DAY;

/** The request's timestamp: it may have waited for its turn, or our clock is wrong. */
const CLOCKS: readonly string[] = ["2028", "2036"];
const VERDICTS = verdicts({
  // Disabled, address, signature, app key, iOS certificates.
  denied: [2000, 2004, 2054, 2007, 2027, 2021, 2032, 2033, 2034, 2035, 2028, 2036],
  retry: [2050, 2023, 6002, 6003, 6004],
});

export const umeng: Dialect<UmengApp> = {
  name: "umeng",
  tokenTypes: ["umeng"],
  alsoConnected: true,
  batch: 500,
  transport: { http2: false, connections: 8, streams: 1, timeout: 60_000, gate: false },
  title: { en: "Umeng", zh: "友盟" },
  keys: entryKeys(HOST, { en: "the body", zh: "请求体" }, [
    key("app_key", "...", { en: "The app's key.", zh: "应用的 App Key。" }),
    secretKey("master_secret", { en: "Its App Master Secret.", zh: "对应的 App Master Secret。" }),
    key("display_type", "message", {
      en: "message: shown by the app's SDK, as socket.io-push clients expect it. notification: shown by Umeng's own.",
      zh: "message：由应用内的 SDK 展示，socket.io-push 客户端需要这种；notification：由友盟 SDK 展示。",
    }),
    key("test_mode", false, {
      en: "Reach only the test devices entered in Umeng's console.",
      zh: "只发给友盟后台登记的测试设备。",
    }),
  ]),

  parse(given) {
    const own = check("umeng", entry, given);
    return appOf(own, HOST, own.app_key);
  },

  credential: async () => NO_CREDENTIAL,

  encode(app, note, to, _credential, now) {
    const url = `${app.baseUrl}/api/send`;
    const body = JSON.stringify({
      ...messageOf(app, note, now),
      appkey: app.app_key,
      timestamp: String(now),
      type: to.length === 1 ? "unicast" : "listcast",
      device_tokens: listed("umeng", to),
    });
    return {
      method: "POST",
      url: `${url}?sign=${sign(url, body, app.master_secret)}`,
      headers: { "content-type": "application/json" },
      body,
    };
  },

  decode(app, reply, to, now) {
    const understood = understand(reply, now);
    if ("outcome" in understood) return each(to, () => understood.outcome);
    const { ret, data } = understood.said;
    const told = isFields(data) ? data : {};
    if (ret === "SUCCESS") {
      const receipt = asText(told["msg_id"]) ?? asText(told["task_id"]);
      return each(to, () => ({ kind: "accepted", ...(receipt === undefined ? {} : { receipt }) }));
    }
    const code = asText(told["error_code"]);
    if (ret !== "FAIL" || code === undefined)
      return each(to, () => judge("retry", `HTTP ${reply.status} without a code`, now));
    const reason = excerpt(code, told["error_msg"], [app.master_secret]);
    const outcomes = each(to, () => judge(verdict(code), reason, now));
    return CLOCKS.includes(code) ? outcomes.map(anew) : outcomes;
  },
};

export function sign(url: string, body: string, secret: string): string {
  return createHash("md5").update(`POST${url}${body}${secret}`).digest("hex");
}

function messageOf(app: UmengApp, note: Notification, now: number): Fields {
  const { title, message } = words("umeng", note, ANY_LENGTH);
  const { payload: own = {}, ...fields } = fieldsOf("umeng", app.fields, note);
  const payload = (text: string) => {
    const ours = app.display_type === "message" ? custom(note, title, text) : shown(note, title, text);
    return JSON.stringify(isFields(own) ? merge(ours, own) : own);
  };
  const ours = {
    payload: parseExact(fit("umeng", message, PAYLOAD_BYTES, app.truncate, payload)),
    policy: { expire_time: chinaTime(now + lifetime(note, now, MINUTE, WEEK)) },
    production_mode: app.test_mode ? "false" : "true",
  };
  return merge(ours, fields);
}

function custom(note: Notification, title: string, message: string): Fields {
  const { payload } = note.content.android;
  return { display_type: "message", body: { custom: { title, message, payload, id: note.id } } };
}

function shown(note: Notification, title: string, text: string): Fields {
  return {
    display_type: "notification",
    body: { ticker: title, title, text, after_open: "go_app" },
    extra: extras(note),
  };
}

const anew = (outcome: Outcome): Answer =>
  outcome.kind === "denied" ? { kind: "anew", with: "time", outcome } : outcome;

function verdict(code: string): Verdict {
  // 5xxx: certificates. 1xxx and the rest: parameters, or unknown.
  return VERDICTS.get(code) ?? (/^5\d{3}$/.test(code) ? "denied" : "refused");
}
