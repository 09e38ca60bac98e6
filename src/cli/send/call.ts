// What is on the command line of `send`, made into a call of the API. Every problem is collected, so that all are told at once.
import { DURATIONS, milliseconds } from "../../core/duration.ts";
import { isObject } from "../../core/object.ts";

/** The flags and the argument, as Commander gives them and with standard input read. */
export interface Given {
  /** The argument: what the API calls `json`. */
  readonly push?: string;
  readonly topic?: string;
  readonly pushId?: readonly string[];
  readonly uid?: readonly string[];
  readonly tag?: string;
  readonly all?: true;
  readonly tagStart?: string;
  readonly tagLessThan?: string;
  readonly tagGreaterThan?: string;
  readonly data?: string;
  readonly title?: string;
  readonly message?: string;
  readonly payload?: string;
  readonly badge?: string;
  readonly sound?: string;
  readonly id?: string;
  readonly vendors?: string;
  readonly notification?: string;
  readonly type?: string;
  readonly ttl?: string;
  readonly idempotencyKey?: string;
  readonly sendAt?: string;
  readonly rate?: string;
  readonly dryRun?: true;
  readonly wait?: true | string;
}

/** A call of the API. What is undefined in its body is not sent. */
export interface Call {
  readonly kind: "push" | "notification" | "reach";
  readonly body: Readonly<Record<string, unknown>>;
}

type Fields = Readonly<Record<string, unknown>>;
type Problems = string[];

const HIGHEST_RATE = 1_000_000;

/** What it comes to is only right when no problem was found. */
export function callOf(given: Given, problems: Problems): Call {
  checkTarget(given, problems);
  checkFilter(given, problems);
  const common = {
    pushId: given.pushId,
    uid: given.uid,
    tagStart: given.tagStart,
    tagLessThan: given.tagLessThan,
    tagGreaterThan: given.tagGreaterThan,
    timeToLive: duration("--ttl", given.ttl, problems),
    idempotencyKey: given.idempotencyKey,
  };
  const shown = flags({
    "--title": given.title,
    "--message": given.message,
    "--payload": given.payload,
    "--badge": given.badge,
    "--sound": given.sound,
    "--id": given.id,
    "--vendors": given.vendors,
    "--notification": given.notification,
  });
  const push = given.push !== undefined || given.data !== undefined;
  if (push && shown.length > 0)
    problems.push(`a push has data, a notification has ${shown.join(" and ")}: give one or the other`);
  else if (push) checkPush(given, problems);
  else if (shown.length === 0) problems.push("send what? Give the data of a push, or --title for a notification");
  else if (given.topic !== undefined)
    problems.push("--topic is for pushes: give data instead of --title, or name devices");
  if (push) return { kind: "push", body: { ...common, topic: given.topic, json: given.push, data: given.data } };
  return {
    kind: "notification",
    body: {
      ...common,
      tag: given.tag,
      pushAll: given.all,
      type: given.type,
      sendAt: given.sendAt,
      rate: whole("--rate", given.rate, 0, HIGHEST_RATE, problems),
      dryRun: given.dryRun,
      notification: shown.length === 0 ? undefined : contentOf(given, problems),
    },
  };
}

/** Undefined: do not wait. */
export function secondsOf(given: true | string | undefined, problems: Problems): number | undefined {
  if (given === undefined) return undefined;
  if (given === true) return Number.POSITIVE_INFINITY;
  const seconds = /^\d{1,9}(\.\d+)?$/.test(given) ? Number(given) : 0;
  if (seconds <= 0) problems.push(`--wait ${given}: write seconds, like --wait 60, or --wait alone`);
  return seconds;
}

const flags = (pairs: Fields): readonly string[] => Object.keys(pairs).filter((flag) => pairs[flag] !== undefined);

function checkTarget({ topic, pushId, uid, tag, all }: Given, problems: Problems): void {
  const targets = flags({ "--topic": topic, "--push-id": pushId, "--uid": uid, "--tag": tag, "--all": all });
  if (targets.length === 0) problems.push("to whom? Give --topic, --push-id, --uid, --tag or --all");
  if (targets.length > 1) problems.push(`${targets.join(" and ")} exclude each other: send one after the other`);
}

/** The API takes half a filter for none: more would get it than was meant. */
function checkFilter({ tagStart, tagLessThan, tagGreaterThan, topic, all }: Given, problems: Problems): void {
  const bounds = flags({ "--tag-less-than": tagLessThan, "--tag-greater-than": tagGreaterThan });
  if (tagStart === undefined && bounds.length > 0)
    problems.push(`${bounds.join(" and ")}: --tag-start is missing, it says which tag holds the version`);
  if (tagStart !== undefined && bounds.length === 0)
    problems.push("--tag-start alone filters nothing: give --tag-less-than or --tag-greater-than");
  if (tagStart !== undefined && (topic !== undefined || all))
    problems.push("--tag-start filters devices: use it with --push-id, --uid or --tag");
}

function checkPush({ push, data, ...given }: Given, problems: Problems): void {
  const foreign = flags({
    "--tag": given.tag,
    "--all": given.all,
    "--type": given.type,
    "--send-at": given.sendAt,
    "--rate": given.rate,
    "--dry-run": given.dryRun,
    "--wait": given.wait,
  });
  for (const flag of foreign)
    problems.push(`${flag} is for notifications: give --title instead of data, or leave it out`);
  if (push !== undefined && data !== undefined)
    problems.push("--data is the old form of a push: give it or JSON, not both");
}

/** The flags are laid over --notification. */
export function contentOf({ title, message, sound, id, ...given }: Given, problems: Problems): Fields {
  const raw = objectOf("--notification", given.notification, problems);
  const badge = whole("--badge", given.badge, 0, 2 ** 31 - 1, problems);
  const onlyBadge = badge !== undefined && message === undefined && given.payload === undefined;
  if (given.notification === undefined && title === undefined && !onlyBadge)
    problems.push("--title is missing: without one Android shows nothing");
  const part = (name: string, over: Fields): Fields => {
    const under = raw?.[name];
    if (flags(over).length === 0) return under === undefined ? {} : { [name]: under };
    if (under !== undefined && !isObject(under)) problems.push(`--notification: its ${name} is not an object`);
    return { [name]: { ...(isObject(under) ? under : {}), ...defined(over) } };
  };
  const alert = message === undefined ? title : { title, body: message };
  const vendors = objectOf("--vendors", given.vendors, problems);
  const payload = objectOf("--payload", given.payload, problems);
  return {
    ...raw,
    ...part("android", { title, message }),
    ...part("apn", { alert, badge, sound }),
    ...part("vendors", vendors ?? {}),
    ...defined({ id, payload }),
  };
}

const defined = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** undefined: it was not given. What is wrong is added to `problems`, and the number means nothing then. */
export function whole(flag: string, text: string | undefined, least: number, most: number, problems: Problems) {
  if (text === undefined) return undefined;
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= least && number <= most))
    problems.push(`${flag} ${text}: write a whole number from ${least} to ${most}`);
  return number;
}

/** In milliseconds, so that a server which knows no durations understands it. */
export function duration(flag: string, text: string | undefined, problems: Problems): number | undefined {
  if (text === undefined) return undefined;
  const ms = milliseconds(text);
  if (ms === undefined || ms > Number.MAX_SAFE_INTEGER)
    problems.push(`${flag} ${text}: write milliseconds, or a duration like ${DURATIONS}`);
  return ms;
}

const EXAMPLES: Readonly<Record<string, string>> = {
  "--payload": '{"chat":7}',
  "--vendors": '{"vivo":{"category":"IM"}}',
  "--notification": '{"android":{"title":"Hello"},"apn":{"alert":"Hello"}}',
};
/** How much of a text that is wrong is repeated. */
const ECHO = 200;

function objectOf(flag: string, text: string | undefined, problems: Problems): Fields | undefined {
  if (text === undefined) return undefined;
  let why = "";
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (error) {
    why = ` (${(error as Error).message})`;
  }
  const echo = text.length > ECHO ? `${text.slice(0, ECHO)}...` : text;
  problems.push(`${flag} ${echo}: write a JSON object, like '${EXAMPLES[flag]}'${why}`);
  return undefined;
}
