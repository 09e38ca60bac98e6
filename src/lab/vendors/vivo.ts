// A fake vivo: a signed login with its own header, then JSON for one registration id, or a message that is stored and then sent to
// lists of 2 to 1000 of them.
import { createHash } from "node:crypto";
import { Recent } from "../../core/recent.ts";
import { ensure, ensureNames, ensureRange, ensureText, ensureUrl, type Fields, fieldsIn } from "../checks.ts";
import { type FakeReply, type FakeRequest, type FakeVendor, REMEMBERED } from "../fake.ts";
import { Handsets, openedWith } from "../handsets.ts";
import { type Receipt, vivoReceipt } from "../receipts.ts";
import { answerJson, isCurrent, readJson, strictly } from "../requests.ts";
import { Sessions } from "../sessions.ts";

const MESSAGE = `timeToLive skipContent networkType clientCustomMap extra classification category notifyId foregroundShow`;
const SEND = `appId regId notifyType title content skipType requestId ? pushMode ${MESSAGE}`;
const SAVE = `appId notifyType title content skipType requestId ? ${MESSAGE}`;
const LIST = `appId regIds taskId requestId ? pushMode`;
const PATHS = ["/message/send", "/message/saveListPayload", "/message/pushToList"];
const SYSTEM = ["IM", "ACCOUNT", "TODO", "DEVICE_REMINDER", "ORDER", "SUBSCRIPTION"];
const OPERATION = ["NEWS", "CONTENT", "MARKETING", "SOCIAL"];
/** Of those a list is not for: not existing, inactive for 90 days, none of the test devices. */
const STATUSES: Readonly<Record<string, number>> = { dead: 1, uninstalled: 2, inactive: 3, blocked: 4 };

export interface FakeVivo extends FakeVendor {
  /** What vivo posts to the callback of what this token was sent last. */
  receipt(token: string): Receipt;
  /** How often somebody logged in. */
  logins(): number;
}

interface Options {
  readonly appId?: number;
  readonly appKey?: string;
  readonly appSecret?: string;
  readonly packageName?: string;
}

export function fakeVivo(options: Options = {}): FakeVivo {
  const { appId = 10004, appKey = "vivo-lab-key", appSecret = "vivo-lab-secret" } = options;
  const { packageName = "com.example.lab" } = options;
  const phones = new Handsets("vivo", "quota", "list-quota", "throttle", "denied", "expired-credential", "partial");
  const sessions = new Sessions("vivo");
  /** By requestId: what it was answered. */
  const tasks = new Recent<string, string>(REMEMBERED);
  const lists = new Recent<string, FakeReply>(REMEMBERED);
  const messages = new Recent<string, Fields>(REMEMBERED);
  let count = 0;

  function handled(request: FakeRequest, now: number): FakeReply {
    if (request.method === "POST" && request.path === "/message/auth") return login(readJson(request), now);
    const { fault, reply } = phones.next();
    if (reply !== undefined) return reply;
    if (request.method !== "POST" || !PATHS.includes(request.path)) return { status: 404 };
    if (fault === "expired-credential") sessions.end();
    if (fault === "denied") return answer(10094, "appId does not match");
    if (fault === "quota") return answer(10070, "发送总量超出限制");
    if (fault === "list-quota" && request.path === PATHS[1]) return answer(10252, "批量推送消息体接口超限");
    if (fault === "throttle") return answer(10072, "发送速度过快");
    if (!sessions.has(request.headers["authtoken"], now)) return answer(10000, "权限认证失败");
    const body = readJson(request);
    if (body["appId"] !== appId) return answer(10094, "appId does not match");
    if (request.path === PATHS[1]) return save(body);
    return request.path === PATHS[2] ? sendList(body, fault === "partial") : send(body, fault === "partial");
  }

  function login(body: Fields, now: number): FakeReply {
    ensureNames(body, "body", "appId appKey timestamp sign");
    if (body["appId"] !== appId) return answer(10202, "appId不合法");
    if (body["appKey"] !== appKey) return answer(10203, "appKey不合法");
    if (typeof body["timestamp"] !== "number" || !isCurrent(body["timestamp"], now))
      return answer(10207, "timestamp不合法");
    const sign = createHash("md5").update(`${appId}${appKey}${body["timestamp"]}${appSecret}`).digest("hex");
    if (body["sign"] !== sign) return answer(10206, "sign不合法");
    return answer(0, "请求成功", { authToken: sessions.open(now) });
  }

  function send(body: Fields, fails: boolean): FakeReply {
    checkMessage(body, SEND);
    ensureRange(body["pushMode"] ?? 0, "pushMode", 0, 1);
    const token = ensureText(body["regId"], "regId", 200);
    const requestId = ensureText(body["requestId"], "requestId", 64);
    const state = fails ? "dead" : phones.tokens.get(token);
    if (state === "dead") return answer(10302, "regId不合法", { invalidUser: { status: 1, userid: token } });
    if (state === "blocked") return answer(10071, "用户不活跃");
    if (state === "inactive") return answer(0, "请求成功", { taskId: "0", invalidUser: { status: 3, userid: token } });
    const earlier = tasks.get(requestId);
    if (earlier !== undefined) return answer(0, "请求成功", { taskId: earlier });
    const taskId = task(requestId);
    show(body, token, taskId);
    return answer(0, "请求成功", { taskId });
  }

  function save(body: Fields): FakeReply {
    checkMessage(body, SAVE);
    const requestId = ensureText(body["requestId"], "requestId", 64);
    const taskId = tasks.get(requestId) ?? task(requestId);
    messages.set(taskId, body);
    return answer(0, "请求成功", { taskId });
  }

  function sendList(body: Fields, fails: boolean): FakeReply {
    ensureNames(body, "body", LIST);
    const regIds = body["regIds"];
    ensure(Array.isArray(regIds) && regIds.length >= 2 && regIds.length <= 1000, "regIds is not a list of 2..1000");
    ensure(new Set(regIds).size === regIds.length, "a regId is repeated");
    ensureRange(body["pushMode"] ?? 0, "pushMode", 0, 1);
    const taskId = ensureText(body["taskId"], "taskId", 100);
    const requestId = ensureText(body["requestId"], "requestId", 64);
    const message = messages.get(taskId);
    ensure(message !== undefined, "taskId is unknown");
    const earlier = lists.get(requestId);
    if (earlier !== undefined) return earlier;
    const invalidUsers: { readonly userid: string; readonly status: number }[] = [];
    for (const [i, regId] of regIds.entries()) {
      const token = ensureText(regId, "regId", 200);
      const state = fails && i === regIds.length - 1 ? "dead" : phones.tokens.get(token);
      const status = STATUSES[state ?? ""];
      if (status === undefined) show(message, token, taskId);
      else invalidUsers.push({ userid: token, status });
    }
    const reply = answer(0, "请求成功", { taskId, ...(invalidUsers.length === 0 ? {} : { invalidUsers }) });
    lists.set(requestId, reply);
    return reply;
  }

  function task(requestId: string): string {
    const taskId = String(700_000_000 + ++count);
    tasks.set(requestId, taskId);
    return taskId;
  }

  function show(message: Fields, token: string, taskId: string): void {
    phones.sent(token, taskId, fieldsIn(message["extra"] ?? {}, "extra")["callback.param"]);
    const custom = fieldsIn(message["clientCustomMap"] ?? {}, "clientCustomMap");
    phones.show(token, { title: String(message["title"]), message: String(message["content"]), ...openedWith(custom) });
  }

  return {
    ...phones.members,
    logsIn: true,
    config: (base_url) => ({
      package_name: packageName,
      app_id: appId,
      app_key: appKey,
      app_secret: appSecret,
      base_url,
    }),
    handle: (request, now) =>
      strictly(
        () => handled(request, now),
        (problem) => answer(10104, problem),
      ),
    logins: () => sessions.opened,
    receipt: (token) => vivoReceipt([phones.last(token)]),
  };
}

function checkMessage(body: Fields, names: string): void {
  ensureNames(body, "body", names);
  ensureText(body["title"], "title", 40, width);
  ensureText(body["content"], "content", 100, width);
  // vivo also refuses what is letters only, which would keep a newcomer's "hello" from the lab.
  ensure(!/^\d+$|测试/.test(String(body["content"])), "the content looks like a test");
  ensureRange(body["notifyType"], "notifyType", 1, 4);
  ensureRange(body["timeToLive"] ?? 86_400, "timeToLive", 60, 86_400);
  ensureRange(body["skipType"], "skipType", 1, 4);
  ensure(body["skipType"] === 1 || body["skipContent"] !== undefined, "skipContent is missing");
  if (body["skipContent"] !== undefined) ensureText(body["skipContent"], "skipContent", 1024);
  ensureRange(body["networkType"] ?? -1, "networkType", -1, 1);
  ensureRange(body["notifyId"] ?? 1, "notifyId", 1, 0x7fffffff);
  ensure(typeof (body["foregroundShow"] ?? true) === "boolean", "foregroundShow is not a boolean");
  const system = ensureRange(body["classification"] ?? 0, "classification", 0, 1) === 1;
  const allowed = system ? SYSTEM : OPERATION;
  ensure(
    body["category"] === undefined || allowed.includes(String(body["category"])),
    "category and classification disagree",
  );
  const custom = fieldsIn(body["clientCustomMap"] ?? {}, "clientCustomMap");
  const pairs = Object.entries(custom);
  ensure(
    pairs.every(([, value]) => typeof value === "string"),
    "clientCustomMap holds something else than text",
  );
  ensure(pairs.flat().join("").length <= 1024, "clientCustomMap is too long");
  if (body["extra"] === undefined) return;
  const extra = fieldsIn(body["extra"], "extra");
  ensureNames(extra, "extra", "callback ? callback.param");
  ensureUrl(extra["callback"], "callback", 128);
  if (extra["callback.param"] !== undefined) ensureText(extra["callback.param"], "callback.param", 64);
}

function answer(result: number, desc: string, more: object = {}): FakeReply {
  return answerJson({ result, desc, ...more });
}

/** A Chinese character is worth two English ones. */
const width = (text: string): number => text.replaceAll(/[^\0-\x7f]/gu, "xx").length;
