// Compressed request bodies. Inflating happens in Node's thread pool; the size limit holds for what comes out.
import { promisify } from "node:util";
import { gunzip, inflate as unzip } from "node:zlib";
import { HttpError } from "./message.ts";

const decoders = new Map([
  ["gzip", promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip)],
  ["deflate", promisify<Buffer, { maxOutputLength: number }, Buffer>(unzip)],
]);

export async function inflate(body: Buffer, encoding: string, maxBody: number): Promise<Buffer> {
  const name = encoding.trim().toLowerCase();
  if (name === "identity" || body.length === 0) return body;
  const decode = decoders.get(name);
  if (decode === undefined)
    throw new HttpError(415, `unsupported content encoding "${name}": use gzip, deflate or none`);
  try {
    return await decode(body, { maxOutputLength: maxBody });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE") {
      throw new HttpError(413, `the inflated request body is larger than ${maxBody} bytes`, { cause });
    }
    throw new HttpError(400, `the request body is not valid ${name} data`, { cause });
  }
}
