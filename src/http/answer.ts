// What somebody's server answered, as text.

/**
 * The beginning of a body, no more than `most` bytes of it; a character that is cut in two there is left out. What is not read is
 * not waited for.
 */
export async function beginningOf(
  body: AsyncIterable<Uint8Array>,
  most: number,
): Promise<{ readonly text: string; readonly whole: boolean }> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let text = "";
  let left = most;
  for await (const piece of body) {
    text += decoder.decode(piece.subarray(0, left), { stream: true });
    left -= piece.length;
    if (left < 0) return { text, whole: false };
  }
  return { text: text + decoder.decode(), whole: true };
}
