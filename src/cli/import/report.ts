// What an import says at its end: how many were taken, and which lines were not, with the reason.
import type { Table } from "../../moving/csv.ts";
import { number } from "./progress.ts";

type Taken = "added" | "updated" | "same";

interface Told {
  times: number;
  /** The first ones. */
  readonly lines: number[];
}

/** Lines that are named of each reason. */
const NAMED = 5;
/** Reasons: each is made of a few words, but the words may have a file's own in them one day. */
const MOST_REASONS = 100;

export class Report {
  readonly #taken: Record<Taken, number> = { added: 0, updated: 0, same: 0 };
  readonly #skipped = new Map<string, Told>();
  readonly #leftOut = new Map<string, Told>();
  /** Of a table: how its rows are read when the import goes on later. */
  table: Table | undefined;

  /** Of what `JSON.stringify` made of one. */
  static parse(text: string): Report {
    const { taken, skipped, leftOut, table } = JSON.parse(text) as ReturnType<Report["toJSON"]>; // written below
    const report = new Report();
    Object.assign(report.#taken, taken);
    for (const [why, told] of skipped) report.#skipped.set(why, told);
    for (const [what, told] of leftOut) report.#leftOut.set(what, told);
    report.table = table;
    return report;
  }

  toJSON() {
    return { taken: this.#taken, skipped: [...this.#skipped], leftOut: [...this.#leftOut], table: this.table };
  }

  /** One that counts on by itself. */
  copy(): Report {
    return Report.parse(JSON.stringify(this));
  }

  /** Devices that were added or updated. */
  get taken(): number {
    return this.#taken.added + this.#taken.updated;
  }

  count(what: Taken): void {
    this.#taken[what]++;
  }

  /** A line that says of no device what could be stored. */
  skip(why: string, line: number): void {
    tell(this.#skipped, why, line);
  }

  /** A part of a device that was stored. */
  leaveOut(what: string, line: number): void {
    tell(this.#leftOut, what, line);
  }

  /** For people. @param data where they are @param devices how many there are now */
  text(dryRun: boolean, data: string, devices: number): string {
    const { added, updated, same } = this.#taken;
    const would = dryRun ? "would be " : "";
    const rows = [
      `${count(added)}  ${would}added`,
      `${count(updated)}  ${would}updated: what was known here is older`,
      `${count(same)}  here already, just so`,
      ...section("skipped", this.#skipped),
      ...section("left out of devices", this.#leftOut),
      `${count(devices)}  devices in ${data}${dryRun ? ", nothing was written" : ""}`,
    ];
    return `${rows.join("\n")}\n`;
  }
}

function tell(list: Map<string, Told>, what: string, line: number): void {
  const why = list.has(what) || list.size < MOST_REASONS ? what : "further reasons";
  const told = list.get(why) ?? { times: 0, lines: [] };
  list.set(why, told);
  told.times++;
  if (told.lines.length < NAMED) told.lines.push(line);
}

function section(title: string, list: ReadonlyMap<string, Told>): readonly string[] {
  const sum = [...list.values()].reduce((total, { times }) => total + times, 0);
  return [
    `${count(sum)}  ${title}${sum > 0 ? ":" : ""}`,
    ...[...list].map(
      ([why, { times, lines }]) =>
        `${count(times)}      ${why} (line ${lines.join(", ")}${times > lines.length ? " ..." : ""})`,
    ),
  ];
}

const count = (n: number): string => number(n).padStart(12);
