// systemd is told when the server is ready, when it stops, and that its loop still turns (sd_notify(3)).
//
// Its socket is a datagram of the Unix family, which Node cannot open. systemd's own program does it: systemd-notify, which is there
// wherever systemd is. It is started by a small shell that is started once, before the server grows: to start a program from
// a process of gigabytes would hold up its loop each time. The shell reads lines and ends with its input, thus with this process.
import { spawn } from "node:child_process";

export interface Supervisor {
  /** It serves from now on; the watchdog's signs of life begin. */
  ready(): void;
  stopping(): void;
}

/** It stays until its input ends: systemd signals the whole service, and it has the last word to pass on. */
const SHELL = 'trap "" TERM INT HUP; while read -r line; do systemd-notify "$line"; done';

const SILENT: Supervisor = { ready() {}, stopping() {} };

/**
 * Tells nobody where nobody asks.
 * @param env of systemd: NOTIFY_SOCKET, and WATCHDOG_USEC with WATCHDOG_PID
 * @param warn what keeps systemd from hearing, at most once
 */
export function toldSupervisor(
  env: Readonly<Record<string, string | undefined>>,
  warn: (text: string) => void,
): Supervisor {
  if (!env["NOTIFY_SOCKET"]) return SILENT;
  const child = spawn("/bin/sh", ["-c", SHELL], { env, stdio: ["pipe", "ignore", "pipe"] });
  let warned = false;
  const trouble = (why: string): void => {
    if (!warned) warn(`systemd is not told that this server is ready: ${why.trim()}`);
    warned = true;
  };
  child.on("error", ({ message }) => trouble(message));
  child.stderr.setEncoding("utf8").on("data", trouble);
  child.stdin.on("error", () => {}); // it has ended, and said why
  child.unref();
  const tell = (line: string): void => void child.stdin.write(`${line}\n`);
  let watching: NodeJS.Timeout | undefined;
  return {
    ready() {
      tell("READY=1");
      const patience = Number(env["WATCHDOG_USEC"]) / 1000;
      const forUs = [undefined, "", String(process.pid)].includes(env["WATCHDOG_PID"]);
      // Twice as often as asked for, as sd_watchdog_enabled(3) advises.
      if (patience > 0 && forUs) watching = setInterval(tell, Math.max(1, patience / 2), "WATCHDOG=1").unref();
    },
    stopping() {
      clearInterval(watching);
      tell("STOPPING=1");
    },
  };
}
