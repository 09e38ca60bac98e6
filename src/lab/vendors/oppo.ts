// A fake OPPO: a signed login, then forms with one message or a list of them, each with its own answer.
import { createHash } from "node:crypto";
import { Recent } from "../../core/recent.ts";
import { DAY } from "../../core/time.ts";
import {
  answerJson,
  COMMON_FAULTS,
  commonFault,
  ensure,
  ensureNames,
  ensureRange,
  ensureText,
  ensureUrl,
  type Fields,
  faults,
  isCurrent,
  isFields,
  jsonIn,
  REMEMBERED,
  type Receipt,
  readForm,
  Violation,
} from "../checks.ts";
import type { FakeReply, FakeRequest, FakeVendor, Shown } from "../fake.ts";
import { oppoReceipt } from "../receipts.ts";

const NOTIFICATION = `title content ? app_message_id style sub_title click_action_type click_action_activity
  click_action_url action_parameters show_time_type off_line off_line_ttl show_ttl network_type notify_id channel_id
  category notify_level call_back_url call_back_parameter badge_operation_type badge_message_count`;
const SEND = "/server/v1/message/notification/unicast";

type ItemCode = readonly [code: number, message: string];

/** What the last of a list is answered, while the others are taken. */
const PARTIAL: Readonly<Record<string, ItemCode>> = {
  partial: [-2, "Service in Flow Control"],
  "partial-login": [11, "Invalid AuthToken"],
  "partial-quota": [33, "The number of messages exceeds the daily limit"],
};

export interface FakeOppo extends FakeVendor {
  /** What OPPO posts to the callback of what this token was sent last. */
  receipt(token: string, now: number): Receipt;
  /** How often somebody logged in. */
  logins(): number;
}

interface Options {
  readonly appKey?: string;
  readonly masterSecret?: string;
  readonly packageName?: string;
}

export function fakeOppo(options: Options = {}): FakeOppo {
  const { appKey = "oppo-lab-key", masterSecret = "oppo-lab-secret", packageName = "com.example.lab" } = options;
  const shown: Shown[] = [];
  const tokens = new Map<string, string>();
  const failures = faults("oppo", [
    ...COMMON_FAULTS,
    "quota",
    "throttle",
    "denied",
    "expired-credential",
    ...Object.keys(PARTIAL),
  ]);
  const sessions = new Recent<string, number>(REMEMBERED);
  const taken = new Recent<string, true>(REMEMBERED);
  const last = new Recent<string, { readonly messageId: string; readonly param: string }>(REMEMBERED);
  let logins = 0;
  let count = 0;

  function handle(request: FakeRequest, now: number): FakeReply {
    try {
      if (request.method === "POST" && request.path === "/server/v1/auth") return login(readForm(request), now);
      const fault = failures.next();
      const failed = commonFault(fault);
      if (failed !== undefined) return failed;
      if (request.method !== "POST" || !request.path.startsWith(SEND)) return { status: 404 };
      if (fault === "expired-credential") sessions.clear();
      if (fault === "denied") return error(14, "Invalid AppKey");
      if (fault === "quota") return error(33, "The number of messages exceeds the daily limit");
      if (fault === "throttle") return error(-2, "Service in Flow Control");
      const form = readForm(request);
      if (!((sessions.get(form["auth_token"] ?? "") ?? 0) > now)) return error(11, "Invalid AuthToken");
      return request.path === SEND ? single(form) : list(request, form, PARTIAL[fault ?? ""]);
    } catch (problem) {
      if (problem instanceof Violation) return error(41, problem.message);
      throw problem;
    }
  }

  function login(form: Fields, now: number): FakeReply {
    ensureNames(form, "form", "app_key timestamp sign");
    if (form["app_key"] !== appKey) return error(14, "Invalid AppKey");
    if (!isCurrent(form["timestamp"], now)) return error(18, "Invalid Timestamp");
    const sign = createHash("sha256").update(`${appKey}${form["timestamp"]}${masterSecret}`).digest("hex");
    if (form["sign"] !== sign) return error(16, "Invalid Signature");
    const auth_token = `oppo-session-${++logins}`;
    sessions.set(auth_token, now + DAY);
    return success({ auth_token, create_time: now });
  }

  function single(form: Fields): FakeReply {
    ensureNames(form, "form", "auth_token message");
    const message = checked(jsonIn(form["message"], "message"));
    const { errorCode, errorMessage, ...data } = deliver(message, undefined);
    return errorCode === undefined ? success(data) : error(errorCode, errorMessage ?? "");
  }

  function list(request: FakeRequest, form: Fields, last: ItemCode | undefined): FakeReply {
    ensure(request.path === `${SEND}_batch`, "unknown path");
    ensureNames(form, "form", "auth_token messages");
    const { messages } = jsonIn(`{"messages":${form["messages"]}}`, "messages");
    ensure(
      Array.isArray(messages) && messages.length > 0 && messages.length <= 1000,
      "messages is not a list of 1..1000",
    );
    const all = messages.map((message: unknown) => checked(message));
    return success(all.map((message, i) => deliver(message, i === all.length - 1 ? last : undefined)));
  }

  function deliver(message: { readonly token: string; readonly notification: Fields }, fails: ItemCode | undefined) {
    const { token, notification } = message;
    const messageId = `oppo-${String(++count).padStart(6, "0")}`;
    const state = tokens.get(token);
    const own = notification["app_message_id"];
    if (fails !== undefined) return failure(token, ...fails);
    if (state === "dead") return failure(token, 10000, "Invalid RegistrationId");
    if (state === "blocked") return failure(token, 10001, "Unsubscribed");
    if (taken.has(String(own))) return failure(token, 32, "Duplicate app_message_id");
    if (own !== undefined) taken.set(String(own), true);
    last.set(token, { messageId, param: String(notification["call_back_parameter"] ?? "") });
    const parameters = notification["action_parameters"];
    const extras = parameters === undefined ? {} : jsonIn(parameters, "action_parameters");
    shown.push({
      vendor: "oppo",
      token,
      title: String(notification["title"]),
      message: String(notification["content"]),
      payload: jsonIn(extras["payload"] ?? "{}", "payload"),
      id: String(extras["id"]),
    });
    return { messageId, registrationId: token, errorCode: undefined, errorMessage: undefined };
  }

  return {
    name: "oppo",
    http2: false,
    logsIn: true,
    config: (base_url) => ({ package_name: packageName, app_key: appKey, master_secret: masterSecret, base_url }),
    handle,
    shown,
    tokens,
    fail: failures.add,
    kinds: failures.kinds,
    logins: () => logins,
    receipt(token, now) {
      const { messageId, param } = last.get(token) ?? { messageId: "unknown", param: "" };
      return oppoReceipt([{ token, id: messageId, param }], "push_arrive", now);
    },
  };
}

function checked(message: unknown): { readonly token: string; readonly notification: Fields } {
  ensure(isFields(message), "a message is not an object");
  ensureNames(message, "message", "target_type target_value notification ? verify_registration_id");
  const { notification } = message;
  ensure(message["target_type"] === 2, "target_type is not 2");
  ensure(isFields(notification), "notification is not an object");
  ensureNames(notification, "notification", NOTIFICATION);
  ensureText(notification["title"], "title", 50);
  const style = ensureRange(notification["style"] ?? 1, "style", 1, 2);
  ensureText(notification["content"], "content", style === 2 ? 128 : 50);
  if (notification["off_line"] === true) ensureRange(notification["off_line_ttl"], "off_line_ttl", 1, 864_000);
  if (notification["notify_id"] !== undefined) ensureRange(notification["notify_id"], "notify_id", 0, 0x7fffffff);
  if (notification["action_parameters"] !== undefined) {
    jsonIn(ensureText(notification["action_parameters"], "action_parameters", 4000), "action_parameters");
  }
  if (notification["call_back_url"] !== undefined) ensureUrl(notification["call_back_url"], "call_back_url", 200);
  if (notification["call_back_parameter"] !== undefined)
    ensureText(notification["call_back_parameter"], "parameter", 50);
  if (notification["notify_level"] !== undefined) ensureText(notification["category"], "category", 100);
  ensureRange(notification["click_action_type"] ?? 0, "click_action_type", 0, 5);
  ensureRange(notification["network_type"] ?? 0, "network_type", 0, 1);
  return { token: ensureText(message["target_value"], "target_value", 200), notification };
}

function failure(registrationId: string, errorCode: number, errorMessage: string) {
  return { registrationId, errorCode, errorMessage };
}

function success(data: unknown): FakeReply {
  return answerJson({ code: 0, message: "Success", data });
}

function error(code: number, message: string): FakeReply {
  return answerJson({ code, message });
}
