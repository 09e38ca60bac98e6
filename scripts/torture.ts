// npm run torture: so many deliveries through vendors that fail, with a server that is killed again and again; then every one of
// them is accounted for. `--notifications 200000 --kills 20`, and to see a run again `--seed`. Exit code 1: something is wrong.
// With `--events` it is phones that come and go, and a backend that is told of them: `--events --kills 100 --devices 60`. With
// `--engine postgres` it is three nodes on one PostgreSQL.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type EventsResult, tortureEvents } from "./torture/events.ts";
import { type NodesResult, tortureNodes } from "./torture/nodes.ts";
import { type Result, torture } from "./torture/run.ts";

const HELP = `npm run torture -- [options]

What a 200 is worth: a server is killed again and again while it works; then each call that it had answered is accounted for.
The exit code is 1 when anything is lost, repeated without cause, or late.

Without more: notifications through vendors that fail, on SQLite.
  --notifications N   deliveries (200000)
  --kills N           kill -9 of the server (20)
  --hangs N           requests that a vendor never answers (one per 20,000 deliveries)

--events: phones come and go, a backend is told of them, on SQLite.
  --kills N           (100)
  --devices N         phones (60)

--engine postgres: three nodes, a PostgreSQL and its synchronous standby; pushes, notifications, phones and receivers. About 20 minutes.
  --kills N           kill -9 of a node (50)
  --promotions N      kill -9 of the primary, its standby is promoted and gets one of its own (20)
  --ended S           seconds in which every connection to PostgreSQL is ended once a second (60)
  --still S           seconds in which PostgreSQL stands still, SIGSTOP (30)
  --cut S             seconds in which a node cannot reach PostgreSQL (30)
  --callers N         that push (12)
  --receivers N       that come back with their positions (24)
  --devices N         phones (30)

All of them:
  --seed N            to see a run again, as far as chance is ours
  --limit S           seconds for the end, until all is sent and told (600)

A short one: npm run torture -- --engine postgres --kills 2 --promotions 1 --ended 3 --still 5 --cut 5`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", short: "h", default: false },
    engine: { type: "string", default: "sqlite" },
    promotions: { type: "string", default: "20" },
    ended: { type: "string", default: "60" },
    still: { type: "string", default: "30" },
    cut: { type: "string", default: "30" },
    callers: { type: "string", default: "12" },
    receivers: { type: "string", default: "24" },
    notifications: { type: "string", default: "200000" },
    events: { type: "boolean", default: false },
    devices: { type: "string" },
    kills: { type: "string" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
    hangs: { type: "string" },
    /** Seconds. */
    limit: { type: "string", default: "600" },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit();
}
for (const [name, value] of Object.entries(values))
  if (typeof value === "string" && name !== "engine" && !/^\d+$/.test(value))
    refuse(`--${name} is ${value}; give a whole number`);
if (!["sqlite", "postgres"].includes(values.engine)) refuse(`--engine is ${values.engine}; sqlite or postgres`);
const deliveries = Number(values.notifications);
const shared = values.engine === "postgres";
const kills = Number(values.kills ?? (shared ? 50 : values.events ? 100 : 20));
const seed = Number(values.seed);
const tell = (line: string): void => console.log(line);
// What was started ends with it.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
const directory = mkdtempSync(join(tmpdir(), "pushbox-torture-"));

function refuse(why: string): never {
  console.error(`${why} (--help says more)`);
  process.exit(2);
}

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

function printNodes({ run, packets, notifications, events, away }: NodesResult): void {
  const sorted = away.toSorted((a, b) => a - b);
  table("the run", [
    ...run,
    [
      "pushes answered after a kill of the primary: ms, median and most",
      `${sorted[sorted.length >> 1] ?? "-"}, ${sorted.at(-1) ?? "-"}`,
    ],
  ]);
  table("packets", [
    ["kept pushes answered with success", packets.answered],
    ["kept pushes that were not, of which it is not known", packets.unknown],
    ["of these made all the same", packets.unknownMade],
    ["packets kept", packets.kept],
    ["packets received by those who should", packets.received],
    ["gaps", packets.gaps],
    ["repeats", packets.repeats],
    ["disorder", packets.disorder],
    ["not kept: due, were all there", packets.passingDue],
    ["not kept: received", packets.passing],
    ["not kept: received twice", packets.passingRepeated],
  ]);
  table("notifications", [
    ["accepted by vendors", notifications.accepted],
    ["tries that came to nothing", notifications.retries],
    ["tokens forgotten", notifications.forgotten],
    ...notifications.rows,
  ]);
  table("accepted twice, by cause", notifications.duplicates);
  table("events", events);
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
  if (shared) {
    const result = await tortureNodes({
      directory,
      kills,
      promotions: Number(values.promotions),
      ended: Number(values.ended),
      still: Number(values.still),
      cut: Number(values.cut),
      callers: Number(values.callers),
      receivers: Number(values.receivers),
      phones: Number(values.devices ?? 30),
      seed,
      limit,
      tell,
    });
    printNodes(result);
    judge(result);
  } else if (values.events) {
    const devices = Number(values.devices ?? 60);
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
