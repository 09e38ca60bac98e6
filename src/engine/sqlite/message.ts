// The calls of a turn as one flat list: name, number of arguments, the arguments, and again. Each nested array would take a
// thread longer to copy than the strings of a packet do.

/** A method of the thread and its arguments, not typed yet: thread.ts knows which there are. */
type AnyCall = readonly [name: string, args: readonly unknown[]];

export type PackedCalls = readonly unknown[];

export function pack(calls: Iterable<AnyCall>): PackedCalls {
  const packed: unknown[] = [];
  for (const [name, args] of calls) {
    packed.push(name, args.length);
    for (const arg of args) packed.push(arg);
  }
  return packed;
}

export function unpack(packed: PackedCalls): AnyCall[] {
  const calls: AnyCall[] = [];
  for (let at = 0; at < packed.length; ) {
    const name = packed[at] as string; // as `pack` put it
    const end = at + 2 + (packed[at + 1] as number);
    calls.push([name, packed.slice(at + 2, end)]);
    at = end;
  }
  return calls;
}
