// Compressed request bodies. Inflating happens in Node's thread pool; the size limit holds for what comes out.
import { pipeline } from "node:stream/promises";
import { createGunzip, createInflate } from "node:zlib";
import { Pace } from "../core/pace.ts";
import { HttpError } from "./message.ts";
import { joined } from "./pieces.ts";

const decoders = new Map([
  ["gzip", createGunzip],
  ["x-gzip", createGunzip], // the same (RFC 9110, 8.4.1.3)
  ["deflate", createInflate],
]);

/** Bytes that come out at a time. */
const CHUNK = 64 * 1024;

/** @throws HttpError 413 for more than `maxBody` bytes, 415 for an encoding that we do not know, 400 for what is none */
export async function inflate(body: Buffer, encoding: string, maxBody: number): Promise<Buffer> {
  const name = encoding.trim().toLowerCase();
  if (name === "identity" || body.length === 0) return body;
  const open = decoders.get(name);
  if (open === undefined) throw new HttpError(415, `unsupported content encoding "${name}": use gzip, deflate or none`);
  const parts: Buffer[] = [];
  let size = 0;
  try {
    await pipeline([body], open({ chunkSize: CHUNK }), async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        size += chunk.length;
        if (size > maxBody) throw new HttpError(413, `the inflated request body is larger than ${maxBody} bytes`);
        parts.push(chunk);
      }
    });
  } catch (cause) {
    if (cause instanceof HttpError) throw cause;
    throw new HttpError(400, `the request body is not valid ${name} data`, { cause });
  }
  return parts.length === 1 ? parts[0]! : joined(parts, new Pace());
}
