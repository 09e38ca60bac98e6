// A vendor's table of codes.
import type { Verdict } from "./answer.ts";

/** By what they mean; found by the code's text. */
export function verdicts(codes: Readonly<Partial<Record<Verdict, readonly number[]>>>): ReadonlyMap<string, Verdict> {
  const rows = Object.entries(codes) as [Verdict, readonly number[]][];
  return new Map(rows.flatMap(([verdict, list]) => list.map((code): [string, Verdict] => [String(code), verdict])));
}
