// The log: one JSON line per event on standard output, what ends the process on standard error; on a terminal the same events as
// text that people read.
import { destination, type Logger, pino } from "pino";
import { printable } from "../core/printable.ts";
import { MINUTE } from "../core/time.ts";

type SonicBoom = ReturnType<typeof destination>;
export type Log = Logger;
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

/** What must not be read in a log, wherever an object that carries it gets into one. */
const secrets = ["key", "token", "secret", "password", "authorization"].flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
]);

export interface LogOutput {
  readonly log: Log;
  /** For a process that ends this very moment. */
  flushNow(): void;
  /** Resolves when everything is written, or after a second with a reader that does not read. */
  close(): Promise<void>;
}

/** Writes to standard output, and what ends the process to standard error. */
export function createLog(
  level: LogLevel,
  descriptors: readonly [out: number, err: number],
  options: { readonly text: boolean },
): LogOutput {
  const [out, err] = descriptors.map((fd) => destination({ fd, sync: false })) as [SonicBoom, SonicBoom];
  // A full disk or a closed pipe under the log is no reason to drop a hundred thousand connections.
  for (const stream of [out, err]) stream.on("error", () => {});
  const streamOf = (line: string): SonicBoom => (line.startsWith('{"level":"fatal"') ? err : out);
  const log = pino(
    {
      level,
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      redact: { paths: secrets, censor: "********" },
    },
    // Nothing but its `write`: given more, pino flushes at each "fatal", past the lines that are just being written.
    {
      write(line) {
        const stream = streamOf(line);
        // A second signal comes when everything is written and closed.
        if (!(stream as { destroyed?: boolean }).destroyed) stream.write(options.text ? asText(line) : line);
      },
    },
  );
  return {
    log,
    flushNow: () => {
      for (const stream of [out, err]) {
        try {
          stream.flushSync();
        } catch {
          // Not open yet, or closed by the reader: there is nowhere to say so.
        }
      }
    },
    close: () => Promise.all([out, err].map(closed)).then(() => {}),
  };
}

const closed = (stream: SonicBoom): Promise<void> =>
  new Promise((done) => {
    stream.once("close", done);
    setTimeout(done, 1000).unref();
    stream.end();
  });

/** A line as people read it. Clients choose some of it: names of devices and topics. */
function asText(line: string): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const details = Object.entries(rest).map(
    ([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const label = String(level).toUpperCase().padEnd(5);
  return `${printable(`${String(time).slice(11, 23)} ${label} ${String(msg)}${details.join("")}`)}\n`;
}

/** Tells the same text at most once a minute: the store is asked thousands of times a second. Another text is told at once. */
export function onceAMinute(tell: (message: string) => void): (message: string) => void {
  let [last, again] = ["", 0];
  return (message) => {
    const now = performance.now();
    if (message === last && now < again) return;
    [last, again] = [message, now + MINUTE];
    tell(message);
  };
}
