// npm run torture: so many deliveries through vendors that fail, with a server that is killed again and again; then every one of
// them is accounted for. `--notifications 200000 --kills 20`, and to see a run again `--seed`. Exit code 1: something is wrong.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Result, torture } from "./torture/run.ts";

const { values } = parseArgs({
  options: {
    notifications: { type: "string", default: "200000" },
    kills: { type: "string", default: "20" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
    hangs: { type: "string" },
    /** Seconds. */
    limit: { type: "string", default: "600" },
  },
});
const deliveries = Number(values.notifications);
const directory = mkdtempSync(join(tmpdir(), "pushbox-torture-"));

function print(result: Result): void {
  const table = (title: string, entries: Iterable<readonly [string, unknown]>): void => {
    console.log(`\n| ${title} | |\n| --- | ---: |`);
    for (const [name, value] of entries) console.log(`| ${name} | ${value} |`);
  };
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
  for (const line of result.serverErrors.slice(0, 5)) console.log(`\nlogged: ${line}`);
  for (const problem of result.problems) console.log(`\nWRONG: ${problem}`);
  console.log(result.problems.length === 0 ? "\neverything holds" : `\n${result.problems.length} things do not hold`);
}

try {
  const result = await torture({
    directory,
    deliveries,
    kills: Number(values.kills),
    seed: Number(values.seed),
    hangs: Number(values.hangs ?? Math.ceil(deliveries / 20_000)),
    limit: Number(values.limit) * 1000,
    tell: (line) => console.log(line),
  });
  print(result);
  process.exitCode = result.problems.length === 0 ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
