// The log: one JSON line per event on standard output; on a terminal the same events as text that people read.
import { type DestinationStream, destination, type Logger, pino } from "pino";

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

/** Writes to standard output. */
export function createLog(level: LogLevel, options: { readonly text: boolean }): LogOutput {
  const out = destination({ fd: 1, sync: false });
  // A full disk or a closed pipe under the log is no reason to drop a hundred thousand connections.
  out.on("error", () => {});
  const log = pino(
    {
      level,
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      redact: { paths: secrets, censor: "********" },
    },
    // Nothing but its `write`: given more, pino flushes at each "fatal", past the lines that are just being written.
    options.text ? asText(out) : { write: (line) => out.write(line) },
  );
  return {
    log,
    flushNow: () => {
      try {
        out.flushSync();
      } catch {
        // Not open yet, or closed by the reader: there is nowhere to say so.
      }
    },
    close: () =>
      new Promise((done) => {
        out.once("close", done);
        setTimeout(done, 1000).unref();
        out.end();
      }),
  };
}

function asText(out: DestinationStream): DestinationStream {
  return {
    write: (line) => {
      const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
      const details = Object.entries(rest).map(
        ([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
      );
      const label = String(level).toUpperCase().padEnd(5);
      out.write(`${String(time).slice(11, 23)} ${label} ${String(msg)}${details.join("")}\n`);
    },
  };
}
