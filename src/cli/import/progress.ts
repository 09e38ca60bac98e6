// How far long work is, on standard error: on one line of a terminal, else a line now and then.
import type { From } from "../../moving/lines.ts";
import type { Process } from "../command.ts";

/** Milliseconds until the first line, and between two. */
const FIRST = 200;
const EVERY = 1000;
const EVERY_IN_A_LOG = 5000;

/** With commas. */
export const number = (n: number): string => n.toLocaleString("en");

export class Progress {
  readonly #name: string;
  readonly #size: number | undefined;
  readonly #start: From;
  readonly #host: Pick<Process, "err" | "terminal">;
  readonly #began = performance.now();
  #told = performance.now();
  #shown = 0;
  #every = FIRST;

  constructor(name: string, size: number | undefined, start: From, host: Pick<Process, "err" | "terminal">) {
    this.#name = name;
    this.#size = size;
    this.#start = start;
    this.#host = host;
  }

  /** A line that stays. */
  say(line: string): void {
    this.#host.err(`${line}\n`);
  }

  /** May be called as often as one likes: it writes when a second has passed, in a log five. */
  reached({ bytes, lines }: From): void {
    const now = performance.now();
    if (now - this.#told < this.#every) return;
    this.#told = now;
    this.#every = this.#host.terminal ? EVERY : EVERY_IN_A_LOG;
    const seconds = (now - this.#began) / 1000;
    const rate = (lines - this.#start.lines) / seconds;
    const parts = [`${number(lines)} lines`, `${number(Math.round(rate))}/s`];
    if (this.#size !== undefined && this.#size > 0) {
      parts.unshift(`${Math.floor((100 * bytes) / this.#size)} %`);
      const speed = (bytes - this.#start.bytes) / seconds;
      if (speed > 0) parts.push(`${number(Math.ceil((this.#size - bytes) / speed))} s left`);
    }
    this.#write(`${this.#name}: ${parts.join(", ")}`);
  }

  /** Nothing more is written over the line that is shown. */
  end(): void {
    if (this.#shown > 0) this.#host.err("\n");
    this.#shown = 0;
  }

  #write(line: string): void {
    if (!this.#host.terminal) return this.say(line);
    this.#host.err(`\r${line.padEnd(this.#shown)}`);
    this.#shown = line.length;
  }
}
