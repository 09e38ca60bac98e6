// The command `send`: a push or a notification from the command line to a running server.
import { Option } from "commander";
import { type Cli, type Process, wrong } from "./command.ts";
import { callOf, type Given, secondsOf } from "./send/call.ts";
import { carryOut } from "./send/carry.ts";
import { HOME, serverOf } from "./send/server.ts";

/** Instead of a text: it is read from standard input. */
const INPUT = "-";

interface Line extends Given {
  readonly url: string;
  readonly keyFile?: string;
  readonly json?: true;
}

export function addSend({ program, host, end }: Cli): void {
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
    .summary("send a push or a notification by a running server")
    .description(
      "Send by a running server: a push, which apps and pages get that are connected, or a notification, which a person sees " +
        "though the app is closed. The same parameters as /api/push and /api/notification.",
    )
    .usage("TO [options] JSON\n       pushbox send TO [options] --title TEXT");
  command.argument("[json]", "a push: JSON, or any text; - reads it from standard input");
  group(
    "To whom, one of:",
    new Option("--topic <topic>", "everybody who subscribed to it; pushes only"),
    several("--push-id <id>", "a device; may be repeated"),
    several("--uid <uid>", "every device of a user; may be repeated"),
    new Option("--tag <tag>", "every device with this tag; notifications only"),
    new Option("--all", "everybody; notifications only"),
  );
  group(
    "Of those devices only the ones whose tag holds a version:",
    new Option("--tag-start <text>", "how that tag begins, up to the version: app_ of app_2.3.1"),
    new Option("--tag-less-than <version>", "below this one"),
    new Option("--tag-greater-than <version>", "above this one"),
  );
  group("A push, instead of JSON:", new Option("--data <base64>", "the form that clients of 2015 know"));
  group(
    "A notification:",
    new Option("--title <text>", "what phones show, in bold"),
    new Option("--message <text>", "the text below it"),
    new Option("--payload <json>", "an object for the app"),
    new Option("--badge <number>", "the number at the app's icon, Apple only; 0 takes it away, and needs no title"),
    new Option("--sound <name>", "a sound of the app, Apple only"),
    new Option("--id <id>", "a name of your own, to look it up by; the same name again adds to the same statistics"),
    new Option("--type <label>", "what the statistics sum it under"),
    new Option("--vendors <json>", "fields of the vendors' own, by vendor: passed on as they are"),
    new Option(
      "--notification <json>",
      "all of it, as /api/notification takes it; - reads it from standard input; the flags above are laid over it",
    ),
  );
  group(
    "When and how:",
    new Option("--ttl <time>", "keep it so long for those who are away: 90s, 15m, 1h, 7d, or milliseconds"),
    new Option("--idempotency-key <key>", "sent again with the same key within a day, it is not sent twice"),
    new Option("--send-at <time>", "milliseconds since 1970, or a time with its zone; notifications only"),
    new Option("--rate <number>", "devices per second; notifications only"),
    new Option("--dry-run", "only count the devices, nothing is sent; notifications only"),
    new Option("--wait [seconds]", "stay until it is done, and tell how it went; notifications only"),
  );
  group(
    "Server:",
    new Option("--url <url>", "where its API is").default(HOME),
    new Option(
      "--key-file <file>",
      "the API key is in this file (or in PUSHBOX_API_KEY, or in the file of PUSHBOX_API_KEY_FILE)",
    ),
    new Option("--json", "print the server's answer as it is"),
  );
  command.addHelpText("after", EXAMPLES);
  command.action(async (push: string | undefined) => {
    const problems: string[] = [];
    const line = await withInput({ ...command.opts<Line>(), ...(push === undefined ? {} : { push }) }, host);
    const call = callOf(line, problems);
    const seconds = secondsOf(line.wait, problems);
    const server = serverOf(line, "--url", host, problems);
    if (problems.length > 0 || server === undefined) {
      const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
      host.err(`${problems.map((problem) => `${problem}\n`).join("")}${count}; see pushbox send --help\n`);
      end(wrong);
      return;
    }
    end(await carryOut(call, server, seconds, line.json === true, host));
  });
}

const EXAMPLES = `
Examples, pushes:
  pushbox send --topic news '{"hello":"world"}'
  pushbox send --uid ann --uid bob --ttl 1h 'see you later'
  pushbox send --topic prices - < prices.json

Notifications:
  pushbox send --uid ann --title 'New message' --message 'Bob: hi' --payload '{"chat":7}' --badge 1 --ttl 1d
  pushbox send --uid ann --title Hello --wait 60         stay, and see what became of it at each device
  pushbox send --all --title Sale --dry-run --wait       how many would get it?
  pushbox send --all --title Sale --rate 500 --send-at "$(date -Iseconds -d 'tomorrow 8:00')" --idempotency-key sale-1
  pushbox send --tag ios --tag-start app_ --tag-less-than 2.5 --title 'Please update' --type update
  pushbox send --uid ann --badge 0
  pushbox send --uid ann --vendors '{"vivo":{"category":"IM"}}' --title 'New message'
  pushbox send --uid ann --id order-7 --notification - < order.json

Another server:
  PUSHBOX_API_KEY=$(cat key) pushbox send --url https://push.example.com --tag vip --title Hello --wait 60

A key is never given as a flag: other users of this machine could see it.

Exit codes: 0 the server took it (with --wait: and it ended, not all of it in failure), 1 refused, unreachable, cancelled, not done in
time, or failed for every device, 2 wrong command line.`;

/** With what stands on standard input, less the line break that ends it. */
async function withInput(line: Line, { input }: Process): Promise<Line> {
  const { push, notification } = line;
  if (push !== INPUT && notification !== INPUT) return line;
  const text = (await input()).replace(/\r?\n$/, "");
  return {
    ...line,
    ...(push === INPUT ? { push: text } : {}),
    ...(notification === INPUT ? { notification: text } : {}),
  };
}
