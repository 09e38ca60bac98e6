// What `log_level = "debug"` shows, and the lines on what backends ask for. README.md lists them all.
import type { NotificationOptions } from "../api/actions.ts";
import { wallClock } from "../core/clock.ts";
import type { Debug } from "../core/debug.ts";
import type { NotificationContent, NotificationId } from "../core/notification.ts";
import type { Draft, Pushed, PushTarget } from "../core/push.ts";
import type { Target } from "../core/target.ts";
import { Traces } from "../core/trace.ts";
import type { Log } from "./log.ts";

/** Of a longer list only the length is shown. */
const LISTED = 20;

/** Its lines are what traces tell of decisions, too. */
export function createDebug(log: Log): { readonly debug: Debug; readonly traces: Traces } {
  const debug = {
    on: log.isLevelEnabled("debug"),
    line(fields: object, message: string): void {
      log.debug(fields, message);
      if (traces.on) traces.line(fields, message);
    },
    follows: (pushId: string) => traces.follows({ pushId }),
  };
  const look = (): void => {
    debug.on = log.isLevelEnabled("debug") || traces.on;
  };
  const traces = new Traces(wallClock, look);
  log.on("level-change", look);
  return { debug, traces };
}

/** Shows a push once it has its id. One that fails is shown as a refused call. */
export function showPush(
  debug: Debug,
  target: PushTarget,
  { event, body, timeToLive }: Draft,
  requestId: string,
  done: Pushed | Promise<Pushed>,
): Pushed | Promise<Pushed> {
  const show = ({ id, online }: Pushed): void =>
    debug.line({ id, event, ...shownTarget(target), size: body.length, timeToLive, online, requestId }, "push");
  if (!(done instanceof Promise)) show(done);
  else done.then(show, () => undefined);
  return done;
}

/** A line for one that was accepted. `size` is characters of its content as JSON. */
export function showNotification(
  debug: Debug,
  id: NotificationId,
  content: NotificationContent,
  { target, type, sendAt, rate, dryRun, timeToLive }: NotificationOptions,
  requestId: string,
): void {
  const size = JSON.stringify(content).length;
  const fields = { id, ...shownTarget(target), size, timeToLive, type, sendAt, rate, dryRun, requestId };
  debug.line(fields, "notification");
}

function shownTarget(target: Target): object {
  switch (target.kind) {
    case "topic":
      return { topic: target.topic };
    case "tag":
      return { tag: target.tag };
    case "all":
      return { all: true };
    case "pushIds":
      return { pushIds: shownList(target.pushIds), filter: target.filter };
    case "uids":
      return { uids: shownList(target.uids), filter: target.filter };
  }
}

const shownList = (ids: readonly string[]): readonly string[] | number => (ids.length > LISTED ? ids.length : ids);
