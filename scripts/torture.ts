// npm run torture: so many deliveries through vendors that fail, with a server that is killed again and again; then every one of
// them is accounted for. `--notifications 200000 --kills 20`, and to see a run again `--seed`. Exit code 1: something is wrong.
// With `--events` it is phones that come and go, and a backend that is told of them: `--events --kills 100 --devices 60`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type EventsResult, tortureEvents } from "./torture/events.ts";
import { type Result, torture } from "./torture/run.ts";

const { values } = parseArgs({
  options: {
    notifications: { type: "string", default: "200000" },
    events: { type: "boolean", default: false },
    devices: { type: "string", default: "60" },
    kills: { type: "string" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
    hangs: { type: "string" },
    /** Seconds. */
    limit: { type: "string", default: "600" },
  },
});
const deliveries = Number(values.notifications);
const kills = Number(values.kills ?? (values.events ? 100 : 20));
const seed = Number(values.seed);
const tell = (line: string): void => console.log(line);
const directory = mkdtempSync(join(tmpdir(), "pushbox-torture-"));

function table(title: string, entries: Iterable<readonly [string, unknown]>): void {
  console.log(`\n| ${title} | |\n| --- | ---: |`);
  for (const [name, value] of entries) console.log(`| ${name} | ${value} |`);
}

function judge({ problems, serverErrors }: Pick<Result, "problems" | "serverErrors">): void {
  for (const line of serverErrors.slice(0, 5)) console.log(`\nlogged: ${line}`);
  for (const problem of problems) console.log(`\nWRONG: ${problem}`);
  console.log(problems.length === 0 ? "\neverything holds" : `\n${problems.length} things do not hold`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

function printEvents(result: EventsResult): void {
  table("the run", [
    ["kills", result.kills],
    ["calls answered", result.calls],
    ["calls repeated because of a kill", result.callsRepeated],
    ["events in the log", result.logged],
    ["events that the backend took", result.taken],
    ["of these it had already", result.repeated],
    ["requests to the backend", result.requests],
    ["of these it failed", result.failed],
    ["seconds in all", result.seconds],
    ["errors in the server's log", result.serverErrors.length],
  ]);
  table("events", result.types);
}

function print(result: Result): void {
  table("the run", [
    ["devices", result.devices],
    ["calls", result.calls],
    ["calls repeated because of a kill", result.repeated],
    ["kills", result.kills],
    ["accepted by vendors", result.accepted],
    ["tries that came to nothing", result.retries],
    ["tokens forgotten", result.forgotten],
    ["from acceptance to the kill that lost it, at most", `${result.longestBeforeKill} ms`],
    ["seconds until all was sent", result.sending],
    ["seconds in all", result.seconds],
    ["errors in the server's log", result.serverErrors.length],
  ]);
  table("deliveries", result.rows);
  table("accepted twice, by cause", result.duplicates);
  table("faults", result.faults);
}

try {
  const limit = Number(values.limit) * 1000;
  if (values.events) {
    const devices = Number(values.devices);
    const result = await tortureEvents({ directory, kills, devices, seed, absent: true, limit, tell });
    printEvents(result);
    judge(result);
  } else {
    const hangs = Number(values.hangs ?? Math.ceil(deliveries / 20_000));
    const result = await torture({ directory, deliveries, kills, seed, hangs, limit, tell });
    print(result);
    judge(result);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
