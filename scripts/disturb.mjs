// npm test -- --disturb: what a busy machine does to a test now and then, done all the time. Linux only.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** Milliseconds that processes stand still, and at most those between two stops: about a third of the time. */
const STOPS = [20, 50, 100, 100, 200, 300, 600, 1200, 2500];
const BETWEEN = 1400;
/** So many processes at once, at most. */
const TOGETHER = 3;

const below = (limit) => Math.floor(Math.random() * limit);

/** A process, and all that it and they have started. */
function family(first) {
  const children = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = Number(readFileSync(`/proc/${name}/stat`, "utf8").split(") ").at(-1).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // It has ended.
    }
  }
  const found = [first];
  for (const one of found) found.push(...(children.get(one) ?? []));
  return found;
}

function tell(processes, signal) {
  for (const one of processes) {
    try {
      process.kill(one, signal);
    } catch {
      // It has ended.
    }
  }
}

/** Stops processes of a test file at random until it ends. */
export async function disturb(child) {
  while (child.exitCode === null && child.signalCode === null) {
    const rest = family(child.pid);
    const stopped = Array.from({ length: 1 + below(TOGETHER) }, () => rest.splice(below(rest.length), 1)).flat();
    tell(stopped, "SIGSTOP");
    await pause(STOPS[below(STOPS.length)]);
    tell(stopped, "SIGCONT");
    await pause(below(BETWEEN));
  }
}
