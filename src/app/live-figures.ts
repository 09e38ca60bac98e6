// What a chart of the last minutes shows: counters are read once a second, which costs the paths of messages nothing.
import { Rings } from "../core/rings.ts";

const KINDS = {
  connections: "level",
  sessions: "level",
  opened: "rise",
  packets: "rise",
  apiCalls: "rise",
  apiErrors: "rise",
} as const;

export type LiveFigures = Readonly<Record<keyof typeof KINDS, number>>;

/** @param read what the counters say now */
export function watchFigures(read: () => LiveFigures, now: () => number): { readonly rings: Rings; stop(): void } {
  const rings = new Rings(KINDS);
  rings.add(now(), read());
  const timer = setInterval(() => rings.add(now(), read()), 1000).unref();
  return { rings, stop: () => clearInterval(timer) };
}
