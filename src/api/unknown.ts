// Parameters that an endpoint does not take: most are slips, and what they asked for would be missed silently.
import { PushError } from "../core/errors.ts";
import { similar } from "../core/similar.ts";
import type { Params } from "./params.ts";

/** More than these are not told one by one. */
const MOST = 10;
const LONGEST_NAME = 64;
/** Put there by a library against caches, not by the caller. */
const SILENT: ReadonlySet<string> = new Set(["_"]);

/** `time_to_live` and `TimeToLive` are `timeToLive` in another hand. */
const folded = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** `ttl` of `timeToLive`. */
const initials = (name: string): string => name.replace(/(?<=.)[a-z0-9]+/g, "").toLowerCase();

/** The parameter that was likely meant. */
function nearest(name: string, known: ReadonlySet<string>): string | undefined {
  const word = folded(name);
  const exact = [...known].find((one) => folded(one) === word || (word.length > 1 && initials(one) === word));
  if (exact !== undefined) return exact;
  const close = similar(word, [...known].map(folded), word.length > 4 ? 2 : 1);
  return close === undefined ? undefined : [...known].find((one) => folded(one) === close);
}

/**
 * Whoever asks for a dry run must not get the real thing, however he spells it and wherever he asks.
 * @throws PushError("invalid")
 */
export function checkTried(params: Params, known: ReadonlySet<string>, path: string): void {
  for (const name of params.names()) {
    if (known.has(name) || folded(name) !== "dryrun" || !params.has(name)) continue;
    const value = params.raw(name);
    if (value === false || value === "false") continue;
    const advice = known.has("dryRun") ? "did you mean dryRun?" : "it has no dry run";
    throw new PushError("invalid", `${name} is no parameter of ${path}, nothing was done: ${advice}`);
  }
}

/** One sentence for each name that is not known. Hot: usually nothing is found, and nothing is made. */
export function unknownNames(
  names: Iterable<string>,
  known: ReadonlySet<string>,
  path: string,
): { readonly text: string; readonly meant: boolean }[] | undefined {
  let found: { text: string; meant: boolean }[] | undefined;
  for (const name of names) {
    if (known.has(name) || SILENT.has(name)) continue;
    found ??= [];
    if (found.length === MOST) return found;
    const meant = nearest(name, known);
    const shown = name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}...` : name;
    const advice = meant === undefined ? "" : `: did you mean ${meant}?`;
    found.push({ text: `${shown} is no parameter of ${path}, it was ignored${advice}`, meant: meant !== undefined });
  }
  return found;
}
