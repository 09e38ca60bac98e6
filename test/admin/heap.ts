// What a page of a browser holds after its garbage was collected, by kind, and what has grown between two looks.
import type { Page } from "../support/chromium.ts";

interface Kind {
  readonly count: number;
  readonly bytes: number;
}

export interface Held {
  /** Of JavaScript's heap. */
  readonly bytes: number;
  /** Of documents, those that are in none included. */
  readonly nodes: number;
  readonly listeners: number;
  /** Nodes that are in no document, and are held all the same. */
  readonly detached: number;
  readonly kinds: ReadonlyMap<string, Kind>;
}

interface Snapshot {
  readonly snapshot: {
    readonly meta: { readonly node_fields: readonly string[]; readonly node_types: readonly [readonly string[]] };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

/** @param whole with a snapshot, which takes a while */
export async function held(page: Page, whole = true): Promise<Held> {
  for (let i = 0; i < 3; i++) await page.command("HeapProfiler.collectGarbage");
  const { usedSize } = (await page.command("Runtime.getHeapUsage")) as { usedSize: number };
  const { nodes, jsEventListeners } = (await page.command("Memory.getDOMCounters")) as Record<string, number>;
  const about = { bytes: usedSize, nodes: nodes ?? 0, listeners: jsEventListeners ?? 0 };
  if (!whole) return { ...about, detached: 0, kinds: new Map() };
  return { ...about, ...summed(JSON.parse(await page.heap()) as Snapshot) };
}

function summed({ snapshot: { meta }, nodes, strings }: Snapshot): Pick<Held, "detached" | "kinds"> {
  const at = (field: string): number => meta.node_fields.indexOf(field);
  const [type, name, size, apart, width] = [
    at("type"),
    at("name"),
    at("self_size"),
    at("detachedness"),
    meta.node_fields.length,
  ];
  const kinds = new Map<string, Kind>();
  let detached = 0;
  for (let i = 0; i < nodes.length; i += width) {
    const what = meta.node_types[0][nodes[i + type]!]!;
    // What a text or a piece of code is called is what it says.
    const own = ["object", "native", "closure"].includes(what) ? ` ${strings[nodes[i + name]!]!.slice(0, 60)}` : "";
    const kind = `${what}${own}`;
    const { count, bytes } = kinds.get(kind) ?? { count: 0, bytes: 0 };
    kinds.set(kind, { count: count + 1, bytes: bytes + nodes[i + size]! });
    if (nodes[i + apart] === 2) detached++;
  }
  return { detached, kinds };
}

/** A line for each of the kinds that have grown most. */
export const grown = (before: Held, after: Held): readonly string[] =>
  [...after.kinds]
    .map(([kind, { count, bytes }]) => {
      const then = before.kinds.get(kind) ?? { count: 0, bytes: 0 };
      return { kind, count: count - then.count, bytes: bytes - then.bytes };
    })
    .filter(({ bytes }) => bytes > 1000)
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, 25)
    .map(({ kind, count, bytes }) => `${kind}: ${count} more, ${bytes} bytes`);
