// Long bodies in pieces: other requests come in between.
import type { Pace } from "../core/pace.ts";

/** Bytes or characters between two looks at the clock. */
export const STEP = 16 * 1024;

/** The same as `Buffer.concat`. */
export async function joined(parts: readonly Uint8Array[], pace: Pace): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
    if (pace.over()) await pace.turn();
  }
  return whole;
}

/** The same as `toString("utf8", start, end)`. */
export async function decodeText(body: Buffer, start: number, end: number, pace: Pace): Promise<string> {
  let text = "";
  for (let at = start; at < end; ) {
    let to = Math.min(at + STEP, end);
    // Not inside a character, which has at most 4 bytes.
    for (let more = 0; more < 3 && to < end && (body[to]! & 0xc0) === 0x80; more++) to++;
    text += body.toString("utf8", at, to);
    at = to;
    if (pace.over()) await pace.turn();
  }
  return text;
}

/** The same as `indexOf`; -1 when it is not before `end`. */
export async function find(body: Buffer, wanted: Buffer, from: number, end: number, pace: Pace): Promise<number> {
  for (let at = from; at < end; at += STEP) {
    const found = body.subarray(at, Math.min(at + STEP + wanted.length - 1, end)).indexOf(wanted);
    if (found >= 0) return at + found;
    if (pace.over()) await pace.turn();
  }
  return -1;
}
