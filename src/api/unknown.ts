// Parameters that an endpoint does not take: most are slips, and what they asked for would be missed silently.
import { similar } from "../core/similar.ts";

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
