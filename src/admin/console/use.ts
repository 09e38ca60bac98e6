// Hooks: the answer of an endpoint as a component shows it.
import { signal } from "@preact/signals";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { call, type Fields } from "./api.ts";
import { returns } from "./away.ts";

/** Hidden tabs ask nothing. */
export const visible = signal(!document.hidden);
document.addEventListener("visibilitychange", () => {
  visible.value = !document.hidden;
});

export interface Answer<T> {
  /** The newest; it stays while it is asked for again. */
  readonly data: T | undefined;
  readonly error: Error | undefined;
  readonly loading: boolean;
  /** Asks at once. */
  reload(): void;
}

/**
 * What the fields of a filter hold: what the address says, also after going back in the history, and then what is written there.
 * @param given by the address
 */
export function useWanted<T>(given: T): readonly [wanted: T, want: (wanted: T) => void] {
  const key = JSON.stringify(given);
  const [state, set] = useState({ key, wanted: given });
  const now = state.key === key ? state : { key, wanted: given };
  if (now !== state) set(now);
  return [now.wanted, (wanted) => set({ key, wanted })];
}

/**
 * Calls when the parameters change, and when the server is there again.
 * @param path undefined: nothing is asked for
 * @param every milliseconds after which it is asked for again, while the tab is seen
 */
export function useCall<T>(path: string | undefined, fields: Fields = {}, every?: number): Answer<T> {
  const [state, set] = useState<Omit<Answer<T>, "reload"> & { readonly key: string }>({
    key: "",
    data: undefined,
    error: undefined,
    loading: path !== undefined,
  });
  const [turn, again] = useState(0);
  const key = JSON.stringify([path, fields]);
  const seen = visible.value;
  const back = returns.value;
  const before = useRef("");
  useEffect(() => {
    if (path === undefined || (!seen && before.current === key)) return;
    const fresh = before.current !== key;
    before.current = key;
    const control = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      try {
        const data = await call<T>(path, fields, control.signal);
        if (!control.signal.aborted) set({ key, data, error: undefined, loading: false });
      } catch (error) {
        if (control.signal.aborted) return;
        set((now) => ({ key, data: now.key === key ? now.data : undefined, error: error as Error, loading: false }));
      }
      if (every !== undefined && !control.signal.aborted) timer = setTimeout(() => void ask(), every);
    };
    if (fresh) set((now) => ({ ...now, loading: true, error: undefined }));
    void ask();
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [key, turn, every, seen, back]);
  const reload = useCallback(() => again((n) => n + 1), []);
  return { data: path === undefined ? undefined : state.data, error: state.error, loading: state.loading, reload };
}
