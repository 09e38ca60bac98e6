// Compares what the server says of every delivery with what the vendors accepted. Plain values in, findings out.
import type { Call, Device } from "./plan.ts";
import type { Kill } from "./server.ts";
import type { Acceptance, FaultName, Happened } from "./vendors.ts";

/** What /api/notification/get tells, all pages together. */
export interface ReadBack {
  readonly deliveries: readonly Row[];
  readonly next?: string;
  readonly jobs: readonly JobView[];
  readonly counts: Readonly<Record<string, unknown>>;
}

export interface Row {
  readonly pushId: string;
  readonly provider?: string;
  readonly state: string;
  readonly reason?: string;
  readonly retries: number;
}

interface JobView {
  readonly target: string;
  readonly state: string;
  readonly progress: Readonly<Record<"seen" | "skipped" | "queued" | "waiting" | "accepted" | "failed", number>>;
}

export interface Observed {
  readonly devices: readonly Device[];
  readonly calls: readonly Call[];
  readonly reads: ReadonlyMap<string, ReadBack>;
  /** The token of every device, afterwards. */
  readonly stored: ReadonlyMap<string, string | undefined>;
  readonly accepted: readonly Acceptance[];
  readonly faults: readonly Happened[];
  readonly kills: readonly Kill[];
}

export interface Findings {
  /** What does not hold; the first of each kind in full. */
  readonly problems: readonly string[];
  /** Rows by state. */
  readonly rows: ReadonlyMap<string, number>;
  readonly accepted: number;
  /** Tries that came to nothing. */
  readonly retries: number;
  /** Second acceptances by their cause. */
  readonly duplicates: ReadonlyMap<string, number>;
  /** Milliseconds from a vendor's acceptance to the kill that made it forgotten, at most. */
  readonly longestBeforeKill: number;
  readonly forgotten: number;
}

/** A request's time-out at the vendors that are asked. */
const TIMEOUT = 15_000;
/** What was answered on a connection so shortly before it was cut may not have been read. */
const UNREAD = 1000;
/** Requests that had arrived with the one that ended the connection are still answered, into the void. */
const ARRIVING = 50;
/** A process that has just been started sends nothing yet: what arrives is from the one before, and was on its way. */
const STARTING = 100;
/** Requests share a connection there. */
const MANY_PER_CONNECTION = new Set(["apns", "fcm", "webpush"]);
/** Of a token that is called dead before its app has been accepted there: a process that has just started asks once more. */
const NOT_BELIEVED = /: not believed before /;
/** Faults after which the answers of a whole connection may be lost, where it carries many requests. */
const ENDS_CONNECTION: ReadonlySet<FaultName> = new Set(["cut", "goaway with error"]);
/** The request was accepted, and its own fault kept the answer from whoever asked. */
const LOSES_ANSWER: ReadonlySet<FaultName> = new Set(["cut", "goaway with error"]);

export function compare(observed: Observed): Findings {
  const problems = new Problems();
  const rows = new Map<string, number>();
  const byId = new Map(observed.calls.map((call) => [call.id, call]));
  const byToken = new Map(observed.devices.map((device) => [`${device.vendor} ${device.token}`, device]));
  const shown = new Map<string, Acceptance[]>();
  for (const acceptance of observed.accepted) {
    const device = byToken.get(`${acceptance.vendor} ${acceptance.token}`);
    const call = byId.get(acceptance.id);
    if (device === undefined || call === undefined) {
      problems.add("a vendor accepted what nobody sent", JSON.stringify(acceptance));
      continue;
    }
    const key = `${call.id} ${device.pushId}`;
    const same = shown.get(key);
    if (same === undefined) shown.set(key, [acceptance]);
    else same.push(acceptance);
  }

  let retries = 0;
  const gone = new Set<string>();
  const seen = new Set<string>();
  for (const call of observed.calls) {
    const read = observed.reads.get(call.id);
    if (read === undefined) {
      problems.add("a notification was not read back", call.id);
      continue;
    }
    const addressed = new Map(call.devices.map((device) => [device.pushId, device]));
    const listed = new Set<string>();
    for (const row of read.deliveries) {
      const where = `${call.id} ${call.kind} ${JSON.stringify(row)}`;
      const device = addressed.get(row.pushId);
      if (listed.has(row.pushId)) problems.add("a device has two deliveries of one notification", where);
      listed.add(row.pushId);
      if (device === undefined) {
        problems.add("a delivery to a device that was not addressed", where);
        continue;
      }
      seen.add(`${call.id} ${row.pushId}`);
      rows.set(row.state, (rows.get(row.state) ?? 0) + 1);
      retries += row.retries;
      if (row.state === "gone" && !NOT_BELIEVED.test(row.reason ?? "")) gone.add(device.pushId);
      const wrong = judge(row, device, shown.has(`${call.id} ${row.pushId}`));
      if (wrong !== undefined) problems.add(wrong, where);
    }
    for (const device of addressed.values()) {
      // To all, a device whose token was forgotten meanwhile is reached by nobody.
      if (!listed.has(device.pushId) && !(call.kind === "all" && device.state === "dead"))
        problems.add("a device that was addressed has no delivery", `${call.id} ${call.kind} ${device.pushId}`);
    }
    checkSums(call, read, problems);
  }
  for (const key of shown.keys()) if (!seen.has(key)) problems.add("a vendor accepted what no delivery tells of", key);

  const { duplicates, longestBeforeKill } = explain(shown, observed, problems);
  const forgotten = checkTokens(observed, gone, problems);
  return {
    problems: problems.list(),
    rows,
    accepted: observed.accepted.length,
    retries,
    duplicates,
    longestBeforeKill,
    forgotten,
  };
}

/** What is wrong with how a delivery ended. */
function judge({ state, provider, reason }: Row, device: Device, shown: boolean): string | undefined {
  switch (state) {
    case "accepted":
      return shown ? undefined : "accepted, but the vendor has not accepted it";
    case "gone":
      return device.state === "dead" && reason !== undefined ? undefined : "gone, but the token lives";
    case "refused":
      return device.state === "mute" && reason !== undefined ? undefined : "refused, but nothing was wrong with it";
    case "queued":
    case "expired":
      // Kept for a device that is away; where it has lost its token, nobody else brings it.
      if (device.state === "dead" && provider === undefined) return undefined;
      return `${state} at the end`;
    default:
      return `${state} at the end`;
  }
}

function checkSums({ id }: Call, { deliveries, jobs, counts }: ReadBack, problems: Problems): void {
  const [job, second] = jobs;
  if (job === undefined || second !== undefined) {
    problems.add("a call was taken more than once", `${id}: ${jobs.length} jobs`);
    return;
  }
  const { progress, state } = job;
  if (state !== "finished") problems.add(`a job is ${state}`, `${id} ${JSON.stringify(progress)}`);
  const pushed = deliveries.filter(({ provider }) => provider !== undefined);
  const accepted = pushed.filter(({ state }) => state === "accepted").length;
  const right = { queued: pushed.length, waiting: 0, accepted, failed: pushed.length - accepted };
  for (const [name, value] of Object.entries(right)) {
    const told = progress[name as keyof typeof right];
    if (told !== value) problems.add(`a job's ${name} is not what its deliveries say`, `${id}: ${told}, not ${value}`);
  }
  // To everybody: those whose token was forgotten are seen, and are left to the topic.
  const withTopic = progress.seen - progress.skipped - deliveries.length;
  if (job.target === "all" ? withTopic < 0 : withTopic !== 0)
    problems.add("a job's seen is not what its deliveries say", `${id}: ${JSON.stringify(progress)}`);
  for (const [what, sum] of [
    ["accepted", accepted],
    ["failed", pushed.length - accepted],
    ["target", pushed.length],
  ] as const) {
    const told = Object.entries(counts)
      .filter(([name, n]) => name.startsWith(`${what}_`) && name !== "target_android" && typeof n === "number")
      .reduce((total, [, n]) => total + Number(n), 0);
    if (told !== sum)
      problems.add(`the statistics' ${what} is not what the deliveries say`, `${id}: ${told}, not ${sum}`);
  }
}

function explain(shown: ReadonlyMap<string, readonly Acceptance[]>, observed: Observed, problems: Problems) {
  const duplicates = new Map<string, number>();
  let longestBeforeKill = 0;
  for (const [key, unordered] of shown) {
    // A slow answer of an earlier request may come after that of a later one.
    const acceptances = unordered.toSorted((a, b) => a.arrived - b.arrived);
    for (const [i, { arrived: begun }] of acceptances.entries()) {
      const first = acceptances[i - 1];
      if (first === undefined) continue;
      const kill = observed.kills.find(
        ({ at, back }) => first.arrived <= back + STARTING && at <= begun && at - first.at <= TIMEOUT,
      )?.at;
      const ended = endedBy(first, begun, observed);
      let cause: string | undefined;
      if (first.fault !== undefined && LOSES_ANSWER.has(first.fault)) cause = `${first.fault}: its answer was lost`;
      else if (ended !== undefined) cause = `${ended}: its connection was ended before it was read`;
      else if (kill !== undefined) {
        cause = "in flight at a kill";
        longestBeforeKill = Math.max(longestBeforeKill, kill - first.at);
      }
      if (cause === undefined) {
        const near = observed.faults.filter(
          ({ vendor, at }) => vendor === first.vendor && at >= first.arrived - TIMEOUT && at <= begun,
        );
        problems.add("a vendor was asked twice without a cause", `${key} ${JSON.stringify({ acceptances, near })}`);
      } else duplicates.set(cause, (duplicates.get(cause) ?? 0) + 1);
    }
  }
  return { duplicates, longestBeforeKill };
}

/** The fault that ended the connection on which the answer was on its way. */
function endedBy({ vendor, arrived, at }: Acceptance, before: number, { faults }: Observed): FaultName | undefined {
  if (!MANY_PER_CONNECTION.has(vendor)) return undefined;
  return faults.find(
    (one) =>
      one.vendor === vendor &&
      ENDS_CONNECTION.has(one.fault) &&
      one.at >= arrived - ARRIVING &&
      one.at <= Math.min(at + UNREAD, before),
  )?.fault;
}

/** Dead ones that were met are forgotten, all others are there as they were. Returns how many are forgotten. */
function checkTokens({ devices, stored }: Observed, gone: ReadonlySet<string>, problems: Problems): number {
  let forgotten = 0;
  for (const { pushId, token, vendor } of devices) {
    const now = stored.get(pushId);
    if (now === undefined) forgotten++;
    if (gone.has(pushId) && now !== undefined) problems.add("a dead token is not forgotten", `${vendor} ${pushId}`);
    if (!gone.has(pushId) && now !== token) problems.add("a living token is forgotten", `${vendor} ${pushId} ${now}`);
  }
  return forgotten;
}

/** Counted by kind, with the first few in full. */
class Problems {
  readonly #kinds = new Map<string, { count: number; readonly examples: string[] }>();

  add(kind: string, example: string): void {
    let known = this.#kinds.get(kind);
    if (known === undefined) {
      known = { count: 0, examples: [] };
      this.#kinds.set(kind, known);
    }
    known.count++;
    if (known.examples.length < 3) known.examples.push(example);
  }

  list(): readonly string[] {
    return [...this.#kinds].map(([kind, { count, examples }]) => `${count} x ${kind}: ${examples.join(" | ")}`);
  }
}
