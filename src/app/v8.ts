// How V8 is told to work for a server. These flags are read while it runs, so they hold however the process was started.
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Both halves of V8's young generation together, bytes. */
const ENOUGH = 8 * 1024 * 1024;
const CHECK_EVERY = 100;

/**
 * Stops the growth of the young generation at 8 MB, or where a larger start has brought it. While many clients connect it would
 * double up to 32 MB, which are never given back: per idle connection of 10,000, the executable takes 1.7 KB this way, 2.9 KB
 * with 16 MB, and from source 3.3 KB without a bound. Pushes kept per second are 3 % fewer at 8 MB than at 16 MB, others the same.
 * Node has `--max-semi-space-size` for this, but only on its command line.
 */
export function boundYoungGeneration(): void {
  const check = (): void => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    // Again and again: V8 sets it back to 2 for the whole process when a thread starts.
    if (young !== undefined && young.space_size >= ENOUGH) setFlagsFromString("--semi-space-growth-factor=1");
  };
  setInterval(check, CHECK_EVERY).unref();
}

/**
 * Optimises a function only when it has run 10,000 times without learning anything new, instead of 500. After a start all clients
 * come back at once, and the compiler's four threads took a quarter of a lone core just then. Connections registered per second by
 * a fresh server: 8,700 before and 11,600 now for 5,000 of them, the same 8,400 for 15,000: the work is put off, not saved.
 */
export function optimiseLater(): void {
  setFlagsFromString("--minimum-invocations-after-ic-update=10000");
}

/**
 * Optimises what undici parses answers of HTTP/1 with, one large function of WebAssembly, after some 15,000 answers instead of
 * 100, before it loads it: that took 100 ms of a lone core just when all clients come back and a webhook is told of each.
 */
export function optimiseParserLater(): void {
  setFlagsFromString("--wasm-tiering-budget=2000000000");
}

/**
 * Collects the old generation once it has grown by three fifths, instead of up to fourfold: what a call to many leaves behind would
 * else be kept as room for more. While 200,000 devices were notified the process grew by 38 MB instead of 93. By a third it grew by 27,
 * and each notification took 153 us of the processor instead of 141: the threads that mark what lives took the more.
 */
export function collectSooner(): void {
  setFlagsFromString("--heap-growing-percent=60");
}

/**
 * Gives back what loading the program has taken, once: it brings the young generation beyond its bound before any of our code runs.
 * The process with 10,000 idle connections, from source: 205 MB without, 174 with it (3.1 and 2.0 KB each). Some 30 ms, before it is ready.
 * The young generation then begins small and may grow again, up to its bound: held at 1 MB it was collected 120 times while 5,000
 * clients registered, and whatever was on its way with them survived each time.
 */
export function collectOnce(): void {
  setFlagsFromString("--expose-gc"); // the only way to ask for a collection in a process that is not started with it
  const collect = runInNewContext("gc") as (how: object) => void;
  collect({ type: "major", execution: "sync", flavor: "last-resort" });
  setFlagsFromString("--no-expose-gc");
  setFlagsFromString("--semi-space-growth-factor=2");
}

/**
 * For a command that works for long on little: it gives back what loading the program has taken, keeps its young generation as small
 * as it is then, and compiles nothing anew, which takes megabytes for a moment and is never given back. The import of 50,000
 * devices: 64 MB without it, 44 with it, in as much of the processor's time, most of which is SQLite's.
 */
export function keepSmall(): void {
  collectOnce();
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--no-opt");
  collectSooner();
}
