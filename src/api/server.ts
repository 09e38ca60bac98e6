// /api/config and /api/heap: the server about itself (api 3.12).
import { getHeapSpaceStatistics, getHeapStatistics } from "node:v8";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";

export const config = (actions: Actions): Response => json(actions.config());

export const heap = (): Response =>
  json({
    code: "success",
    heapStatistics: getHeapStatistics(),
    heapSpaceStatistics: getHeapSpaceStatistics(),
  });
