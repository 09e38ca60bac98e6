// /api/lane/*: the ways to the vendors, how they do, and letting those go on that have stopped. `provider` in the
// API and in metrics is the code's vendor.
import type { LaneStatus } from "../core/lane.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import type { Params } from "./params.ts";
import { told } from "./time.ts";

export const laneList = async (actions: Actions): Promise<Response> =>
  json({ code: "success", lanes: (await actions.lanes.list()).map(describe) });

/**
 * All lanes, those of one vendor, app or host, or one. Answers with those that go on now. It concerns everybody's deliveries and
 * tokens. @param admitBroadcast throws when the caller may not reach everybody
 */
export function laneResume(params: Params, actions: Actions, admitBroadcast: () => void): Response {
  admitBroadcast();
  const vendor = params.label("provider");
  const app = params.label("app");
  const host = params.label("host");
  const resumed = actions.lanes.resume({
    ...(vendor === undefined ? {} : { vendor }),
    ...(app === undefined ? {} : { app }),
    ...(host === undefined ? {} : { host }),
  });
  return json({
    code: "success",
    resumed: resumed.map((lane) => ({ provider: lane.vendor, app: lane.app, host: lane.host })),
  });
}

const describe = ({ vendor, until, lastError, stoppedWays, ...status }: LaneStatus): object => ({
  provider: vendor,
  ...status,
  stoppedWays: stoppedWays?.map(({ way, reason, since, until: again }) => ({
    way,
    reason,
    ...told("since", since),
    ...told("until", again),
  })),
  ...told("until", until),
  lastError: lastError === undefined ? undefined : { reason: lastError.reason, ...told("at", lastError.at) },
});
