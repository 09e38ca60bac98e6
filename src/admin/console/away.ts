// Whether the server answers: what a page shows of one that does not may be old, and that is said.
import { effect, signal } from "@preact/signals";

/** When it answered last, epoch milliseconds; undefined: it answers. */
export const away = signal<number | undefined>(undefined);

/** How often it has come back: what is shown is asked for again then. */
export const returns = signal(0);

/** Milliseconds after which a call without an answer makes one look, how long that may take, and between looks while it is away. */
const SLOW = 10_000;
const PATIENCE = 5000;
const EVERY = 3000;

let last = Date.now();

function answered(): void {
  last = Date.now();
  if (away.peek() === undefined) return;
  away.value = undefined;
  returns.value++;
}

function silent(): void {
  away.value ??= last;
}

/** Any answer will do. */
function look(): void {
  if (document.hidden) return;
  fetch("/admin/session", { headers: { "x-quiet": "1" }, signal: AbortSignal.timeout(PATIENCE) }).then(
    answered,
    silent,
  );
}

effect(() => {
  if (away.value === undefined) return;
  const timer = setInterval(look, EVERY);
  return () => clearInterval(timer);
});

/** As `fetch`, and it is noted whether there was an answer. */
export async function reach(path: string, init: RequestInit): Promise<Response> {
  const slow = setTimeout(look, SLOW);
  try {
    const answer = await fetch(path, init);
    answered();
    return answer;
  } catch (error) {
    if (init.signal?.aborted !== true) silent();
    throw error;
  } finally {
    clearTimeout(slow);
  }
}
