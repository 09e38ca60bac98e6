// The command `listen`: a client on the command line, which prints what it gets.
import { Option } from "commander";
import { createClient } from "../client/client.ts";
import { environment } from "../client/environment.ts";
import { fileStorage } from "../client/node.ts";
import { printable } from "../core/printable.ts";
import { type Cli, failed, ok, wrong } from "./command.ts";
import { type ConnectLine, connectionOf, connectOptions, tellProblems, whyNot } from "./connect.ts";

interface Line extends ConnectLine {
  readonly topic?: readonly string[];
  readonly pushId?: string;
  readonly replay?: true;
  readonly stateFile?: string;
  readonly count?: string;
  readonly json?: true;
}

export function addListen({ program, host, end }: Cli): void {
  const command = program
    .command("listen")
    .summary("connect to a server like a client, and print what comes")
    .description("Connect like a client, subscribe, and print each message and notification on a line of its own.");
  for (const option of [
    new Option("--topic <topic>", "subscribe to it; may be repeated").argParser(
      (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
    ),
    new Option("--push-id <id>", "the device to be, 10 characters or more; without it a new one"),
    new Option("--replay", "also what was kept before"),
    new Option(
      "--state-file <file>",
      "keeps the pushId and the positions there: the next time it goes on where it was",
    ),
    ...connectOptions(),
    new Option("--count <number>", "end after so many messages"),
    new Option("--json", 'print {"topic","id","data"} on each line'),
  ])
    command.addOption(option);
  command.addHelpText("after", HELP);
  command.action(async () => {
    const line = command.opts<Line>();
    const { topic: topics = [], pushId, stateFile, count = "0" } = line;
    const problems: string[] = [];
    const options = connectionOf(line, host, problems);
    if (pushId !== undefined && !/^[ -~]{10,128}$/.test(pushId)) problems.push("--push-id: write 10 to 128 characters");
    if (!/^\d{1,9}$/.test(count)) problems.push(`--count ${count}: write a whole number`);
    if (problems.length > 0 || options === undefined) {
      tellProblems(problems, "listen", host);
      end(wrong);
      return;
    }
    const client = createClient(
      line.url,
      {
        ...options,
        platform: "listen",
        notifications: true,
        ...(pushId === undefined ? {} : { pushId }),
        ...(stateFile === undefined ? {} : { storage: fileStorage(stateFile) }),
      },
      environment,
    );
    for (const topic of topics) client.subscribe(topic, { replay: line.replay === true ? "all" : true });
    const ended = Promise.withResolvers<number>();
    let left = Number(count);
    let hasAll = false;
    const print = (
      kind: string,
      fields: { readonly topic?: string; readonly id?: string },
      data: unknown,
    ): Promise<never> | undefined => {
      // What came along with the last one is not handled: with a state file it comes again.
      if (hasAll) return new Promise(() => {});
      if (line.json)
        host.out(`${JSON.stringify({ ...fields, ...(kind === "" ? { data } : { notification: data }) })}\n`);
      else host.out(`${printable(`${kind || (fields.topic ?? "")}  ${JSON.stringify(data)}`.trimStart())}\n`);
      hasAll = --left === 0;
      if (hasAll) ended.resolve(ok);
      return undefined;
    };
    client.on("message", ({ data, ...fields }) => print("", fields, data));
    client.on("notification", ({ id, ...shown }) => print("notification", { id }, shown));
    client.on("gap", ({ topic }) => host.err(`missed: ${printable(topic ?? "messages of its own")}\n`));
    client.on("connect", () => host.err(`connected as ${client.pushId}\n`));
    client.on("error", ({ code, message }) =>
      host.err(`${printable(code === message ? code : `${code}: ${message}`)}\n`),
    );
    let said = "";
    const tellWhy = async (): Promise<void> => {
      const why = printable(await whyNot(line.url));
      if (client.state === "connected" || why === said) return;
      said = why;
      host.err(`no connection to ${line.url}: ${why}. It is tried again\n`);
    };
    let connected = false;
    client.on("connect", () => {
      connected = true;
      said = "";
    });
    client.on("state", (state) => {
      if (state === "waiting" && connected) host.err(`the connection to ${line.url} has ended. It is tried again\n`);
      else if (state === "waiting") void tellWhy();
      if (state === "waiting") connected = false;
      if (state === "refused") ended.resolve(failed);
    });
    for (const signal of ["SIGTERM", "SIGINT"] as const) host.onSignal(signal, () => ended.resolve(ok));
    const code = await ended.promise;
    client.close();
    end(code);
  });
}

const HELP = `
What it prints besides messages is on standard error.

Examples:
  pushbox listen --topic news
  pushbox listen --topic orders --replay --state-file ./orders.json --json | jq .data

Exit codes: 0 ended by a signal or --count, 1 refused, 2 wrong command line.`;
