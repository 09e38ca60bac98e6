// Asks a vendor with a token that nobody has: what it says of our credentials is what it would say with any other, and nobody is sent
// anything.
import { type Lane, laneName } from "../core/delivery.ts";
import { PushError } from "../core/errors.ts";
import { randomId } from "../core/id.ts";
import type { LaneTest } from "../core/lane.ts";
import { type Notification, normalise } from "../core/notification.ts";
import { MINUTE } from "../core/time.ts";
import type { Outcome, Vendor, VendorName } from "../core/vendor.ts";

interface LaneTestOptions {
  readonly vendors: () => ReadonlyMap<VendorName, Vendor>;
  readonly now: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
}

/** Milliseconds. */
const BETWEEN = 5000;

/** See `testLane` of the API's actions. */
export function laneTest({ vendors, now, elapsed }: LaneTestOptions): (lane: Lane) => Promise<LaneTest | undefined> {
  const asked = new Map<string, number>();
  return async (lane) => {
    const vendor = vendors().get(lane.vendor);
    if (vendor?.nobody === undefined || !vendor.apps.includes(lane.app)) return undefined;
    const name = laneName(lane);
    const [at, began] = [now(), elapsed()];
    if (began - (asked.get(name) ?? Number.NEGATIVE_INFINITY) < BETWEEN)
      throw new PushError(
        "conflict",
        `${name} was tested within the last ${BETWEEN / 1000} s: vendors count such calls`,
      );
    asked.set(name, began);
    const content = normalise({ android: { title: "Test", message: "Test" }, apn: { alert: "Test" } });
    const id = randomId();
    const note: Notification = { id, content, timeToLive: MINUTE, type: "test", acceptedAt: at, callerAddress: "" };
    const recipient = { token: vendor.nobody(lane.app, lane.host), ref: `${id}.0` };
    const [outcome] = await vendor.send(lane.app, note, [recipient], at);
    const took = Math.round(elapsed() - began);
    return outcome === undefined ? { verdict: "trouble", took } : { ...verdictOf(outcome), took };
  };
}

/** Whoever says that a token is none, or asks to be asked again about this token alone, knows us. */
function verdictOf(outcome: Outcome): Omit<LaneTest, "took"> {
  switch (outcome.kind) {
    case "accepted":
      return { verdict: "well" };
    case "gone":
    case "refused":
      return { verdict: "well", reason: outcome.reason };
    case "denied":
    case "paused":
      return { verdict: outcome.kind, reason: outcome.reason };
    case "retry": {
      const ofToken = outcome.scope === "token" || outcome.alone || outcome.once || outcome.suspect !== undefined;
      return { verdict: ofToken ? "well" : "trouble", reason: outcome.reason };
    }
  }
}
