// Where the body of a request ends. Whatever a proxy in front could read in another way is refused: what follows on such a
// connection may be a part of the body to one and a request to the other (RFC 9112, 6.3).
import type { HttpRequest } from "uWebSockets.js";

export type Framing =
  /** No length and no chunks. */
  | { readonly kind: "none" }
  /** `length` is undefined for chunks. */
  | { readonly kind: "body"; readonly length: number | undefined }
  | { readonly kind: "wrong"; readonly reason: string };

const NONE: Framing = { kind: "none" };

/** uWS takes the first of several lengths, where a proxy may have taken the last. */
export function framing(request: HttpRequest): Framing {
  const length = request.getHeader("content-length");
  const coding = request.getHeader("transfer-encoding");
  if (length === "" && coding === "") return NONE;
  let fields = 0;
  request.forEach((name) => {
    if (name === "content-length" || name === "transfer-encoding") fields++;
  });
  if (fields > 1)
    return { kind: "wrong", reason: "Content-Length and Transfer-Encoding may appear once, and not together" };
  if (coding !== "") {
    if (coding.toLowerCase() !== "chunked") return { kind: "wrong", reason: "unsupported Transfer-Encoding" };
    return { kind: "body", length: undefined };
  }
  if (!/^\d{1,15}$/.test(length)) return { kind: "wrong", reason: "invalid Content-Length" };
  return { kind: "body", length: Number(length) };
}
