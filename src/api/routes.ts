// The HTTP API: who may call, which function answers, what a mistake looks like. Any method runs any route, save OPTIONS.
import { type Debug, NO_DEBUG } from "../core/debug.ts";
import { PushError } from "../core/errors.ts";
import type { QuietHours } from "../core/notification.ts";
import { Tally } from "../core/tally.ts";
import type { Head, Response, Site } from "../http/message.ts";
import { HttpError } from "../http/message.ts";
import { routes } from "../http/routes.ts";
import type { Actions } from "./actions.ts";
import { allowing, failed, HEALTHY, json, STATUS_OF, shown, withWarnings } from "./answer.ts";
import { apn } from "./apn.ts";
import type { ApiKey, BroadcastRule, Caller } from "./auth.ts";
import { createAuth } from "./auth.ts";
import { deliveryList, deliveryRetry, getNotification } from "./deliveries.ts";
import { deleteDevice, getDevice, redisGet } from "./device.ts";
import { Durations, type Histogram } from "./durations.ts";
import { eventList, eventReplay } from "./event.ts";
import { hookDead, hookList, hookResume, hookTest } from "./hook.ts";
import type { Limits } from "./ids.ts";
import { JOB_ORDERS, jobGet, jobList, jobOrder } from "./job.ts";
import { laneList, laneResume } from "./lane.ts";
import { disconnect, presence, subscribe, unsubscribe } from "./live.ts";
import { revoke } from "./login.ts";
import { notification } from "./notification.ts";
import { createPages, type PageRule, preflightHeaders, shownText } from "./pages.ts";
import type { Params } from "./params.ts";
import { readParams } from "./params.ts";
import { push } from "./push.ts";
import { LONGEST_RECEIPT, type ReceiptAddress, receipt, receiptAddress } from "./receipt.ts";
import { createRefusals } from "./refusals.ts";
import { REPEAT_HEADER } from "./repeat.ts";
import { config, heap } from "./server.ts";
import { statsArrival, statsBase, statsChart, statsKeys } from "./stats.ts";
import { createStreams } from "./stream.ts";
import type { TopicOnlineFilter } from "./topic.ts";
import { topicDevices, topicList, topicOnline } from "./topic.ts";
import { bindUid, removeUid } from "./uid.ts";
import { unknownNames } from "./unknown.ts";

/** Who may call, and from where. */
export interface Access extends PageRule {
  /** None: everybody may call. */
  readonly keys: readonly ApiKey[];
  readonly broadcast: BroadcastRule;
}

export interface ApiOptions extends Access {
  /** Whether a reload may take the last key away. */
  readonly insecure: boolean;
  readonly topicOnlineFilter?: TopicOnlineFilter;
  readonly limits: Limits;
  readonly quietElse?: QuietHours["otherwise"];
  /** How this process names itself in statistics: `<ip>:<number>`. */
  readonly serverId: string;
  /** Gets what was thrown and is no caller's mistake. */
  report(error: unknown, requestId: string | undefined): void;
  /** Gets a line for the log on who was not let in. */
  warn(text: string, requestId: string): void;
  readonly debug?: Debug;
  readonly now?: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed?: () => number;
}

export interface Api {
  readonly site: Site;
  /** Who may call from now on. Throws, and changes nothing, when no key is left. */
  setAccess(access: Access): void;
  readonly counters: ApiCounters;
}

/** Since the start. */
interface ApiCounters {
  /** Calls let in, by path. */
  readonly calls: Readonly<Record<string, number>>;
  /** Answers that say what is wrong, by status. */
  readonly errors: Readonly<Record<string, number>>;
  /** From the end of the request to its answer, by path; only of paths that were called. */
  readonly durations: Readonly<Record<string, Histogram>>;
}

interface Endpoint {
  readonly path: string;
  /** The names of its parameters: another one gets a warning. */
  readonly takes: readonly string[];
  /** Finding out the caller's address costs something, so it is known only where it is asked for. */
  readonly namesCaller?: boolean;
  /** The call may carry the header Idempotency-Key. */
  readonly repeatable?: boolean;
  /** The call may carry the header Last-Event-ID. */
  readonly resumable?: boolean;
  answer(params: Params, caller: Caller, rest: string): Response | Promise<Response>;
}

/** Keeps devices apart by the version in a tag. */
const FILTER = ["tagStart", "tagLessThan", "tagGreaterThan"];

export function createApi(options: ApiOptions, actions: Actions): Api {
  const { limits, serverId, topicOnlineFilter, debug = NO_DEBUG, elapsed = () => performance.now() } = options;
  const auth = createAuth(options.keys, options.insecure, options.broadcast);
  const pages = createPages(options);
  const streams = createStreams();
  const refusal = createRefusals(options.warn, options.now ?? Date.now);
  const limited = new Tally<number, { readonly text: string; readonly requestId: string }>((status, count, last) =>
    options.warn(
      `${count === 1 ? "a call was" : `${count} calls were`} refused with ${status}, the last: ${last.text}`,
      last.requestId,
    ),
  );

  function admitBroadcast(caller: Caller): void {
    try {
      auth.admitBroadcast(caller);
    } catch (error) {
      refusal(caller.address, textOf(error), caller.requestId);
      throw error;
    }
  }

  const endpoints: readonly Endpoint[] = [
    {
      path: "/push",
      takes: ["topic", "pushId", "uid", "json", "data", "timeToLive", "idempotencyKey", ...FILTER],
      repeatable: true,
      answer: (params, caller) => push(params, actions, caller),
    },
    {
      path: "/notification",
      takes: [
        ...["notification", "pushAll", "tag", "pushId", "uid", "timeToLive", "type", "idempotencyKey"],
        ...["sendAt", "rate", "dryRun", "quietHours", "timeZone", ...FILTER],
      ],
      namesCaller: true,
      repeatable: true,
      answer: (params, caller) =>
        notification(params, actions, () => admitBroadcast(caller), caller, limits, options.quietElse ?? "send"),
    },
    {
      path: "/notification/get",
      takes: ["id", "limit", "after"],
      answer: (params) => getNotification(params, actions),
    },
    { path: "/job/list", takes: ["state", "limit", "before"], answer: (params) => jobList(params, actions) },
    { path: "/job/get", takes: ["id"], answer: (params) => jobGet(params, actions) },
    ...JOB_ORDERS.map(
      (order): Endpoint => ({
        path: `/job/${order}`,
        takes: ["id"],
        namesCaller: true,
        answer: (params, caller) => jobOrder(params, actions, order, () => admitBroadcast(caller)),
      }),
    ),
    {
      path: "/delivery/list",
      takes: ["state", "provider", "app", "reason", "from", "to", "limit", "after"],
      answer: (params) => deliveryList(params, actions),
    },
    {
      path: "/delivery/retry",
      takes: [
        ...["delivery", "state", "provider", "app", "reason", "from", "to", "limit", "after"],
        ...["timeToLive", "dryRun"],
      ],
      namesCaller: true,
      answer: (params, caller) => deliveryRetry(params, actions, () => admitBroadcast(caller)),
    },
    { path: "/lane/list", takes: [], answer: () => laneList(actions) },
    {
      path: "/lane/resume",
      takes: ["provider", "app", "host"],
      namesCaller: true,
      answer: (params, caller) => laneResume(params, actions, () => admitBroadcast(caller)),
    },
    { path: "/hook/list", takes: [], answer: () => hookList(actions) },
    { path: "/hook/resume", takes: ["name"], answer: (params) => hookResume(params, actions) },
    { path: "/hook/test", takes: ["name"], answer: (params) => hookTest(params, actions) },
    { path: "/hook/dead", takes: ["name", "after", "limit"], answer: (params) => hookDead(params, actions) },
    {
      path: "/event/list",
      takes: ["after", "types", "key", "from", "to", "limit"],
      answer: (params) => eventList(params, actions),
    },
    {
      path: "/event/replay",
      takes: ["hook", "from", "to", "types", "key", "after", "dead"],
      answer: (params) => eventReplay(params, actions),
    },
    {
      path: "/events",
      takes: ["types", "after"],
      resumable: true,
      answer: (params, { lastEventId }) => streams.answer(params, actions, lastEventId),
    },
    {
      path: "/uid/bind",
      takes: ["pushId", "uid", "platform", "platformLimit", "timeToLive"],
      answer: (params) => bindUid(params, actions),
    },
    {
      path: "/auth/revoke",
      takes: ["uid", "jti", "issuedBefore"],
      answer: (params) => revoke(params, actions, options.now ?? Date.now),
    },
    { path: "/uid/remove", takes: ["pushId", "uid"], answer: (params) => removeUid(params, actions) },
    { path: "/device/get", takes: ["pushId", "uid"], answer: (params) => getDevice(params, actions, serverId) },
    { path: "/isConnected", takes: ["pushId", "uid"], answer: (params) => getDevice(params, actions, serverId) },
    { path: "/device/delete", takes: ["pushId"], answer: (params) => deleteDevice(params, actions) },
    { path: "/topicOnline", takes: ["topic"], answer: (params) => topicOnline(params, actions, topicOnlineFilter) },
    {
      path: "/topicDevices",
      takes: ["topic", "limit", "after"],
      answer: (params) => topicDevices(params, actions, topicOnlineFilter),
    },
    {
      path: "/topic/list",
      takes: ["prefix", "limit", "after"],
      answer: (params) => topicList(params, actions, limits, topicOnlineFilter),
    },
    {
      path: "/disconnect",
      takes: ["pushId", "uid", "topic", "reconnect"],
      answer: (params) => disconnect(params, actions),
    },
    { path: "/subscribe", takes: ["topic", "pushId", "uid"], answer: (params) => subscribe(params, actions) },
    {
      path: "/unsubscribe",
      takes: ["topic", "pushId", "uid", "hold"],
      answer: (params) => unsubscribe(params, actions),
    },
    { path: "/presence", takes: ["pushId", "uid"], answer: (params) => presence(params, actions) },
    { path: "/stats/base", takes: [], answer: () => statsBase(actions, serverId) },
    { path: "/stats/chart", takes: ["key"], answer: (params) => statsChart(params, actions) },
    { path: "/stats/getQueryDataKeys", takes: [], answer: () => statsKeys(actions) },
    {
      path: "/stats/arrival/:type",
      takes: ["id", "uid", "pushId"],
      answer: (params, _, type) => statsArrival(params, actions, type, serverId),
    },
    {
      path: "/apn",
      takes: ["notification", "bundleId", "tokens", "timeToLive"],
      answer: (params) => apn(params, actions, limits),
    },
    { path: "/redis/get", takes: ["key"], answer: (params) => redisGet(params, actions) },
    { path: "/config", takes: [], answer: () => config(actions) },
    { path: "/heap", takes: [], answer: heap },
  ];
  const table = endpoints.map((endpoint) => ({
    path: `/api${endpoint.path}`,
    handler: {
      ...endpoint,
      takes: new Set(endpoint.takes),
      key: `call:${endpoint.path.replace("/:type", "")}`,
      served: 0,
      durations: new Durations(),
    },
  }));
  const find = routes(table);
  const errors: Record<string, number> = {};
  let receipts = 0;

  function open(head: Head): ReturnType<Site["open"]> {
    if (debug.on) head.learnAddress();
    // Whoever asks learns nothing from this and changes nothing.
    if (head.path === "/healthz" && head.method !== "options") return HEALTHY;
    if (head.path === "/readyz" && head.method !== "options") return ready;
    const address = receiptAddress(head.path);
    if (address !== undefined) return head.method === "options" ? allowing([]) : openReceipt(head, address);
    const asksMetrics = head.path === "/metrics" && actions.metrics !== undefined;
    admitPage(head, asksMetrics);
    if (head.method === "options") return allowing(preflightHeaders(head));
    const keyName = admitKey(head);
    if (asksMetrics) return metrics;
    const found = find(head.method, head.path);
    if (found === undefined) return refused(404, "not found", head);
    const { handler: endpoint, rest } = found;
    const caller: Caller = {
      keyName,
      address: endpoint.namesCaller ? head.address : "",
      repeatKey: endpoint.repeatable ? head.header(REPEAT_HEADER) : "",
      requestId: head.requestId,
      lastEventId: endpoint.resumable ? head.header("last-event-id") : "",
    };
    actions.count(endpoint.key);
    endpoint.served++;
    return (sealed, body) => {
      const began = elapsed();
      const ended = (): void => endpoint.durations.add(elapsed() - began);
      let answered: Response | Promise<Response>;
      try {
        const params = readParams(sealed, body, limits);
        answered =
          params instanceof Promise
            ? params.then((read) => answer(endpoint, read, caller, rest, sealed))
            : answer(endpoint, params, caller, rest, sealed);
      } catch (error) {
        ended();
        throw error;
      }
      if (answered instanceof Promise) void answered.then(ended, ended);
      else ended();
      if (debug.on)
        void Promise.resolve(answered).then(
          (done) => showCall(sealed, done, elapsed() - began),
          () => {},
        );
      return answered;
    };
  }

  /** One that is refused has a line of its own. */
  function showCall({ method, path, address, requestId }: Head, { status }: Response, took: number): void {
    const ms = Math.round(took * 1000) / 1000;
    debug.line({ method, path: shownText(path), address, status, ms, requestId }, "call answered");
  }

  function answer(
    endpoint: (typeof table)[number]["handler"],
    params: Params,
    caller: Caller,
    rest: string,
    head: Head,
  ): Response | Promise<Response> {
    const unknown = unknownNames(params.names(), endpoint.takes, `/api${endpoint.path}`);
    try {
      const answered = endpoint.answer(params, caller, rest);
      if (unknown === undefined && params.warnings === undefined) return answered;
      const warnings = [...(unknown ?? []).map(({ text }) => text), ...(params.warnings ?? [])];
      return answered instanceof Promise
        ? answered.then((late) => withWarnings(late, warnings))
        : withWarnings(answered, warnings);
    } catch (error) {
      // What is missing is often there under another name.
      const meant = (unknown ?? []).filter((one) => one.meant).map(({ text }) => text);
      if (meant.length === 0) throw error;
      return withWarnings(failure(error, head), meant);
    }
  }

  /** @throws HttpError for a web page that was not invited. A page can fetch the metrics, but not read them. */
  function admitPage(head: Head, asksMetrics: boolean): void {
    const why =
      (auth.open ? pages.refusesHost(head) : undefined) ?? (asksMetrics ? undefined : pages.refusesPage(head));
    if (why === undefined) return;
    refusal(head.address, `${head.method.toUpperCase()} ${shownText(head.path)}: ${why}`, head.requestId);
    throw new HttpError(403, why);
  }

  function admitKey(head: Head): string | undefined {
    try {
      return auth.admit(head);
    } catch (error) {
      refusal(head.address, `${head.method.toUpperCase()} ${shownText(head.path)}: ${textOf(error)}`, head.requestId);
      throw error;
    }
  }

  /** No API key is asked for: no vendor could give one. Nor does it matter by which name and from which page it is called. */
  function openReceipt(head: Head, address: ReceiptAddress): ReturnType<Site["open"]> {
    actions.count("call:/receipt");
    receipts++;
    head.maxBody = LONGEST_RECEIPT;
    return receipt(address, actions, head);
  }

  async function metrics(): Promise<Response> {
    return shown(actions.metrics?.contentType ?? "", (await actions.metrics?.text()) ?? "");
  }

  async function ready(head: Head): Promise<Response> {
    const reasons = await actions.ready();
    return reasons.length === 0
      ? json({ code: "success", ready: true })
      : json({ code: "error", message: `not ready: ${reasons.join("; ")}`, reasons, requestId: head.requestId }, 503);
  }

  function failure(error: unknown, head?: Head): Response {
    if (error instanceof PushError) return refused(STATUS_OF[error.code], error.message, head, error.hint);
    if (error instanceof HttpError) return refused(error.status, error.message, head);
    options.report(error, head?.requestId);
    return refused(500, "internal error", head);
  }

  function refused(status: number, message: string, head: Head | undefined, hint?: string): Response {
    errors[status] = (errors[status] ?? 0) + 1;
    const path = shownText(head?.path ?? "");
    const { method, address, requestId } = head ?? {};
    if (OF_A_LIMIT.has(status)) limited.add(status, { text: `${path}: ${message}`, requestId: requestId ?? "" });
    if (debug.on) debug.line({ method, path, address, status, error: hint ?? message, requestId }, "call refused");
    return failed(status, message, hint, requestId);
  }

  return {
    site: { open, failure },
    setAccess(access) {
      auth.set(access.keys, access.broadcast);
      pages.set(access);
      streams.end();
    },
    get counters() {
      const calls = Object.fromEntries(table.map(({ path, handler }) => [path, handler.served]));
      const durations = Object.fromEntries(
        table.flatMap(({ path, handler: { durations } }) => {
          const { histogram } = durations;
          return histogram === undefined ? [] : [[path, histogram]];
        }),
      );
      return { calls: { ...calls, "/api/receipt": receipts }, errors, durations };
    },
  };
}

/** What was too much, or came too slowly. */
const OF_A_LIMIT: ReadonlySet<number> = new Set([408, 413, 429, 503]);

/** For the log. */
const textOf = (error: unknown): string => (error instanceof PushError ? (error.hint ?? error.message) : String(error));
