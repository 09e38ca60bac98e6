// Why a notification did not arrive at a device, or how it did: from what the store keeps of both. Pure.
import { type Device, type DevicePast, type PushId, passes, type TagFilter } from "./device.ts";
import type { LaneStatus } from "./lane.ts";
import { expiry, type Notification } from "./notification.ts";
import type { DeliveryRecord, Job, NotificationTarget } from "./outbox.ts";
import { NOT_BACK, NOT_KEPT, PUSHED_OUT, QUIET } from "./reasons.ts";

export interface Facts {
  readonly pushId: PushId;
  /** The call that is looked at, and what it was accepted with. */
  readonly job: Job;
  readonly note: Pick<Notification, "timeToLive" | "sendAt" | "acceptedAt" | "quiet"> | undefined;
  /** Undefined: it was too long to be kept. */
  readonly target: NotificationTarget | undefined;
  readonly delivery: DeliveryRecord | undefined;
  /** What the device itself told. */
  readonly arrivedAt?: number;
  readonly clickedAt?: number;
  /** As it is now; undefined: there is no such device. */
  readonly device: Device | undefined;
  readonly past: DevicePast | undefined;
  readonly online: boolean;
  /** A configured vendor serves its token. */
  readonly served: boolean;
  /** The delivery's, as it is now. */
  readonly lane: LaneStatus | undefined;
  /** What the vendor's reason means in plain words, and what helps. */
  readonly words: { readonly text: string; readonly remedy: string } | undefined;
}

export const CAUSES = [
  "clicked",
  "arrived",
  "not_shown",
  "sent",
  "dry_run",
  "not_addressed",
  "not_recorded",
  "unknown_device",
  "other_user",
  "no_user",
  "no_tag",
  "tag_filter",
  "scheduled",
  "quiet_hours",
  "preparing",
  "paused",
  "cancelled",
  "no_token",
  "app_not_configured",
  "away",
  "waiting_for_device",
  "did_not_return",
  "pushed_out",
  "nothing_to_show",
  "lane_stopped",
  "quota",
  "retrying",
  "in_queue",
  "expired",
  "token_died",
  "refused",
] as const;
type Cause = (typeof CAUSES)[number];

interface Step {
  readonly step: "accepted" | "prepared" | "lane" | "vendor" | "connection" | "arrived" | "clicked";
  /** Absent: it has not come to that. */
  readonly at?: number;
  readonly text: string;
}

interface Why {
  readonly cause: Cause;
  readonly text: string;
  /** What can be done about it. */
  readonly remedy?: string;
  readonly steps: readonly Step[];
}

type Verdict = Pick<Why, "cause" | "text" | "remedy">;

/** Why a notification is, or is not, on the device: and the steps on its way. @param now epoch milliseconds */
export function why(facts: Facts, now: number): Why {
  const verdict =
    told(facts) ?? (facts.delivery === undefined ? unaddressed(facts) : delivered(facts, facts.delivery, now));
  return { ...verdict, steps: steps(facts) };
}

/** The device itself has said that it has it. */
function told({ arrivedAt, clickedAt, delivery }: Facts): Verdict | undefined {
  if ((clickedAt ?? delivery?.clickedAt) !== undefined)
    return { cause: "clicked", text: "It arrived, and was opened." };
  if ((arrivedAt ?? delivery?.arrivedAt) !== undefined) return { cause: "arrived", text: "It arrived at the device." };
  return undefined;
}

// ---- no delivery was made

function unaddressed(facts: Facts): Verdict {
  const { job, target, device, pushId } = facts;
  const { state, deferred, sendAt } = job;
  if (job.dryRun)
    return { cause: "dry_run", text: "The call was a dry run: it only counted.", remedy: "Call again without dryRun." };
  if (state === "cancelled")
    return {
      cause: "cancelled",
      text: "The job was cancelled before it came to this device.",
      remedy: "Send it again.",
    };
  const other = mismatch(facts);
  if (other !== undefined) return other;
  switch (state) {
    case "scheduled":
      return { cause: "scheduled", text: `It is to be sent at ${iso(sendAt)}, not before.` };
    case "deferred":
      return {
        cause: "quiet_hours",
        text: `It waits for the end of the quiet hours, at ${iso(deferred)}.`,
        remedy: "Send it without quietHours if it must not wait.",
      };
    case "paused":
      return { cause: "paused", text: "The job is paused.", remedy: "Resume it: job/resume." };
    case "running":
      return { cause: "preparing", text: "The job has not come to this device yet.", remedy: "Ask again in a moment." };
    default:
      break;
  }
  if (device === undefined)
    return {
      cause: "unknown_device",
      text: `No device is stored under ${pushId}.`,
      remedy: "The app has to connect once; a reinstalled app may have another pushId.",
    };
  if (target === undefined)
    return {
      cause: "not_addressed",
      text: "The call did not reach this device; its list of targets was too long to be kept.",
    };
  if (target.kind === "all") return toEverybody(facts);
  return {
    cause: "not_addressed",
    text: "The device fits what was addressed now, but did not when the call was made.",
    remedy: "Send it again.",
  };
}

/** It is not among those whom the call addressed, as the device is now. */
function mismatch({ target, device, pushId }: Facts): Verdict | undefined {
  if (target === undefined || target.kind === "all") return undefined;
  const filter = target.filter;
  switch (target.kind) {
    case "pushIds":
      if (!target.pushIds.includes(pushId))
        return { cause: "not_addressed", text: "The call named other devices.", remedy: "Name this device." };
      break;
    case "uids": {
      if (device === undefined) return undefined;
      const users = target.uids.slice(0, 3).join(", ");
      if (device.uid === undefined)
        return {
          cause: "no_user",
          text: `The call was for ${users}; the device is bound to no user.`,
          remedy: "Bind it: uid/bind.",
        };
      if (!target.uids.includes(device.uid))
        return {
          cause: "other_user",
          text: `The call was for ${users}; the device is bound to ${device.uid}.`,
          remedy: "Bind it to the user who is logged in there: uid/bind.",
        };
      break;
    }
    case "tag":
      if (device !== undefined && !device.tags.includes(target.tag))
        return {
          cause: "no_tag",
          text: `The device does not have the tag ${target.tag}.`,
          remedy: "The client sets its tags when it connects.",
        };
      break;
  }
  if (filter === undefined || device === undefined || passes(device.tags, filter)) return undefined;
  return {
    cause: "tag_filter",
    text: filtered(device.tags, filter),
    remedy: "Send without the filter, or correct the tags of the device.",
  };
}

function filtered(tags: readonly string[], { start, lessThan, greaterThan }: TagFilter): string {
  const bounds = [
    greaterThan === undefined ? [] : [`above ${greaterThan}`],
    lessThan === undefined ? [] : [`below ${lessThan}`],
  ].flat();
  const tag = tags.find((one) => one.startsWith(start));
  return tag === undefined
    ? `The tag filter wants a tag that begins with ${start}; the device has none.`
    : `The tag filter wants ${start} ${bounds.join(" and ")}; the device's is ${tag}.`;
}

function toEverybody(facts: Facts): Verdict {
  const lacking = facts.online ? undefined : tokenless(facts);
  if (lacking !== undefined) return lacking;
  return {
    cause: "not_recorded",
    text: "To everybody it goes over the connections, and is not recorded for each of them: the device was not connected then, or has not said that it arrived.",
    remedy: "Send it to the device alone, to see what becomes of it.",
  };
}

// ---- one was made

function delivered(facts: Facts, delivery: DeliveryRecord, now: number): Verdict {
  const reason = delivery.reason ?? "";
  switch (delivery.state) {
    case "skipped":
      return {
        cause: "nothing_to_show",
        text: sentence(reason),
        remedy: "Give Apple's devices apn.alert, all others android.title.",
      };
    case "cancelled":
      return { cause: "cancelled", text: "The job was cancelled before it was sent.", remedy: "Send it again." };
    case "gone":
      return worded(
        facts,
        "token_died",
        `The token is dead: ${reason}.`,
        "The app registers a new token when it is opened; send again then.",
      );
    case "refused":
      return worded(
        facts,
        "refused",
        `The vendor refused it: ${reason}.`,
        "Correct what the reason says, and send again.",
      );
    case "accepted":
      return {
        cause: "not_shown",
        text: "The vendor took it; the device has not said that it was shown. It may be off or out of reach, notifications of the app may be switched off, or the app does not report.",
        remedy:
          "Look at the phone's settings for the app, at its battery saver, and whether the vendor's console counts it as shown.",
      };
    case "sent":
      return {
        cause: "sent",
        text: "It was handed to the device's connection; the device has not said that it arrived.",
        remedy:
          "The connection may have been half open: with timeToLive it comes again. An app that reports nothing cannot be told apart.",
      };
    case "queued":
      return delivery.lane === undefined ? waiting(facts) : queued(facts, delivery, now);
    case "expired":
      return delivery.lane === undefined ? missed(facts, reason) : late(facts, reason);
  }
}

const worded = ({ words }: Facts, cause: Cause, text: string, remedy: string): Verdict => ({
  cause,
  text: words === undefined ? text : `${text} ${words.text}`,
  remedy: words?.remedy ?? remedy,
});

/** It lies in a vendor's lane. */
function queued(facts: Facts, { nextTryAt, reason, retries }: DeliveryRecord, now: number): Verdict {
  const { lane, job } = facts;
  if (job.state === "paused") return { cause: "paused", text: "The job is paused.", remedy: "Resume it: job/resume." };
  if (lane?.state === "stopped")
    return worded(
      facts,
      "lane_stopped",
      `The vendor refuses our credentials: ${lane.reason ?? ""}.`,
      "Correct the credentials and reload (SIGHUP), or call lane/resume.",
    );
  if (lane?.state === "paused")
    return {
      cause: "quota",
      text: `The vendor's quota is spent: ${lane.reason ?? ""}. It goes on at ${iso(lane.until)}.`,
      remedy: "Wait, ask the vendor for a higher quota, or call lane/resume.",
    };
  if (retries > 0 || (reason !== undefined && nextTryAt !== undefined && nextTryAt > now))
    return worded(
      facts,
      "retrying",
      `The vendor did not take it yet: ${reason ?? ""}. It is tried again at ${iso(nextTryAt)}.`,
      "Nothing, if the vendor is only busy.",
    );
  return {
    cause: "in_queue",
    text: `It waits for its turn; deliveries waiting in this lane: ${lane?.depth ?? 0}.`,
    remedy: "Ask again in a moment.",
  };
}

/** Its life ended in the night. */
const quiet = (reason: string): Verdict => ({
  cause: "quiet_hours",
  text: sentence(reason),
  remedy: "Give it a longer timeToLive, or send it without quietHours.",
});

function late(facts: Facts, reason: string): Verdict {
  if (reason === QUIET) return quiet(reason);
  const { lane } = facts;
  const why = lane === undefined || lane.state === "running" ? "" : ` The lane is ${lane.state}: ${lane.reason ?? ""}.`;
  return worded(
    facts,
    "expired",
    `Its time passed before the vendor took it: ${reason}.${why}`,
    "Give it a longer timeToLive, and look at lane/list for what holds it up.",
  );
}

/** It lies ready for a device that is away. */
function waiting(facts: Facts): Verdict {
  const lacking = tokenless(facts);
  if (lacking !== undefined) return lacking;
  return {
    cause: "waiting_for_device",
    text: `The device is away; it is kept until ${iso(facts.note === undefined ? undefined : expiry(facts.note))}.`,
    remedy: "It arrives when the app connects. Only a vendor's token reaches an app that is closed.",
  };
}

/** Over the connection it came to nothing. */
function missed(facts: Facts, reason: string): Verdict {
  if (reason === QUIET) return quiet(reason);
  const lacking = tokenless(facts);
  if (lacking !== undefined) return lacking;
  if (reason === PUSHED_OUT)
    return { cause: "pushed_out", text: sentence(reason), remedy: "Keep more per device: storage.keep." };
  if (reason === NOT_BACK)
    return {
      cause: "did_not_return",
      text: sentence(reason),
      remedy: "Give it a longer timeToLive, or give the app a vendor's token.",
    };
  if (reason === NOT_KEPT) return { cause: "away", text: sentence(reason), remedy: "Send it with timeToLive." };
  return { cause: "expired", text: sentence(reason), remedy: "Give it a longer timeToLive." };
}

/** A phone that no vendor reaches: its app has to be open. Undefined: that is not the reason. */
function tokenless({ device, past, served }: Facts): Verdict | undefined {
  if (device === undefined) return undefined;
  const { type, packageName } = device;
  if (device.token !== undefined)
    return served
      ? undefined
      : {
          cause: "app_not_configured",
          text: `The device has a token of type ${type}${packageName === undefined ? "" : ` for ${packageName}`}, which no configured vendor serves: only its connection reaches it.`,
          remedy: `Configure the vendor for this app ([[vendors]] of the configuration), and reload.`,
        };
  if (type !== "apnNoToken" && type !== "androidNoToken") return undefined;
  const [last] = past?.tokenHistory ?? [];
  const before = last === undefined ? "" : ` Its last one went at ${iso(last.at)}: ${last.reason}.`;
  return {
    cause: "no_token",
    text: `The phone has no vendor's token, so nothing reaches it while its app is closed.${before}`,
    remedy: "The app has to register with the vendor and send its token; the user has to allow notifications.",
  };
}

// ---- the way it took

function steps(facts: Facts): readonly Step[] {
  const { job, delivery, lane } = facts;
  const arrivedAt = facts.arrivedAt ?? delivery?.arrivedAt;
  const clickedAt = facts.clickedAt ?? delivery?.clickedAt;
  const list: Step[] = [{ step: "accepted", at: job.acceptedAt, text: `accepted as ${job.id}, to ${targetWord(job)}` }];
  if (delivery === undefined) {
    list.push({ step: "prepared", text: `no delivery to this device; the job is ${job.state}` });
  } else {
    list.push({
      step: "prepared",
      at: delivery.queuedAt,
      text:
        delivery.lane === undefined
          ? "for the device's connection"
          : `for ${delivery.lane.vendor}, ${delivery.lane.app}`,
    });
    if (delivery.lane !== undefined) {
      const state =
        lane === undefined ? "" : ` (${lane.state} now${lane.reason === undefined ? "" : `: ${lane.reason}`})`;
      list.push({
        step: "lane",
        ...at(delivery.sentAt),
        text: `${delivery.sentAt === undefined ? "not given to the vendor yet" : "given to the vendor"}${delivery.retries === 0 ? "" : `, after ${delivery.retries} tries`}${state}`,
      });
      const answer =
        delivery.state === "queued"
          ? (delivery.reason ?? "no answer yet")
          : `${delivery.state}${delivery.reason === undefined ? "" : `: ${delivery.reason}`}${delivery.receipt === undefined ? "" : `, its id ${delivery.receipt}`}`;
      list.push({ step: "vendor", ...at(delivery.settledAt), text: answer });
    } else {
      list.push({
        step: "connection",
        ...at(delivery.settledAt),
        text: `${delivery.state}${delivery.reason === undefined ? "" : `: ${delivery.reason}`}; the device is ${facts.online ? "connected" : "away"} now`,
      });
    }
  }
  list.push({
    step: "arrived",
    ...at(arrivedAt),
    text: arrivedAt === undefined ? "not reported" : "the device has it",
  });
  list.push({ step: "clicked", ...at(clickedAt), text: clickedAt === undefined ? "not reported" : "it was opened" });
  return list;
}

const targetWord = ({ target }: Job): string =>
  ({ all: "everybody", tag: "a tag", pushIds: "devices", uids: "users" })[target];

const at = (time: number | undefined): { readonly at?: number } => (time === undefined ? {} : { at: time });
const iso = (time: number | undefined): string =>
  time === undefined ? "a time that is not known" : new Date(time).toISOString();
const sentence = (text: string): string => (text === "" ? "" : `${text[0]?.toUpperCase()}${text.slice(1)}.`);
