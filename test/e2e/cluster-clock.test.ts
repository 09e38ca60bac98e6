// Nodes whose machines' clocks are minutes wrong: they go by PostgreSQL's.
import t from "tap";
import { RawClient } from "../support/clients.ts";
import { postgres } from "../support/postgres.ts";
import { free, type Server, serve, start } from "../support/process.ts";
import { eventually } from "../support/until.ts";

const MINUTE = 60_000;

/** Of a process whose clock is so many milliseconds wrong. */
function wrong(by: number): Record<string, string> {
  const module = `
    const Right = Date;
    globalThis.Date = class extends Right {
      constructor(...of) { of.length === 0 ? super(Right.now() + ${by}) : super(...of); }
      static now() { return Right.now() + ${by}; }
    };`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(module)}` };
}

const server = await postgres(t, { max_connections: "40" });
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else
  await t.test(
    "cluster: nodes whose clocks are minutes apart have one time: what one keeps, the other replays",
    async (t) => {
      const url = await server.database();
      const flags = ["--engine", "postgres", "--postgres-url", url];
      const open = (name: string, by: number): Promise<Server> =>
        serve(t, t.testdir({}), [...flags, "--node", name], { env: wrong(by) });
      const [early, late] = [await open("early", 5 * MINUTE), await open("late", -5 * MINUTE)];
      await early.printed(/the clock of this machine is (299|300|301) s ahead of PostgreSQL's.*timedatectl/);
      await late.printed(/the clock of this machine is (299|300|301) s behind PostgreSQL's/);
      const nodes = [
        [early, late],
        [late, early],
      ] as const;
      for (const [i, [from, to]] of nodes.entries()) {
        const there = await RawClient.open(Number(new URL(to.clientUrl).port));
        t.teardown(() => there.close());
        await there.hello({ id: `device-of-the-clock-${i}` });
        const topic = `news-${i}`;
        t.match(await from.call("push", { topic, json: '"kept"', timeToLive: "120000" }), { status: 200 });
        const later = await RawClient.open(Number(new URL(to.clientUrl).port));
        t.teardown(() => later.close());
        await later.hello({ id: `device-come-later-${i}`, topics: [topic], lastPacketIds: { [topic]: "0" } });
        t.match(await later.next('42["p"'), "kept", "it has not expired at the other node");
        // A notification with a message for those without a token, and its call's times.
        const notification = JSON.stringify({ id: `call-${i}`, android: { title: "title", message: "message" } });
        const pushId = `device-of-the-clock-${i}`;
        t.match(await from.call("notification", { pushId, notification, timeToLive: "120000" }), { status: 200 });
        t.match(await there.next('42["noti"'), "message");
        const { text } = await eventually(
          () => to.call("job/get", { id: `call-${i}` }),
          ({ text }) => text.includes("finishedAt"),
        );
        const job = JSON.parse(text) as { acceptedAt: number; finishedAt: number };
        for (const time of [job.acceptedAt, job.finishedAt])
          t.ok(Math.abs(time - Date.now()) < 2 * MINUTE, "dated by PostgreSQL");
      }
      const { out } = await start(t.testdir({}), ["doctor", ...free, ...flags], { env: wrong(5 * MINUTE) }).ended;
      t.match(out, /warning +postgres +the clock of this machine is (299|300|301) s ahead of the server's/);
    },
  );
