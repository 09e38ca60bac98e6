// How an answer ends, and its connection with it or not. RFC 9112, 9.6: whoever closes says so first.
import type { HttpResponse } from "uWebSockets.js";
import { Buffer } from "node:buffer";
import type { Closes } from "./framing.ts";

/**
 * uWS closes a connection 8 to 12 seconds after its last answer. A client that is not told may send its next request just then,
 * and cannot know whether it was executed.
 */
const KEEP_ALIVE = "timeout=8";
/** uWS gathers what it writes while it reads requests, up to so many bytes. */
const CORK = 16 * 1024;

/** The last header. @param hangUp we want it closed, whatever the client said */
export function announce(response: HttpResponse, closes: Closes, hangUp: boolean): void {
  if (hangUp || closes !== "open") response.writeHeader("Connection", "close");
  else response.writeHeader("Keep-Alive", KEEP_ALIVE);
}

/** Ends an answer whose status and other headers are written. */
export function endWith(response: HttpResponse, body: string | Uint8Array, closes: Closes, hangUp: boolean): void {
  const close = hangUp || closes === "asked";
  // With `close` uWS says so itself, unless it was about to close anyway.
  if (!close || closes === "cut") announce(response, closes, hangUp);
  response.end(body, close);
}

/** Ends one that has no body. @param length of the body that a GET would have had; undefined: none is announced */
export function endBare(response: HttpResponse, length: number | undefined, closes: Closes, hangUp: boolean): void {
  if (closes !== "cut" && (hangUp || closes === "asked")) {
    response.end("", true); // endWithoutBody cannot close: it ends the process when told to
    return;
  }
  if (length !== undefined) response.writeHeader("Content-Length", String(length));
  announce(response, closes, hangUp);
  // Without arguments: uWS takes a length to announce as a body still to come, and ends the process when none does.
  response.endWithoutBody();
}

/**
 * Ends an answer and its connection at once: nothing runs that came behind the request, not even in the same packet. For that the
 * answer has to leave while uWS is still reading, which it only does once more is written than it gathers: spaces make it so.
 */
export function endAndShut(response: HttpResponse, body: string | Uint8Array, closes: Closes): void {
  const text = typeof body === "string" ? body : Buffer.from(body).toString();
  endWith(response, text.padEnd(CORK + 1), closes, true);
}
