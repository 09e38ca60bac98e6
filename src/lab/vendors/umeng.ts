// A fake Umeng: JSON signed over its bytes and the address it was sent to; tokens are never refused.
import { createHash } from "node:crypto";
import { isObject } from "../../core/object.ts";
import { DAY } from "../../core/time.ts";
import { ensure, ensureNames, ensureText, type Fields, fieldsIn } from "../checks.ts";
import type { FakeReply, FakeRequest, FakeVendor, Shown } from "../fake.ts";
import { Handsets, openedWith } from "../handsets.ts";
import { answerJson, jsonIn, readJson, strictly } from "../requests.ts";

const NAMES = `appkey timestamp type device_tokens payload
  ? policy production_mode description mipush mi_activity channel_properties`;
const BODY = `ticker title text after_open
  ? icon largeIcon img sound builder_id play_vibrate play_lights play_sound url activity custom add_badge set_badge`;
const WEEK = 7 * DAY;

interface Options {
  readonly appKey?: string;
  readonly masterSecret?: string;
  readonly packageName?: string;
}

export function fakeUmeng(options: Options = {}): FakeVendor {
  const { appKey = "umeng-lab-key", masterSecret = "umeng-lab-secret", packageName = "com.example.lab" } = options;
  const phones = new Handsets("umeng", "throttle", "denied", "expired-credential", "quota", "partial");
  // The address is part of what is signed.
  let baseUrl = "https://msgapi.umeng.com";
  let count = 0;

  function handle(request: FakeRequest, now: number): FakeReply {
    const { fault, reply } = phones.next();
    if (reply !== undefined) return reply;
    if (request.method !== "POST" || request.path !== "/api/send") return { status: 404 };
    // Umeng's document knows no daily limit for device tokens, and no failure of one of them.
    if (fault === "throttle" || fault === "quota") return fail("2050", "发送频率超过限制");
    if (fault === "denied") return fail("2021", "appkey无效");
    if (fault === "expired-credential") return fail("2028", "timestamp过期");
    const text = `POST${baseUrl}/api/send${request.body.toString("utf8")}${masterSecret}`;
    if (request.query.get("sign") !== createHash("md5").update(text).digest("hex")) return fail("2027", "签名不正确");
    return strictly(
      () => send(readJson(request), now),
      (problem) => fail("1001", problem),
    );
  }

  function send(body: Fields, now: number): FakeReply {
    ensureNames(body, "body", NAMES);
    if (body["appkey"] !== appKey) return fail("2021", "appkey无效");
    const timestamp = /^\d{10}(\d{3})?$/.test(String(body["timestamp"])) ? Number(body["timestamp"]) : 0;
    if (Math.abs((timestamp < 1e12 ? timestamp * 1000 : timestamp) - now) > 600_000)
      return fail("2028", "timestamp过期");
    const targets = String(body["device_tokens"]).split(",");
    const most = { unicast: 1, listcast: 500 }[String(body["type"])];
    ensure(most !== undefined && targets.length <= most, `${targets.length} device tokens for ${body["type"]}`);
    ensure(/^(true|false)$/.test(String(body["production_mode"] ?? "true")), "production_mode is not true or false");
    ensure(typeof (body["production_mode"] ?? "") === "string", "production_mode is not a text");
    checkPolicy(body["policy"] ?? {}, now);
    const payload = fieldsIn(body["payload"], "payload");
    const size = Buffer.byteLength(JSON.stringify(payload));
    if (size > 1840) return fail("2022", `payload has ${size} bytes`);
    const view = viewOf(payload);
    const msg_id = `uu${String(++count).padStart(6, "0")}`;
    for (const token of targets) {
      // Accepted, and silently lost.
      if (!phones.tokens.has(token)) phones.show(token, view);
    }
    return answerJson({ ret: "SUCCESS", data: { msg_id } });
  }

  return {
    ...phones.members,
    config(base_url) {
      baseUrl = base_url;
      return { package_name: packageName, app_key: appKey, master_secret: masterSecret, base_url };
    },
    handle,
  };
}

function checkPolicy(given: unknown, now: number): void {
  const policy = fieldsIn(given, "policy");
  ensureNames(policy, "policy", "? start_time expire_time max_send_num out_biz_no");
  const expires = policy["expire_time"];
  if (expires === undefined) return;
  ensure(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(String(expires)), "expire_time is not yyyy-MM-dd HH:mm:ss");
  const at = Date.parse(`${String(expires).replace(" ", "T")}+08:00`);
  ensure(at > now && at <= now + WEEK, `expire_time ${expires} is over or more than 7 days ahead`);
}

/** What the phone's SDK makes of it. */
function viewOf(payload: Fields): Omit<Shown, "vendor" | "token"> {
  ensureNames(payload, "payload", "display_type body ? extra");
  const { body, extra = {} } = payload;
  ensure(isObject(body) && isObject(extra), "body or extra is not an object");
  ensure(
    Object.values(extra).every((value) => typeof value === "string"),
    "extra holds something else than text",
  );
  if (payload["display_type"] === "message") {
    const custom = isObject(body["custom"]) ? body["custom"] : jsonIn(body["custom"], "custom");
    const { title, message, id } = custom;
    return { title: String(title), message: String(message), payload: custom["payload"], id: String(id) };
  }
  ensure(payload["display_type"] === "notification", "display_type is not message or notification");
  ensureNames(body, "body", BODY);
  ensure(/^go_(app|url|activity|custom)$/.test(String(body["after_open"])), "after_open is unknown");
  const flags = ["play_vibrate", "play_lights", "play_sound"].map((name) => body[name] ?? "true");
  ensure(
    flags.every((value) => value === "true" || value === "false"),
    "a flag is not a text",
  );
  return {
    title: ensureText(body["title"], "title", 1840),
    message: ensureText(body["text"], "text", 1840),
    ...openedWith(extra),
  };
}

function fail(error_code: string, error_msg: string): FakeReply {
  return answerJson({ ret: "FAIL", data: { error_code, error_msg } }, 400);
}
