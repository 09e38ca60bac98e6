// Accepted notifications become deliveries and packets, page by page: one page of each in turn, so a call to a million devices
// does not hold up the one behind it. The cursor is stored with each page, so a restart goes on where it was.

import { type Debug, NO_DEBUG } from "../core/debug.ts";
import { type Lane, laneName } from "../core/delivery.ts";
import type { PushId, Uid } from "../core/device.ts";
import type { Engine } from "../core/engine.ts";
import type { Notification, NotificationId } from "../core/notification.ts";
import { isLate, lateness, NOTI_TOPIC, type Routing, split, splitForAll, splitForTopic } from "../core/notify.ts";
import { DEFERRED, type ExpandedPage, type Unexpanded } from "../core/outbox.ts";
import { quietAt } from "../core/quiet.ts";
import { splitReach } from "../core/reach.ts";
import { MINUTE } from "../core/time.ts";
import type { Traits } from "../core/traits.ts";

/** Devices per page: a few milliseconds of the storage thread. */
const PAGE = 500;
/** Users per page of a call to reach them. */
const USERS = 200;
/** A paced job goes on so often each second. */
const BEATS = 10;
/** Notifications worked on side by side. */
const ABREAST = 16;
const RETRY_AFTER = 1000;
/** The cursor behind the topic: devices come from the beginning. */
const FROM_THE_FIRST = "-";
/** The clock may be set while a job waits for its time, or the machine sleep: timers know nothing of either. */
const LONGEST_WAIT = MINUTE;

export interface ExpanderOptions {
  readonly engine: Pick<Engine, "devices" | "outbox">;
  /** Connections subscribed to a topic now. */
  readonly count: (topic: string) => number | Promise<number>;
  /** Whether a connection of each device got this notification with the topic `noti`. */
  readonly reached: (pushIds: readonly PushId[], id: NotificationId) => Promise<readonly boolean[]>;
  /** Whether each device has a connection that is not in the background. */
  readonly awake: (pushIds: readonly PushId[]) => Promise<readonly boolean[]>;
  /** Which vendor serves a token, as it is configured now. */
  readonly route: Routing;
  readonly traits: Traits;
  /** Lanes that got something to send. */
  readonly filled: (lanes: readonly Lane[]) => void;
  /** So many devices more of a call that names its devices, its users or their tag are to be reached. */
  readonly addressed: (devices: number) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly debug?: Debug;
  /** Told when the store failed; the work is taken up again after a second. */
  readonly failed: (error: unknown) => void;
}

export interface Expander {
  /** There is something new to expand. */
  nudge(): void;
  /** Resolves when the pages in hand are done. What is left is taken up at the next start. */
  stop(): Promise<void>;
}

/** Does nothing until `nudge`; a job that is for later wakes it by itself. */
export function createExpander(options: ExpanderOptions): Expander {
  const { engine, now, route, debug = NO_DEBUG } = options;
  let running: Promise<void> | undefined;
  let nudged = false;
  let stopped = false;
  let failing = false;
  let timer: NodeJS.Timeout | undefined;

  function nudge(): void {
    nudged = true;
    if (stopped || running !== undefined || failing) return;
    clearTimeout(timer);
    running = run().finally(() => {
      running = undefined;
      if (nudged) nudge();
    });
  }

  function wakeAt(at: number): void {
    clearTimeout(timer);
    timer = setTimeout(nudge, Math.min(Math.max(0, at - now()), LONGEST_WAIT)).unref();
  }

  async function run(): Promise<void> {
    try {
      while (nudged && !stopped) {
        nudged = false;
        const { work, next } = await engine.outbox.unexpanded(ABREAST, now());
        // All to their end, also when one fails: a page begun again while it is still on its way would be sent twice.
        const ended = await Promise.allSettled(work.map(expandPage));
        for (const one of ended) if (one.status === "rejected") throw one.reason;
        if (work.length > 0) nudged = true;
        else if (next !== undefined && !nudged) wakeAt(next);
      }
    } catch (error) {
      options.failed(error);
      nudged = false;
      failing = true;
      timer = setTimeout(() => {
        failing = false;
        nudge();
      }, RETRY_AFTER);
    }
  }

  async function expandPage(item: Unexpanded): Promise<void> {
    // Of a call to reach users only what vendors are asked for wakes anybody.
    const until = item.dryRun || item.notification.reach !== undefined ? undefined : quietAt(item.notification, now());
    if (typeof until === "number") {
      await engine.outbox.expand(item.job, item.cursor, deferred(item.cursor, until), now());
      return;
    }
    // What only counts burdens nobody, and what is too late goes nowhere: there is nothing to pace.
    const rate = item.dryRun || isLate(item.notification, now()) ? undefined : item.rate;
    const page = paced(await nextPage(item, rate), rate);
    const taken = await engine.outbox.expand(item.job, item.cursor, item.dryRun ? counted(page) : page, now());
    if (taken && debug.on) show(item.notification.id, page);
    if (!taken || item.dryRun || page.late !== undefined) return;
    const addressed = page.devices.filter(({ lacking }) => lacking === undefined).length;
    if (item.target.kind !== "all" && addressed > 0) options.addressed(addressed);
    const lanes = new Set(page.devices.flatMap(({ via }) => (via === undefined ? [] : [via.lane])));
    if (lanes.size > 0) options.filled([...lanes]);
  }

  function show(id: NotificationId, { devices, late }: ExpandedPage): void {
    for (const { pushId, uid, via, lacking } of devices) {
      if (!debug.follows(pushId)) continue;
      const way = via === undefined ? "connection" : laneName(via.lane);
      debug.line({ pushId, uid, id, way, lacking, late }, "prepared");
    }
  }

  async function nextPage(item: Unexpanded, rate: number | undefined): Promise<ExpandedPage> {
    const { notification, target, dryRun } = item;
    if (notification.reach !== undefined && target.kind === "uids")
      return reachPage(notification, target.uids, Number(item.cursor ?? 0));
    const cursor = standing(item.cursor);
    const limit = rate === undefined ? PAGE : Math.min(PAGE, Math.ceil(rate / BEATS));
    // The topic comes first, in a page of its own: of each device that follows it is known whether that has reached it.
    if (target.kind === "all" && cursor === undefined) return topicPage(notification, dryRun);
    const from = cursor === FROM_THE_FIRST ? undefined : cursor;
    const { devices, next } = await engine.devices.page(target, from, limit, now());
    const at = dryRun ? notification.acceptedAt : now(); // what only counts is never too late
    if (target.kind !== "all") return split(notification, devices, route, next, at, options.traits);
    // The others are in the topic `noti`, or nowhere.
    const asked = devices.flatMap(({ pushId, token }) => (token === undefined ? [] : [pushId]));
    const answers = await options.reached(asked, notification.id);
    const reached = new Set(asked.filter((_, i) => answers[i]));
    return splitForAll(notification, devices, route, next, at, options.traits, (pushId) => reached.has(pushId));
  }

  /** Users are taken whole: whether one is reached depends on all of his devices. */
  async function reachPage(note: Notification, all: readonly Uid[], from: number): Promise<ExpandedPage> {
    const next = from + USERS;
    const uids = all.slice(from, next);
    const devices = await engine.devices.byUid(uids, now());
    const answers = await options.awake(devices.map(({ pushId }) => pushId));
    const awake = new Set(devices.flatMap(({ pushId }, i) => (answers[i] === true ? [pushId] : [])));
    const cursor = next < all.length ? String(next) : undefined;
    return splitReach(note, uids, devices, (pushId) => awake.has(pushId), route, cursor, now(), options.traits);
  }

  async function topicPage(notification: Notification, dryRun: boolean): Promise<ExpandedPage> {
    const at = dryRun ? notification.acceptedAt : now();
    const page = splitForTopic(notification, await options.count(NOTI_TOPIC), at);
    const late = lateness(notification, at);
    return {
      ...page,
      cursor: FROM_THE_FIRST,
      devices: [],
      seen: 0,
      skipped: 0,
      ...(late === undefined ? {} : { late }),
    };
  }

  function paced(page: ExpandedPage, rate: number | undefined): ExpandedPage {
    if (rate === undefined || page.cursor === undefined) return page;
    return { ...page, notBefore: now() + Math.ceil((page.devices.length * 1000) / rate) };
  }

  return {
    nudge,
    async stop() {
      stopped = true;
      nudged = false;
      clearTimeout(timer);
      await running;
    },
  };
}

/** Where the next page starts, of a job that was deferred too. */
function standing(cursor: string | undefined): string | undefined {
  if (cursor?.startsWith(DEFERRED) !== true) return cursor;
  return cursor === DEFERRED ? undefined : cursor.slice(DEFERRED.length);
}

/** No page, until then. */
const deferred = (cursor: string | undefined, until: number): ExpandedPage => ({
  cursor: `${DEFERRED}${standing(cursor) ?? ""}`,
  notBefore: until,
  parcels: [],
  devices: [],
  counts: {},
  seen: 0,
  skipped: 0,
  routes: {},
});

/** A dry run only counts. */
const counted = (page: ExpandedPage): ExpandedPage => ({ ...page, parcels: [], devices: [], counts: {} });
