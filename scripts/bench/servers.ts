// The servers that are measured, each in a process of its own on the server's core.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../test/support/ports.ts";

export const root = join(import.meta.dirname, "..", "..");
/** Removed at the end. */
export const tools = mkdtempSync(join(tmpdir(), "pushbox-bench-"));
export const SERVER_CORE = "0";
export const LOAD_CORE = "1";

export type ServerName = "bare" | "turn" | "talk" | "socketio" | "pushbox";

let directories = 0;
const newData = () => join(tools, `data-${directories++}`);

/** Started and not stopped yet. */
const running = new Set<ChildProcess>();

/** Processor time of a server's threads so far, seconds. */
export interface Cpu {
  readonly main: number;
  /** 0 where there is none. */
  readonly storage: number;
  /** Those that compile and collect. */
  readonly others: number;
}

export interface Running {
  readonly name: string;
  readonly pid: number;
  readonly wsPort: number;
  readonly httpPort: number;
  /** How wsload shakes hands with it. */
  readonly mode: "raw" | "eio4";
  readonly rss: () => number;
  /** Processor time so far, seconds. */
  readonly cpu: () => number;
  readonly threads: () => Cpu;
  stop(): Promise<void>;
}

interface Where {
  /** Its data, removed with it. */
  readonly data?: string;
  readonly core?: string;
  /** Of the source that runs. */
  readonly directory?: string;
}

/** @param more further flags of pushbox */
export async function start(
  name: ServerName,
  { data = newData(), core = SERVER_CORE, directory = root }: Where = {},
  more: readonly string[] = [],
): Promise<Running> {
  const wsPort = await freePort();
  const httpPort = name === "pushbox" ? await freePort() : wsPort;
  // Pushbox takes every PUSHBOX_... for a setting of its own, and refuses those it does not know.
  const { PUSHBOX_BINARY: binary, ...env } = process.env;
  const args =
    name === "pushbox"
      ? [
          ...(binary ? [] : ["src/main.ts"]),
          "serve",
          `--client-port=${wsPort}`,
          `--api-port=${httpPort}`,
          ...(existsSync(join(directory, "src/admin")) ? ["--admin-enabled=false"] : []), // earlier versions have no console
          `--data=${data}`,
          // They all come from this machine.
          "--client-max-new-devices-per-minute=1000000000",
          "--client-max-connections-per-address=1000000",
          ...more,
        ]
      : ["scripts/bench/reference.ts", name, String(wsPort)];
  const program = (name === "pushbox" && binary) || process.execPath;
  const flags = program === process.execPath ? ["--disable-warning=ExperimentalWarning"] : [];
  const child = spawn("taskset", ["-c", core, program, ...flags, ...args], {
    cwd: directory,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  await listening(name, child, httpPort);
  return {
    name,
    pid: child.pid!,
    wsPort,
    httpPort,
    mode: name === "bare" || name === "turn" ? "raw" : "eio4",
    rss: () => memoryOf(child.pid!, "VmRSS"),
    cpu: () => cpuOf(child.pid!),
    threads: () => threadsOf(child.pid!),
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      clearTimeout(timer);
      rmSync(data, { recursive: true, force: true });
    },
  };
}

/** Processor time of a process so far, seconds. @param ended with that of its children that have ended */
export function cpuOf(pid: number, ended = false): number {
  // utime and stime, and those of children, behind the name, which is in brackets; in hundredths on every Linux that Node runs on.
  const fields = stat(pid).split(") ")[1]?.split(" ") ?? [];
  const times = fields.slice(11, ended ? 15 : 13).map(Number);
  return times.reduce((sum, time) => sum + time, 0) / 100;
}

/** A process may have ended. */
function stat(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return "";
  }
}

const memoryOf = (pid: number, what: "VmRSS" | "VmHWM"): number =>
  Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;

/** The most memory that it had so far, bytes. */
export const peakOf = (pid: number): number => memoryOf(pid, "VmHWM");

function threadsOf(pid: number): Cpu {
  const cpu = { main: 0, storage: 0, others: 0 };
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const of = (file: string): string => readFileSync(`/proc/${pid}/task/${thread}/${file}`, "utf8");
    try {
      // Nice, behind the name: the storage thread gives way to the others.
      const nice = Number(of("stat").split(") ")[1]?.split(" ")[16]);
      const kind = Number(thread) === pid ? "main" : nice > 0 ? "storage" : "others";
      cpu[kind] += Number(of("schedstat").split(" ")[0]) / 1e9;
    } catch {} // it has ended
  }
  return cpu;
}

/** What an interrupted measurement would leave behind. */
export function stopAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

async function listening(name: string, child: ChildProcess, port: number): Promise<void> {
  child.stdout?.resume();
  for (let i = 0; i < 2400; i++) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}; is port ${port} in use?`);
    try {
      await fetch(`http://127.0.0.1:${port}/healthz`);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  throw new Error(`${name} does not answer on port ${port}`);
}
