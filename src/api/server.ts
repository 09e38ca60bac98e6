// /api/config, /api/heap and /api/openapi.json: the server about itself (api 3.12, 6.2).
import { getHeapSpaceStatistics, getHeapStatistics } from "node:v8";
import type { Language } from "../core/language.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { openApi } from "./openapi.ts";
import { languageOf, type Params } from "./params.ts";

/** The settings that hold, secrets masked. */
export const config = (actions: Actions): Response => json(actions.config());

export const heap = (): Response =>
  json({
    code: "success",
    heapStatistics: getHeapStatistics(),
    heapSpaceStatistics: getHeapSpaceStatistics(),
  });

const described = new Map<Language, Response>();
/** OpenAPI in the language of `lang`; written once for each. */
export function description(version: string, params: Params): Response {
  const language = languageOf(params);
  const answer = described.get(language) ?? json(openApi(version, language));
  described.set(language, answer);
  return answer;
}
