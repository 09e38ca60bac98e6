// A fake Meizu: a signed form, and an answer that lists only those who failed.
import { createHash } from "node:crypto";
import { ensure, ensureNames, ensureRange, ensureText, ensureUrl, type Fields, fieldsIn } from "../checks.ts";
import type { FakeReply, FakeRequest, FakeVendor } from "../fake.ts";
import { Handsets, openedWith } from "../handsets.ts";
import { meizuReceipt, type Receipt } from "../receipts.ts";
import { answerJson, jsonIn, readForm, strictly } from "../requests.ts";

const ADVANCE = `? notifyKey suspend clearNoticeBar fixDisplay fixStartDisplayTime fixEndDisplayTime notificationType`;
const EVENTS = { arrived: 1, clicked: 2 } as const;

export interface FakeMeizu extends FakeVendor {
  /** What Meizu posts to the callback of what this token was sent last. */
  receipt(token: string, event: keyof typeof EVENTS): Receipt;
}

interface Options {
  readonly appId?: number;
  readonly appSecret?: string;
  readonly packageName?: string;
  readonly callbackToken?: string;
  /** Answer failures as pushId -> code, as one source describes them. */
  readonly byPushId?: boolean;
}

export function fakeMeizu(options: Options = {}): FakeMeizu {
  const { appId = 10000, appSecret = "meizu-lab-secret", packageName = "com.example.lab" } = options;
  const { callbackToken = "meizu-lab-callback", byPushId = false } = options;
  const phones = new Handsets("meizu", "quota", "throttle", "denied", "expired-credential", "partial");
  let count = 0;

  function handle(request: FakeRequest): FakeReply {
    const { fault, reply } = phones.next();
    if (reply !== undefined) return reply;
    if (request.method !== "POST" || request.path !== "/garcia/api/server/push/varnished/pushByPushId")
      return { status: 404 };
    if (fault === "denied" || fault === "expired-credential") return error(1006, "签名认证失败");
    if (fault === "quota") return error(110019, "超过该应用每天推送次数限制");
    if (fault === "throttle") return error(110010, "应用请求频率超过限制");
    return strictly(
      () => push(readForm(request), fault === "partial"),
      (problem) => error(1005, problem),
    );
  }

  function push(form: Readonly<Record<string, string>>, partial: boolean): FakeReply {
    ensureNames(form, "form", "appId messageJson pushIds sign ? restrictedPackageNames");
    const signed = Object.entries(form).filter(([name]) => name !== "sign");
    const text = signed
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `${name}=${value}`)
      .join("");
    if (
      form["sign"] !==
      createHash("md5")
        .update(text + appSecret)
        .digest("hex")
    )
      return error(1006, "签名认证失败");
    if (form["appId"] !== String(appId)) return error(110000, "appId不合法");
    const pushIds = (form["pushIds"] ?? "").split(",");
    ensure(pushIds.length <= 100, `${pushIds.length} pushIds, 100 allowed`);
    const message = jsonIn(form["messageJson"], "messageJson");
    checkMessage(message);
    const msgId = `NS${String(++count).padStart(6, "0")}`;
    const failed: Record<string, string[]> = {};
    for (const [i, token] of pushIds.entries()) {
      const code = partial && i === pushIds.length - 1 ? "518" : codeOf(token);
      if (code === undefined) show(message, token, msgId);
      else failed[code] = [...(failed[code] ?? []), token];
    }
    const turned = Object.entries(failed).flatMap(([code, list]) => list.map((token) => [token, code]));
    const value = byPushId ? Object.fromEntries(turned) : failed;
    return answerJson({ code: "200", message: "", value, msgId, redirect: "" });
  }

  function codeOf(token: string): string | undefined {
    if (!/^[!-~]+$/.test(token)) return "110003";
    return { dead: "110002", blocked: "110010", daily: "110011" }[phones.tokens.get(token) ?? ""];
  }

  function show(message: Fields, token: string, msgId: string): void {
    const bar = member(message, "noticeBarInfo");
    const parameters = member(member(message, "clickTypeInfo"), "parameters");
    phones.sent(token, msgId, member(message, "extra")["callback.param"]);
    phones.show(token, { title: String(bar["title"]), message: String(bar["content"]), ...openedWith(parameters) });
  }

  return {
    ...phones.members,
    config: (base_url) => ({ package_name: packageName, app_id: appId, app_secret: appSecret, base_url }),
    handle,
    receipt: (token, event) => meizuReceipt([phones.last(token)], EVENTS[event], callbackToken),
  };
}

function checkMessage(message: Fields): void {
  ensureNames(
    message,
    "messageJson",
    "noticeBarInfo ? noticeExpandInfo clickTypeInfo pushTimeInfo advanceInfo extra vipInfo",
  );
  const bar = member(message, "noticeBarInfo");
  ensureNames(bar, "noticeBarInfo", "title content ? noticeBarType noticeMsgType");
  ensureText(bar["title"], "title", 32);
  ensureText(bar["content"], "content", 100);
  ensureRange(bar["noticeMsgType"] ?? 0, "noticeMsgType", 0, 1);
  const click = member(message, "clickTypeInfo");
  ensureNames(click, "clickTypeInfo", "? clickType activity url parameters customAttribute");
  ensureRange(click["clickType"] ?? 0, "clickType", 0, 3);
  member(click, "parameters");
  const time = member(message, "pushTimeInfo");
  ensureNames(time, "pushTimeInfo", "? offLine validTime");
  ensure(typeof (time["offLine"] ?? true) === "boolean", "offLine is not a boolean");
  ensureRange(time["validTime"] ?? 24, "validTime", 1, 72);
  const advance = member(message, "advanceInfo");
  ensureNames(advance, "advanceInfo", ADVANCE);
  ensure(/^[0-9A-Za-z_-]{0,8}$/.test(String(advance["notifyKey"] ?? "")), "notifyKey is malformed");
  if (message["extra"] === undefined) return;
  const extra = member(message, "extra");
  ensureNames(extra, "extra", "callback ? callback.param callback.type");
  ensureUrl(extra["callback"], "callback", 128);
  ensure(Buffer.byteLength(String(extra["callback.param"] ?? "")) <= 64, "callback.param is too long");
  ensure(/^[123]$/.test(String(extra["callback.type"] ?? "3")), "callback.type is not 1, 2 or 3");
}

function member(fields: Fields, name: string): Fields {
  return fieldsIn(fields[name] ?? {}, name);
}

function error(code: number, message: string): FakeReply {
  return answerJson({ code: String(code), message, value: "", redirect: "" });
}
