// Chance that is the same in every run.

/** Mulberry32. */
export function choices(seed: number) {
  let state = seed;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    chance: (probability: number): boolean => fraction() < probability,
    one: <T>(list: readonly T[]): T => list[Math.floor(fraction() * list.length)]!,
    some: <T>(list: readonly T[]): T[] => list.filter(() => fraction() < 0.5),
    /** 0 to `most`. */
    upTo: (most: number): number => Math.floor(fraction() * (most + 1)),
  };
}
export type Choices = ReturnType<typeof choices>;
