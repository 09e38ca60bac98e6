// pushbox as a process of its own: what it prints, the signals it gets, its exit code.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import type { Test } from "tap";
import { sharedEnvironment } from "./shared-store.ts";

export const main = resolve(import.meta.dirname, "../../src/main.ts");

/** For another process from source: what this one preloads, and its room for what is young, make it start in less than half the time. */
export const nodeArguments: readonly string[] = [
  "--disable-warning=ExperimentalWarning",
  ...process.execArgv.filter((argument) => /^--(import|min-semi-space-size)=/.test(argument)),
];

/** So long a process may be silent, milliseconds: far more than any needs, on a busy machine too. */
const PATIENCE = 90_000;

/** Ends it at once, if it has not ended. What it kept open is closed, and its files are nobody's, once this resolves. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves with everything printed so far once it matches, or once it has as many matches as asked for. */
  printed(pattern: RegExp, times?: number): Promise<string>;
  /** SIGTERM, and the end. */
  stop(): Promise<Ended>;
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  /** What the shell's `ulimit` is given first, as in "-n 500". */
  readonly limit?: string;
  /** What it reads on standard input; without it there is none. */
  readonly input?: string;
}

export function start(cwd: string, args: readonly string[], { env, limit, input }: Surroundings = {}): Running {
  const words = [process.execPath, ...nodeArguments, main, ...args];
  // With a pipe for its input bash would take itself for a remote login and read the user's settings.
  if (limit !== undefined) words.unshift("bash", "--norc", "-c", `ulimit ${limit}; exec "$0" "$@"`);
  const [program = "", ...rest] = words;
  const child = spawn(program, rest, {
    cwd,
    // Without the console, unless a flag asks for it: its port is one and the same for all.
    env: { PATH: process.env["PATH"], PUSHBOX_ADMIN_ENABLED: "false", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => {}).end(input); // it may end without reading
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, out, err }));
  const printed = (pattern: RegExp, times = 1): Promise<string> =>
    new Promise((done, fail) => {
      const every = new RegExp(pattern.source, `${pattern.flags.replace("g", "")}g`);
      const failed = (how: string) => fail(new Error(`${how} without ${pattern}:\n${out}${err}`));
      const late = setTimeout(failed, PATIENCE, `${PATIENCE / 1000} s went by`);
      const look = (): void => {
        if ((out.match(every)?.length ?? 0) < times) return;
        clearTimeout(late);
        done(out);
      };
      child.stdout.on("data", look);
      child.on("close", () => {
        clearTimeout(late);
        failed("ended");
      });
      look();
    });
  const stop = (): Promise<Ended> => {
    child.kill("SIGTERM");
    return ended;
  };
  return { child, ended, printed, stop };
}

export const run = (cwd: string, ...args: string[]): Promise<Ended> => start(cwd, args).ended;

/** What the log says, line by line. */
export const messages = (out: string): string[] =>
  out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => (JSON.parse(line) as { msg: string }).msg);

export const free = ["--client-host", "127.0.0.1", "--client-port", "0", "--api-port", "0"];

export interface Server extends Running {
  readonly clientUrl: string;
  readonly apiUrl: string;
  /** A form post to the API. */
  call(
    path: string,
    fields: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Called>;
}

interface Called {
  readonly status: number;
  readonly text: string;
}

/** A server that has started; it is ended with the test. */
export async function serve(
  t: Test,
  cwd: string,
  args: readonly string[] = [],
  surroundings: Surroundings = {},
): Promise<Server> {
  const shared = args.includes("--engine") ? {} : await sharedEnvironment(cwd);
  const env = { ...shared, ...surroundings.env };
  const running = start(cwd, ["serve", ...free, ...args], { ...surroundings, env });
  t.teardown(() => kill(running.child));
  const log = messages(await running.printed(/try: curl.*\n/));
  const url = (prefix: string): string =>
    log.find((line) => line.startsWith(prefix))?.slice(prefix.length) ?? `no line "${prefix}"`;
  const apiUrl = url("API at ");
  return {
    ...running,
    clientUrl: url("clients connect to "),
    apiUrl,
    async call(path, fields, headers = {}) {
      const answer = await fetch(`${apiUrl}/api/${path}`, {
        method: "POST",
        body: new URLSearchParams(fields),
        headers,
      });
      return { status: answer.status, text: await answer.text() };
    },
  };
}
