// /api/lane/*: the ways to the vendors, how they do, and letting those go on that have stopped. `provider` in the
// API and in metrics is the code's vendor.
import { PushError } from "../core/errors.ts";
import type { LaneStatus, LaneTest } from "../core/lane.ts";
import type { Quota } from "../core/vendor.ts";
import { HttpError, type Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import type { Params } from "./params.ts";
import { told } from "./time.ts";

/** Each also in words (`text`), and when the certificate expires by which the vendor knows us. */
export const laneList = async (actions: Actions): Promise<Response> =>
  json({
    code: "success",
    lanes: (await actions.lanes.list()).map((lane) => ({
      ...describe(lane),
      text: inWords(lane),
      ...told("certificateExpires", actions.expiryOf(lane)),
    })),
  });

function inWords({ state, reason, until, depth, expiring }: LaneStatus): string {
  const then = until === undefined ? "" : new Date(until).toISOString();
  const why = reason === undefined ? "" : `: ${reason}`;
  switch (state) {
    case "running":
      return depth === 0
        ? "running, nothing waits"
        : `running, ${depth} ${depth === 1 ? "delivery waits" : "deliveries wait"}`;
    case "paused":
      return `paused${why}; goes on at ${then}${expiring === undefined || expiring === 0 ? "" : `, by when ${expiring} will have expired`}`;
    case "stopped":
      return `stopped${why}; correct the credentials and reload${then === "" ? "" : `; one delivery is tried at ${then}`}`;
  }
}

/** What the vendor says of our credentials, asked with a token that nobody has: nobody is sent anything. */
export async function laneTest(params: Params, actions: Actions): Promise<Response> {
  const vendor = params.label("provider");
  const app = params.label("app");
  const host = params.label("host");
  if (vendor === undefined || app === undefined) throw new PushError("invalid", "provider and app are required");
  const test = await actions.testLane({ vendor, app, ...(host === undefined ? {} : { host }) });
  if (test === undefined) throw new HttpError(404, `there is no entry of ${vendor} for ${app}`);
  return json({ code: "success", node: actions.node, ...test, text: TEST_TEXTS[test.verdict], tried: TRIED });
}

const TRIED = "one notification to a token of this vendor's form that nobody has";
const TEST_TEXTS: Readonly<Record<LaneTest["verdict"], string>> = {
  well: "the vendor takes our credentials",
  denied: "the vendor refuses our credentials: correct them and reload",
  paused: "the vendor knows us, but a quota is spent",
  trouble: "the vendor could not be asked, or its answer says nothing of our credentials",
};

/**
 * All lanes, those of one vendor, app or host, or one. Answers with those that go on now. It concerns everybody's deliveries and
 * tokens. @param admitBroadcast throws when the caller may not reach everybody
 */
export async function laneResume(params: Params, actions: Actions, admitBroadcast: () => void): Promise<Response> {
  admitBroadcast();
  const vendor = params.label("provider");
  const app = params.label("app");
  const host = params.label("host");
  const resumed = await actions.lanes.resume({
    ...(vendor === undefined ? {} : { vendor }),
    ...(app === undefined ? {} : { app }),
    ...(host === undefined ? {} : { host }),
  });
  return json({
    code: "success",
    resumed: resumed.map((lane) => ({ provider: lane.vendor, app: lane.app, host: lane.host })),
  });
}

/** What the vendor has said of its day's quota. */
export const quotaTold = (quota: Quota | undefined): object | undefined =>
  quota && {
    limit: quota.limit,
    used: quota.used,
    left: Math.max(0, quota.limit - quota.used),
    ...told("at", quota.at),
    ...told("until", quota.until),
  };

const describe = ({ vendor, until, lastError, stoppedWays, quota, ...status }: LaneStatus): object => ({
  provider: vendor,
  ...status,
  stoppedWays: stoppedWays?.map(({ way, reason, since, until: again }) => ({
    way,
    reason,
    ...told("since", since),
    ...told("until", again),
  })),
  ...told("until", until),
  quota: quotaTold(quota),
  lastError: lastError === undefined ? undefined : { reason: lastError.reason, ...told("at", lastError.at) },
});
