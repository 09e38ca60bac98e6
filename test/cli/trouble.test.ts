import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import t, { type Test } from "tap";
import { startTestApp } from "../support/app.ts";
import { runHere } from "../support/cli.ts";
import { type Ended, free, messages, run, type Server, serve } from "../support/process.ts";

/** A directory whose server has run and ended, and the file of its data. */
async function used(t: Test): Promise<{ readonly directory: string; readonly file: string }> {
  const directory = t.testdir({});
  const data = join(directory, "pushbox-data");
  const server = await startTestApp(t, { data });
  await server.ok("push", { topic: "kept", json: "before", timeToLive: 600_000 });
  await server.stop();
  return { directory, file: join(data, "pushbox.db") };
}

const keep = (server: Server, json: string) => server.call("push", { topic: "kept", json, timeToLive: "600000" });

/** The last line of a server that does not start. */
const refusal = async (t: Test, directory: string, ...args: string[]): Promise<string> =>
  lastLine(t, await runHere(directory, "serve", ...free, ...args));

function lastLine(t: Test, { code, out, err }: Ended): string {
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
  const second = lastLine(t, await run(directory, "serve", ...free));
  t.match(second, /: stop that one, or give this one a data directory of its own$/);
  t.ok(second.includes(text.replace("./", "")));
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
  await startTestApp(t, { data: join(directory, "pushbox-data") });
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
  const backup = await runHere(directory, "restore", file, "--data", "restored");
  t.match(backup, { code: 1, err: /^nothing was restored: .* was written by a newer pushbox/ });
});
