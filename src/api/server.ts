// /api/config, /api/heap and /api/openapi.json: the server about itself (api 3.12, 6.2).
import { getHeapSpaceStatistics, getHeapStatistics } from "node:v8";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { openApi } from "./openapi.ts";

export const config = (actions: Actions): Response => json(actions.config());

export const heap = (): Response =>
  json({
    code: "success",
    heapStatistics: getHeapStatistics(),
    heapSpaceStatistics: getHeapSpaceStatistics(),
  });

let described: Response | undefined;
export const description = (version: string): Response => {
  described ??= json(openApi(version));
  return described;
};
