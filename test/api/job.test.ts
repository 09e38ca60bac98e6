import { test } from "tap";
import type { DeliveryPage, Job, JobState } from "../../src/core/outbox.ts";
import { idleActions } from "../support/actions.ts";
import { error, start } from "./harness.ts";

const at = Date.UTC(2030, 0, 1);
const job: Job = {
  job: 7,
  id: "n1",
  type: "news",
  text: "hello",
  target: "all",
  state: "running",
  acceptedAt: at - 60_000,
  sendAt: at,
  rate: 500,
  dryRun: false,
  seen: 1000,
  skipped: 10,
  routes: { apns: 600, connection: 390 },
  queued: 600,
  waiting: 100,
  accepted: 495,
  connected: 30,
  failed: { "apns: BadDeviceToken": 4, expired: 1 },
};
const shown = {
  job: 7,
  id: "n1",
  type: "news",
  text: "hello",
  target: "all",
  state: "running",
  dryRun: false,
  rate: 500,
  acceptedAt: at - 60_000,
  acceptedAtIso: "2029-12-31T23:59:00.000Z",
  sendAt: at,
  sendAtIso: "2030-01-01T00:00:00.000Z",
  progress: { seen: 1000, skipped: 10, queued: 600, waiting: 100, sent: 525, accepted: 495, failed: 5 },
  routes: { apns: 600, connection: 390 },
  failed: { "apns: BadDeviceToken": 4, expired: 1 },
};
const unknown = error("no notification with id n0 is known; it may be older than the statistics are kept");

/** An outbox with these jobs of n1, which obeys as the port says. */
function outbox(...jobs: Job[]) {
  const asked: unknown[] = [];
  let held = jobs;
  return {
    asked,
    outbox: {
      jobs: async (...[query, limit, now]: [{ id?: string }, number, number]) => {
        asked.push([query, limit, typeof now]);
        return query.id === undefined || query.id === "n1" ? held.slice(0, limit) : [];
      },
      order: async (id: string, order: "pause" | "resume" | "cancel") => {
        asked.push([id, order]);
        const from: Record<string, readonly JobState[]> = {
          pause: ["scheduled", "running"],
          resume: ["paused"],
          cancel: ["scheduled", "running", "paused"],
        };
        const to = { pause: "paused", resume: "running", cancel: "cancelled" } as const;
        const changed: Job[] = [];
        held = held.map((one) => {
          if (id !== one.id || !from[order]!.includes(one.state)) return one;
          const after: Job = { ...one, state: to[order] };
          changed.push(after);
          return after;
        });
        return changed;
      },
      notification: async () => undefined,
      deliveries: async () => undefined,
      at: async () => undefined,
      last: async () => undefined,
      setRate: async () => [],
    },
  };
}

test("jobs are listed newest first, by state, page by page", async (t) => {
  const { asked, ...actions } = outbox(job, { ...job, job: 6, id: "n0", state: "finished", finishedAt: at });
  const api = await start(t, {}, actions);
  const all = await api.get("/api/job/list");
  t.strictSame([all.status, (all.json as { jobs: unknown[] }).jobs[0]], [200, shown]);
  t.match(all.json, { code: "success", jobs: [{ job: 7 }, { job: 6, finishedAtIso: "2030-01-01T00:00:00.000Z" }] });
  t.notOk("next" in (all.json as object), "the list ends here");
  t.match((await api.get("/api/job/list?limit=1")).json, { jobs: [{ job: 7 }], next: 7 });
  await api.post("/api/job/list", { state: "paused", limit: 1000, before: 7 });
  t.strictSame(asked, [
    [{}, 50, "number"],
    [{}, 1, "number"],
    [{ state: "paused", before: 7 }, 1000, "number"],
  ]);
  for (const [query, message] of [
    ["state=done", "state must be one of scheduled, deferred, running, paused, cancelled, finished"],
    ["limit=0", "limit must be a whole number from 1 to 1000"],
    ["limit=1001", "limit must be a whole number from 1 to 1000"],
    ["limit=x", "limit must be a whole number from 1 to 1000"],
    ["before=n1", `before must be a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`],
  ] as const) {
    const answer = await api.get(`/api/job/list?${query}`);
    t.strictSame([answer.status, answer.json], [400, error(message)], query);
  }
});

test("a job is found by its notification's id; of several the newest, with all of them", async (t) => {
  const one = await start(t, {}, outbox(job));
  t.strictSame((await one.get("/api/job/get?id=n1")).json, { code: "success", ...shown });
  for (const path of ["get", "pause", "resume", "cancel"]) {
    const answer = await one.get(`/api/job/${path}?id=n0`);
    t.strictSame([answer.status, answer.json], [404, unknown], path);
    const missing = await one.get(`/api/job/${path}`);
    t.strictSame([missing.status, missing.json], [400, error("id is required: the id of a notification")], path);
  }
  const two = await start(t, {}, outbox(job, { ...job, job: 3, state: "finished" }));
  t.match((await two.get("/api/job/get?id=n1")).json, {
    job: 7,
    state: "running",
    jobs: [
      { job: 7, state: "running" },
      { job: 3, state: "finished" },
    ],
  });
});

test("pause, resume and cancel answer with the job as it is afterwards, also when it was so before", async (t) => {
  const { asked, ...actions } = outbox(job);
  const api = await start(t, {}, actions);
  for (const [order, state] of [
    ["pause", "paused"],
    ["pause", "paused"],
    ["resume", "running"],
    ["resume", "running"],
    ["pause", "paused"],
    ["cancel", "cancelled"],
    ["cancel", "cancelled"],
  ]) {
    const answer = await api.form(`/api/job/${order}`, "id=n1");
    t.strictSame([answer.status, answer.json], [200, { code: "success", ...shown, state }], order!);
  }
  t.strictSame(
    asked.filter((call) => (call as unknown[]).length === 2).map((call) => (call as unknown[])[1]),
    ["pause", "pause", "resume", "resume", "pause", "cancel", "cancel"],
  );
});

test("an order that comes too late is a conflict that says so", async (t) => {
  for (const [state, order, message] of [
    ["finished", "pause", "the job of notification n1 has finished: it cannot be paused any more"],
    ["finished", "resume", "the job of notification n1 has finished: it cannot be resumed any more"],
    ["finished", "cancel", "the job of notification n1 has finished: it cannot be cancelled any more"],
    ["cancelled", "pause", "the job of notification n1 was cancelled: it cannot be paused any more"],
    ["cancelled", "resume", "the job of notification n1 was cancelled: it cannot be resumed any more"],
  ] as const) {
    const api = await start(t, {}, outbox({ ...job, state }));
    const answer = await api.get(`/api/job/${order}?id=n1`);
    t.strictSame([answer.status, answer.json], [409, error(message)]);
  }
  const api = await start(t, {}, outbox({ ...job, job: 8, state: "finished" }, job));
  t.match(await api.get("/api/job/pause?id=n1"), {
    status: 200,
    json: { jobs: [{ state: "finished" }, { state: "paused" }] },
  });
});

test("A13: an order on a job to everybody or a tag needs the right to make one", async (t) => {
  const keys = [
    { name: "backend", key: "secret-one" },
    { name: "ops", key: "secret-two" },
  ];
  const broadcast = { keys: ["ops"], addresses: [] };
  for (const order of ["pause", "resume", "cancel"] as const) {
    for (const [name, jobs, needed] of [
      ["to everybody", [job], true],
      ["to a tag", [{ ...job, target: "tag" }], true],
      ["paused", [{ ...job, state: "paused" }], true],
      ["one of several", [{ ...job, job: 8, target: "uids" }, job], true],
      ["to devices", [{ ...job, target: "pushIds" }], false],
      ["to users", [{ ...job, target: "uids" }], false],
      [
        "to everybody, but done",
        [
          { ...job, job: 8, target: "uids" },
          { ...job, state: "finished" },
        ],
        false,
      ],
    ] as [string, Job[], boolean][]) {
      const { asked, ...actions } = outbox(...jobs);
      const api = await start(t, { keys, broadcast }, actions);
      const ask = (key: string) => api.get(`/api/job/${order}?id=n1`, { "x-api-key": key });
      const answer = await ask("secret-one");
      const ordered = () => asked.filter((call) => Array.isArray(call) && call[0] === "n1").length;
      t.match(answer.json, needed ? { message: "apiAuth check fail", hint: /api\.broadcast_keys/ } : {}, name);
      t.equal(answer.status === 401, needed, name);
      t.equal(ordered(), needed ? 0 : 1, `${order} ${name}`);
      t.not((await ask("secret-two")).status, 401, name);
      t.equal(ordered(), needed ? 1 : 2);
    }
  }
});

test("A13: so does letting lanes go on, which concerns everybody's deliveries", async (t) => {
  const asked: unknown[] = [];
  const lanes = {
    list: async () => [],
    resume(which: unknown) {
      asked.push(which);
      return [];
    },
  };
  const keys = ["backend", "ops"].map((name) => ({ name, key: `secret-${name}` }));
  const api = await start(t, { keys, broadcast: { keys: ["ops"], addresses: [] } }, { lanes });
  const ask = (key: string) => api.get("/api/lane/resume?provider=webpush&host=push.example", { "x-api-key": key });
  t.match(await ask("secret-backend"), { status: 401, json: { hint: /api\.broadcast_keys/ } });
  t.same(asked, []);
  t.strictSame((await ask("secret-ops")).json, { code: "success", resumed: [] });
  t.same(asked, [{ vendor: "webpush", host: "push.example" }]);
});

test("a notification is told with its jobs, its figures and a page of its deliveries", async (t) => {
  const asked: unknown[] = [];
  const page = {
    deliveries: [
      {
        pushId: "device-1",
        uid: "ann",
        lane: { vendor: "apns", app: "com.x" },
        state: "accepted",
        retries: 1,
        receipt: "r1",
        queuedAt: at,
        sentAt: at + 1,
        settledAt: at + 2,
        arrivedAt: at + 3,
        clickedAt: at + 4,
      },
      { pushId: "device-2", state: "sent", retries: 0, queuedAt: at },
      {
        pushId: "device-3",
        lane: { vendor: "fcm", app: "com.x" },
        state: "queued",
        retries: 2,
        reason: "UNAVAILABLE",
        queuedAt: at,
        nextTryAt: at + 5,
      },
    ],
    next: "cursor-3",
  } as unknown as DeliveryPage;
  const content = { id: 1, android: { title: "T", payload: { a: 1 } }, vendors: { xiaomi: { channel: "c" } } };
  const note = { id: "n1", content, timeToLive: 1000, type: "news", acceptedAt: at, callerAddress: "127.0.0.1" };
  const told: string[] = [];
  const record = {
    id: "n1",
    type: "news",
    text: "hello",
    timeToLive: 0,
    timeStart: at,
    callerAddress: "127.0.0.1",
    pushIds: [],
    uids: [],
    counts: { target_apn: 4, arrive_apn: 3, accepted_apn: 3, failed_apn: 1 },
    failures: { apn: { "apns: BadDeviceToken": 1 } },
  };
  const { counters } = { counters: { arrivals: async () => [record] } };
  const { outbox: held } = outbox(job);
  const api = await start(
    t,
    {},
    {
      counters: {
        ...idleActions().counters,
        ...counters,
        add: async () => {},
        chart: async () => [],
        keys: async () => [],
        arrived: async () => {},
      },
      outbox: {
        ...held,
        notification: async (id) => {
          told.push(id);
          return id === "n1" ? note : undefined;
        },
        setRate: async () => [],
        at: async () => undefined,
        last: async () => undefined,
        deliveries: async (...args) => {
          asked.push(args);
          return args[0] === "n1" ? page : undefined;
        },
      },
    },
  );
  const answer = await api.get("/api/notification/get?id=n1");
  t.equal(answer.status, 200);
  const { counts, ...rest } = answer.json as Record<string, unknown>;
  t.strictSame(rest, {
    code: "success",
    id: "n1",
    type: "news",
    text: "hello",
    notification: { ...content, id: "n1" },
    timeToLive: 1000,
    state: "running",
    acceptedAt: shown.acceptedAt,
    acceptedAtIso: shown.acceptedAtIso,
    sendAt: shown.sendAt,
    sendAtIso: shown.sendAtIso,
    jobs: [shown],
    deliveries: [
      {
        pushId: "device-1",
        uid: "ann",
        provider: "apns",
        app: "com.x",
        state: "accepted",
        receipt: "r1",
        retries: 1,
        queuedAt: at,
        sentAt: at + 1,
        settledAt: at + 2,
        arrivedAt: at + 3,
        clickedAt: at + 4,
      },
      { pushId: "device-2", state: "sent", retries: 0, queuedAt: at },
      {
        pushId: "device-3",
        provider: "fcm",
        app: "com.x",
        state: "queued",
        reason: "UNAVAILABLE",
        retries: 2,
        queuedAt: at,
        nextTryAt: at + 5,
      },
    ],
    next: "cursor-3",
  });
  t.match(counts, {
    target_apn: 4,
    apn: { target: 4, arrive: 3, arrivalRate: "75.00%" },
    failures: { apn: { "apns: BadDeviceToken": 1 } },
  });
  const second = await api.post("/api/notification/get", { id: "n1", after: "cursor-3", limit: 1000 });
  t.notOk("notification" in (second.json as object), "the first page tells the notification");
  const gone = await api.get("/api/notification/get?id=n0");
  t.strictSame([gone.status, gone.json], [404, unknown]);
  t.strictSame(asked, [
    ["n1", undefined, 100],
    ["n1", "cursor-3", 1000],
    ["n0", undefined, 100],
  ]);
  t.strictSame(told, ["n1", "n0"]);
  t.match(await api.get("/api/notification/get"), {
    status: 400,
    json: error("id is required: the id of a notification"),
  });
  t.match(await api.get("/api/notification/get?id=n1&limit=1001"), { status: 400 });
});

test("lanes are listed with their times, and resumed all, by vendor, by app or one", async (t) => {
  const asked: unknown[] = [];
  const status = {
    app: "com.x",
    state: "paused" as const,
    reason: "quota",
    until: at,
    depth: 5,
    oldest: 1000,
    inFlight: 0,
    rate: 1.5,
    accepted: 10,
    failed: 2,
    retried: 3,
    lastError: { reason: "quota", at: at - 1 },
    holdsDeletions: true,
  };
  const { until: _until, lastError: _lastError, ...well } = { ...status, app: "com.y", state: "running" as const };
  const api = await start(
    t,
    {},
    {
      lanes: {
        list: async () => [status, well].map((one) => ({ ...one, vendor: "huawei" })),
        resume: (which) => {
          asked.push(which);
          return [{ vendor: "huawei", app: "com.x", ...{ depth: 5 } }];
        },
      },
    },
  );
  t.strictSame((await api.get("/api/lane/list")).json, {
    code: "success",
    lanes: [
      {
        provider: "huawei",
        ...status,
        untilIso: "2030-01-01T00:00:00.000Z",
        text: "paused: quota; goes on at 2030-01-01T00:00:00.000Z",
        lastError: { reason: "quota", at: at - 1, atIso: "2029-12-31T23:59:59.999Z" },
      },
      { provider: "huawei", ...well, text: "running, 5 deliveries wait" },
    ],
  });
  for (const query of ["", "?provider=huawei", "?app=com.x", "?provider=huawei&app=com.x", "?provider=&app="])
    t.strictSame((await api.get(`/api/lane/resume${query}`)).json, {
      code: "success",
      resumed: [{ provider: "huawei", app: "com.x" }],
    });
  t.strictSame(asked, [{}, { vendor: "huawei" }, { app: "com.x" }, { vendor: "huawei", app: "com.x" }, {}]);
});

test("E: a dry run that takes longer than a second tells where to ask for its count", async (t) => {
  const dry = { ...job, id: "generated123", dryRun: true } as const;
  const api = await start(t, {}, { outbox: { ...outbox(dry).outbox, jobs: async () => [dry] } });
  const answer = await api.post("/api/notification", {
    pushAll: true,
    dryRun: true,
    notification: { android: { title: "T" } },
  });
  t.strictSame(answer.json, { code: "success", id: "generated123", ask: "/api/job/get?id=generated123" });
});
