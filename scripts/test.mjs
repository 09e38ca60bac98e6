// npm test [-- files or folders]: every test file in a process of its own, as many at once as there are cores. Shows failing tests in
// full and everything else in a line per file, then the slowest files, and ends with a line "N passed, N failed" that counts test
// cases: the top-level tests of each file.
//   --grep=WORD   only tests whose name has it (/of a form/i); the others count as skipped
//   --jobs=N      that many files at once
//   --bail        no further test of a file after its first failure
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

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const kept = join(root, "node_modules/.cache/pushbox/test-times.json");
/** A file that has not ended after so long is killed, seconds. */
const PATIENCE = 600;
const SLOWEST = 8;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    grep: { type: "string" },
    jobs: { type: "string", default: String(availableParallelism()) },
    bail: { type: "boolean", default: false },
    watch: { type: "boolean", default: false },
  },
});

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
  /** The diagnosis of a failed test follows it in YAML. */
  let diagnosing = false;
  const line = (text) => {
    if (diagnosing && /^ {2}/.test(text)) {
      failures.push(text);
      return;
    }
    diagnosing = false;
    const [test, not, rest] = /^(not )?ok\b(.*)$/.exec(text) ?? [];
    if (test !== undefined) {
      if (/# (SKIP|TODO)\b/i.test(rest)) counts.skipped++;
      else if (not) {
        counts.failed++;
        failures.push(...block, text);
        diagnosing = true;
      } else counts.passed++;
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
        failures.push(...block, `ended with ${signal ?? code} after ${ran} tests`);
      }
      if (counts.failed > 0 && errors !== "") failures.push("--- standard error", errors);
      return { ...counts, failures, notes };
    },
  };
}

const running = new Set();

/** The process of one file. */
function start(file, { stdio, flags = [] }) {
  const preload = pathToFileURL(join(root, "scripts/types.mjs")).href;
  const child = spawn(
    process.execPath,
    [...flags, "--disable-warning=ExperimentalWarning", `--import=${preload}`, file],
    {
      cwd: root,
      stdio,
      env: {
        ...process.env,
        TAP: "1",
        NO_COLOR: "1",
        TAP_TIMEOUT: String(PATIENCE - 10),
        ...(options.grep !== undefined && { TAP_GREP: options.grep }),
        ...(options.bail && { TAP_BAIL: "1" }),
      },
    },
  );
  running.add(child);
  return child;
}

/** Runs one file to its end. */
function run(file) {
  const began = performance.now();
  // Nothing asks in a test, and nothing is coloured.
  const child = start(file, { stdio: ["ignore", "pipe", "pipe"] });
  const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE * 1000);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (chunk) => {
    errors = (errors + chunk).slice(-20_000);
  });
  const reading = reader();
  createInterface({ input: child.stdout }).on("line", reading.line);
  return new Promise((done) => {
    child.on("close", (code, signal) => {
      running.delete(child);
      clearTimeout(late);
      done({ file, took: Math.round(performance.now() - began), ...reading.end(errors, code, signal) });
    });
  });
}

const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;

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
    for (const child of running) child.kill("SIGKILL");
    process.exit(1);
  });
}

if (options.watch) {
  if (positionals.length !== 1) throw new Error("--watch takes one test file");
  await once(start(positionals[0], { stdio: "inherit", flags: ["--watch"] }), "exit");
  process.exit();
}

const known = times();
const expected = (file) => known[file] ?? Number.POSITIVE_INFINITY;
const waiting = [...new Set((positionals.length > 0 ? positionals : ["test"]).flatMap(files))].sort(
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
  const slowest = results.toSorted((a, b) => b.took - a.took).slice(0, SLOWEST);
  process.stdout.write(`\n${results.length} files in ${seconds(performance.now() - began)}; the slowest:\n`);
  for (const { file, took } of slowest) process.stdout.write(`${seconds(took).padStart(8)}  ${file}\n`);
}
if (sum("skipped") > 0) process.stdout.write(`${sum("skipped")} skipped\n`);
process.stdout.write(`\n${sum("passed")} passed, ${sum("failed")} failed\n`);
process.exitCode = sum("failed") > 0 || results.length === 0 ? 1 : 0;
