// What vendors post about what they delivered, in each one's own form (src/vendors/README.md: receipts), and what of a request and its
// answer they need for it.
import { createHmac, randomBytes } from "node:crypto";
import { isObject } from "../core/object.ts";
import type { Fields } from "./checks.ts";
import type { FakeReply, FakeRequest } from "./fake.ts";
import { jsonIn } from "./requests.ts";

/** What the vendor posts. */
export interface Receipt {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: string;
  readonly body: string;
}

/** One device of one message. */
export interface Told {
  readonly token: string;
  /** The vendor's id of the message. */
  readonly id: string;
  /** What the message carried along for its receipt; "" when nothing. */
  readonly param: string;
}

/** `late`: after the next one; `unknown`: with a status that nobody knows; `forged`: with a wrong signature, token or secret. */
export type Manner = "once" | "twice" | "late" | "unknown" | "forged";

const JSON_TYPE = { "content-type": "application/json" };
const FORM_TYPE = { "content-type": "application/x-www-form-urlencoded" };

/** The key that Huawei signs with: base64, as newer configurations have it, or a plain text. */
export interface CallbackKey {
  readonly secret: string | Buffer;
  readonly user: string;
}

/** At most 100. @param form "nested": `deliveryStatus.result`, callback v2; "flat": `status`, as before it */
export function huaweiReceipt(
  form: "nested" | "flat",
  told: readonly Told[],
  result: number,
  now: number,
  key?: CallbackKey,
): Receipt {
  const statuses = told.map(({ token, id, param }) => ({
    token,
    requestId: id,
    biTag: param,
    ...(form === "nested" ? { deliveryStatus: { result, timestamp: now } } : { status: result, timestamp: now }),
  }));
  return { headers: { ...JSON_TYPE, ...signature(key, now) }, query: "", body: JSON.stringify({ statuses }) };
}

function signature(key: CallbackKey | undefined, now: number): Readonly<Record<string, string>> {
  if (key === undefined) return {};
  const nonce = randomBytes(8).toString("hex");
  const value = createHmac("sha256", key.secret).update(`${now}${nonce}${key.user}`).digest("base64");
  return { "x-huawei-callback-id": `timestamp=${now};nonce=${nonce};value=${value}` };
}

/** @param type 1 arrived, 2 clicked, 16 dead, 32 suppressed */
export function xiaomiReceipt(told: readonly Told[], type: number, now: number): Receipt {
  const data = byMessage(told, (id, targets, param) => [id, { param, type, targets: targets.join(), timestamp: now }]);
  return { headers: FORM_TYPE, query: "", body: new URLSearchParams({ data: JSON.stringify(data) }).toString() };
}

export function oppoReceipt(told: readonly Told[], eventType: string, now: number): Receipt {
  const events = told.map(({ token, id, param }) => ({
    ...{ messageId: id, appId: "1", taskId: id, registrationIds: token, eventTime: now, param, eventType },
  }));
  return { headers: JSON_TYPE, query: "", body: JSON.stringify(events) };
}

export function vivoReceipt(told: readonly Told[]): Receipt {
  const tasks = byMessage(told, (id, targets, param) => [id, { param, targets: targets.join() }]);
  return { headers: JSON_TYPE, query: "", body: JSON.stringify(tasks) };
}

/** @param type 1 arrived, 2 clicked */
export function meizuReceipt(told: readonly Told[], type: number, accessToken: string): Receipt {
  const cb = JSON.stringify(byMessage(told, (id, targets, param) => [`${id}-${type}`, { param, type, targets }]));
  return { headers: FORM_TYPE, query: "", body: new URLSearchParams({ cb, access_token: accessToken }).toString() };
}

function byMessage(
  told: readonly Told[],
  entry: (id: string, targets: readonly string[], param: string) => readonly [string, unknown],
): Fields {
  const messages = Map.groupBy(told, ({ id }) => id);
  return Object.fromEntries(
    [...messages].map(([id, all]) =>
      entry(
        id,
        all.map(({ token }) => token),
        all[0]!.param,
      ),
    ),
  );
}

/** What a vendor's side knows of a message that it took. */
interface Message {
  readonly id: string;
  readonly param: string;
  /** Where the message says that receipts go; undefined for vendors whose console says it. */
  readonly address: string | undefined;
}

export interface Teller {
  /** It proves by a key of its own that it is the vendor; of the others only the address is secret. */
  readonly signs: boolean;
  /** Of a request that was accepted, for one of its tokens; undefined when its receipts were not asked for. */
  message(request: FakeRequest, reply: FakeReply, token: string): Message | undefined;
  /** @param forged with another key than agreed on, for vendors that have one */
  write(told: readonly Told[], known: boolean, forged: boolean, now: number): Receipt;
}

/** The lab's own keys for receipts, as vendors' consoles show them. */
const CALLBACK_KEY: CallbackKey = { secret: "lab-callback-secret", user: "lab" };
const MEIZU_TOKEN = "meizu-lab-callback";
const FORGED_KEY: CallbackKey = { secret: "another-secret", user: "lab" };

const huaweiTeller = (form: "nested" | "flat", tag: (body: Fields) => unknown): Teller => ({
  signs: true,
  message({ body }, reply) {
    const param = text(tag(jsonIn(body.toString(), "body")));
    return { id: text(said(reply)["requestId"]), param, address: undefined };
  },
  write: (told, known, forged, now) =>
    huaweiReceipt(form, told, known ? 0 : 999, now, forged ? FORGED_KEY : CALLBACK_KEY),
});

export const TELLERS: Readonly<Record<string, Teller>> = {
  harmony: huaweiTeller("flat", (body) => member(body, "pushOptions")["biTag"]),
  huawei: huaweiTeller("nested", (body) => member(member(body, "message"), "android")["bi_tag"]),
  honor: {
    signs: false,
    message({ body }, reply) {
      const param = text(member(jsonIn(body.toString(), "body"), "android")["biTag"]);
      return { id: text(member(said(reply), "data")["requestId"]), param, address: undefined };
    },
    write: (told, known, _forged, now) => huaweiReceipt("nested", told, known ? 0 : 999, now),
  },
  meizu: {
    signs: true,
    message(request, reply) {
      const extra = member(jsonIn(formOf(request).get("messageJson"), "messageJson"), "extra");
      return asked(said(reply)["msgId"], extra["callback.param"], extra["callback"]);
    },
    write: (told, known, forged) => meizuReceipt(told, known ? 1 : 77, forged ? "guessed" : MEIZU_TOKEN),
  },
  oppo: {
    signs: false,
    message(request, reply, token) {
      const form = formOf(request);
      const list: unknown = JSON.parse(form.get("messages") ?? `[${form.get("message")}]`);
      const answers: unknown = said(reply)["data"];
      const message = find(list, "target_value", token);
      const answer = Array.isArray(answers) ? find(answers, "registrationId", token) : member(said(reply), "data");
      const { call_back_parameter: param, call_back_url: address } = member(message, "notification");
      return asked(answer["messageId"], param, address);
    },
    write: (told, known, _forged, now) => oppoReceipt(told, known ? "push_arrive" : "push_vanish", now),
  },
  vivo: {
    signs: false,
    message({ body }, reply) {
      const extra = member(jsonIn(body.toString(), "body"), "extra");
      return asked(said(reply)["taskId"], extra["callback.param"], extra["callback"]);
    },
    // Its receipts have no status: a task that nobody knows.
    write: (told, known) => vivoReceipt(known ? told : told.map((one) => ({ ...one, id: "0", param: "" }))),
  },
  xiaomi: {
    signs: false,
    message(request, reply) {
      const form = formOf(request);
      const { id } = member(said(reply), "data");
      return asked(id, form.get("extra.callback.param") ?? undefined, form.get("extra.callback") ?? undefined);
    },
    write: (told, known, _forged, now) => xiaomiReceipt(told, known ? 1 : 4096, now),
  },
};

/** What an entry of the configuration needs for receipts: they come to this address. */
export function receiptEntry(vendor: string, address: string, secret: string): Readonly<Record<string, string>> {
  const own = { receipt_secret: secret };
  if (vendor === "huawei" || vendor === "harmony")
    return { ...own, callback_secret: String(CALLBACK_KEY.secret), callback_user: CALLBACK_KEY.user };
  if (vendor === "honor") return own;
  return { ...own, callback_url: address, ...(vendor === "meizu" ? { callback_token: MEIZU_TOKEN } : {}) };
}

function asked(id: unknown, param: unknown, address: unknown): Message | undefined {
  return typeof address === "string" ? { id: text(id), param: text(param), address } : undefined;
}

const said = (reply: FakeReply): Fields => jsonIn(reply.body, "the answer");
const formOf = (request: FakeRequest) => new URLSearchParams(request.body.toString());
const text = (value: unknown): string => (value === undefined ? "" : String(value));

function member(fields: Fields, name: string): Fields {
  const value = fields[name];
  return isObject(value) ? value : {};
}

function find(list: unknown, name: string, value: string): Fields {
  const found: unknown = Array.isArray(list) ? list.find((one) => isObject(one) && one[name] === value) : undefined;
  return isObject(found) ? found : {};
}
