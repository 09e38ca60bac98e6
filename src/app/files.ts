// Open files: how many this process may have, who gets them, and what happens when there are none.
import { closeSync, openSync, readFileSync } from "node:fs";
import { MINUTE } from "../core/time.ts";

/** How many connections each port may have open. */
export interface Files {
  readonly client: number;
  readonly api: number;
  readonly admin: number;
}

/** Of the files, an eighth is for everything but clients: the API's callers, the vendors' services, the database, the log. */
const SMALLEST_RESERVE = 128;
const LARGEST_RESERVE = 4096;

/** @param files how many this process may open */
export function share(files: number): Files {
  const reserve = Math.min(LARGEST_RESERVE, Math.max(SMALLEST_RESERVE, files >> 3));
  return { client: Math.max(0, files - reserve), api: reserve >> 1, admin: reserve >> 3 };
}

/** How many files this process may open; Node has already raised the soft limit to the hard one. Undefined: not known. */
export function openFiles(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined; // not Linux
  }
}

/** A port that can stop accepting for a while. False: it could not be had again. */
export interface Port {
  accept(on: boolean): boolean;
}

const LOOK_EVERY = 500;

/**
 * Without a free file accept fails at once, again and again, and the loop does nothing else. So a port is closed while there is
 * none: the first one, which is the clients', and half a second later the next. They are opened as soon as there is one.
 *
 * @param isFree whether a file can be opened now
 */
export function watchFiles(
  ports: readonly Port[],
  warn: (text: string) => void,
  isFree: () => boolean = canOpen,
  every = LOOK_EVERY,
): () => void {
  let closed = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  const look = (): void => {
    if (!isFree()) {
      ports[closed]?.accept(false);
      closed = Math.min(closed + 1, ports.length);
      const now = performance.now();
      if (now - toldAt < MINUTE) return;
      toldAt = now;
      warn(
        "no file is left to open, so no connection is accepted until there is one: raise the limit with ulimit -n, or LimitNOFILE= in systemd",
      );
    } else {
      while (closed > 0 && ports[closed - 1]?.accept(true)) closed--;
    }
  };
  const timer = setInterval(look, every);
  timer.unref();
  return () => clearInterval(timer);
}

function canOpen(): boolean {
  try {
    closeSync(openSync("/dev/null", "r"));
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && (error.code === "EMFILE" || error.code === "ENFILE"));
  }
}
