// Waits for a notification's job to end, and puts into words how far it is and how it went.
import { setTimeout as pause } from "node:timers/promises";
import { printable } from "../../core/printable.ts";
import { type Answer, type Server, ServerTrouble } from "./server.ts";

const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 2000;
/** Times that the server may be away in a row: a restart takes less. */
const MOST_TROUBLE = 10;

/** What is read of an answer of /api/job/get. */
export interface JobAnswer {
  readonly state: string;
  readonly dryRun: boolean;
  /** The id was used for other calls too. */
  readonly several: boolean;
  readonly sendAtIso: string;
  /** `sent`: taken by vendors and connections; an older server does not tell. */
  readonly progress: Readonly<Record<"seen" | "skipped" | "queued" | "waiting" | "accepted" | "failed", number>> & {
    readonly sent?: number;
  };
  readonly routes: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
}

/** `job` absent: it did not end while waited for, and `text` says why. */
export interface End {
  readonly answer: Answer;
  readonly job?: JobAnswer;
  readonly text: string;
}

/**
 * Asks ever more seldom, from 0.2 to 2 s; `tell` gets a line whenever something has changed, and why nothing does.
 * @param timeToLive milliseconds for which it is kept for devices that are away: it has not ended before
 */
export async function wait(
  server: Server,
  id: string,
  seconds: number,
  timeToLive: number,
  tell: (line: string) => void,
): Promise<End> {
  const deadline = performance.now() + 1000 * seconds;
  let last = "";
  const told = new Set<string>();
  let trouble = 0;
  for (let next = FIRST_PAUSE; ; next = Math.min(next * 1.5, LONGEST_PAUSE)) {
    await pause(Math.max(0, Math.min(next, deadline - performance.now())));
    let answer: Answer;
    try {
      answer = await server.post("job/get", { id });
      if (answer.status === 503) throw new ServerTrouble(answer.message, "later");
    } catch (error) {
      if (!(error instanceof ServerTrouble)) throw error;
      if (++trouble < MOST_TROUBLE && performance.now() < deadline) continue;
      throw new ServerTrouble("it was accepted, but how far it is cannot be asked", error.reason, { cause: error });
    }
    trouble = 0;
    if (!answer.well) return { answer, text: `it was accepted, but how far it is cannot be asked: ${answer.message}` };
    const job = jobOf(answer.body);
    const away = awayOf(job);
    const keptUntil = away === 0 ? 0 : startOf(answer.body) + timeToLive;
    if (job.state === "cancelled" || (job.state === "finished" && keptUntil <= Date.now()))
      return { answer, job, text: "" };
    const line = job.state === "finished" ? awayText(away, keptUntil) : progressText(job);
    const again = line === last;
    if (job.state === "finished") {
      // A connection that has just taken it is counted a moment later: who lacks it at two looks is away.
      if (again && !told.has(line)) tell(line);
      if (again) told.add(line);
    } else if (!again) tell(line);
    else if (job.progress.waiting > 0) {
      // Nothing has moved since it was asked before.
      for (const reason of await laneTexts(server, job)) {
        if (!told.has(reason)) tell(reason);
        told.add(reason);
      }
    }
    last = line;
    if (performance.now() >= deadline) {
      const where = `${server.address("job/get")}?id=${encodeURIComponent(id)}`;
      return { answer, text: `not done after ${seconds} s; it goes on without this command, see ${where}` };
    }
  }
}

/** Devices without a vendor that no connection has taken it for yet. */
const awayOf = ({ dryRun, progress, routes }: JobAnswer): number =>
  dryRun || progress.sent === undefined
    ? 0
    : Math.max(0, progress.accepted + (routes["connection"] ?? 0) + (routes["noti"] ?? 0) - progress.sent);

const startOf = (body: Answer["body"]): number => Number(body["sendAt"] ?? body["acceptedAt"] ?? 0);

const awayText = (away: number, until: number): string =>
  `${devices(away)} ${away === 1 ? "is" : "are"} away: kept until they come back, at the longest to ${new Date(until).toISOString()}`;

/** Why lanes that the job goes through stand still, and what helps. Nothing where that cannot be asked. */
async function laneTexts(server: Server, { state, routes }: JobAnswer): Promise<readonly string[]> {
  if (state === "paused") return [`the job is paused: it goes on after ${server.address("job/resume")}`];
  try {
    const { well, body } = await server.post("lane/list", {});
    const lanes: unknown = well ? body["lanes"] : undefined;
    return Array.isArray(lanes) ? lanes.flatMap((lane: unknown) => laneText(server, Object(lane), routes)) : [];
  } catch (error) {
    if (error instanceof ServerTrouble) return [];
    throw error;
  }
}

function laneText(
  server: Server,
  { provider, app, state, reason, untilIso }: Readonly<Record<string, unknown>>,
  routes: JobAnswer["routes"],
): readonly string[] {
  if ((routes[String(provider)] ?? 0) === 0) return [];
  const why = `${provider} ${app} is ${state}: ${reason}`;
  switch (state) {
    case "stopped":
      return [
        printable(`${why}; correct the credentials and reload (SIGHUP), or call ${server.address("lane/resume")}`),
      ];
    case "paused":
      return [printable(`${why}; it goes on by itself at ${untilIso}`)];
    default:
      return [];
  }
}

/** What another version of the server does not tell counts as nothing. */
function jobOf(body: Answer["body"]): JobAnswer {
  const counts = (value: unknown): Record<string, number> =>
    Object.fromEntries(
      Object.entries(value ?? {}).filter((entry): entry is [string, number] => Number.isFinite(entry[1])),
    );
  const none = { seen: 0, skipped: 0, queued: 0, waiting: 0, accepted: 0, failed: 0 };
  return {
    state: String(body["state"]),
    dryRun: body["dryRun"] === true,
    several: Array.isArray(body["jobs"]),
    sendAtIso: String(body["sendAtIso"] ?? ""),
    progress: { ...none, ...counts(body["progress"]) },
    routes: counts(body["routes"]),
    failed: counts(body["failed"]),
  };
}

function progressText({ state, sendAtIso, progress }: JobAnswer): string {
  if (state === "scheduled") return `scheduled for ${sendAtIso}`;
  const { seen, accepted, failed, waiting } = progress;
  return `${state}: ${devices(seen)} looked at, ${accepted} accepted, ${failed} failed, ${waiting} waiting`;
}

/** How it went: which way, and what failed for which reason, the most frequent first. */
export function outcomeText(job: JobAnswer): string {
  const { state, dryRun, progress, routes, failed } = job;
  const ways = Object.entries(routes).filter(([, count]) => count > 0);
  const by = ways.length === 0 ? "nobody" : ways.map(([way, count]) => `${count} by ${way}`).join(", ");
  const head = `${state}: ${devices(progress.seen)} looked at`;
  const skipped = progress.skipped === 0 ? "" : `\n${progress.skipped} have nothing to show of it`;
  if (dryRun) return `${head}\nwould be sent: ${by}${skipped}`;
  const away = awayOf(job);
  const missed = away === 0 ? "" : `\n${devices(away)} did not come back in time`;
  const vendors = progress.queued === 0 ? "" : `\nvendors: ${progress.accepted} accepted, ${progress.failed} failed`;
  const reasons = Object.entries(failed)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `\n  ${count}  ${printable(reason)}`);
  return `${head}\naddressed: ${by}${skipped}${missed}${vendors}${reasons.join("")}`;
}

/** As many devices are told one by one. */
const MOST_DEVICES = 20;

/** What became of it at each device, where they are few. Nothing when that cannot be asked: how it went as a whole is known. */
export async function devicesText(
  server: Server,
  id: string,
  { dryRun, several, progress }: JobAnswer,
): Promise<string> {
  const count = progress.seen - progress.skipped;
  if (dryRun || several || count === 0 || count > MOST_DEVICES) return "";
  try {
    const { well, body } = await server.post("notification/get", { id, limit: MOST_DEVICES });
    const rows: unknown = well ? body["deliveries"] : undefined;
    return Array.isArray(rows) ? rows.map((row: unknown) => `\n  ${deviceText(row)}`).join("") : "";
  } catch (error) {
    if (error instanceof ServerTrouble) return "";
    throw error;
  }
}

/** How many users were reached which way. Nothing when that cannot be asked. */
export async function reachedText(server: Server, id: string): Promise<string> {
  try {
    const { well, body } = await server.post("notification/get", { id, limit: 1 });
    const reached: unknown = well ? body["reached"] : undefined;
    const ways = Object.entries(Object(reached)).filter(([, count]) => Number(count) > 0);
    return ways.length === 0 ? "" : `\nusers reached: ${ways.map(([way, count]) => `${count} by ${way}`).join(", ")}`;
  } catch (error) {
    if (error instanceof ServerTrouble) return "";
    throw error;
  }
}

function deviceText(row: unknown): string {
  const { pushId, provider, state, reason } = Object(row) as Readonly<Record<string, unknown>>;
  const why = reason === undefined ? "" : `: ${reason}`;
  return printable(`${pushId}  ${provider ?? "connection"}  ${state}${why}`);
}

/** Cancelled is no success, nor is it when every single delivery failed. */
export function succeeded(job: JobAnswer): boolean {
  const { state, dryRun, progress, routes } = job;
  const addressed = Object.values(routes).reduce((sum, count) => sum + count, 0);
  const connected = (routes["connection"] ?? 0) + (routes["noti"] ?? 0) - awayOf(job);
  return state === "finished" && (dryRun || addressed === 0 || progress.accepted + connected > 0);
}

const devices = (count: number): string => (count === 1 ? "1 device" : `${count} devices`);
