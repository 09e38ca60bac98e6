// A test file may take as long as it needs while it says something: silence is what ends it, and then it says what it waited for.
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import t from "tap";

const runner = resolve(import.meta.dirname, "../scripts/test.mjs");

const HANGS = `import t from "tap";
setInterval(() => {}, 1000);
t.test("outer", async (t) => {
  await t.test("waits in vain", async (t) => {
    t.pass();
    await new Promise(() => {});
  });
});
`;
/** For longer than a silent one is left alone. */
const TALKS = `import t from "tap";
t.test("talks", async (t) => {
  for (const end = performance.now() + 12_000; performance.now() < end; ) {
    t.pass();
    await new Promise((done) => setTimeout(done, 500));
  }
});
`;

const STOPPED = `import t from "tap";
t.test("is stopped and goes on", async (t) => {
  const waiting = setInterval(() => {}, 1000);
  await new Promise((done) => process.once("SIGCONT", done));
  clearInterval(waiting);
  t.pass();
});
`;

t.test("tests: --disturb stops a file's processes now and then", { skip: process.platform !== "linux" }, async (t) => {
  const place = t.testdir({ "stopped.test.ts": STOPPED });
  const args = [runner, "--disturb", join(place, "stopped.test.ts")];
  const out = await new Promise<string>((done) => execFile(process.execPath, args, (_, out) => done(out)));
  t.match(out, /^ok .*stopped\.test\.ts {2}1 passed/m);
});

t.test(
  "tests: a file that hangs is ended and says where; one that takes as long and asserts meanwhile passes",
  async (t) => {
    const place = t.testdir({ "hangs.test.ts": HANGS, "talks.test.ts": TALKS });
    // It is asked after ten seconds, and killed after ten more.
    const args = [runner, "--patience=20", "--jobs=2", join(place, "hangs.test.ts"), join(place, "talks.test.ts")];
    const { code, out } = await new Promise<{ readonly code: unknown; readonly out: string }>((done) => {
      execFile(process.execPath, args, (error, out) => done({ code: error?.code ?? 0, out }));
    });
    t.equal(code, 1);
    t.match(out, /^ok .*talks\.test\.ts {2}1 passed/m);
    t.match(out, /^not ok .*hangs\.test\.ts {2}0 passed, 1 failed/m);
    t.match(out, /^ +# Subtest: waits in vain\n(?: +.*\n)+? +not ok 2 - timeout!/m);
  },
);
