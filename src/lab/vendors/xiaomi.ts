// A fake Xiaomi: one form, one static secret, HTTP 200 whatever happens.
import { isObject } from "../../core/object.ts";
import { Recent } from "../../core/recent.ts";
import { DAY, HOUR, MINUTE } from "../../core/time.ts";
import { ensure, ensureDigits, ensureNames, ensureText, ensureUrl } from "../checks.ts";
import { type FakeReply, type FakeRequest, type FakeVendor, REMEMBERED } from "../fake.ts";
import { Handsets } from "../handsets.ts";
import { type Receipt, xiaomiReceipt } from "../receipts.ts";
import { answerJson, jsonIn, readForm, strictly } from "../requests.ts";

const NAMES = `registration_id title description payload restricted_package_name pass_through notify_id time_to_live
  ? notify_type time_to_send`;
const EVENTS = { arrived: 1, clicked: 2, gone: 16, suppressed: 32 } as const;

export interface FakeXiaomi extends FakeVendor {
  /** What Xiaomi posts to the callback of what this token was shown last. */
  receipt(token: string, event: keyof typeof EVENTS, now: number): Receipt;
}

export function fakeXiaomi(
  options: {
    readonly appSecret?: string;
    readonly packageName?: string;
    /** What may be shown on a day, midnight to midnight UTC+8. */
    readonly dayQuota?: number;
  } = {},
): FakeXiaomi {
  const { appSecret = "xiaomi-lab-secret", packageName = "com.example.lab", dayQuota = 10_000_000 } = options;
  const phones = new Handsets("xiaomi", "quota", "throttle", "denied", "expired-credential", "partial");
  const { shown, tokens } = phones;
  const seen = new Recent<string, true>(REMEMBERED);
  const counts = new Recent<string, { readonly resolved: number; readonly delivered: number }>(REMEMBERED);
  let count = 0;
  /** Of the day, numbered in UTC+8. */
  let acked = { day: 0, count: 0 };

  function handle(request: FakeRequest, now: number): FakeReply {
    const { fault, reply } = phones.next();
    if (reply !== undefined) return reply;
    const tracing = request.method === "GET" && request.path === "/v1/trace/message/status";
    if (!tracing && (request.method !== "POST" || request.path !== "/v3/message/regid")) return { status: 404 };
    if (fault === "denied" || fault === "expired-credential") return error(21301, "认证失败");
    if (fault === "quota") return error(200001, "day quota exceeded");
    if (fault === "throttle") return error(200002, "QPS exceeded");
    if (request.headers["authorization"] !== `key=${appSecret}`) return error(21301, "认证失败");
    if (tracing) return trace(request.query.get("msg_id") ?? "");
    return strictly(
      () => send(readForm(request), fault === "partial", now),
      (problem) => error(10017, problem),
    );
  }

  function send(form: Readonly<Record<string, string>>, partial: boolean, now: number): FakeReply {
    checkForm(form, now);
    ensure(form["restricted_package_name"] === packageName, "another package");
    const targets = (form["registration_id"] ?? "").split(",");
    ensure(
      targets.length <= 1000 && new Set(targets).size === targets.length,
      `${targets.length} targets or a repeated one`,
    );
    ensure(
      targets.every((target) => /^[!-~]+$/.test(target)),
      "a target is empty or has spaces",
    );
    const bad = targets.filter((target, i) => tokens.get(target) === "dead" || (partial && i === targets.length - 1));
    if (bad.length === targets.length) return error(20301, "发送消息失败");
    const day = Math.floor((now + 8 * HOUR) / DAY);
    if (day !== acked.day) acked = { day, count: 0 };
    if (acked.count >= dayQuota) return error(200001, "day quota exceeded");
    const id = `slm${String(++count).padStart(6, "0")}`;
    const before = shown.length;
    for (const token of targets.filter((target) => !bad.includes(target))) show(form, token, id);
    acked.count += shown.length - before;
    counts.set(id, { resolved: targets.length - bad.length, delivered: shown.length - before });
    const data = {
      id,
      ...(bad.length === 0 ? {} : { bad_regids: bad.join(",") }),
      ...{ day_quota: String(dayQuota), day_acked: String(acked.count) },
    };
    return answerJson({
      result: "ok",
      trace_id: `Xlab${id}`,
      code: 0,
      description: "成功",
      info: "Received push messages",
      data,
    });
  }

  function trace(id: string): FakeReply {
    const counted = counts.get(id);
    if (counted === undefined) return error(10017, "message not found");
    return answerJson({ result: "ok", code: 0, trace_id: "Xlab", data: { data: { id, ...counted, click: 0 } } });
  }

  function show(form: Readonly<Record<string, string>>, token: string, id: string): void {
    phones.sent(token, id, form["extra.callback.param"]);
    const key = `${token} ${form["extra.jobkey"]}`;
    if (tokens.get(token) === "blocked" || (form["extra.jobkey"] !== undefined && seen.has(key))) return;
    seen.set(key, true);
    const payload = jsonIn(form["payload"], "payload");
    const android = isObject(payload["android"]) ? payload["android"] : {};
    phones.show(token, {
      title: form["title"]!,
      message: form["description"]!,
      payload: android["payload"],
      id: String(payload["id"]),
    });
  }

  return {
    ...phones.members,
    config: (base_url) => ({ package_name: packageName, app_secret: appSecret, base_url }),
    handle,
    receipt: (token, event, now) => xiaomiReceipt([phones.last(token)], EVENTS[event], now),
  };
}

function checkForm(form: Readonly<Record<string, string>>, now: number): void {
  // Of extras any name is known: apps have their own, and those of templates are in no document yet.
  const own = Object.entries(form).filter(([name]) => !/^extra\.[\w.]+$/.test(name));
  ensureNames(Object.fromEntries(own), "form", NAMES);
  ensureText(form["title"], "title", 49);
  ensureText(form["description"], "description", 127);
  ensure(Buffer.byteLength(form["payload"]!) <= 4096, `payload has ${Buffer.byteLength(form["payload"]!)} bytes`);
  ensure(form["pass_through"] === "0" || form["pass_through"] === "1", "pass_through is not 0 or 1");
  ensureDigits(form["notify_id"], "notify_id", 0, 0x7fffffff);
  // Less than a minute can only be meant as seconds.
  ensureDigits(form["time_to_live"], "time_to_live", MINUTE, 14 * DAY);
  if (form["notify_type"] !== undefined) ensureDigits(form["notify_type"], "notify_type", -1, 7);
  if (form["time_to_send"] !== undefined) ensureDigits(form["time_to_send"], "time_to_send", now, now + 7 * DAY);
  if (form["extra.jobkey"] !== undefined) ensureText(form["extra.jobkey"], "extra.jobkey", 20);
  if (form["extra.callback"] !== undefined) ensureUrl(form["extra.callback"], "extra.callback", 1000);
  ensure(Buffer.byteLength(form["extra.callback.param"] ?? "") <= 64, "extra.callback.param is too long");
  ensure(/^[01]$/.test(form["extra.notify_foreground"] ?? "1"), "extra.notify_foreground is not 0 or 1");
  const extras = Object.entries(form).filter(([name]) => name.startsWith("extra."));
  ensure(extras.length <= 10, `${extras.length} extra fields`);
  ensure(
    extras.reduce((sum, [name, value]) => sum + name.length - 6 + value.length, 0) <= 1024,
    "extra fields are too long",
  );
}

function error(code: number, description: string): FakeReply {
  return answerJson({ result: "error", trace_id: "Xlab", code, reason: description, description });
}
