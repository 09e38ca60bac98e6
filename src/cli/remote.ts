// Commands on a running server: each is one call of its API, its parameters on the line, its answer for people or as JSON.
import type { Command } from "commander";
import { printable } from "../core/printable.ts";
import { type Cli, failed, introduced, ok, wrong } from "./command.ts";
import { recordText, tableText } from "./render.ts";
import { type Answer, HOME, type Server, ServerTrouble, serverOf } from "./send/server.ts";

type Fields = Readonly<Record<string, unknown>>;

interface Remote {
  /** "device get" */
  readonly name: string;
  readonly summary: string;
  /** Behind the name, in order: `<id>` is needed, `[id...]` may be left out or repeated. */
  readonly takes?: readonly (readonly [argument: string, parameter: string, why: string])[];
  /** `--limit <number>`, as the parameter `limit`. */
  readonly options?: readonly (readonly [flags: string, parameter: string, why: string])[];
  readonly path: string | ((asked: Fields) => string);
  readonly show: (body: Fields) => string;
  /** Whether what was asked for went wrong, though the server answered. */
  readonly fails?: (body: Fields) => boolean;
  readonly example: string;
}

/** What is no list has nothing in it. */
export const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value : []);
/** A table, and how to go on where there is more. */
const page =
  (name: string, columns: readonly string[], flag = "--after") =>
  (body: Fields): string => {
    const rows = listOf(body[name]);
    const more = body["next"] === undefined ? "" : `\nmore: ${flag} ${printable(String(body["next"]))}`;
    return (rows.length === 0 ? "none" : tableText(rows, columns)) + more;
  };

/** What is left of the day's quota, where the vendor has told it. */
const withQuotas = (lanes: unknown): readonly Fields[] =>
  listOf(lanes).map(({ quota, ...lane }) => {
    const { left, limit } = Object(quota) as Fields;
    return { ...lane, quota: left === undefined ? "" : `${left} of ${limit} left` };
  });

const LIMIT = ["--limit <number>", "limit", "how many at most"] as const;
const AFTER = ["--after <place>", "after", "the place that the page before told"] as const;
const ID = ["<id>", "id", "the notification's id"] as const;
const PUSH_ID = ["<pushId>", "pushId", "the device"] as const;
const HOOK = ["<name>", "name", "as in [[hooks.tell]]"] as const;
const LANE_OPTIONS = [
  ["--provider <vendor>", "provider", "only of this vendor"],
  ["--app <app>", "app", "only of this bundle id or package name"],
  ["--host <host>", "host", "only of this push service of browsers"],
] as const;
const JOB_COLUMNS = ["job", "id", "state", "target", "acceptedAt", "text"];
const DEVICE_COLUMNS = ["_id", "uid", "platform", "type", "connected", "updateTime"];

/** The steps, then what is the matter. */
function whyText(body: Fields): string {
  const steps = listOf(body["steps"]).map((step) => ({ ...step, at: step["atIso"] ?? "-" }));
  const remedy = body["remedy"] === undefined ? "" : `\nwhat helps: ${printable(String(body["remedy"]))}`;
  return `${tableText(steps, ["step", "at", "text"])}\n\n${body["cause"]}: ${printable(String(body["text"]))}${remedy}`;
}

/** How each endpoint does, and what is wrong below it. */
function hooksText({ hooks }: Fields): string {
  const rows = listOf(hooks).map(({ lag, ...hook }) => ({ ...hook, behind: `${Math.ceil(Number(lag) / 1000)} s` }));
  if (rows.length === 0) return "none: [[hooks.tell]] names an endpoint";
  const columns = ["name", "state", "waiting", "behind", "delivered", "dead", "dropped", "url"];
  const troubles = listOf(hooks).flatMap(({ name, state, off, lastError }) => {
    const { reason } = Object(off ?? lastError) as Fields;
    return state === "running" || reason === undefined ? [] : [`\n${printable(`${name}: ${reason}`)}`];
  });
  return tableText(rows, columns) + troubles.join("");
}

/** "" where there is only one. @param nodes as node/list tells them */
export function nodesText(nodes: readonly Fields[]): string {
  if (nodes.length === 0) return "";
  const rows = nodes.map(({ lanes, hooks, rates, beat, ...node }) => {
    const { packets, apiCalls } = Object(rates) as Fields;
    const does = [
      ...listOf(lanes).map(({ provider, app, host }) => [provider, app, host].filter(Boolean).join(" ")),
      ...(hooks as string[]),
    ];
    const seconds = `${Math.round(Number(beat) / 100) / 10} s ago`;
    return { ...node, beat: seconds, "messages/s": packets, "calls/s": apiCalls, does: does.join(", ") };
  });
  return tableText(rows, [
    "name",
    "state",
    "version",
    "started",
    "beat",
    "connections",
    "messages/s",
    "calls/s",
    "does",
  ]);
}

const isEmpty = (body: Fields): boolean => Object.keys(body).length === 0;
const jobText = (body: Fields): string => recordText({ ...body, jobs: undefined });

const COMMANDS: readonly Remote[] = [
  {
    name: "device get",
    summary: "a device: its record, connections and former tokens",
    takes: [PUSH_ID],
    path: "device/get",
    show: (body) => (isEmpty(body) ? "no such device" : recordText(body)),
    fails: isEmpty,
    example: "device get my-phone-12345",
  },
  {
    name: "device list",
    summary: "the devices of users",
    takes: [["<uid...>", "uid", "the users"]],
    path: "device/get",
    show: (body) => page("devices", DEVICE_COLUMNS)({ devices: body }),
    example: "device list ann",
  },
  {
    name: "device delete",
    summary: "forget devices: record, tags, user, token and kept packets",
    takes: [["<pushId...>", "pushId", "the devices"]],
    path: "device/delete",
    show: () => "deleted",
    example: "device delete my-phone-12345",
  },
  {
    name: "device test",
    summary: "devices that are marked for trying things out: the list; with a pushId, mark it",
    takes: [["[pushId]", "pushId", "the device to mark"]],
    options: [
      ["--note <text>", "note", "whose it is, what it is"],
      ["--remove", "remove", "it is one no more"],
    ],
    path: ({ pushId, remove }) => `device/test/${pushId === undefined ? "list" : remove === true ? "remove" : "add"}`,
    show: (body) =>
      body["devices"] === undefined
        ? "done"
        : page("devices", ["pushId", "note", "who", "connected", "uid", "platform"])(body),
    example: "device test my-phone-12345 --note 'Ann, Pixel 8'",
  },
  {
    name: "topic list",
    summary: "topics with a connection now",
    takes: [["[prefix]", "prefix", "only those that begin so"]],
    options: [LIMIT, AFTER],
    path: "topic/list",
    show: page("topics", ["topic", "count"]),
    example: "topic list room:",
  },
  {
    name: "topic get",
    summary: "who is in a topic now",
    takes: [["<topic>", "topic", "its name"]],
    options: [LIMIT, AFTER],
    path: "topicDevices",
    show: (body) => `${body["total"]} devices\n${page("devices", ["pushId", "uid", "platform", "connections"])(body)}`,
    example: "topic get news",
  },
  {
    name: "job list",
    summary: "calls of notification that reach many or wait, newest first",
    options: [
      ["--state <state>", "state", "only those: scheduled, deferred, running, paused, cancelled, finished"],
      LIMIT,
      ["--before <job>", "before", "the place that the page before told"],
    ],
    path: "job/list",
    show: page("jobs", JOB_COLUMNS, "--before"),
    example: "job list --state running",
  },
  {
    name: "job get",
    summary: "how far a job is",
    takes: [ID],
    path: "job/get",
    show: jobText,
    example: "job get order-7",
  },
  {
    name: "job pause",
    summary: "hold a job: nothing of it is sent until it is resumed",
    takes: [ID],
    path: "job/pause",
    show: jobText,
    example: "job pause campaign-1",
  },
  {
    name: "job resume",
    summary: "let a paused job go on",
    takes: [ID],
    path: "job/resume",
    show: jobText,
    example: "job resume campaign-1",
  },
  {
    name: "job rate",
    summary: "let a job go faster or slower, from its next devices on",
    takes: [ID, ["<rate>", "rate", "devices per second; 0: as fast as it goes"]],
    path: "job/rate",
    show: jobText,
    example: "job rate campaign-1 500",
  },
  {
    name: "job cancel",
    summary: "end a job: what was not given to a vendor yet is not sent any more",
    takes: [ID],
    path: "job/cancel",
    show: jobText,
    example: "job cancel campaign-1",
  },
  {
    name: "node list",
    summary: "the processes that share a PostgreSQL, and how each does",
    path: "node/list",
    show: (body) => nodesText(listOf(body["nodes"])) || "there is only one process",
    example: "node list",
  },
  {
    name: "lane list",
    summary: "the ways to the vendors: what waits, what is wrong",
    path: "lane/list",
    show: ({ lanes }) =>
      page("lanes", ["provider", "app", "host", "state", "depth", "rate", "quota", "until", "reason"])({
        lanes: withQuotas(lanes),
      }),
    example: "lane list",
  },
  {
    name: "lane test",
    summary: "ask a vendor what it thinks of our credentials, with a token that nobody has",
    takes: [
      ["<vendor>", "provider", "apns, fcm, huawei ..."],
      ["<app>", "app", "the bundle id or package name"],
    ],
    options: [["--host <host>", "host", "of Web Push: the push service"]],
    path: "lane/test",
    show: recordText,
    example: "lane test fcm com.example.app",
  },
  {
    name: "lane resume",
    summary: "let lanes go on that are paused or stopped, or hold deletions; all of them without a flag",
    options: LANE_OPTIONS,
    path: "lane/resume",
    show: (body) => page("resumed", ["provider", "app", "host"])(body),
    example: "lane resume --provider xiaomi",
  },
  {
    name: "hook list",
    summary: "the endpoints of the backend that events are sent to, and how they do",
    path: "hook/list",
    show: hooksText,
    example: "hook list",
  },
  {
    name: "hook test",
    summary: "send a message of no event to an endpoint, and tell what became of it",
    takes: [HOOK],
    path: "hook/test",
    show: ({ delivered, ...body }) => `${delivered === true ? "delivered" : "not delivered"}\n${recordText(body)}`,
    fails: ({ delivered }) => delivered !== true,
    example: "hook test backend",
  },
  {
    name: "hook resume",
    summary: "try endpoints again at once that have failed or were switched off; all of them without a name",
    takes: [["[name]", "name", "only this one"]],
    path: "hook/resume",
    show: ({ resumed }) => (Array.isArray(resumed) && resumed.length > 0 ? resumed.map(String).join("\n") : "none"),
    example: "hook resume backend",
  },
  {
    name: "hook dead",
    summary: "events that an endpoint did not take in time, oldest first",
    takes: [HOOK],
    options: [LIMIT, AFTER],
    path: "hook/dead",
    show: page("events", ["seq", "type", "key", "timestamp", "attempts", "reason"]),
    example: "hook dead backend",
  },
  {
    name: "hook replay",
    summary: "send an endpoint events once more: of the log, or those that it did not take in time",
    takes: [["<name>", "hook", "as in [[hooks.tell]]"]],
    options: [
      ["--from <time>", "from", "written at this time or later: milliseconds, or a time with its zone"],
      ["--to <time>", "to", "written before this time"],
      ["--after <event>", "after", "behind this one: its id or seq"],
      ["--types <types>", "types", "only of these, separated by commas: user.*,topic.left"],
      ["--key <key>", "key", "only of this key: user:ann"],
      ["--dead", "dead", "those that it did not take in time, instead of the log"],
    ],
    path: "event/replay",
    show: ({ replayed }) => `${String(replayed)} queued`,
    example: "hook replay backend --from 2026-01-31T08:00:00Z --types 'user.*'",
  },
  {
    name: "notification get",
    summary: "what became of a notification, device by device",
    takes: [ID],
    options: [LIMIT, AFTER],
    path: "notification/get",
    show: ({ deliveries, next, notification: _, jobs: __, counts: ___, ...body }) =>
      `${recordText(body)}\n\n${page("deliveries", ["pushId", "provider", "state", "reason"])({ deliveries, next })}`,
    example: "notification get order-7",
  },
  {
    name: "notification why",
    summary: "why it did not arrive at a device, and what helps",
    takes: [ID, PUSH_ID],
    path: "notification/why",
    show: whyText,
    example: "notification why order-7 my-phone-12345",
  },
];

const GROUPS: Readonly<Record<string, string>> = {
  device: "devices of a running server",
  topic: "topics of a running server",
  job: "calls of notification: how far they are, and orders to them",
  node: "the processes that share a PostgreSQL",
  lane: "the ways to the vendors",
  hook: "the endpoints of the backend that events are sent to",
  notification: "what became of notifications",
};

interface Line {
  readonly url: string;
  readonly keyFile?: string;
  readonly json?: true;
}

export function addRemote(cli: Cli): void {
  const groups = new Map<string, Command>();
  for (const remote of COMMANDS) {
    const [group = "", name = ""] = remote.name.split(" ");
    let parent = groups.get(group);
    if (parent === undefined) {
      parent = introduced(cli.program.command(group), GROUPS[group] ?? "").helpCommand(false);
      groups.set(group, parent);
    }
    addOne(cli, parent.command(name), remote);
  }
  addStatus(cli);
}

/** Where the server is, and how the answer is printed. */
export function asking(command: Command): Command {
  return command
    .option("--url <url>", "where its API is", HOME)
    .option(
      "--key-file <file>",
      "the API key is in this file (or in PUSHBOX_API_KEY, or in the file of PUSHBOX_API_KEY_FILE)",
    )
    .option("--json", "print the server's answer as it is");
}

const EXIT_CODES = "Exit codes: 0 done, 1 refused, unknown or unreachable, 2 wrong command line.";

function addOne(cli: Cli, command: Command, remote: Remote): void {
  introduced(command, remote.summary);
  for (const [argument, , why] of remote.takes ?? []) command.argument(argument, why);
  for (const [flags, , why] of remote.options ?? []) command.option(flags, why);
  asking(command).addHelpText("after", `\nExample:\n  pushbox ${remote.example}\n\n${EXIT_CODES}`);
  command.action(async () => {
    const options = command.opts<Fields>();
    const body: Record<string, unknown> = {};
    for (const [i, [, parameter]] of (remote.takes ?? []).entries()) body[parameter] = command.processedArgs[i];
    for (const [flags, parameter] of remote.options ?? []) body[parameter] = options[flagName(flags)];
    await carryOut(cli, command, async (server) => {
      const path = typeof remote.path === "string" ? remote.path : remote.path(body);
      const { remove: _, ...fields } = body;
      const answer = await server.post(path, fields, true);
      const fails = answer.well && remote.fails?.(answer.body) === true;
      return { answers: [answer], fails, text: () => remote.show(answer.body) };
    });
  });
}

/** As Commander names it: all our flags are one word. */
const flagName = (flags: string): string => flags.replace(/^--(\w+).*/, "$1");

interface Asked {
  /** The first that failed counts. */
  readonly answers: readonly Answer[];
  readonly text: () => string;
  /** It was done, and went wrong. */
  readonly fails?: boolean;
  /** What is printed as JSON, where it is not the one answer. */
  readonly json?: () => string;
}

/** Asks, prints, and ends the command with its exit code. */
async function carryOut({ host, end }: Cli, command: Command, ask: (server: Server) => Promise<Asked>): Promise<void> {
  const line = command.opts<Line>();
  const problems: string[] = [];
  const server = serverOf(line, "--url", host, problems);
  if (server === undefined || problems.length > 0) {
    host.err(`${problems.map((problem) => `${problem}\n`).join("")}see pushbox ${nameOf(command)} --help\n`);
    end(wrong);
    return;
  }
  try {
    const { answers, text, json, fails } = await ask(server);
    const refused = answers.find(({ well }) => !well);
    if (line.json === true) host.out(`${json?.() ?? answers[0]?.text ?? ""}\n`);
    if (refused !== undefined) host.err(`refused: ${printable(refused.message)}\n`);
    else if (line.json !== true) host.out(`${text()}\n`);
    end(refused === undefined && fails !== true ? ok : failed);
  } catch (error) {
    if (!(error instanceof ServerTrouble)) throw error;
    host.err(`${printable(error.message)}\n`);
    end(failed);
  }
}

const nameOf = (command: Command): string => {
  const parent = command.parent?.name() ?? "";
  return parent === "pushbox" ? command.name() : `${parent} ${command.name()}`;
};

/** Is it ready, who is there, how are the ways to the vendors. */
function addStatus(cli: Cli): void {
  const summary = "how a running server is: whether it is ready, who is connected, what waits";
  const command = introduced(cli.program.command("status"), summary);
  asking(command).addHelpText(
    "after",
    `\nExample:\n  pushbox status --url https://push.example.com --key-file key\n\nExit codes: 0 it is ready, 1 it is not, refused or unreachable, 2 wrong command line.`,
  );
  command.action(() =>
    carryOut(cli, command, async (server) => {
      const [base, lanes, ready, nodes] = await Promise.all([
        server.post("stats/base", {}, true),
        server.post("lane/list", {}),
        server.post("../readyz", {}),
        server.post("node/list", {}, true),
      ]);
      const { total = 0, ios = 0, android = 0, browser = 0, packetAverage10s = 0 } = base.body;
      const rows = listOf(lanes.body["lanes"]);
      const processes = listOf(nodes.body["nodes"]);
      const table = nodesText(processes);
      return {
        answers: [base, lanes, ready],
        json: () =>
          JSON.stringify({
            ready: ready.body,
            sessions: base.body,
            lanes: rows,
            ...(table === "" ? {} : { nodes: processes }),
          }),
        text: () =>
          [
            "ready",
            `${total} ${total === 1 ? "session" : "sessions"}: ${android} android, ${ios} ios, ${browser} browser`,
            `${packetAverage10s} packets written in the last 10 seconds`,
            rows.length === 0
              ? "no vendor is configured"
              : tableText(withQuotas(rows), ["provider", "app", "state", "depth", "rate", "quota", "reason"]),
            ...(table === "" ? [] : ["", table]),
            ...(base.body["partial"] === true ? ["a process has not answered: its figures are missing"] : []),
          ].join("\n"),
      };
    }),
  );
}
