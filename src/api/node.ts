// /api/node/list: the processes that share the store (api 6.15).
import { laneOfKey } from "../core/events.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { told } from "./time.ts";

/** None where the store is one process's alone. */
export const nodeList = async (actions: Actions): Promise<Response> =>
  json({
    code: "success",
    nodes: (await actions.nodes()).map(({ started, lanes, ...node }) => ({
      ...node,
      ...told("started", started),
      lanes: lanes.map(laneOfKey).map(({ vendor, ...lane }) => ({ provider: vendor, ...lane })),
    })),
  });
