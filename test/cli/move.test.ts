// From a data directory to PostgreSQL and back, by the command, with servers before and after: all by real processes.
import t from "tap";
import { postgres } from "../support/postgres.ts";
import { run, serve } from "../support/process.ts";

t.test("cluster: a server's data goes to PostgreSQL, is served from there, and comes back", async (t) => {
  const server = await postgres(t);
  if (server === undefined) return void t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
  const url = await server.database();
  const directory = t.testdir({});
  const first = await serve(t, directory);
  await first.call("uid/bind", { pushId: "moved-device-1", uid: "somebody" });
  t.match(await run(directory, "move", "--to", url), {
    code: 1,
    err: /^nothing was moved: .*in use by another pushbox/,
  });
  t.equal((await first.stop()).code, 0);

  t.match(await run(directory, "move"), { code: 2, err: /^name one of --to and --from\n/ });
  t.match(await run(directory, "move", "--from", url), { code: 2, err: /^--from needs --to-data <directory>/ });
  t.match(await run(directory, "move", "--to"), { code: 2, err: /^where is PostgreSQL\? Name it/ });
  t.match(await run(directory, "move", "--to", "mysql://x"), { code: 2, err: /want a URL such as postgres:/ });
  const moved = await run(directory, "move", "--to", url);
  t.match(moved, { code: 0, out: /^devices: 1\n.*moved to the schema pushbox: every table has as many/ms });

  const second = await serve(t, directory, ["--engine", "postgres", "--postgres-url", url]);
  const devices = async (at: typeof second) => JSON.parse((await at.call("device/get", { uid: "somebody" })).text);
  t.match(await devices(second), [{ _id: "moved-device-1" }]);
  await second.call("uid/bind", { pushId: "moved-device-2", uid: "somebody" });
  const back = ["move", "--from", url, "--to-data", "back"];
  t.match(await run(directory, ...back), { code: 1, err: /runs? on the schema pushbox: stop all nodes first/ });
  t.equal((await second.stop()).code, 0);
  t.match(await run(directory, ...back), { code: 0, out: /moved to back: every table/ });
  const third = await serve(t, directory, ["--data", "back"]);
  t.match(await devices(third), [{ _id: "moved-device-1" }, { _id: "moved-device-2" }]);
  t.equal((await third.stop()).code, 0);
});
