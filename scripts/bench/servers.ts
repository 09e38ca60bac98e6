// The servers that are measured, each in a process of its own on the server's core.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../src/http/uws/listeners.ts";

export const root = join(import.meta.dirname, "..", "..");
/** Removed at the end. */
export const tools = mkdtempSync(join(tmpdir(), "pushbox-bench-"));
export const SERVER_CORE = "0";
export const LOAD_CORE = "1";

export type ServerName = "bare" | "turn" | "socketio" | "pushbox";

let directories = 0;
const newData = () => join(tools, `data-${directories++}`);

/** Started and not stopped yet. */
const running = new Set<ChildProcess>();

export interface Running {
  readonly name: string;
  readonly wsPort: number;
  readonly httpPort: number;
  /** How wsload shakes hands with it. */
  readonly mode: "raw" | "eio4";
  readonly rss: () => number;
  /** Processor time so far, seconds. */
  readonly cpu: () => number;
  stop(): Promise<void>;
}

/** @param data its directory, removed with it; @param more further flags of pushbox @param core where it runs */
export async function start(
  name: ServerName,
  data = newData(),
  more: readonly string[] = [],
  core = SERVER_CORE,
): Promise<Running> {
  const wsPort = (await freePort("127.0.0.1", 0)).port;
  const httpPort = name === "pushbox" ? (await freePort("127.0.0.1", 0)).port : wsPort;
  // Pushbox takes every PUSHBOX_... for a setting of its own, and refuses those it does not know.
  const { PUSHBOX_BINARY: binary, ...env } = process.env;
  const args =
    name === "pushbox"
      ? [
          ...(binary ? [] : ["src/main.ts"]),
          "serve",
          `--client-port=${wsPort}`,
          `--api-port=${httpPort}`,
          "--admin-enabled=false",
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
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  await listening(name, child, httpPort);
  return {
    name,
    wsPort,
    httpPort,
    mode: name === "bare" || name === "turn" ? "raw" : "eio4",
    rss: () => memoryOf(child.pid!, "VmRSS"),
    cpu: () => cpuOf(child.pid!),
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
