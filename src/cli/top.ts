// The command `top`: how a running server does, live. On a terminal it is drawn again in its place; elsewhere a line for each look.
import { printable } from "../core/printable.ts";
import { type Cli, failed, introduced, ok, type Process, wrong } from "./command.ts";
import { asking, listOf, nodesText } from "./remote.ts";
import { tableText } from "./render.ts";
import { HOME, type Server, ServerTrouble, serverOf } from "./send/server.ts";

type Fields = Readonly<Record<string, unknown>>;

interface Line {
  readonly url: string;
  readonly keyFile?: string;
  readonly json?: true;
  readonly every: string;
  readonly count?: string;
}

/** What was read at one look; a part that the key may not see is empty. */
interface Look {
  readonly at: string;
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
  readonly sessions: Fields;
  readonly lanes: readonly Fields[];
  readonly hooks: readonly Fields[];
  readonly jobs: readonly Fields[];
  /** None where there is only one process. */
  readonly nodes: readonly Fields[];
}

/** Seconds that the small curves show. */
const SHOWN = 60;
/** Lanes and jobs that there is room for. */
const MOST_ROWS = 10;

export function addTop({ program, host, end }: Cli): void {
  const summary = "watch a running server: connections, messages, calls, what waits for vendors and backends";
  const command = introduced(program.command("top"), summary, "Ctrl-C ends it.")
    .option("--every <seconds>", "from one look to the next", "2")
    .option("--count <number>", "end after so many");
  asking(command).addHelpText("after", HELP);
  command.action(async () => {
    const line = command.opts<Line>();
    const problems: string[] = [];
    const every = Number(line.every);
    if (!(every >= 0.1 && every <= 3600)) problems.push(`--every ${line.every}: write seconds, 0.1 to 3600`);
    if (line.count !== undefined && !/^[1-9]\d{0,8}$/.test(line.count))
      problems.push(`--count ${line.count}: write a whole number from 1 on`);
    const server = serverOf(line, "--url", host, problems);
    if (server === undefined || problems.length > 0) {
      host.err(`${problems.map((problem) => `${problem}\n`).join("")}see pushbox top --help\n`);
      end(wrong);
      return;
    }
    const stopped = Promise.withResolvers<void>();
    for (const signal of ["SIGTERM", "SIGINT"] as const) host.onSignal(signal, () => stopped.resolve());
    end(await watch(server, host, line, 1000 * every, stopped.promise));
  });
}

/** Returns the exit code. A server that is gone for a while is waited for, once it was there. */
async function watch(
  server: Server,
  host: Process,
  { json, count, url }: Line,
  every: number,
  stopped: Promise<void>,
): Promise<number> {
  let isOver = false;
  void stopped.then(() => {
    isOver = true;
  });
  const draw = json === true ? undefined : host.terminal ? redrawing(host) : plain(host);
  for (let left = Number(count ?? Number.POSITIVE_INFINITY), seen = 0; ; ) {
    let trouble: string;
    try {
      const look = await read(server);
      if (typeof look !== "string") {
        if (draw === undefined) host.out(`${JSON.stringify(look)}\n`);
        else draw(look, url);
        seen++;
        trouble = "";
      } else trouble = look;
    } catch (error) {
      if (!(error instanceof ServerTrouble)) throw error;
      trouble = error.message;
    }
    if (trouble !== "") host.err(`${printable(trouble)}\n`);
    if (trouble !== "" && seen === 0) return failed;
    if (isOver || --left <= 0) return trouble === "" ? ok : failed;
    let timer: NodeJS.Timeout | undefined;
    const next = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, every);
    });
    await Promise.race([stopped, next]);
    clearTimeout(timer);
    if (isOver) return ok;
  }
}

/** Or why it was refused. */
async function read(server: Server): Promise<Look | string> {
  const [live, base, lanes, hooks, jobs, nodes] = await Promise.all([
    server.post("stats/live", { seconds: SHOWN }),
    server.post("stats/base", {}, true),
    server.post("lane/list", {}),
    server.post("hook/list", {}),
    server.post("job/list", { state: "running", limit: MOST_ROWS }),
    server.post("node/list", {}, true),
  ]);
  if (!live.well) return `refused: ${live.message}`;
  const { values = {} } = Object(live.body["seconds"]) as { readonly values?: Look["values"] };
  return {
    at: new Date().toISOString(),
    values,
    sessions: base.body,
    lanes: listOf(lanes.body["lanes"]),
    hooks: listOf(hooks.body["hooks"]),
    jobs: listOf(jobs.body["jobs"]),
    nodes: listOf(nodes.body["nodes"]),
  };
}

// ---- what is shown

const last = (values: Look["values"], name: string): number => values[name]?.findLast((value) => value !== null) ?? 0;
const lastOf =
  (look: Look) =>
  (name: string): string =>
    String(Math.round(last(look.values, name)));

const BARS = "▁▂▃▄▅▆▇█";

/** The highest is as high as it goes. */
function curve(values: readonly (number | null)[] = []): string {
  const most = Math.max(1, ...values.map((value) => value ?? 0));
  return values.map((value) => (value === null ? " " : BARS[Math.floor((value / most) * (BARS.length - 1))])).join("");
}

const ROWS = [
  ["connections", "connections"],
  ["packets", "messages/s"],
  ["opened", "new/s"],
  ["apiCalls", "API calls/s"],
  ["apiErrors", "errors/s"],
] as const;

function screen(look: Look, url: string): string {
  const { total = 0, android = 0, ios = 0, browser = 0 } = look.sessions;
  const shown = lastOf(look);
  const lines = [
    `${printable(url)}  ${look.at}`,
    `${String(total)} ${total === 1 ? "session" : "sessions"}: ${String(android)} android, ${String(ios)} ios, ${String(browser)} browser`,
    "",
    ...ROWS.map(([name, label]) => `${label.padEnd(12)} ${shown(name).padStart(9)}  ${curve(look.values[name])}`),
  ];
  const part = (title: string, rows: readonly Fields[], columns: readonly string[]): void => {
    if (rows.length === 0) return;
    const more = rows.length > MOST_ROWS ? `\n... ${rows.length - MOST_ROWS} more` : "";
    lines.push("", title, tableText(rows.slice(0, MOST_ROWS), columns) + more);
  };
  part("vendors", look.lanes, ["provider", "app", "state", "depth", "rate", "reason"]);
  part("webhooks", look.hooks, ["name", "state", "waiting", "delivered", "dead", "failures"]);
  part("running jobs", look.jobs, JOBS);
  const processes = nodesText(look.nodes);
  if (processes !== "") lines.push("", "processes", processes);
  return lines.join("\n");
}

const JOBS = ["id", "state", "target", "acceptedAt"];

const HOME_AND_CLEAR = "\u001b[H\u001b[J";

const redrawing =
  ({ out }: Process) =>
  (look: Look, url: string): void =>
    out(`${HOME_AND_CLEAR}${screen(look, url)}\n`);

/** A head first, then a line for each look. */
function plain({ out }: Process): (look: Look) => void {
  let isFirst = true;
  const widths = [24, 11, 10, 6, 11, 8, 8, 8];
  const row = (cells: readonly string[]): string => cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ");
  return (look) => {
    if (isFirst) out(`${row(["at", ...ROWS.map(([, label]) => label), "vendors", "hooks"]).trimEnd()}\n`);
    isFirst = false;
    const sum = (rows: readonly Fields[], name: string): string =>
      String(rows.reduce((all, one) => all + Number(one[name] ?? 0), 0));
    const cells = [look.at, ...ROWS.map(([name]) => lastOf(look)(name))];
    out(`${row([...cells, sum(look.lanes, "depth"), sum(look.hooks, "waiting")]).trimEnd()}\n`);
  };
}

const HELP = `
On a terminal it is drawn again in its place, with the last minute as curves. Elsewhere it is a line for each look; vendors and hooks
are then what waits for them.

Examples:
  pushbox top
  pushbox top --every 10 >> top.log
  pushbox top --count 1 --json | jq .lanes
  pushbox top --url ${HOME} --key-file key

Exit codes: 0 ended by a signal or --count, 1 refused or unreachable, 2 wrong command line.`;
