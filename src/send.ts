// The command `send`: a push or a notification from the command line to a running server.
import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import type { Process } from "./cli.ts";
import { type Answer, type Server, ServerTrouble, serverAt } from "./send/server.ts";
import { outcomeText, succeeded, wait } from "./send/wait.ts";

const ok = 0;
const failed = 1;
const wrong = 2;

const HOME = "http://127.0.0.1:11001";
const HIGHEST_RATE = 1_000_000;

/** What is on the line, as Commander gives it. */
interface Given {
  readonly topic?: string;
  readonly pushId?: readonly string[];
  readonly uid?: readonly string[];
  readonly tag?: string;
  readonly all?: true;
  readonly title?: string;
  readonly message?: string;
  readonly payload?: string;
  readonly ttl?: string;
  readonly sendAt?: string;
  readonly rate?: string;
  readonly dryRun?: true;
  readonly idempotencyKey?: string;
  readonly url: string;
  readonly keyFile?: string;
  readonly json?: true;
  readonly wait?: true | string;
}

/** A call of the API. */
interface Call {
  readonly kind: "push" | "notification";
  readonly body: Readonly<Record<string, unknown>>;
}

export function addSend(program: Command, host: Process, end: (code: number) => void): void {
  const summary = "send a push or a notification by a running server";
  const group = (heading: string, ...options: readonly Option[]): void => {
    for (const option of options) command.addOption(option.helpGroup(heading));
  };
  const several = (flags: string, why: string): Option =>
    new Option(flags, why).argParser((text: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      text,
    ]);

  const command = program
    .command("send")
    .summary(summary)
    .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`);
  command.argument("[data]", "the data of a push: JSON, or any text");
  group(
    "To whom, one of:",
    new Option("--topic <topic>", "everybody who subscribed to it; pushes only"),
    several("--push-id <id>", "a device; may be repeated"),
    several("--uid <uid>", "every device of a user; may be repeated"),
    new Option("--tag <tag>", "every device with this tag; notifications only"),
    new Option("--all", "everybody; notifications only"),
  );
  group(
    "What:",
    new Option("--title <text>", "makes it a notification, which phones show"),
    new Option("--message <text>", "the text of the notification"),
    new Option("--payload <json>", "an object for the app, with the notification"),
    new Option("--ttl <ms>", "keep it so many milliseconds for those who are away"),
    new Option("--idempotency-key <key>", "sent again with the same key, it is not sent twice"),
  );
  group(
    "When and how, for notifications:",
    new Option("--send-at <time>", "milliseconds since 1970, or a time with its zone: 2030-01-01T08:00:00+08:00"),
    new Option("--rate <number>", "devices per second"),
    new Option("--dry-run", "only count the devices; nothing is sent"),
    new Option("--wait [seconds]", "stay until it is done, and tell how it went"),
  );
  group(
    "Server:",
    new Option("--url <url>", "where its API is").default(HOME),
    new Option("--key-file <file>", "the API key is in this file (or in PUSHBOX_API_KEY)"),
    new Option("--json", "print the server's answer as it is"),
  );
  command.addHelpText("after", EXAMPLES);
  command.action(async (data: string | undefined) => {
    const given = command.opts<Given>();
    const problems: string[] = [];
    const call = callOf(data, given, problems);
    const seconds = secondsOf(given.wait, problems);
    const server = serverOf(given, host, problems);
    if (problems.length > 0 || server === undefined) {
      const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
      host.err(`${problems.map((problem) => `${problem}\n`).join("")}${count}; see pushbox send --help\n`);
      end(wrong);
      return;
    }
    end(await carryOut(call, server, seconds, given.json === true, host));
  });
}

const EXAMPLES = `
Examples:
  pushbox send --topic news '{"hello":"world"}'
  pushbox send --uid ann --uid bob --ttl 3600000 'see you later'
  pushbox send --uid ann --title 'New message' --message 'Bob: hi' --payload '{"chat":7}' --ttl 86400000
  pushbox send --all --title Sale --dry-run --wait
  pushbox send --all --title Sale --send-at "$(date -Iseconds -d 'tomorrow 8:00')" --rate 500 --idempotency-key sale-1
  PUSHBOX_API_KEY=$(cat key) pushbox send --url https://push.example.com --tag vip --title Hello --wait 60

A key is never given as a flag: other users of this machine could see it.

Exit codes: 0 the server took it (with --wait: and it went out), 1 refused, unreachable, cancelled, not done in time, or failed
for every device, 2 wrong command line.`;

// ---- what is asked for

function callOf(data: string | undefined, given: Given, problems: string[]): Call {
  const { title, message, payload } = given;
  const shown = title !== undefined || message !== undefined || payload !== undefined;
  const flags = (pairs: Readonly<Record<string, unknown>>): readonly string[] =>
    Object.keys(pairs).filter((flag) => pairs[flag] !== undefined);
  const targets = flags({
    "--topic": given.topic,
    "--push-id": given.pushId,
    "--uid": given.uid,
    "--tag": given.tag,
    "--all": given.all,
  });
  if (targets.length === 0) problems.push("to whom? Give --topic, --push-id, --uid, --tag or --all");
  if (targets.length > 1) problems.push(`${targets.join(" and ")} exclude each other: send one after the other`);
  const common = {
    pushId: given.pushId,
    uid: given.uid,
    timeToLive: whole("--ttl", given.ttl, 0, Number.MAX_SAFE_INTEGER, problems),
    idempotencyKey: given.idempotencyKey,
  };
  if (data !== undefined && shown) {
    problems.push("a push has data, a notification has --title, --message and --payload: give one or the other");
  } else if (data !== undefined) {
    const { tag, all, sendAt, rate, dryRun } = given;
    const foreign = { "--tag": tag, "--all": all, "--send-at": sendAt, "--rate": rate, "--dry-run": dryRun };
    for (const flag of flags({ ...foreign, "--wait": given.wait }))
      problems.push(`${flag} is for notifications: give --title instead of data, or leave it out`);
  } else if (shown) {
    if (title === undefined) problems.push("--title is missing: without one Android shows nothing");
    if (given.topic !== undefined)
      problems.push("--topic is for pushes: give data instead of --title, or name devices");
  } else {
    problems.push("send what? Give the data of a push, or --title for a notification");
  }
  if (data !== undefined) return { kind: "push", body: { ...common, topic: given.topic, json: data } };
  const alert = message === undefined ? title : { title, body: message };
  return {
    kind: "notification",
    body: {
      ...common,
      tag: given.tag,
      pushAll: given.all,
      sendAt: given.sendAt,
      rate: whole("--rate", given.rate, 1, HIGHEST_RATE, problems),
      dryRun: given.dryRun,
      notification: { android: { title, message }, apn: { alert }, payload: objectOf("--payload", payload, problems) },
    },
  };
}

function whole(flag: string, text: string | undefined, least: number, most: number, problems: string[]) {
  if (text === undefined) return undefined;
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= least && number <= most))
    problems.push(`${flag} ${text}: write a whole number from ${least} to ${most}`);
  return number;
}

function objectOf(flag: string, text: string | undefined, problems: string[]): unknown {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // the same mistake as JSON that is no object
  }
  problems.push(`${flag} ${text}: write a JSON object, like '{"chat":7}'`);
  return undefined;
}

/** Undefined: do not wait. */
function secondsOf(given: true | string | undefined, problems: string[]): number | undefined {
  if (given === undefined) return undefined;
  if (given === true) return Number.POSITIVE_INFINITY;
  const seconds = /^\d{1,9}(\.\d+)?$/.test(given) ? Number(given) : 0;
  if (seconds <= 0) problems.push(`--wait ${given}: write seconds, like --wait 60, or --wait alone`);
  return seconds;
}

function serverOf({ url, keyFile }: Given, { env }: Process, problems: string[]): Server | undefined {
  let key = env["PUSHBOX_API_KEY"] ?? "";
  let from = "PUSHBOX_API_KEY";
  if (keyFile !== undefined) {
    from = `--key-file ${keyFile}`;
    try {
      key = readFileSync(keyFile, "utf8").trim();
      if (key === "") problems.push(`${from}: the file is empty`);
    } catch (error) {
      problems.push(`${from}: ${(error as Error).message}`);
    }
  }
  // The text itself is not repeated: it may be a key after all.
  if (!/^[!-~]*$/.test(key)) problems.push(`${from}: a key is one word of printable ASCII characters`);
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.search + parsed.hash !== "") {
    problems.push(`--url ${url}: write the address of the API, like ${HOME}`);
    return undefined;
  }
  if (parsed.username + parsed.password !== "")
    problems.push("--url: it holds a password; the API takes a key instead");
  return problems.length > 0 ? undefined : serverAt(url, key);
}

// ---- doing it

/** Returns the exit code. */
async function carryOut(
  { kind, body }: Call,
  server: Server,
  seconds: number | undefined,
  raw: boolean,
  { out, err }: Process,
): Promise<number> {
  /** The last answer is the one that is printed raw; what is told on the way is for people. */
  const finish = (answer: Answer, text: string, code: number): number => {
    if (raw) out(`${answer.text}\n`);
    if (!raw || code !== ok) (code === ok ? out : err)(`${text}\n`);
    return code;
  };
  try {
    const answer = await server.post(kind, body);
    if (!answer.well) return finish(answer, `refused: ${answer.message}`, failed);
    if (kind === "push") return finish(answer, "sent", ok);
    const id = String(answer.body["id"]);
    const accepted = `accepted: ${id}`;
    if (seconds === undefined) return finish(answer, accepted, ok);
    const progress = raw ? err : out;
    progress(`${accepted}\n`);
    const end = await wait(server, id, seconds, (line) => progress(`${line}\n`));
    if (end.job === undefined) return finish(end.answer, end.text, failed);
    return finish(end.answer, outcomeText(end.job), succeeded(end.job) ? ok : failed);
  } catch (error) {
    if (!(error instanceof ServerTrouble)) throw error;
    err(`${error.message}\n`);
    return failed;
  }
}
