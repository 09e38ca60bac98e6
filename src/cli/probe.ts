// The command `probe`: connects like a client, pushes to itself by the API, and tells how long that took. For monitoring.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { Option } from "commander";
import type { Options, PushClient } from "../client/api.ts";
import { createClient } from "../client/client.ts";
import { environment } from "../client/environment.ts";
import { printable } from "../core/printable.ts";
import { type Cli, failed, ok, type Process, wrong } from "./command.ts";
import { type ConnectLine, connectionOf, connectOptions, tellProblems, whyNot } from "./connect.ts";
import { HOME, type Server, serverOf } from "./send/server.ts";

interface Line extends ConnectLine {
  readonly api: string;
  readonly keyFile?: string;
  readonly timeout: string;
  readonly json?: true;
}

/** Milliseconds; `failed` names the step that did not come to its end. */
interface Result {
  readonly ok: boolean;
  readonly connect?: number;
  readonly push?: number;
  readonly total?: number;
  readonly failed?: "connect" | "push" | "message";
  readonly error?: string;
}

export function addProbe({ program, host, end }: Cli): void {
  const command = program
    .command("probe")
    .summary("connect to a server like a client, and push to itself")
    .description(
      "Connect like a client, push to itself by the API, and tell how long both took: what a monitor wants to know, end to end.",
    );
  for (const option of [
    ...connectOptions(),
    new Option("--api <url>", "where its API is").default(HOME),
    new Option(
      "--key-file <file>",
      "the API key is in this file (or in PUSHBOX_API_KEY, or in the file of PUSHBOX_API_KEY_FILE)",
    ),
    new Option("--timeout <seconds>", "for all of it").default("10"),
    new Option("--json", "print one line of JSON, also when it fails"),
  ])
    command.addOption(option);
  command.addHelpText("after", HELP);
  command.action(async () => {
    const line = command.opts<Line>();
    const problems: string[] = [];
    const options = connectionOf(line, host, problems);
    const server = serverOf({ ...line, url: line.api }, "--api", host, problems);
    const seconds = Number(line.timeout);
    if (!(seconds > 0 && seconds <= 600)) problems.push(`--timeout ${line.timeout}: write seconds, up to 600`);
    if (problems.length > 0 || options === undefined || server === undefined) {
      tellProblems(problems, "probe", host);
      end(wrong);
      return;
    }
    const result = await probe(line.url, options, server, 1000 * seconds);
    tell(result, line.json === true, host);
    end(result.ok ? ok : failed);
  });
}

const HELP = `
It is the device pushbox-probe-HOST of its machine, each time the same.

Examples:
  pushbox probe
  PUSHBOX_API_KEY=$(cat key) pushbox probe --url https://push.example.com --api https://api.example.com --json

Exit codes: 0 the push has come back, 1 it has not, and why is told, 2 wrong command line.`;

class Late extends Error {}

async function probe(url: string, options: Options, server: Server, patience: number): Promise<Result> {
  const pushId = `pushbox-probe-${hostname().replace(/[^\w.-]/g, "")}`.slice(0, 64);
  const began = performance.now();
  const since = (from: number): number => Math.round(10 * (performance.now() - from)) / 10;
  const client = createClient(url, { ...options, pushId, platform: "probe" }, environment);
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => {}); // told by whoever waits for it
  const timer = setTimeout(() => late.reject(new Late(`nothing within ${patience / 1000} s`)), patience);
  let step: NonNullable<Result["failed"]> = "connect";
  try {
    await Promise.race([connected(client), late.promise]);
    const connect = since(began);
    step = "push";
    const mark = randomUUID();
    const came = arrived(client, mark);
    const pushed = performance.now();
    const answer = await Promise.race([server.post("push", { pushId: [pushId], json: { probe: mark } }), late.promise]);
    if (!answer.well) throw new Error(`refused: ${answer.message}`);
    step = "message";
    await Promise.race([came, late.promise]);
    return { ok: true, connect, push: since(pushed), total: since(began) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const why = step === "connect" && error instanceof Late ? `: ${await whyNot(url)}` : "";
    return { ok: false, failed: step, error: `${error.message}${why}` };
  } finally {
    clearTimeout(timer);
    client.close();
  }
}

/** An answer that is final is not waited out; a network that does not answer is, for it may be a moment's. */
const connected = (client: PushClient): Promise<unknown> =>
  new Promise((resolve, reject) => {
    client.on("connect", resolve);
    client.on("error", ({ code, message }) => {
      if (client.state === "refused" || /^token_/.test(code)) reject(new Error(`refused: ${code}: ${message}`));
    });
  });

const arrived = (client: PushClient, mark: string): Promise<unknown> =>
  new Promise((resolve) => {
    client.on("message", ({ data }) => {
      if (Object(data)["probe"] === mark) resolve(undefined);
    });
  });

function tell(result: Result, json: boolean, { out, err }: Process): void {
  const { connect, push, failed: step, error = "" } = result;
  if (json) out(`${JSON.stringify(result)}\n`);
  else if (result.ok) out(`connected in ${connect} ms, pushed to itself in ${push} ms\n`);
  else err(`${WHAT[step!]}: ${printable(error)}\n`);
}

const WHAT = {
  connect: "it could not connect",
  push: "it connected, but the API did not take the push",
  message: "the push was taken, but did not arrive",
};
