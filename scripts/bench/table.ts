// The table that a run prints: a line as soon as it is measured, with the ratio to its reference.
export const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

export interface Row {
  readonly what: string;
  readonly target: string;
  readonly reference: string;
  readonly measured: string;
  readonly ratio: number;
  readonly holds: boolean;
}

export const rows: Row[] = [];

export function add(what: string, target: string, reference: number, measured: number, least: number): void {
  const ratio = measured / reference;
  const row = { what, target, reference: short(reference), measured: short(measured), ratio, holds: ratio >= least };
  put(row);
}

export function put(row: Row): void {
  rows.push(row);
  console.log(line(row));
}

/** A figure that has to stay below a limit. */
export function limit(what: string, target: string, most: number, measured: number): void {
  const ratio = measured / most;
  put({ what, target, reference: short(most), measured: short(measured), ratio, holds: ratio <= 1 });
}

export const short = (n: number) =>
  n >= 1e6
    ? `${(n / 1e6).toFixed(2)} M`
    : n >= 1e4
      ? `${(n / 1e3).toFixed(0)} k`
      : n >= 100
        ? n.toFixed(0)
        : n.toFixed(2);

const line = ({ what, target, reference, measured, ratio, holds }: Row) =>
  `| ${what} | ${target} | ${reference} | ${measured} | ${Number.isNaN(ratio) ? "" : ratio.toFixed(2)} | ${holds ? "yes" : "NO"} |`;

export const HEAD =
  "| what | must reach | reference | pushbox | ratio | holds |\n| --- | --- | --- | --- | --- | --- |";
