// What the server tells once a second, while the tab is seen: one stream for everything that the page shows.
import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { session } from "./api.ts";
import { visible } from "./use.ts";

/** The figures of one second, as in stats/live. */
export interface Figures {
  readonly connections: number;
  readonly sessions: number;
  readonly opened: number;
  readonly packets: number;
  readonly apiCalls: number;
  readonly apiErrors: number;
}

export interface Told {
  readonly at: number;
  readonly figures?: Figures;
}

/** The newest. */
export const told = signal<Told | undefined>(undefined);

/** How many components want each topic. */
const wanted = signal<Readonly<Record<string, number>>>({});

let stream: EventSource | undefined;
effect(() => {
  const topics = Object.keys(wanted.value).sort().join();
  stream?.close();
  stream = undefined;
  if (topics === "" || !visible.value || !session.value) return;
  // It comes back by itself when the connection was lost.
  stream = new EventSource(`/admin/live?topics=${topics}`);
  stream.onmessage = ({ data }: MessageEvent<string>) => {
    told.value = JSON.parse(data) as Told;
  };
});

function want(topic: string, by: 1 | -1): void {
  const { [topic]: before = 0, ...others } = wanted.peek();
  wanted.value = before + by > 0 ? { ...others, [topic]: before + by } : others;
}

/** While the component is there, that topic is told. */
export function useLive(topic: string): Told | undefined {
  useEffect(() => {
    want(topic, 1);
    return () => want(topic, -1);
  }, [topic]);
  return told.value;
}
