// npm test [-- files or folders]: runs tap, shows failing tests in full and everything else in a line per file, and ends with a
// line "N passed, N failed" that counts test cases: the top-level tests of each file.
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tap = join(root, "node_modules/tap/dist/esm/run.mjs");

/** tap compiles its Test class once per set of plugins; until then it runs with the set it was published with. */
function buildTap() {
  const built = readFileSync(join(root, "node_modules/@tapjs/test/test-built/dist/esm/index.js"), "utf8");
  if (!built.includes("\n@tapjs/typescript")) return;
  const done = spawnSync(process.execPath, [tap, "build"], { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  if (done.status !== 0) process.exit(done.status ?? 1);
}

/** Folders become the test files in them; options go to tap as they are. */
const files = (argument) => {
  if (argument.startsWith("-") || !statSync(argument, { throwIfNoEntry: false })?.isDirectory()) return [argument];
  return readdirSync(argument, { recursive: true })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => relative(root, join(argument, name)));
};

/** Reads TAP as tap's own reporter writes it: a file's tests are indented by four spaces. */
function reader() {
  const total = { passed: 0, failed: 0, skipped: 0 };
  let file = { passed: 0, failed: 0, skipped: 0 };
  let block = [];
  let failures = [];
  const stray = [];

  const test = (line) => {
    const [, not, rest] = /^ {4}(not )?ok\b(.*)$/.exec(line);
    if (/# (SKIP|TODO)\b/i.test(rest)) file.skipped++;
    else if (not) file.failed++;
    else file.passed++;
    return Boolean(not) && !/# TODO\b/i.test(rest);
  };
  const endFile = (line) => {
    const [, not, name, time = ""] = /^(not )?ok \d+(?: - (.*?))?( # time=\S+)?(?: .*)?$/.exec(line) ?? [];
    // A file that ended without a failing test of its own: it crashed, timed out or has no test.
    if (not && file.failed === 0) {
      file.failed++;
      failures.push(...block);
    }
    const took = time.replace(" # time=", "  ");
    process.stdout.write(
      `${not ? "not ok" : "ok"}  ${name ?? ""}  ${file.passed} passed${file.failed ? `, ${file.failed} failed` : ""}${took}\n`,
    );
    if (failures.length > 0) process.stdout.write(`${failures.join("\n")}\n\n`);
    for (const key of Object.keys(total)) total[key] += file[key];
    file = { passed: 0, failed: 0, skipped: 0 };
    block = [];
    failures = [];
  };

  /** The block of a test goes on after its line with a diagnosis in YAML. */
  let diagnosis = null;
  return {
    line(line) {
      if (diagnosis !== null) {
        if (diagnosis.indent.test(line)) {
          if (diagnosis.keep) failures.push(line);
          if (/^\s+\.\.\.$/.test(line)) diagnosis = null;
          return;
        }
        diagnosis = null;
      }
      if (/^(not )?ok \d/.test(line)) {
        endFile(line);
        diagnosis = { indent: /^ {2}/, keep: false };
      } else if (/^ {4}(not )?ok\b/.test(line)) {
        const failed = test(line);
        if (failed) failures.push(...block, line);
        block = [];
        diagnosis = { indent: /^ {6}/, keep: failed };
      } else if (/^ {4}/.test(line)) {
        const left = / - (left out: .*)$/.exec(line);
        if (left !== null) process.stdout.write(`${left[1]}\n`);
        block.push(line);
      } else if (!/^(TAP version|1\.\.\d|#|Bail out!|\s*$)/.test(line)) {
        // What a test or tap itself printed beside the protocol: only of interest when something is wrong.
        block.push(line);
        stray.push(line);
      } else if (/^Bail out!/.test(line)) {
        total.failed++;
        process.stdout.write(`${line}\n`);
      }
    },
    end: () => ({ total, stray }),
  };
}

buildTap();
const [options, paths] = [
  process.argv.slice(2).filter((a) => a.startsWith("-")),
  process.argv.slice(2).filter((a) => !a.startsWith("-")),
];
const child = spawn(process.execPath, [tap, "run", "--reporter=tap", ...options, ...paths.flatMap(files)], {
  cwd: root,
  // Nothing asks in a test; tap colours nothing and watches nothing.
  stdio: ["ignore", "pipe", "pipe"],
  env: { ...process.env, TAP: "1", NO_COLOR: "1" },
});
let errors = "";
child.stderr.on("data", (chunk) => {
  errors = (errors + chunk).slice(-20_000);
});
const tests = reader();
createInterface({ input: child.stdout }).on("line", tests.line);
child.on("close", (code) => {
  const { total, stray } = tests.end();
  const wrong = code !== 0 || total.failed > 0;
  if (wrong && total.failed === 0) total.failed++;
  if (wrong && errors !== "") process.stdout.write(`--- standard error of the tests\n${errors}\n`);
  if (wrong && total.passed === 0 && stray.length > 0) process.stdout.write(`${stray.join("\n")}\n`);
  if (total.skipped > 0) process.stdout.write(`${total.skipped} skipped\n`);
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
  process.exitCode = wrong ? code || 1 : 0;
});
