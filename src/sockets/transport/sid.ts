// Session ids: 120 random bits as 20 URL-safe characters. Random bytes are taken in blocks: one system call serves many.
import { randomFillSync } from "node:crypto";

const LENGTH = 15;
const block = Buffer.alloc(LENGTH * 256);
/** The same bytes: a plain array's `fill` checks no encoding. */
const bytes = new Uint8Array(block.buffer, block.byteOffset, block.length);
let used = block.length;

export function newSid(): string {
  if (used === block.length) {
    randomFillSync(block);
    used = 0;
  }
  const sid = block.toString("base64url", used, used + LENGTH);
  bytes.fill(0, used, used + LENGTH); // given out once, kept nowhere
  used += LENGTH;
  return sid;
}
