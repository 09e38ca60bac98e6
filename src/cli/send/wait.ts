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
  readonly progress: Readonly<Record<"seen" | "skipped" | "queued" | "waiting" | "accepted" | "failed", number>>;
  readonly routes: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
}

/** `job` absent: it did not end while waited for, and `text` says why. */
export interface End {
  readonly answer: Answer;
  readonly job?: JobAnswer;
  readonly text: string;
}

/** Asks ever more seldom, from 0.2 to 2 s; `tell` gets a line whenever something has changed. */
export async function wait(server: Server, id: string, seconds: number, tell: (line: string) => void): Promise<End> {
  const deadline = performance.now() + 1000 * seconds;
  let last = "";
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
    if (job.state === "finished" || job.state === "cancelled") return { answer, job, text: "" };
    const line = progressText(job);
    if (line !== last) tell(line);
    last = line;
    if (performance.now() >= deadline) {
      const where = `${server.address("job/get")}?id=${encodeURIComponent(id)}`;
      return { answer, text: `not done after ${seconds} s; it goes on without this command, see ${where}` };
    }
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

export function progressText({ state, sendAtIso, progress }: JobAnswer): string {
  if (state === "scheduled") return `scheduled for ${sendAtIso}`;
  const { seen, accepted, failed, waiting } = progress;
  return `${state}: ${devices(seen)} looked at, ${accepted} accepted, ${failed} failed, ${waiting} waiting`;
}

/** How it went: which way, and what failed for which reason, the most frequent first. */
export function outcomeText({ state, dryRun, progress, routes, failed }: JobAnswer): string {
  const ways = Object.entries(routes).filter(([, count]) => count > 0);
  const by = ways.length === 0 ? "nobody" : ways.map(([way, count]) => `${count} by ${way}`).join(", ");
  const head = `${state}: ${devices(progress.seen)} looked at`;
  const skipped = progress.skipped === 0 ? "" : `\n${progress.skipped} have nothing to show of it`;
  if (dryRun) return `${head}\nwould be sent: ${by}${skipped}`;
  const vendors = progress.queued === 0 ? "" : `\nvendors: ${progress.accepted} accepted, ${progress.failed} failed`;
  const reasons = Object.entries(failed)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `\n  ${count}  ${printable(reason)}`);
  return `${head}\naddressed: ${by}${skipped}${vendors}${reasons.join("")}`;
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

function deviceText(row: unknown): string {
  const { pushId, provider, state, reason } = Object(row) as Readonly<Record<string, unknown>>;
  const why = reason === undefined ? "" : `: ${reason}`;
  return printable(`${pushId}  ${provider ?? "connection"}  ${state}${why}`);
}

/** Cancelled is no success, nor is it when every single delivery failed. */
export function succeeded({ state, progress, routes }: JobAnswer): boolean {
  const connected = (routes["connection"] ?? 0) + (routes["noti"] ?? 0);
  return state === "finished" && (progress.failed === 0 || progress.accepted > 0 || connected > 0);
}

const devices = (count: number): string => (count === 1 ? "1 device" : `${count} devices`);
