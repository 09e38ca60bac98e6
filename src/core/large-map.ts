// A map for as many entries as there are connections. A built-in one stops everything for 50 ms when it grows to half a million; many
// small ones grow at different times, none for longer than a millisecond.

const SHARDS = 128;

export class LargeMap<K extends string, V> {
  readonly #shards: readonly Map<K, V>[] = Array.from({ length: SHARDS }, () => new Map<K, V>());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  #shard(key: K): Map<K, V> {
    // Ids mostly differ at the end, also numbers. NaN, where the key is too short, counts as 0.
    const end = key.length;
    const hash = key.charCodeAt(end - 1) + 31 * key.charCodeAt(end - 2) + 7 * key.charCodeAt(end - 3);
    return this.#shards[hash & (SHARDS - 1)]!;
  }

  get(key: K): V | undefined {
    return this.#shard(key).get(key);
  }

  has(key: K): boolean {
    return this.#shard(key).has(key);
  }

  set(key: K, value: V): void {
    const shard = this.#shard(key);
    const before = shard.size;
    shard.set(key, value);
    this.#size += shard.size - before;
  }

  delete(key: K): boolean {
    const deleted = this.#shard(key).delete(key);
    if (deleted) this.#size--;
    return deleted;
  }

  clear(): void {
    for (const shard of this.#shards) shard.clear();
    this.#size = 0;
  }

  /** The parts of it, each in the order in which its entries were set. */
  get parts(): readonly ReadonlyMap<K, V>[] {
    return this.#shards;
  }

  /** In no order. What comes or goes meanwhile may be seen or not. */
  *keys(): IterableIterator<K> {
    for (const shard of this.#shards) yield* shard.keys();
  }

  *values(): IterableIterator<V> {
    for (const shard of this.#shards) yield* shard.values();
  }
}
