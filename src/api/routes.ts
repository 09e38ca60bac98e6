// The HTTP API: who may call, which function answers, what a mistake looks like. Any method runs any route, save OPTIONS.
import { wallClock } from "../core/clock.ts";
import { type Debug, NO_DEBUG } from "../core/debug.ts";
import { PushError } from "../core/errors.ts";
import type { QuietHours } from "../core/notification.ts";
import { Tally } from "../core/tally.ts";
import type { Head, Response, Site } from "../http/message.ts";
import { HttpError } from "../http/message.ts";
import { routes } from "../http/routes.ts";
import type { Actions } from "./actions.ts";
import { allowing, failed, HEALTHY, json, STATUS_OF, shown, withSilent, withWarnings } from "./answer.ts";
import { apn } from "./apn.ts";
import { auditList, noted } from "./audit.ts";
import type { ApiKey, BroadcastRule, Caller } from "./auth.ts";
import { createAuth } from "./auth.ts";
import { connectionClose, connectionList } from "./connection.ts";
import { deliveryList, deliveryRetry, getNotification } from "./deliveries.ts";
import { deleteDevice, getDevice, listDevices, redisGet } from "./device.ts";
import { Durations, type Histogram } from "./durations.ts";
import { ENDPOINTS, type Path } from "./endpoints/index.ts";
import { type AccessLevel, type EndpointSpec, isToMany } from "./endpoints/spec.ts";
import { eventList, eventReplay } from "./event.ts";
import { statsSeries, statsTypes } from "./history.ts";
import { hookDead, hookList, hookResume, hookTest } from "./hook.ts";
import type { Limits } from "./ids.ts";
import { jobGet, jobLast, jobList, jobOrder, jobRate } from "./job.ts";
import { laneList, laneResume, laneTest } from "./lane.ts";
import { disconnect, presence, subscribe, unsubscribe } from "./live.ts";
import { revoke } from "./login.ts";
import { nodeList } from "./node.ts";
import { notification, notificationPreview } from "./notification.ts";
import { createPages, type PageRule, preflightHeaders, shownText } from "./pages.ts";
import type { Params } from "./params.ts";
import { readParams } from "./params.ts";
import { push } from "./push.ts";
import { reach } from "./reach.ts";
import { LONGEST_RECEIPT, type ReceiptAddress, receipt, receiptAddress } from "./receipt.ts";
import { createRefusals } from "./refusals.ts";
import { REPEAT_HEADER } from "./repeat.ts";
import { search } from "./search.ts";
import { config, description, heap } from "./server.ts";
import { configDiff, configGet, configReload } from "./settings.ts";
import { statsArrival, statsBase, statsChart, statsKeys, statsLive } from "./stats.ts";
import { createStreams } from "./stream.ts";
import { testDeviceAdd, testDeviceList, testDeviceRemove } from "./test-device.ts";
import type { TopicOnlineFilter } from "./topic.ts";
import { topicDevices, topicGet, topicList, topicOnline } from "./topic.ts";
import { traceGet, traceList, traceStart, traceStop } from "./trace.ts";
import { bindUid, removeUid } from "./uid.ts";
import { checkTried, unknownNames } from "./unknown.ts";
import { notificationWhy } from "./why.ts";

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
  /** Of the program, for its description. */
  readonly version?: string;
  /** How this process names itself in statistics: `<ip>:<number>`. */
  readonly serverId: string;
  /** Gets what was thrown and is no caller's mistake. */
  report(error: unknown, requestId: string | undefined): void;
  /** Gets a line for the log on who was not let in. */
  warn(text: string, requestId: string): void;
  readonly debug?: Debug;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed?: () => number;
}

/** Who calls by a login instead of a key. */
export interface Visitor {
  /** For the audit log. */
  readonly who: string;
  /** @throws HttpError for what it may not do */
  admit(access: AccessLevel): void;
}

export interface Api {
  readonly site: Site;
  /** The same endpoints for a listener that lets in by itself. @param visitor asked once the call is there */
  openFor(head: Head, visitor: () => Promise<Visitor>): ReturnType<Site["open"]>;
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

/** @param rest the free segment of the path @param asked the actions, of which it is known then whether a node was silent */
type Answer = (params: Params, caller: Caller, rest: string, asked: Actions) => Response | Promise<Response>;

/** @param actions what calls do: the core behind them, as `app.ts` joins it. What those throw becomes an answer that says why. */
export function createApi(options: ApiOptions, actions: Actions): Api {
  const { limits, serverId, topicOnlineFilter, debug = NO_DEBUG, elapsed = () => performance.now() } = options;
  const auth = createAuth(options.keys, options.insecure, options.broadcast);
  const pages = createPages(options);
  const streams = createStreams();
  const refusal = createRefusals(options.warn, elapsed);
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

  const answers: Readonly<Record<Path, Answer>> = {
    "/push": (params, caller) => push(params, actions, caller),
    "/notification": (params, caller) =>
      notification(params, actions, () => admitBroadcast(caller), caller, limits, options.quietElse ?? "send"),
    "/reach": (params, caller) => reach(params, actions, caller, limits, options.quietElse ?? "send"),
    "/notification/preview": (params) => notificationPreview(params, actions, limits),
    "/notification/get": (params) => getNotification(params, actions),
    "/notification/why": (params, _caller, _rest, asked) => notificationWhy(params, asked),
    "/job/list": (params) => jobList(params, actions),
    "/job/last": (params) => jobLast(params, actions),
    "/job/get": (params) => jobGet(params, actions),
    "/job/pause": (params, caller) => jobOrder(params, actions, "pause", () => admitBroadcast(caller)),
    "/job/resume": (params, caller) => jobOrder(params, actions, "resume", () => admitBroadcast(caller)),
    "/job/rate": (params, caller) => jobRate(params, actions, () => admitBroadcast(caller)),
    "/job/cancel": (params, caller) => jobOrder(params, actions, "cancel", () => admitBroadcast(caller)),
    "/delivery/list": (params) => deliveryList(params, actions),
    "/delivery/retry": (params, caller) => deliveryRetry(params, actions, () => admitBroadcast(caller)),
    "/lane/list": (_params, _caller, _rest, asked) => laneList(asked),
    "/lane/resume": (params, caller, _rest, asked) => laneResume(params, asked, () => admitBroadcast(caller)),
    "/hook/list": (_params, _caller, _rest, asked) => hookList(asked),
    "/hook/resume": (params, _caller, _rest, asked) => hookResume(params, asked),
    "/hook/test": (params) => hookTest(params, actions),
    "/hook/dead": (params) => hookDead(params, actions),
    "/event/list": (params) => eventList(params, actions),
    "/event/replay": (params) => eventReplay(params, actions),
    "/events": (params, { lastEventId }) => streams.answer(params, actions, lastEventId),
    "/uid/bind": (params) => bindUid(params, actions),
    "/uid/remove": (params) => removeUid(params, actions),
    "/auth/revoke": (params) => revoke(params, actions, options.now ?? wallClock),
    "/device/get": (params, _caller, _rest, asked) => getDevice(params, asked, serverId),
    "/device/list": (params, _caller, _rest, asked) => listDevices(params, asked, serverId),
    "/isConnected": (params, _caller, _rest, asked) => getDevice(params, asked, serverId),
    "/device/delete": (params) => deleteDevice(params, actions),
    "/topicOnline": (params, _caller, _rest, asked) => topicOnline(params, asked, topicOnlineFilter),
    "/topicDevices": (params, _caller, _rest, asked) => topicDevices(params, asked, topicOnlineFilter),
    "/topic/list": (params, _caller, _rest, asked) => topicList(params, asked, limits, topicOnlineFilter),
    "/disconnect": (params, _caller, _rest, asked) => disconnect(params, asked),
    "/subscribe": (params, _caller, _rest, asked) => subscribe(params, asked),
    "/unsubscribe": (params, _caller, _rest, asked) => unsubscribe(params, asked),
    "/presence": (params, _caller, _rest, asked) => presence(params, asked),
    "/stats/base": (_params, _caller, _rest, asked) => statsBase(asked, serverId),
    "/stats/live": (params, _caller, _rest, asked) => statsLive(params, asked),
    "/node/list": (_params, _caller, _rest, asked) => nodeList(asked),
    "/connection/list": (params, _caller, _rest, asked) => connectionList(params, asked),
    "/connection/close": (params, _caller, _rest, asked) => connectionClose(params, asked),
    "/trace/start": (params, _caller, _rest, asked) => traceStart(params, asked),
    "/trace/stop": (params, _caller, _rest, asked) => traceStop(params, asked),
    "/trace/list": (_params, _caller, _rest, asked) => traceList(asked),
    "/trace/get": (params, _caller, _rest, asked) => traceGet(params, asked),
    "/config/get": (params) => configGet(params, actions),
    "/config/diff": (params) => configDiff(params, actions),
    "/config/reload": () => configReload(actions),
    "/lane/test": (params) => laneTest(params, actions),
    "/topic/get": (params, _caller, _rest, asked) => topicGet(params, asked),
    "/device/test/list": (params, _caller, _rest, asked) => testDeviceList(params, asked),
    "/device/test/add": (params, caller) => testDeviceAdd(params, actions, caller),
    "/device/test/remove": (params) => testDeviceRemove(params, actions),
    "/search": (params, _caller, _rest, asked) => search(params, asked),
    "/stats/series": (params) => statsSeries(params, actions),
    "/stats/types": (params) => statsTypes(params, actions),
    "/stats/chart": (params) => statsChart(params, actions),
    "/stats/getQueryDataKeys": () => statsKeys(actions),
    "/stats/arrival/:type": (params, _, type) => statsArrival(params, actions, type, serverId),
    "/apn": (params) => apn(params, actions, limits),
    "/redis/get": (params, _caller, _rest, asked) => redisGet(params, asked),
    "/config": () => config(actions),
    "/heap": heap,
    "/audit/list": (params) => auditList(params, actions),
    "/openapi.json": (params) => description(options.version ?? "", params),
  };
  const specs: readonly (readonly [string, EndpointSpec])[] = Object.entries(ENDPOINTS);
  const table = specs.map(([path, { takes, access, surveys, namesCaller, repeatable, resumable, audited }]) => ({
    path: `/api${path}`,
    handler: {
      path,
      access,
      takes: new Set(Object.keys(takes)),
      namesCaller: namesCaller === true || audited !== undefined,
      audited,
      repeatable,
      resumable,
      surveys,
      answer: answers[path as Path], // a key of the table
      key: `call:${path.replace("/:type", "")}`,
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
        const go = endpoint.audited === undefined ? answer : answerAndNote;
        answered =
          params instanceof Promise
            ? params.then((read) => go(endpoint, read, caller, rest, sealed))
            : go(endpoint, params, caller, rest, sealed);
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

  function openFor(head: Head, visitor: () => Promise<Visitor>): ReturnType<Site["open"]> {
    const found = find(head.method, head.path);
    if (found === undefined) return refused(404, "not found", head);
    const { handler: endpoint, rest } = found;
    const from = {
      address: head.address,
      repeatKey: head.header(REPEAT_HEADER),
      requestId: head.requestId,
      lastEventId: head.header("last-event-id"),
      broadcasts: true,
    } as const;
    return async (sealed, body) => {
      const began = elapsed();
      const { who, admit } = await visitor();
      const params = await readParams(sealed, body, limits);
      const access = typeof endpoint.access === "function" ? endpoint.access(params) : endpoint.access;
      if (access !== "read" && sealed.method !== "post") throw new HttpError(405, "this changes something: use POST");
      actions.count(endpoint.key);
      endpoint.served++;
      const caller: Caller = { ...from, keyName: who };
      const go = (): Response | Promise<Response> => {
        admit(access);
        return answer(endpoint, params, caller, rest, sealed);
      };
      try {
        return await (access === "read" ? go() : noting(endpoint, params, caller, go));
      } finally {
        endpoint.durations.add(elapsed() - began);
      }
    };
  }

  /** The same, and who has asked for it is noted with what came of it. */
  function answerAndNote(...call: Parameters<typeof answer>): ReturnType<typeof answer> {
    const [endpoint, params, caller] = call;
    const go = (): ReturnType<typeof answer> => answer(...call);
    if (endpoint.audited === "to many" && !isToMany(params)) return go();
    return noting(endpoint, params, caller, go);
  }

  function noting(
    endpoint: (typeof table)[number]["handler"],
    params: Params,
    caller: Caller,
    go: () => ReturnType<typeof answer>,
  ): ReturnType<typeof answer> {
    const note = (status: number, message?: string): void =>
      actions.audit.add({
        time: (options.now ?? wallClock)(),
        ...(caller.keyName === undefined ? {} : { who: caller.keyName }),
        address: caller.address,
        action: endpoint.path,
        what: noted(params, endpoint.takes),
        status,
        ...(message === undefined ? {} : { message }),
        requestId: caller.requestId,
      });
    const done = (response: Response): Response => {
      note(response.status);
      return response;
    };
    const threw = (error: unknown): never => {
      if (error instanceof PushError) note(STATUS_OF[error.code], error.hint ?? error.message);
      else if (error instanceof HttpError) note(error.status, error.message);
      else note(500, "internal error");
      throw error;
    };
    let answered: Response | Promise<Response>;
    try {
      answered = go();
    } catch (error) {
      return threw(error);
    }
    return answered instanceof Promise ? answered.then(done, threw) : done(answered);
  }

  function answer(
    endpoint: (typeof table)[number]["handler"],
    params: Params,
    caller: Caller,
    rest: string,
    head: Head,
  ): Response | Promise<Response> {
    const path = `/api${endpoint.path}`;
    const unknown = unknownNames(params.names(), endpoint.takes, path);
    if (unknown !== undefined) checkTried(params, endpoint.takes, path);
    // What is missing is often there under another name.
    const failed = (error: unknown): Response => {
      const meant = (unknown ?? []).filter((one) => one.meant).map(({ text }) => text);
      if (meant.length === 0) throw error;
      return withWarnings(failure(error, head), meant);
    };
    try {
      const watched = endpoint.surveys === true ? actions.watched?.(actions) : undefined;
      const given = endpoint.answer(params, caller, rest, watched?.actions ?? actions);
      const answered =
        watched === undefined ? given : Promise.resolve(given).then((late) => withSilent(late, watched.silent()));
      if (unknown === undefined && params.warnings === undefined) return answered;
      const warnings = [...(unknown ?? []).map(({ text }) => text), ...(params.warnings ?? [])];
      return answered instanceof Promise
        ? answered.then((late) => withWarnings(late, warnings), failed)
        : withWarnings(answered, warnings);
    } catch (error) {
      return failed(error);
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
    if (error instanceof PushError) return refused(STATUS_OF[error.code], error.message, head, { hint: error.hint });
    if (error instanceof HttpError) return refused(error.status, error.message, head, { members: error.members });
    options.report(error, head?.requestId);
    return refused(500, "internal error", head);
  }

  function refused(
    status: number,
    message: string,
    head: Head | undefined,
    more: Pick<Parameters<typeof failed>[2], "hint" | "members"> = {},
  ): Response {
    errors[status] = (errors[status] ?? 0) + 1;
    const path = shownText(head?.path ?? "");
    const { method, address, requestId } = head ?? {};
    if (OF_A_LIMIT.has(status)) limited.add(status, { text: `${path}: ${message}`, requestId: requestId ?? "" });
    if (debug.on) debug.line({ method, path, address, status, error: more.hint ?? message, requestId }, "call refused");
    return failed(status, message, { ...more, requestId });
  }

  return {
    site: { open, failure },
    openFor,
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
