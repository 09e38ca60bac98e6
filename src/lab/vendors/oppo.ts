// A fake OPPO: a signed login, then forms with one message or a list of them, each with its own answer.
import { createHash } from "node:crypto";
import { Recent } from "../../core/recent.ts";
import { ensure, ensureNames, ensureRange, ensureText, ensureUrl, type Fields, fieldsIn } from "../checks.ts";
import { type FakeReply, type FakeRequest, type FakeVendor, REMEMBERED } from "../fake.ts";
import { Handsets, openedWith } from "../handsets.ts";
import { oppoReceipt, type Receipt } from "../receipts.ts";
import { answerJson, isCurrent, jsonIn, readForm, strictly } from "../requests.ts";
import { Sessions } from "../sessions.ts";

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
  const kinds = ["quota", "throttle", "denied", "expired-credential", ...Object.keys(PARTIAL)];
  const phones = new Handsets("oppo", ...kinds);
  const sessions = new Sessions("oppo");
  const taken = new Recent<string, true>(REMEMBERED);
  let count = 0;

  function answer(request: FakeRequest, now: number): FakeReply {
    if (request.method === "POST" && request.path === "/server/v1/auth") return login(readForm(request), now);
    const { fault, reply } = phones.next();
    if (reply !== undefined) return reply;
    if (request.method !== "POST" || !request.path.startsWith(SEND)) return { status: 404 };
    if (fault === "expired-credential") sessions.end();
    if (fault === "denied") return error(14, "Invalid AppKey");
    if (fault === "quota") return error(33, "The number of messages exceeds the daily limit");
    if (fault === "throttle") return error(-2, "Service in Flow Control");
    const form = readForm(request);
    if (!sessions.has(form["auth_token"], now)) return error(11, "Invalid AuthToken");
    return request.path === SEND ? single(form) : list(request, form, PARTIAL[fault ?? ""]);
  }

  function login(form: Fields, now: number): FakeReply {
    ensureNames(form, "form", "app_key timestamp sign");
    if (form["app_key"] !== appKey) return error(14, "Invalid AppKey");
    if (!isCurrent(form["timestamp"], now)) return error(18, "Invalid Timestamp");
    const sign = createHash("sha256").update(`${appKey}${form["timestamp"]}${masterSecret}`).digest("hex");
    if (form["sign"] !== sign) return error(16, "Invalid Signature");
    return success({ auth_token: sessions.open(now), create_time: now });
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
    const state = phones.tokens.get(token);
    const own = notification["app_message_id"];
    if (fails !== undefined) return failure(token, ...fails);
    if (state === "dead") return failure(token, 10000, "Invalid RegistrationId");
    if (state === "blocked") return failure(token, 10001, "Unsubscribed");
    if (taken.has(String(own))) return failure(token, 32, "Duplicate app_message_id");
    if (own !== undefined) taken.set(String(own), true);
    phones.sent(token, messageId, notification["call_back_parameter"]);
    const parameters = notification["action_parameters"];
    const extras = parameters === undefined ? {} : jsonIn(parameters, "action_parameters");
    const { title, content } = notification;
    phones.show(token, { title: String(title), message: String(content), ...openedWith(extras) });
    return { messageId, registrationId: token, errorCode: undefined, errorMessage: undefined };
  }

  return {
    ...phones.members,
    logsIn: true,
    config: (base_url) => ({ package_name: packageName, app_key: appKey, master_secret: masterSecret, base_url }),
    handle: (request, now) =>
      strictly(
        () => answer(request, now),
        (problem) => error(41, problem),
      ),
    logins: () => sessions.opened,
    receipt: (token, now) => oppoReceipt([phones.last(token)], "push_arrive", now),
  };
}

function checked(given: unknown): { readonly token: string; readonly notification: Fields } {
  const message = fieldsIn(given, "a message");
  ensureNames(message, "message", "target_type target_value notification ? verify_registration_id");
  ensure(message["target_type"] === 2, "target_type is not 2");
  const notification = fieldsIn(message["notification"], "notification");
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
