// Joins the queue of notifications and the vendors they go through: neither knows the other.
import type { Actions, Relayed } from "../api/actions.ts";
import type { Config } from "../config/index.ts";
import type { Cluster } from "../core/cluster.ts";
import { type Debug, NO_DEBUG } from "../core/debug.ts";
import { type Lane, laneName } from "../core/delivery.ts";
import type { Engine } from "../core/engine.ts";
import type { Live } from "../core/live.ts";
import type { Notification } from "../core/notification.ts";
import { accept, type Routing } from "../core/notify.ts";
import type { Report } from "../core/report.ts";
import { Traits, type VendorTraits } from "../core/traits.ts";
import type { AppId, Outcome } from "../core/vendor.ts";
import { createExpander } from "../delivery/expand.ts";
import { createSender, type Sender } from "../delivery/send.ts";
import { createTracer } from "../delivery/trace.ts";
import { TRAITS, type Vendors } from "../vendors/index.ts";
import { sameSecret } from "../vendors/receipt.ts";
import type { Signatures } from "../vendors/signatures.ts";
import { plainWords } from "../vendors/words.ts";
import { showNotification } from "./debug.ts";
import { laneTest } from "./lane-test.ts";
import type { Log } from "./log.ts";
import { openVendors } from "./vendors.ts";

export interface Notifications {
  readonly lanes: Sender;
  readonly actions: Pick<
    Actions,
    | "notify"
    | "served"
    | "weigh"
    | "plainWords"
    | "outbox"
    | "reached"
    | "failures"
    | "testLane"
    | "expiryOf"
    | "relay"
    | "receiver"
  >;
  /** Takes up what an earlier run left. */
  start(): Promise<void>;
  /** Opens these vendors; throws when they are not as they should be. They are used once the result is called. */
  reload(vendors: Config["vendors"]): () => void;
  /** Resolves when vendors have answered what they were asked, or after four seconds. */
  stop(): Promise<void>;
}

export interface NotificationsOptions {
  readonly engine: Pick<Engine, "devices" | "outbox" | "events">;
  readonly live: Pick<Live, "count" | "reached" | "areAwake">;
  readonly report: Pick<Report, "count">;
  readonly vendors: Vendors;
  /** Of the vendors there are; those of this server without it. */
  readonly traits?: readonly VendorTraits[];
  /** Those that the vendors were opened with; kept when they are opened anew. */
  readonly signatures?: Signatures;
  /** The other nodes, if there may be any. */
  readonly cluster?: Cluster;
  readonly log: Log;
  readonly debug?: Debug;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
}

/** As long as the ids that are made. */
const PREVIEW = "000000000000";
/** How long a stop waits for vendors' answers; what they do not answer by then is asked again at the next start. */
const PATIENCE = 4000;
/** Other nodes are told of filled lanes together after so long. */
const TOLD_AFTER = 50;

/** Sends nothing before `start`. */
export function createNotifications(options: NotificationsOptions): Notifications {
  const { engine, report, log, debug = NO_DEBUG, now } = options;
  const { outbox } = engine;
  let { vendors } = options;

  const traits = new Traits(options.traits ?? TRAITS);
  const sender = createSender({
    outbox,
    traits,
    now,
    elapsed: options.elapsed,
    count: report.count,
    debug,
    changed(lane, what, reason, pause) {
      tell(log, laneName(lane), what, reason);
      if (what === "stopped" || what === "paused" || what === "resumed") tellBackend(lane, what, pause ?? { reason });
    },
    failed: (error) => log.error({ err: error }, "deliveries could not be claimed or recorded; trying again"),
  });
  let route = routing(vendors, sender.laneOf);
  const expander = createExpander({
    engine,
    debug,
    count: (topic) => options.live.count(topic),
    reached: (pushIds, id) => options.live.reached(pushIds, id),
    awake: (pushIds) => options.live.areAwake(pushIds),
    route: (type, packageName, token) => route(type, packageName, token),
    filled(lanes) {
      sender.nudge(lanes);
      for (const lane of lanes) filled.set(laneName(lane), lane);
      if (cluster !== undefined) telling ??= setTimeout(tellFilled, TOLD_AFTER).unref();
    },
    traits,
    addressed: (devices) => report.count("notificationByDevices", { success: devices }),
    now,
    failed: (error) => log.error({ err: error }, "a notification could not be expanded; trying again"),
  });
  const tracer = createTracer({
    outbox,
    vendors: () => vendors.byName,
    now,
    failed: (error) =>
      log.error({ err: error }, "vendors could not be asked what became of notifications; trying again"),
  });
  sender.use(vendors.byName);

  // A lane is sent by one node, which need not be this one.
  const { cluster } = options;
  const filled = new Map<string, Lane>();
  let telling: NodeJS.Timeout | undefined;
  function tellFilled(): void {
    telling = undefined;
    cluster?.tell("filled", [...filled.values()]);
    filled.clear();
  }
  function takeUp(): void {
    expander.nudge();
    sender.wake().catch((error: unknown) => log.error({ err: error }, "lanes could not be read; they look again"));
  }
  /** Others are heard of before this process knows which events somebody wants: what ended until then would be told to nobody. */
  let hasStarted = false;
  cluster?.hear("filled", (lanes) => {
    if (hasStarted) sender.nudge(lanes);
  });
  cluster?.hear("withdrawn", sender.withdraw);
  cluster?.hear("work", () => {
    if (hasStarted) takeUp();
  });
  cluster?.hear("accepted", () => {
    if (hasStarted) expander.nudge();
  });

  function tellBackend(
    lane: Lane,
    change: "stopped" | "paused" | "resumed",
    why: { readonly reason: string; readonly until?: number },
  ): void {
    if (!engine.events.wants(`lane.${change}`)) return;
    engine.events
      .note([{ kind: "lane", change, lane, ...why, at: now() }])
      .catch((error: unknown) => log.error({ err: error }, `that ${laneName(lane)} is ${change} could not be stored`));
  }

  /** Bundle ids that Apple refuses to relay for: told once. */
  const refused = new Set<AppId>();
  function watchRelayed(app: AppId, outcomes: readonly Outcome[]): void {
    const denied = outcomes.find((outcome) => outcome.kind === "denied");
    if (denied === undefined) refused.delete(app);
    else if (!refused.has(app)) {
      refused.add(app);
      log.error(`apns ${app}: cannot be relayed: ${denied.reason}. Correct the credentials and reload (SIGHUP)`);
    }
  }

  const actions: Notifications["actions"] = {
    async notify(content, request, requestId) {
      const id = await accept(outbox, { content, ...request }, now());
      expander.nudge();
      if (debug.on) showNotification(debug, id, content, request, requestId);
      return id;
    },
    outbox: {
      jobs: outbox.jobs,
      notification: outbox.notification,
      deliveries: outbox.deliveries,
      at: outbox.at,
      last: outbox.last,
      async order(id, order, at, which) {
        const jobs = await outbox.order(id, order, at, which);
        if (order === "resume") {
          expander.nudge();
          await sender.wake();
          cluster?.tell("work", null);
        } else {
          const withdrawn = jobs.map(({ job }) => job);
          sender.withdraw(withdrawn);
          cluster?.tell("withdrawn", withdrawn);
        }
        return jobs;
      },
      async setRate(...args) {
        const jobs = await outbox.setRate(...args);
        expander.nudge();
        return jobs;
      },
    },
    reached: outbox.reached,
    failures: {
      failed: outbox.failed,
      failedGroups: outbox.failedGroups,
      async retry(filter, options) {
        const retried = await outbox.retry(filter, options, now());
        expander.nudge();
        return retried;
      },
    },
    testLane: laneTest({ vendors: () => vendors.byName, now, elapsed: options.elapsed }),
    expiryOf: ({ vendor, app }) => vendors.byName.get(vendor)?.expires?.(app),
    served: ({ type, packageName, token }) =>
      type !== undefined && token !== undefined && route(type, packageName, token) !== undefined,
    weigh(content, timeToLive) {
      const at = now();
      const note: Notification = {
        id: content["id"] === undefined ? PREVIEW : String(content["id"]),
        ...{ content, timeToLive, acceptedAt: at, type: "", callerAddress: "" },
      };
      const weighed = [...vendors.byName.values()].flatMap((vendor) =>
        vendor.apps.map((app) => {
          const quota = vendor.quota?.(app, at);
          return {
            ...{ vendor: vendor.name, app, ...(vendor.weigh?.(app, note, at) ?? { weights: [] }) },
            ...(quota === undefined ? {} : { quota }),
          };
        }),
      );
      return { vendors: weighed, connection: Buffer.byteLength(JSON.stringify({ ...content.android, id: note.id })) };
    },
    plainWords,
    async relay(app, id, content, tokens, timeToLive) {
      const vendor = vendors.byName.get("apns");
      if (vendor?.apps.includes(app) !== true || vendors.relayed.has(app)) return undefined;
      const at = now();
      const note: Notification = { id, content, timeToLive, type: "relay", acceptedAt: at, callerAddress: "" };
      const recipients = tokens.map((token) => ({ token, ref: `${id}.${token}` }));
      const outcomes = await vendor.send(app, note, recipients, at);
      watchRelayed(app, outcomes);
      return relayed(tokens, outcomes);
    },
    receiver(vendor, secret) {
      const receivers = [...(vendors.receipts.get(vendor) ?? [])];
      const found = receivers.find(
        ([, { receiptSecret }]) => receiptSecret !== undefined && sameSecret(receiptSecret, secret),
      );
      if (found === undefined) return undefined;
      const [app, receive] = found;
      return async (request) => {
        const keepsToken = sender.holdsDeletions({ vendor, app });
        const receipts = receive(request).map((receipt) => ({ ...receipt, vendor, keepsToken }));
        if (receipts.length > 0) await outbox.received(receipts, now());
        return receive.answer;
      };
    },
  };

  return {
    actions,
    lanes: sender,
    async start() {
      hasStarted = true;
      expander.nudge();
      await sender.wake();
      tracer.start();
    },
    reload(configured) {
      const next = openVendors(configured, now(), {
        debug,
        ...(options.signatures === undefined ? {} : { signatures: options.signatures }),
      });
      return () => {
        const old = vendors;
        vendors = next;
        route = routing(next, sender.laneOf);
        sender.use(next.byName);
        for (const vendor of old.byName.values())
          vendor.close().catch((error: unknown) => log.error({ err: error }, `${vendor.name} was not closed in order`));
      };
    },
    async stop() {
      tracer.stop();
      await expander.stop();
      // One for both: the API waited as long for its callers, and a supervisor has no more than 10 s for everything.
      const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE).unref());
      await sender.stop(PATIENCE);
      clearTimeout(telling);
      cluster?.tell("work", null); // what it leaves
      const closed = [...vendors.byName.values()].map((vendor) => vendor.close());
      await Promise.race([Promise.allSettled(closed), patience]);
    },
  };
}

/** A token that names no package is of the first app: so it was when there was only one. */
function routing({ tokenTypes, byName: vendors }: Vendors, laneOf: Sender["laneOf"]): Routing {
  const lanes = new Map<string, Lane>();
  for (const vendor of vendors.values())
    for (const app of vendor.apps) lanes.set(`${vendor.name} ${app}`, { vendor: vendor.name, app });
  return (type, packageName, token) => {
    const name = tokenTypes.get(type);
    const vendor = vendors.get(name ?? "");
    const app = packageName ?? vendor?.apps[0];
    const lane = lanes.get(`${name} ${app}`);
    return lane === undefined || vendor?.host === undefined ? lane : laneOf(lane, vendor.host(lane.app, token));
  };
}

/** Only what is dead is an error to the other server, which forgets it. */
function relayed(tokens: readonly string[], outcomes: readonly Outcome[]): Relayed {
  const those = (is: (outcome: Outcome) => boolean): readonly string[] => tokens.filter((_, i) => is(outcomes[i]!));
  const failed = outcomes.find((outcome) => outcome.kind !== "accepted" && !isDead(outcome));
  return {
    success: those(({ kind }) => kind === "accepted").length,
    errorTokens: those(isDead),
    refusedTokens: those((outcome) => outcome.kind === "refused" || (outcome.kind === "gone" && !isDead(outcome))),
    retryTokens: those(({ kind }) => kind === "retry" || kind === "denied" || kind === "paused"),
    ...(failed === undefined || failed.kind === "accepted" ? {} : { reason: failed.reason }),
  };
}

const isDead = (outcome: Outcome): boolean => outcome.kind === "gone" && outcome.kept !== true;

function tell(log: Log, lane: string, what: string, reason: string): void {
  switch (what) {
    case "resumed":
      log.info(`${lane}: sending again`);
      break;
    case "way stopped":
      log.error(
        `${lane}: no more by this way: ${reason}. Its tokens wait, the others are served; correct the credentials and reload (SIGHUP)`,
      );
      break;
    case "way resumed":
      log.info(`${lane}: sending again by this way: ${reason}`);
      break;
    case "paused":
      log.warn(`${lane}: paused by the vendor: ${reason}`);
      break;
    case "stopped":
      log.error(
        `${lane}: stopped: ${reason}. What is to be sent waits; correct the credentials and reload (SIGHUP), or call /api/lane/resume; one delivery is tried now and then`,
      );
      break;
    default:
      log.error(
        `${lane}: ${reason}. A wrong project or environment is likelier, so no token is forgotten until /api/lane/resume is called`,
      );
  }
}
