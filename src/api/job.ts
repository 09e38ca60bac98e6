// /api/job/*: the calls of /api/notification, how far they are, and the orders that hold them up or end them.
import { wallClock } from "../core/clock.ts";
import { PushError } from "../core/errors.ts";
import type { NotificationId } from "../core/notification.ts";
import type { Job, JobState } from "../core/outbox.ts";
import { HttpError, type Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { HIGHEST_RATE, JOBS } from "./bounds.ts";
import type { Params } from "./params.ts";
import { told } from "./time.ts";

const STATES: readonly JobState[] = ["scheduled", "deferred", "running", "paused", "cancelled", "finished"];

/** An order, and the states in which a job already is what it asks for. */
const ORDERS = {
  pause: ["paused"],
  resume: ["scheduled", "deferred", "running"],
  cancel: ["cancelled"],
} as const satisfies Readonly<Record<JobOrder, readonly JobState[]>>;

export type JobOrder = "pause" | "resume" | "cancel";

/** When the same audience, everybody or a tag, was last sent something. */
export async function jobLast(params: Params, actions: Actions): Promise<Response> {
  const tag = params.label("tag");
  if (params.flag("pushAll") === (tag !== undefined))
    throw new PushError("invalid", "exactly one of pushAll=true and tag is required");
  const job = await actions.outbox.last(tag, wallClock());
  return json({ code: "success", job: job === undefined ? undefined : describeJob(job) });
}

/** Newest first; `next`, given back as `before`, goes on where the list ends. */
export async function jobList(params: Params, actions: Actions): Promise<Response> {
  const state = params.text("state");
  if (state !== undefined && !isState(state))
    throw new PushError("invalid", `state must be one of ${STATES.join(", ")}`);
  const limit = params.whole("limit", 1, JOBS.most) ?? JOBS.usual;
  const before = params.whole("before", 1, Number.MAX_SAFE_INTEGER);
  const query = { ...(state === undefined ? {} : { state }), ...(before === undefined ? {} : { before }) };
  const jobs = await actions.outbox.jobs(query, limit, wallClock());
  const last = jobs.length < limit ? undefined : jobs.at(-1);
  return json({ code: "success", jobs: jobs.map(describeJob), next: last?.job });
}

/** @throws HttpError 404 when the id is unknown */
export async function jobGet(params: Params, actions: Actions): Promise<Response> {
  return answer(await jobsOf(requiredId(params), actions));
}

/**
 * Answers with the job as it is afterwards. An order that holds already is no mistake; one that comes too late is. It needs the
 * right that making the job needed. @param admitBroadcast throws when the caller may not reach everybody or a tag
 */
export async function jobOrder(
  params: Params,
  actions: Actions,
  order: JobOrder,
  admitBroadcast: () => void,
): Promise<Response> {
  const id = requiredId(params);
  const which = await reached(id, actions, admitBroadcast);
  const changed = await actions.outbox.order(id, order, wallClock(), which);
  const jobs = await jobsOf(id, actions);
  const fits: readonly JobState[] = ORDERS[order];
  if (changed.length === 0 && !jobs.some(({ state }) => fits.includes(state))) {
    const word = { pause: "paused", resume: "resumed", cancel: "cancelled" }[order];
    throw tooLate(id, jobs, word);
  }
  return answer(jobs);
}

/** From its next devices on the job goes at this rate. */
export async function jobRate(params: Params, actions: Actions, admitBroadcast: () => void): Promise<Response> {
  const id = requiredId(params);
  const rate = params.whole("rate", 0, HIGHEST_RATE);
  if (rate === undefined) throw new PushError("invalid", "rate is required: devices per second; 0: as fast as it goes");
  const which = await reached(id, actions, admitBroadcast);
  const changed = await actions.outbox.setRate(id, rate, wallClock(), which);
  const jobs = await jobsOf(id, actions);
  if (changed.length === 0) throw tooLate(id, jobs, "slowed or hurried");
  return answer(jobs);
}

/** Which of its jobs the caller may change: a call to many that is made only now under this id is left alone. */
async function reached(
  id: NotificationId,
  actions: Actions,
  admitBroadcast: () => void,
): Promise<{ readonly toDevicesOnly?: boolean }> {
  const toMany = (await jobsOf(id, actions)).some(
    ({ target, state }) => (target === "all" || target === "tag") && state !== "finished" && state !== "cancelled",
  );
  if (!toMany) return { toDevicesOnly: true };
  admitBroadcast();
  return {};
}

function tooLate(id: NotificationId, [newest]: readonly Job[], done: string): PushError {
  const state =
    newest?.state === "cancelled"
      ? "was cancelled"
      : newest?.state === "finished"
        ? "has finished"
        : "has all its devices by now";
  return new PushError("conflict", `the job of notification ${id} ${state}: it cannot be ${done} any more`);
}

/** Newest first, at least one. Throws when the id is unknown. */
async function jobsOf(id: NotificationId, actions: Actions): Promise<readonly Job[]> {
  const jobs = await actions.outbox.jobs({ id }, JOBS.most, wallClock());
  if (jobs.length === 0) throw unknownNotification(id);
  return jobs;
}

/** To be thrown for it. */
export const unknownNotification = (id: NotificationId): HttpError =>
  new HttpError(404, `no notification with id ${id} is known; it may be older than the statistics are kept`);

/** @throws PushError("invalid") without one */
export function requiredId(params: Params): NotificationId {
  const id = params.label("id");
  if (id === undefined) throw new PushError("invalid", "id is required: the id of a notification");
  return id;
}

/** The newest job; all of them when the id was used several times. */
function answer(jobs: readonly Job[]): Response {
  const [newest] = jobs.map(describeJob);
  return json({ code: "success", ...newest, ...(jobs.length > 1 ? { jobs: jobs.map(describeJob) } : {}) });
}

/** A job as every endpoint answers it; `sent` counts vendors and connections, `accepted` vendors alone. */
export const describeJob = (job: Job): object => ({
  job: job.job,
  id: job.id,
  type: job.type,
  text: job.text,
  target: job.target,
  state: job.state,
  dryRun: job.dryRun,
  rate: job.rate,
  ...told("acceptedAt", job.acceptedAt),
  ...told("sendAt", job.sendAt),
  ...told("deferred", job.deferred),
  ...told("finishedAt", job.finishedAt),
  progress: {
    seen: job.seen,
    skipped: job.skipped,
    queued: job.queued,
    waiting: job.waiting,
    // What vendors took, and what connections did.
    sent: job.accepted + job.connected + (job.routes["noti"] ?? 0),
    accepted: job.accepted,
    failed: Object.values(job.failed).reduce((sum, count) => sum + count, 0),
  },
  routes: job.routes,
  failed: job.failed,
});

const isState = (text: string): text is JobState => STATES.some((state) => state === text);
