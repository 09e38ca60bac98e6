// What the server tells once a second, while the tab is seen: one stream for everything that the page shows.
import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { admin, noteSilent, session } from "./api.ts";
import { returns } from "./away.ts";
import type { Lane } from "./types.ts";
import { visible } from "./use.ts";

interface TopicFlow {
  readonly topic: string;
  readonly count: number;
  /** Per second. */
  readonly in: number;
  readonly out: number;
}

/** src/admin/README.md 13. */
export interface Told {
  readonly time: number;
  readonly connections: number;
  readonly sessions: { readonly total: number } & Readonly<Record<string, number>>;
  readonly rates: Readonly<
    Record<"opened" | "packets" | "apiCalls" | "apiErrors" | "notifications" | "accepted" | "failed", number>
  >;
  readonly queue: Readonly<Record<"waiting" | "paused" | "stopped" | "atVendors" | "store", number>>;
  readonly lanes: readonly Pick<
    Lane,
    "provider" | "app" | "host" | "state" | "reason" | "until" | "depth" | "inFlight" | "rate"
  >[];
  readonly laneCount: number;
  readonly process: {
    readonly cpu: number;
    readonly memory: number;
    readonly heap: number;
    readonly loop: { readonly mean: number; readonly max: number };
  };
  readonly topics: readonly TopicFlow[];
  /** Processes whose figures are missing. */
  readonly silent?: readonly string[];
}

/** Milliseconds before a stream that was lost is opened anew, at first and at most. */
const AGAIN = 500;
const LATEST = 30_000;
/** Milliseconds without a figure after which the last ones are none of now. */
const OLD = 10_000;

/** The newest; undefined: there are none, or they are old. */
const told = signal<Told | undefined>(undefined);

/** How many components look at it, and at each topic. */
const watched = signal(0);
const topics = signal<Readonly<Record<string, number>>>({});

effect(() => {
  if (watched.value === 0 || !visible.value || !session.value) return;
  void returns.value; // opened anew when the server is there again
  const names = Object.keys(topics.value).sort();
  let stream: EventSource | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let old: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  let wait = AGAIN;
  const wane = (): void => {
    clearTimeout(old);
    old = setTimeout(() => {
      told.value = undefined;
      later();
    }, OLD);
  };
  const open = (): void => {
    if (over) return;
    wane();
    stream = new EventSource(`/admin/live?${new URLSearchParams({ topics: names.join() })}`);
    stream.onmessage = ({ data }: MessageEvent<string>) => {
      wait = AGAIN;
      wane();
      told.value = JSON.parse(data) as Told;
      noteSilent("/admin/live", told.value.silent ?? []);
    };
    stream.onerror = later;
  };
  /** Whoever is logged in no more is refused no stream: the door is shown instead, which ends this. */
  const ask = (): void => void admin("session").then(open, lost);
  const lost = (): void => {
    if (over) return;
    told.value = undefined;
    later();
  };
  const later = (): void => {
    stream?.close();
    clearTimeout(old);
    clearTimeout(again);
    again = setTimeout(ask, wait);
    wait = Math.min(2 * wait, LATEST);
  };
  ask();
  return () => {
    over = true;
    clearTimeout(again);
    clearTimeout(old);
    stream?.close();
  };
});

function want(topic: string, by: 1 | -1): void {
  const { [topic]: before = 0, ...others } = topics.peek();
  topics.value = before + by > 0 ? { ...others, [topic]: before + by } : others;
}

/** While the component is there. @param topic whose flow is told too */
export function useLive(topic?: string): Told | undefined {
  useEffect(() => {
    watched.value++;
    if (topic !== undefined) want(topic, 1);
    return () => {
      watched.value--;
      if (topic !== undefined) want(topic, -1);
    };
  }, [topic]);
  return told.value;
}
