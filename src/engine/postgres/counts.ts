// What became of each notification, in numbers: written along with its job.
import { Statement } from "./database.ts";
import type { Turn } from "./turns.ts";

const addAll = new Statement<[readonly number[], readonly string[], readonly number[]]>(`
  INSERT INTO arrival_counts AS a (arrival, counter, total)
  SELECT arrival, counter, total FROM unnest(?::bigint[], ?::text[], ?::bigint[]) AS u(arrival, counter, total)
  ORDER BY arrival, counter
  ON CONFLICT (arrival, counter) DO UPDATE SET total = a.total + excluded.total`);
const raiseAll = new Statement<[readonly string[], readonly number[], string]>(`
  INSERT INTO arrival_counts AS a (arrival, counter, total)
  SELECT arrival, counter, total FROM arrivals, unnest(?::text[], ?::bigint[]) AS u(counter, total) WHERE id = ? ORDER BY counter
  ON CONFLICT (arrival, counter) DO UPDATE SET total = excluded.total WHERE excluded.total > a.total`);

/** Sums by two keys, written by one statement. */
export class Sums<Key> {
  readonly #sums = new Map<Key, Map<string, number>>();

  add(key: Key, name: string, n: number): void {
    if (n === 0) return;
    let names = this.#sums.get(key);
    if (names === undefined) {
      names = new Map();
      this.#sums.set(key, names);
    }
    names.set(name, (names.get(name) ?? 0) + n);
  }

  get size(): number {
    return this.#sums.size;
  }

  /** Sums that came to 0 too. */
  list(): readonly (readonly [key: Key, name: string, n: number])[] {
    return [...this.#sums].flatMap(([key, names]) => [...names].map(([name, n]) => [key, name, n] as const));
  }
}

export const counts = {
  put(turn: Turn, sums: Sums<number>): void {
    const rows = sums.list().filter(([, , n]) => n !== 0);
    if (rows.length === 0) return;
    addAll.put(
      turn,
      rows.map(([arrival]) => arrival),
      rows.map(([, counter]) => counter),
      rows.map(([, , n]) => n),
    );
  },

  /** Of all that is told of a counter the largest is kept. */
  raise(turn: Turn, id: string, totals: Readonly<Record<string, number>>): void {
    const rows = Object.entries(totals).filter(([, total]) => total > 0);
    if (rows.length === 0) return;
    raiseAll.put(
      turn,
      rows.map(([counter]) => counter),
      rows.map(([, total]) => total),
      id,
    );
  },
};
