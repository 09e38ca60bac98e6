// Where the body of a request ends, and whether its connection ends with the answer. Whatever a proxy in front could read in another
// way is refused: what follows on such a connection may be a part of the body to one and a request to the other (RFC 9112, 6.3).
import type { HttpRequest } from "uWebSockets.js";

/**
 * What becomes of the connection after the answer:
 * - `open`: it is kept
 * - `asked`: the client wants it closed, in a spelling that uWS does not notice (`close, TE`)
 * - `cut`: uWS will close it by itself, and leaves it to us to say so: it takes any `Connection` of five letters for `close`
 */
export type Closes = "open" | "asked" | "cut";

export interface Framing {
  /** `none`: no length and no chunks. */
  readonly kind: "none" | "body" | "wrong";
  /** Of a body, in bytes; undefined for chunks. */
  readonly length: number | undefined;
  readonly closes: Closes;
  /** What is wrong; else empty. */
  readonly reason: string;
}

const NONE: Readonly<Record<Closes, Framing>> = {
  open: { kind: "none", length: undefined, closes: "open", reason: "" },
  asked: { kind: "none", length: undefined, closes: "asked", reason: "" },
  cut: { kind: "none", length: undefined, closes: "cut", reason: "" },
};

// What the pass over the headers finds. Not in a closure: this is made for every request, and read before the next one.
let lengths = 0;
let length = "";
let codings = 0;
let coding = "";
let trailer = false;
let connections = 0;
let closes: Closes = "open";

/**
 * Goes through all headers, since `getHeader` tells the first of several only and cannot tell an empty one from none: a proxy may
 * have taken the other one.
 */
export function framing(request: HttpRequest): Framing {
  lengths = codings = connections = 0;
  length = coding = "";
  trailer = false;
  closes = "open";
  request.forEach(look);
  if (lengths + codings === 0 && !trailer) return NONE[closes];
  if (lengths + codings > 1) return wrong("Content-Length and Transfer-Encoding may appear once, and not together");
  if (trailer) return wrong("trailers after a body are not supported");
  if (codings === 1) {
    if (coding.toLowerCase() !== "chunked") return wrong("unsupported Transfer-Encoding");
    return { kind: "body", length: undefined, closes, reason: "" };
  }
  if (!/^\d{1,15}$/.test(length)) return wrong("invalid Content-Length");
  return { kind: "body", length: Number(length), closes, reason: "" };
}

const wrong = (reason: string): Framing => ({ kind: "wrong", length: undefined, closes, reason });

function look(name: string, value: string): void {
  switch (name.length) {
    case 7:
      if (name === "trailer") trailer = true;
      break;
    case 10:
      if (name !== "connection") break;
      if (connections++ === 0 && value.length === 5) closes = "cut";
      else if (closes === "open" && /(?:^|,)\s*close\s*(?:,|$)/i.test(value)) closes = "asked";
      break;
    case 14:
      if (name !== "content-length") break;
      lengths++;
      length = value;
      break;
    case 17:
      if (name !== "transfer-encoding") break;
      codings++;
      coding = value;
  }
}
