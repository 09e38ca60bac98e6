// What goes wrong outside of pushbox: each trouble is met by a real process, which says what it is and what to do.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import t, { type Test } from "tap";
import { free, messages, run, type Server, serve, start } from "../support/process.ts";

/** A directory whose server has run and ended, and the file of its data. */
async function used(t: Test): Promise<{ readonly directory: string; readonly file: string }> {
  const directory = t.testdir({});
  const server = await serve(t, directory);
  await keep(server, "before");
  t.equal((await server.stop()).code, 0);
  return { directory, file: join(directory, "pushbox-data/pushbox.db") };
}

const keep = (server: Server, json: string) => server.call("push", { topic: "kept", json, timeToLive: "600000" });

/** The last line of a server that does not start. */
async function refusal(t: Test, directory: string, ...args: string[]): Promise<string> {
  const { code, out, err } = await run(directory, "serve", ...free, ...args);
  t.equal(code, 1);
  t.notMatch(out, /"level":"(error|fatal)"/, "D7: what ends it is told on standard error");
  t.match(err, /^\{"level":"fatal".*\n$/);
  t.notMatch(err, /"stack"/, "what is known is told without a stack");
  return messages(err).at(-1) ?? "";
}

t.test("a second start on the same data directory names the process that has it, on the same ports too", async (t) => {
  const directory = t.testdir({});
  const first = await serve(t, directory);
  const text = `./pushbox-data is in use by another pushbox (process ${first.child.pid} on `;
  t.match(await refusal(t, directory), /: stop that one, or give this one a data directory of its own$/);
  t.ok((await refusal(t, directory)).includes(text.replace("./", "")));
  const port = (url: string) => new URL(url).port;
  const same = ["--client-port", port(first.clientUrl), "--api-port", port(first.apiUrl)];
  t.ok((await refusal(t, directory, ...same)).includes(text.replace("./", "")));
  t.match(
    await refusal(t, directory, ...same, "--data", "other"),
    /^port \d+ on 127\.0\.0\.1 is in use: stop what uses it/,
  );
  t.equal((await keep(first, "still there")).status, 200);
  t.equal((await first.stop()).code, 0);
  const next = await serve(t, directory);
  t.equal((await next.stop()).code, 0, "the lock goes with its process");
});

t.test("a server that was killed leaves no lock", async (t) => {
  const directory = t.testdir({});
  const first = await serve(t, directory);
  first.child.kill("SIGKILL");
  await first.ended;
  t.equal((await (await serve(t, directory)).stop()).code, 0);
});

t.test("a damaged database is not started with, and not changed", async (t) => {
  const { directory, file } = await used(t);
  const good = readFileSync(file);
  const damaged = / is damaged or not a pushbox database: move it away and bring back a copy with `pushbox restore`$/;
  for (const [name, bytes] of [
    ["another file", Buffer.from("this is no database, but some text".repeat(1000))],
    ["a header that is gone", Buffer.concat([Buffer.alloc(100), good.subarray(100)])],
    ["a schema that is gone", Buffer.concat([good.subarray(0, 100), Buffer.alloc(3996, 0x5a), good.subarray(4096)])],
  ] as const) {
    writeFileSync(file, bytes);
    const text = await refusal(t, directory);
    t.match(text, damaged, name);
    t.ok(text.startsWith(file), name);
    t.ok(readFileSync(file).equals(bytes), `${name}: left as it is`);
  }
  writeFileSync(file, good);
  t.equal((await (await serve(t, directory)).stop()).code, 0);
});

t.test("a database that lost its end is damaged too", async (t) => {
  const { directory, file } = await used(t);
  truncateSync(file, 8192);
  t.match(await refusal(t, directory), /pushbox\.db is damaged/);
});

t.test("the database of another program is not touched", async (t) => {
  const directory = t.testdir({});
  mkdirSync(join(directory, "pushbox-data"), { mode: 0o700 });
  const file = join(directory, "pushbox-data/pushbox.db");
  const other = new Database(file);
  other.exec("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
  other.close();
  const bytes = readFileSync(file);
  t.match(await refusal(t, directory), /pushbox\.db is not a pushbox database: move it away/);
  t.ok(readFileSync(file).equals(bytes));
});

t.test("the database of a newer pushbox is refused, with both formats, and left to it", async (t) => {
  const { directory, file } = await used(t);
  const db = new Database(file);
  const format = Number(db.pragma("user_version", { simple: true }));
  db.pragma(`user_version = ${format + 7}`);
  db.close();
  t.match(
    await refusal(t, directory),
    `was written by a newer pushbox (its format is ${format + 7}, this one knows ${format}): start the newer one`,
  );
  const backup = await run(directory, "restore", file, "--data", "restored");
  t.match(backup, { code: 1, err: /^nothing was restored: .* was written by a newer pushbox/ });
});

/** A file system of 6 MB of its own, where this user may mount one. */
function smallDisk(t: Test): string | undefined {
  const disk = mkdtempSync(join(tmpdir(), "pushbox-test-"));
  t.teardown(() => rmSync(disk, { recursive: true, force: true }));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=6m", "pushbox-test", disk], { stdio: "ignore" });
  if (mounted.status !== 0) return undefined;
  t.teardown(() => spawnSync("umount", ["--lazy", disk], { stdio: "ignore" }));
  return disk;
}

/** Keeps messages until one is refused. */
async function untilFull(server: Server): Promise<{ readonly status: number; readonly text: string }> {
  const json = "x".repeat(100_000);
  for (let i = 0; i < 200; i++) {
    const answer = await server.call("push", { topic: `full${i}`, json, timeToLive: "600000" });
    if (answer.status !== 200) return answer;
  }
  throw new Error("20 MB were taken");
}

t.test(
  "no room left while it runs: what must be stored is refused and says so, the rest works, and room heals it",
  async (t) => {
    const disk = smallDisk(t);
    const directory = disk ?? t.testdir({});
    // Without a file system of its own, the size of its files is limited (in KiB).
    const server = await serve(t, directory, [], disk === undefined ? { limit: "-f 6000" } : {});
    const first = await keep(server, "stored");
    t.equal(first.status, 200);
    const refused = await untilFull(server);
    t.equal(refused.status, 503);
    t.match(refused.text, /pushbox\.db: free some disk space|could not be read or written.*check the disk/);
    t.match(refused.text, /until then only reading works/);
    t.equal((await server.call("push", { topic: "t", json: "1" })).status, 200, "nothing to store");
    t.equal((await server.call("stats/base", {})).status, 200);
    if (disk !== undefined) {
      spawnSync("mount", ["-o", "remount,size=40m", disk]);
      t.equal((await keep(server, "again")).status, 200, "there is room again");
    }
    const { code, err } = await server.stop();
    t.equal(code, 0);
    t.equal(err, "");
    const next = await serve(t, directory);
    t.equal((await next.stop()).code, 0, "no repair is needed");
  },
);

t.test("no room at the start: which file, and what to do", async (t) => {
  const disk = smallDisk(t);
  const directory = disk ?? t.testdir({});
  if (disk !== undefined) {
    try {
      writeFileSync(join(disk, "ballast"), Buffer.alloc(8_000_000));
    } catch (error) {
      t.match(error, { code: "ENOSPC" });
    }
  }
  const { code, err } = await start(directory, ["serve", ...free], disk === undefined ? { limit: "-f 8" } : {}).ended;
  t.equal(code, 1);
  t.match(
    messages(err).at(-1),
    /no room left to write .*: free some disk space|the disk of .* is full: make room|could not be read or written/,
  );
  t.notMatch(err, /"stack"/);
});

t.test("files that may not grow: the same, for users who may not mount", async (t) => {
  const directory = t.testdir({});
  const server = await serve(t, directory, [], { limit: "-f 6000" });
  t.equal((await keep(server, "stored")).status, 200);
  const refused = await untilFull(server);
  t.equal(refused.status, 503);
  t.match(refused.text, /pushbox\.db.*until then only reading works/);
  t.equal((await server.call("push", { topic: "t", json: "1" })).status, 200);
  t.equal((await server.stop()).code, 0);
  t.same(
    readdirSync(join(directory, "pushbox-data")).filter((name) => name.endsWith(".db")),
    ["pushbox.db"],
  );
  t.equal((await (await serve(t, directory)).stop()).code, 0);
});
