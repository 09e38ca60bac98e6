// multipart/form-data: the text parts, as form fields. Files are not wanted here. RFC 7578.
import type { FormValue } from "./form.ts";
import { FormFields, turn } from "./form.ts";
import { HttpError } from "./message.ts";

const LONGEST_PART_HEAD = 8192;
/** Parts between two looks at the event loop. */
const SLICE = 2000;

export async function parseMultipart(body: Buffer, contentType: string): Promise<Map<string, FormValue>> {
  const fields = new FormFields();
  const boundary = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType);
  if (boundary === null) throw new HttpError(400, "multipart/form-data without a boundary");
  const delimiter = Buffer.from(`\r\n--${boundary[1] ?? boundary[2]}`);
  // The first delimiter stands at the very beginning, or after a preamble's line break.
  let at = body.subarray(0, delimiter.length - 2).equals(delimiter.subarray(2)) ? delimiter.length - 2 : after(body, 0);
  for (let parts = 1; ; parts++) {
    if (body[at] === 0x2d && body[at + 1] === 0x2d) return fields.values(); // "--": the last one
    const line = body.indexOf("\r\n", at);
    const from = line < 0 ? -1 : line + 2;
    const end = from < 0 ? -1 : body.indexOf(delimiter, from - 2);
    if (end < 0) throw broken();
    addPart(fields, body.subarray(from, Math.max(from, end)));
    at = end + delimiter.length;
    if (parts % SLICE === 0) await turn();
  }

  function after(text: Buffer, offset: number): number {
    const found = text.indexOf(delimiter, offset);
    if (found < 0) throw broken();
    return found + delimiter.length;
  }
}

function addPart(fields: FormFields, part: Buffer): void {
  const headEnd = part.indexOf("\r\n\r\n");
  if (headEnd < 0 || headEnd > LONGEST_PART_HEAD) throw broken();
  const head = part.toString("utf8", 0, headEnd);
  const disposition = /^content-disposition:\s*form-data\s*;(.*)$/im.exec(head)?.[1];
  if (disposition === undefined) throw broken();
  const name = /(?:^|;)\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(disposition);
  if (name === null) throw broken();
  if (/(?:^|;)\s*filename\*?=/i.test(disposition)) return;
  const key = name[1]?.replace(/\\(.)|%22/g, (_, escaped: string | undefined) => escaped ?? '"') ?? name[2] ?? "";
  fields.add(key, part.toString("utf8", headEnd + 4, part.length));
}

const broken = (): HttpError => new HttpError(400, "malformed multipart/form-data body");
