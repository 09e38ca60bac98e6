// multipart/form-data: the text parts, as form fields. Files are not wanted here. RFC 7578.
import { Pace } from "../core/pace.ts";
import type { FormValue } from "./form.ts";
import { FormFields, MOST_FIELD } from "./form.ts";
import { HttpError } from "./message.ts";
import { decodeText, find } from "./pieces.ts";

const LONGEST_PART_HEAD = 8192;

/** @param lists see `FormFields` */
export async function parseMultipart(
  body: Buffer,
  contentType: string,
  lists: ReadonlySet<string> = new Set(),
): Promise<Map<string, FormValue>> {
  const pace = new Pace();
  const fields = new FormFields(lists);
  const boundary = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType);
  if (boundary === null) throw new HttpError(400, "multipart/form-data without a boundary");
  const delimiter = Buffer.from(`\r\n--${boundary[1] ?? boundary[2]}`);
  // The first delimiter stands at the very beginning, or after a preamble's line break.
  let at = delimiter.length - 2;
  if (!body.subarray(0, at).equals(delimiter.subarray(2))) {
    const first = await find(body, delimiter, 0, body.length, pace);
    if (first < 0) throw broken();
    at = first + delimiter.length;
  }
  for (;;) {
    if (body[at] === 0x2d && body[at + 1] === 0x2d) return fields.valuesInPieces(pace); // "--": the last one
    const line = body.subarray(at, at + LONGEST_PART_HEAD).indexOf("\r\n");
    if (line < 0) throw broken();
    const from = at + line + 2;
    const end = await find(body, delimiter, from - 2, body.length, pace);
    if (end < 0) throw broken();
    await addPart(fields, body.subarray(from, Math.max(from, end)), pace);
    at = end + delimiter.length;
    if (pace.over()) await pace.turn();
  }
}

async function addPart(fields: FormFields, part: Buffer, pace: Pace): Promise<void> {
  const headEnd = part.subarray(0, LONGEST_PART_HEAD + 4).indexOf("\r\n\r\n");
  if (headEnd < 0) throw broken();
  const head = part.toString("utf8", 0, headEnd);
  const disposition = /^content-disposition:\s*form-data\s*;(.*)$/im.exec(head)?.[1];
  if (disposition === undefined) throw broken();
  const name = /(?:^|;)\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(disposition);
  if (name === null) throw broken();
  if (/(?:^|;)\s*filename\*?=/i.test(disposition)) return;
  const key = name[1]?.replace(/\\(.)|%22/g, (_, escaped: string | undefined) => escaped ?? '"') ?? name[2] ?? "";
  if (part.length > MOST_FIELD) throw new HttpError(413, `a form field is larger than ${MOST_FIELD} bytes`);
  fields.add(key, await decodeText(part, headEnd + 4, part.length, pace));
}

const broken = (): HttpError => new HttpError(400, "malformed multipart/form-data body");
