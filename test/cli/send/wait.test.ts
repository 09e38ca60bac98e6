// Waiting for a job's end, against a server that answers what the test says.
import { test } from "tap";
import type { Answer, Server } from "../../../src/cli/send/server.ts";
import { outcomeText, succeeded, wait } from "../../../src/cli/send/wait.ts";

type Body = Readonly<Record<string, unknown>>;

const answer = (body: Body): Answer => ({ well: true, status: 200, text: JSON.stringify(body), body, message: "" });
const server = (jobs: readonly Body[], lanes: readonly Body[] = []): Server => {
  let asked = 0;
  return {
    address: (path) => `http://pushbox/api/${path}`,
    post: async (path) =>
      answer(path === "lane/list" ? { lanes } : { code: "success", ...jobs[Math.min(asked++, jobs.length - 1)] }),
  };
};
const job = (state: string, progress: Body, routes: Body): Body => ({
  state,
  progress,
  routes,
  failed: {},
  acceptedAt: Date.now(),
});

test("C8: while a lane stands still it says why and what helps, once, and ends when the job ends", async (t) => {
  const waiting = job("running", { seen: 2, waiting: 1, accepted: 1, sent: 1, queued: 2 }, { apns: 2 });
  const finished = job("finished", { seen: 2, accepted: 2, sent: 2, queued: 2 }, { apns: 2 });
  const lanes = [
    { provider: "apns", app: "com.x", state: "stopped", reason: "403 InvalidProviderToken" },
    { provider: "apns", app: "com.y", state: "running" },
    { provider: "fcm", app: "com.x", state: "stopped", reason: "not of this job" },
  ];
  const told: string[] = [];
  const end = await wait(server([waiting, waiting, waiting, finished], lanes), "n", 60, 0, (line) => told.push(line));
  t.same(told, [
    "running: 2 devices looked at, 1 accepted, 0 failed, 1 waiting",
    "apns com.x is stopped: 403 InvalidProviderToken; correct the credentials and reload (SIGHUP), or call http://pushbox/api/lane/resume",
  ]);
  t.equal(end.job?.state, "finished");
  t.ok(succeeded(end.job!));

  const until = {
    provider: "apns",
    app: "com.x",
    state: "paused",
    reason: "quota",
    untilIso: "2030-01-01T00:00:00.000Z",
  };
  const paused: string[] = [];
  const open = await wait(server([waiting], [until]), "n", 3, 0, (line) => paused.push(line));
  t.match(paused[1], /^apns com.x is paused: quota; it goes on by itself at 2030-/);
  t.equal(open.job, undefined, "what only waits has not ended");
  t.match(open.text, /^not done after 3 s/);
});

test("C8: what is kept for a device that is away has not ended before it came back or its time passed", async (t) => {
  const away = job("finished", { seen: 1, accepted: 0, sent: 0 }, { connection: 1 });
  const back = job("finished", { seen: 1, accepted: 0, sent: 1 }, { connection: 1 });
  const told: string[] = [];
  const end = await wait(server([away, away, back]), "n", 60, 60_000, (line) => told.push(line));
  t.match(told, [/^1 device is away: kept until they come back, at the longest to 2/]);
  t.ok(succeeded(end.job!));
  const connected: string[] = [];
  await wait(server([away, back]), "n", 60, 60_000, (line) => connected.push(line));
  t.same(connected, [], "a device whose connection took it just now is not called away");
  t.equal((await wait(server([away]), "n", 0.5, 60_000, () => {})).job, undefined);
  const expired = await wait(server([away]), "n", 60, 0, () => {});
  t.notOk(succeeded(expired.job!), "nobody got it");
  t.match(outcomeText(expired.job!), /1 device did not come back in time/);
});
