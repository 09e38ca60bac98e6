// The command `reach`: a message to users' connections, and a notification for those who do not acknowledge it.
import { Option } from "commander";
import { HIGHEST_CAP } from "../api/bounds.ts";
import { type Cli, wrong } from "./command.ts";
import { contentOf, duration, type Given, secondsOf, whole } from "./send/call.ts";
import { carryOut } from "./send/carry.ts";
import { HOME, serverOf } from "./send/server.ts";

type Line = Pick<
  Given,
  | "uid"
  | "title"
  | "message"
  | "payload"
  | "notification"
  | "id"
  | "type"
  | "ttl"
  | "sendAt"
  | "idempotencyKey"
  | "wait"
> & {
  readonly fallbackAfter?: string;
  readonly capPerDay?: string;
  readonly quietHours?: string;
  readonly timeZone?: string;
  readonly url: string;
  readonly keyFile?: string;
  readonly json?: true;
};

export function addReach({ program, host, end }: Cli): void {
  const summary = "reach users by a running server: a message over their connections, else a notification";
  const command = program
    .command("reach")
    .summary(summary)
    .description(
      "Reach users by a running server: every device of theirs that is connected gets the message; a user none of whose devices " +
        "acknowledges it in time gets the notification at his vendors. The same parameters as /api/reach.",
    )
    .usage("--uid USER --title TEXT [options] JSON")
    .argument("<json>", "the message: JSON, or any text; - reads it from standard input");
  for (const option of [
    new Option("--uid <uid>", "a user; may be repeated").argParser(
      (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
    ),
    new Option("--title <text>", "of the notification: what phones show, in bold"),
    new Option("--message <text>", "the text below it"),
    new Option("--payload <json>", "an object for the app"),
    new Option("--notification <json>", "all of it, as /api/notification takes it; the flags above are laid over it"),
    new Option("--id <id>", "a name of your own, to look it up by"),
    new Option("--type <label>", "what the statistics sum it under"),
    new Option("--fallback-after <time>", "how long an acknowledgement is waited for: 5s when absent"),
    new Option("--ttl <time>", "keep it so long for those who are away: 90s, 15m, 1h, 7d, or milliseconds"),
    new Option("--send-at <time>", "milliseconds since 1970, or a time with its zone"),
    new Option("--quiet-hours <hours>", "like 22:00-08:00: vendors are not asked in them"),
    new Option("--time-zone <zone>", "of the quiet hours, like Europe/Berlin; that of the server when absent"),
    new Option("--cap-per-day <number>", "a user gets no more notifications by such calls in 24 hours"),
    new Option("--idempotency-key <key>", "sent again with the same key within a day, it is not sent twice"),
    new Option("--wait [seconds]", "stay until it is done, and tell how many were reached which way"),
    new Option("--url <url>", "where its API is").default(HOME),
    new Option(
      "--key-file <file>",
      "the API key is in this file (or in PUSHBOX_API_KEY, or in the file of PUSHBOX_API_KEY_FILE)",
    ),
    new Option("--json", "print the server's answer as it is"),
  ])
    command.addOption(option);
  command.addHelpText("after", HELP);
  command.action(async (given: string) => {
    const line = command.opts<Line>();
    const problems: string[] = [];
    if (line.uid === undefined) problems.push("to whom? Give --uid");
    const content = contentOf(line, problems);
    const body = {
      uid: line.uid,
      json: given === "-" ? (await host.input()).replace(/\r?\n$/, "") : given,
      notification: content,
      type: line.type,
      sendAt: line.sendAt,
      quietHours: line.quietHours,
      timeZone: line.timeZone,
      idempotencyKey: line.idempotencyKey,
      fallbackAfter: duration("--fallback-after", line.fallbackAfter, problems),
      timeToLive: duration("--ttl", line.ttl, problems),
      capPerDay: whole("--cap-per-day", line.capPerDay, 1, HIGHEST_CAP, problems),
    };
    const seconds = secondsOf(line.wait, problems);
    const server = serverOf(line, "--url", host, problems);
    if (problems.length > 0 || server === undefined) {
      host.err(`${problems.map((problem) => `${problem}\n`).join("")}see pushbox reach --help\n`);
      end(wrong);
      return;
    }
    end(await carryOut({ kind: "reach", body }, server, seconds, line.json === true, host));
  });
}

const HELP = `
Examples:
  pushbox reach --uid ann --title 'Bob: hi' '{"chat":7,"text":"hi"}'
  pushbox reach --uid ann --uid bob --title Call --fallback-after 3s --ttl 1m --wait '{"call":9}'
  pushbox reach --uid ann --title News --quiet-hours 22:00-08:00 --time-zone Europe/Berlin --cap-per-day 3 news

Exit codes: 0 the server took it (with --wait: and it ended, not all of it in failure), 1 refused, unreachable, cancelled, not done in
time, or failed at everybody, 2 wrong command line.`;
