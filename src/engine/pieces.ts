// Long lists go in pieces, so that other callers get in between.

/** Entries of a piece. */
export const PIECE = 1000;

/** The results of a long list's pieces, one after the other. */
export async function inPieces<Item, Result>(
  list: readonly Item[],
  step: (piece: readonly Item[]) => Promise<readonly Result[]>,
): Promise<readonly Result[]> {
  if (list.length <= PIECE) return step(list);
  const results: Result[] = [];
  for (let i = 0; i < list.length; i += PIECE)
    for (const result of await step(list.slice(i, i + PIECE))) results.push(result);
  return results;
}
