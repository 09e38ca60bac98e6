// npm test [-- files or folders]: every test file in a process of its own, two at once for each core, as many wait. Shows
// failing tests in full and everything else in a line per file, then the slowest files, and ends with a line "N passed, N failed"
// that counts test cases: the top-level tests of each file.
//   --grep=WORD   only tests whose name has it (/of a form/i); the others count as skipped
//   --engine=postgres  test/e2e, or the files named, on a PostgreSQL of their own: the one on PATH, or Debian's
//   --jobs=N      that many files at once
//   --bail        no further test of a file after its first failure
//   --patience=S  a file that has printed nothing for S seconds is killed, with every process that it started; 360
//   --disturb     the processes of each file are stopped at random, for up to 2.5 s: a test that then fails is flaky
//   --slowest=N   so many of the slowest files are named at the end
//   --watch       the one file named, again after each change of it or of what it imports, as TAP
// A file is a program as well: node test/core/notify.test.ts
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { disturb } from "./disturb.mjs";
import { ensureProgram } from "./program.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const kept = join(root, "node_modules/.cache/pushbox/test-times.json");

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    grep: { type: "string" },
    engine: { type: "string", default: process.env.PUSHBOX_TEST_ENGINE ?? "sqlite" },
    jobs: { type: "string", default: String(2 * availableParallelism()) },
    bail: { type: "boolean", default: false },
    patience: { type: "string", default: "360" },
    disturb: { type: "boolean", default: false },
    slowest: { type: "string", default: "8" },
    watch: { type: "boolean", default: false },
  },
});
const patience = Number(options.patience);
if (!(patience > 10)) throw new Error("--patience takes seconds, more than 10");
if (options.disturb && process.platform !== "linux") throw new Error("--disturb works on Linux only");
if (!/^(sqlite|postgres)$/.test(options.engine)) throw new Error("--engine takes sqlite or postgres");
const everything = options.engine === "postgres" ? "test/e2e" : "test";

/** Folders become the test files in them. */
function files(path) {
  const full = resolve(root, path);
  if (!statSync(full, { throwIfNoEntry: false })?.isDirectory()) return [relative(root, full)];
  return readdirSync(full, { recursive: true })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => relative(root, join(full, name)));
}

/** Milliseconds that each file took the last time: the longest begin first, so that none is left running alone at the end. */
function times() {
  try {
    return JSON.parse(readFileSync(kept, "utf8"));
  } catch {
    return {};
  }
}

/** Reads what a test file prints: TAP, with its top-level tests at the start of a line. */
function reader() {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const failures = [];
  const notes = [];
  /** Since the last top-level test: its subtests, and whatever was printed beside the protocol. */
  let block = [];
  let planned;
  /** The top-level test that is running, or was the last to. */
  let current;
  /** The diagnosis of a failed test follows it in YAML. */
  let diagnosing = false;
  const line = (text) => {
    if (diagnosing && /^ {2}/.test(text)) {
      failures.push(text);
      return;
    }
    diagnosing = false;
    current = /^# Subtest: (.*)$/.exec(text)?.[1] ?? current;
    const [test, not, rest] = /^(not )?ok\b(.*)$/.exec(text) ?? [];
    if (test !== undefined) {
      if (/# (SKIP|TODO)\b/i.test(rest)) counts.skipped++;
      else if (not) {
        counts.failed++;
        failures.push(...block, text);
        diagnosing = true;
      } else {
        counts.passed++;
        if (block.some((one) => /^ +1\.\.0\b/.test(one))) notes.push(`asserts nothing: ${current}`);
      }
      block = [];
    } else if (/^1\.\.\d+/.test(text)) planned = Number(text.slice(3).split(" ")[0]);
    else if (!/^(TAP version|#|\s*$)/.test(text)) {
      const left = / - (left out: .*)$/.exec(text);
      if (left !== null) notes.push(left[1]);
      block.push(text);
    }
  };
  return {
    line,
    /** With what was printed on standard error and how the process ended. */
    end(errors, code, signal) {
      const ran = counts.passed + counts.failed + counts.skipped;
      // It crashed, was killed, or has no test: a failure of its own.
      if (counts.failed === 0 && (code !== 0 || planned === undefined || ran < planned)) {
        counts.failed++;
        const last = current === undefined ? "" : `; the last to begin: ${current}`;
        failures.push(...block, `ended with ${signal ?? code} after ${ran} tests${last}`);
      }
      if (counts.failed > 0 && errors !== "") failures.push("--- standard error", errors);
      return { ...counts, failures, notes };
    },
  };
}

const running = new Set();
/** Watched, a test runs from source: what it starts does so again after each change. */
let preload = pathToFileURL(join(root, "scripts/types.mjs")).href;

/** With more room for what is young a quarter of the time of short processes is saved: what their start leaves is collected less often. */
const FLAGS = ["--disable-warning=ExperimentalWarning", "--min-semi-space-size=16"];

/** The process of one file, and with a group of its own whatever it starts: all of them can be ended. */
function start(file, { stdio, flags = [], detached = false }) {
  const child = spawn(process.execPath, [...flags, ...FLAGS, `--import=${preload}`, file], {
    cwd: root,
    stdio,
    detached,
    env: {
      ...process.env,
      TAP: "1",
      PUSHBOX_TEST_ENGINE: options.engine,
      NO_COLOR: "1",
      TAP_TIMEOUT: "0", // `run` has the patience
      ...(options.grep !== undefined && { TAP_GREP: options.grep }),
      ...(options.bail && { TAP_BAIL: "1" }),
    },
  });
  running.add(child);
  return child;
}

/** Ends the process of a file and whatever it left behind. */
function kill(child) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL"); // nothing is left, or it is watched and has no group of its own
  }
}

let spent = 0;

/** Seconds of CPU of the processes that have ended since the last call, and of their own; 0 where the system does not say. */
function cpu() {
  try {
    const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1].split(" ");
    const before = spent;
    spent = (Number(fields[13]) + Number(fields[14])) / 100;
    return spent - before;
  } catch {
    return 0;
  }
}

/** Runs one file to its end. */
function run(file) {
  const began = performance.now();
  // Nothing asks in a test, and nothing is coloured.
  const child = start(file, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  // Silence, not time in all, is a hang: on a machine ten times as busy the longest file takes over ten minutes. First it is asked what it waits for.
  const late = [
    setTimeout(() => child.kill("SIGALRM"), (patience - 10) * 1000),
    setTimeout(() => kill(child), patience * 1000),
  ];
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (chunk) => {
    errors = (errors + chunk).slice(-20_000);
  });
  if (options.disturb) void disturb(child);
  const reading = reader();
  createInterface({ input: child.stdout }).on("line", (text) => {
    for (const timer of late) timer.refresh();
    reading.line(text);
  });
  return new Promise((done) => {
    let used = 0;
    child.on("exit", () => {
      used = cpu();
      for (const timer of late) clearTimeout(timer);
      kill(child); // one that it started may hold its output
    });
    child.on("close", (code, signal) => {
      running.delete(child);
      done({ file, used, took: Math.round(performance.now() - began), ...reading.end(errors, code, signal) });
    });
  });
}

const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;
const cpuOf = (used) => `${used.toFixed(1)} s of CPU`;

function report({ file, took, passed, failed, skipped, failures, notes }) {
  for (const note of notes) process.stdout.write(`${note}\n`);
  const counts = [`${passed} passed`, failed > 0 && `${failed} failed`, skipped > 0 && `${skipped} skipped`];
  process.stdout.write(
    `${failed > 0 ? "not ok" : "ok"}  ${file}  ${counts.filter(Boolean).join(", ")}  ${seconds(took)}\n`,
  );
  if (failures.length > 0) process.stdout.write(`${failures.join("\n")}\n\n`);
}

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) {
  process.on(signal, () => {
    for (const child of running) kill(child);
    process.exit(1);
  });
}

if (options.watch) {
  if (positionals.length !== 1) throw new Error("--watch takes one test file");
  await once(start(positionals[0], { stdio: "inherit", flags: ["--watch"] }), "exit");
  process.exit();
}

if (await ensureProgram()) preload += "?program";

const known = times();
const expected = (file) => known[file] ?? Number.POSITIVE_INFINITY;
const waiting = [...new Set((positionals.length > 0 ? positionals : [everything]).flatMap(files))].sort(
  (a, b) => expected(b) - expected(a) || a.localeCompare(b),
);
const results = [];
const began = performance.now();
await Promise.all(
  Array.from({ length: Math.max(1, Number(options.jobs) || 1) }, async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await run(file);
      results.push(result);
      report(result);
    }
  }),
);

const sum = (key) => results.reduce((total, result) => total + result[key], 0);
try {
  mkdirSync(dirname(kept), { recursive: true });
  writeFileSync(
    kept,
    JSON.stringify({ ...known, ...Object.fromEntries(results.map(({ file, took }) => [file, took])) }),
  );
} catch {
  // Only the order of the next run.
}
if (results.length > 1) {
  const slowest = results.toSorted((a, b) => b.took - a.took).slice(0, Number(options.slowest));
  const wall = seconds(performance.now() - began);
  process.stdout.write(`\n${results.length} files in ${wall}, ${cpuOf(sum("used"))}; the slowest:\n`);
  for (const { file, took, used } of slowest)
    process.stdout.write(`${seconds(took).padStart(8)} ${cpuOf(used).padStart(14)}  ${file}\n`);
}
if (sum("skipped") > 0) process.stdout.write(`${sum("skipped")} skipped\n`);
process.stdout.write(`\n${sum("passed")} passed, ${sum("failed")} failed\n`);
process.exitCode = sum("failed") > 0 || results.length === 0 ? 1 : 0;
