// An error that nobody catches fails the test that is running, and no other: scripts/running.mjs finds that one.
import { execFile } from "node:child_process";
import { join } from "node:path";
import t, { type Test } from "tap";
import { nodeArguments } from "./support/process.ts";

/** Each test waits for what is thrown elsewhere meanwhile. */
const TESTS = `import t from "tap";
const fails = (act) => new Promise((done) => setTimeout(() => { setTimeout(done, 50); act(); }, 1));
const throws = () => { throw new Error("stray"); };
t.test("fine", async (t) => { t.pass(); });
t.test("thrown in a timer", async () => { await fails(throws); });
t.test("a rejection", async () => { await fails(() => { Promise.reject(new Error("stray")); }); });
t.test("outer", async (t) => {
  await t.test("thrown in a subtest", async () => { await fails(throws); });
  await t.test("the next subtest", async (t) => { t.pass(); });
});
t.test("it listens itself", async (t) => {
  const heard = new Promise((done) => process.once("uncaughtException", done));
  setImmediate(throws);
  t.match(await heard, { message: "stray" });
});
t.test("fine again", async (t) => { t.pass(); });
`;

/** What a test file of this text prints, and how it ends. */
function run(t: Test, text: string): Promise<{ readonly code: unknown; readonly out: string }> {
  const file = join(t.testdir({ "some.ts": text }), "some.ts");
  const env = { ...process.env, TAP: "1", TAP_TIMEOUT: "90", NO_COLOR: "1" };
  return new Promise((done) => {
    execFile(process.execPath, [...nodeArguments, file], { env }, (error, out) =>
      done({ code: error?.code ?? 0, out }),
    );
  });
}

t.test("tests: an error that nobody catches fails the test that is running", async (t) => {
  const { code, out } = await run(t, TESTS);
  const failed = (name: string) => new RegExp(`^ *not ok \\d+ - ${name}\\b`, "m").test(out);
  const passed = (name: string) => new RegExp(`^ *ok \\d+ - ${name} #`, "m").test(out);
  t.equal(code, 1);
  for (const name of ["thrown in a timer", "a rejection", "thrown in a subtest", "outer"]) t.ok(failed(name), name);
  for (const name of ["fine", "the next subtest", "it listens itself", "fine again"]) {
    t.ok(passed(name), `${name}: passes`);
    t.notOk(failed(name), name);
  }
});

t.test("tests: an error that comes after the last test fails the file", async (t) => {
  const text = `import t from "tap"; t.test("fine", async (t) => { t.pass(); setTimeout(() => { throw new Error("late"); }, 50); });`;
  const { code, out } = await run(t, text);
  t.equal(code, 1);
  t.match(out, /^not ok .*late/m);
});
