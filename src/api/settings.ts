// /api/config/*: the settings that hold, where each came from, and what reading their sources again would change (api 6.9).
import { PushError } from "../core/errors.ts";
import { HttpError, type Response } from "../http/message.ts";
import type { Actions, ComparedSettings } from "./actions.ts";
import { json } from "./answer.ts";
import { languageOf, type Params } from "./params.ts";

export function configGet(params: Params, { settings, node }: Actions): Response {
  const effective = settings.effective(languageOf(params));
  return json({
    code: "success",
    node,
    settings: effective.settings,
    vendors: effective.vendors.map(({ vendor, ...entry }) => ({ provider: vendor, ...entry })),
  });
}

/** Reads the sources and changes nothing; `problems` say why a reload would not either. */
export async function configDiff(params: Params, { settings, node }: Actions): Promise<Response> {
  const { problems, ...compared } = await settings.compare(languageOf(params));
  return json({ code: "success", node, ...described(compared), ...(problems.length === 0 ? {} : { problems }) });
}

/** As SIGHUP. @throws HttpError 409 with what is wrong: then nothing was changed */
export async function configReload({ settings, node }: Actions): Promise<Response> {
  try {
    return json({ code: "success", node, ...described(await settings.reload("config/reload")) });
  } catch (error) {
    if (error instanceof PushError) throw error;
    // A certificate that does not fit, an entry of a vendor whose file is gone: it says what and where.
    throw new HttpError(409, `nothing was changed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const described = ({ changes, warnings }: Pick<ComparedSettings, "changes" | "warnings">): object => ({
  changes,
  ...(warnings.length === 0 ? {} : { warnings }),
});
