// What a client needs of where it runs: time, chance, storage, and the moments at which to look at its connection. A browser has
// all of it, Node and mini programs some; nothing here is of one of them alone.
import type { Socket, Storage, Watcher } from "./api.ts";

export interface Environment {
  /** Epoch milliseconds. */
  now(): number;
  /** 0 to 1. */
  random(): number;
  /** Returns how to take it back. */
  after(milliseconds: number, act: () => void): () => void;
  readonly WebSocket: (new (url: string) => Socket) | undefined;
  readonly polling: boolean;
  /** Memory where there is no other. */
  storage(): Storage;
  /** Where the page is from; "": it is no page. */
  origin(): string;
  /** False: the device says that it has no network. */
  online(): boolean;
  /** Returns how to stop it. */
  watch(watcher: Watcher): () => void;
}

interface Listening {
  addEventListener?(name: string, act: () => void): void;
  removeEventListener?(name: string, act: () => void): void;
}

/** The globals of a browser, as far as there are any. */
const scope = globalThis as unknown as Listening & {
  readonly localStorage?: Storage;
  readonly location?: { readonly origin: string };
  readonly navigator?: { readonly onLine?: boolean };
  readonly document?: Listening & { readonly hidden: boolean };
};

function memory(): Storage {
  const items = new Map<string, string>();
  return { getItem: (key) => items.get(key), setItem: (key, value) => items.set(key, value) };
}

export const environment: Environment = {
  now: () => Date.now(),
  random: () => Math.random(),
  after(milliseconds, act) {
    const timer = setTimeout(act, milliseconds);
    return () => clearTimeout(timer);
  },
  // Node loads its own once it is looked at.
  get WebSocket() {
    return globalThis.WebSocket as (new (url: string) => Socket) | undefined;
  },
  polling: typeof fetch === "function" && typeof AbortController === "function",
  storage() {
    try {
      // Reading it is forbidden in some frames. Node warns when there is no file for it.
      if (scope.document !== undefined && scope.localStorage) return scope.localStorage;
    } catch {}
    return memory();
  },
  origin: () => scope.location?.origin ?? "",
  online: () => scope.navigator?.onLine !== false,
  watch({ look, lost }) {
    const { document } = scope;
    const seen = (): void => {
      if (document?.hidden !== true) look();
    };
    const all: [Listening | undefined, string, () => void][] = [
      [scope, "online", look],
      [scope, "offline", lost],
      [scope, "pageshow", look],
      [document, "resume", look],
      [document, "visibilitychange", seen],
    ];
    for (const [target, name, act] of all) target?.addEventListener?.(name, act);
    return () => {
      for (const [target, name, act] of all) target?.removeEventListener?.(name, act);
    };
  },
};
