// What a fake remembers of the past: the newest, for a lab may run for days.

const LIMIT = 10_000;

/** A map of the newest entries. */
export class Recent<K, V> extends Map<K, V> {
  override set(key: K, value: V): this {
    this.delete(key);
    super.set(key, value);
    if (this.size > LIMIT) this.delete(this.keys().next().value as K);
    return this;
  }
}
