// What somebody's server answered, as text.

/**
 * The beginning of a body, no more than `most` bytes of it; a character that is cut in two there is left out, and so is a byte order
 * mark, which JSON.parse would stumble over. What is not read is not waited for.
 */
export async function beginningOf(
  body: AsyncIterable<Uint8Array>,
  most: number,
): Promise<{ readonly text: string; readonly whole: boolean }> {
  const decoder = new TextDecoder();
  let text = "";
  let left = most;
  for await (const piece of body) {
    text += decoder.decode(piece.subarray(0, left), { stream: true });
    left -= piece.length;
    if (left < 0) return { text, whole: false };
  }
  return { text: text + decoder.decode(), whole: true };
}
