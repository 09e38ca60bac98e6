// The calls of a turn as one flat list: name, number of arguments, the arguments, and again. Each nested array would take a
// thread longer to copy than the strings of a packet do.
import type { Call, MethodName } from "./thread.ts";

export type PackedCalls = readonly unknown[];

export function pack(calls: Iterable<Call>): PackedCalls {
  const packed: unknown[] = [];
  for (const [name, args] of calls) {
    packed.push(name, args.length);
    for (const arg of args) packed.push(arg);
  }
  return packed;
}

export function unpack(packed: PackedCalls): Call[] {
  const calls: Call[] = [];
  for (let at = 0; at < packed.length; ) {
    const name = packed[at] as MethodName; // as `pack` put them
    const end = at + 2 + (packed[at + 1] as number);
    calls.push([name, packed.slice(at + 2, end)]);
    at = end;
  }
  return calls;
}
