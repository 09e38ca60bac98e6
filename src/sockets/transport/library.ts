// What pages load from the client port: the library that old pages ask for, <script src="/socket.io/socket.io.js">, and files.
import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { framing } from "../../http/uws/framing.ts";
import type { Door } from "./door.ts";
import { Reply } from "./reply.ts";
import { AMBIGUOUS } from "./request.ts";
import type { ServedFile } from "./types.ts";

/** Answers whatever is asked for there, by any method. */
export type Route = (path: string, answer: (res: HttpResponse, req: HttpRequest) => void) => void;

const NAMES = ["socket.io.js", "socket.io.min.js", "socket.io.slim.js"];
const DAY = "public, max-age=86400";
const MISSING =
  "The client library is not part of this server: take dist/socket.io.js of the npm package socket.io-client, version 2.5.0.";

/** @param library undefined: whoever asks is told where to get it */
export function routeLibrary(route: Route, path: string, library: Uint8Array | undefined, door: Door): void {
  for (const name of NAMES)
    route(`${path}${name}`, (res, req) => {
      const framed = framing(req);
      const reply = new Reply(res, door, req.getMethod(), framed, "");
      if (framed.kind === "wrong") door.refuse(reply, AMBIGUOUS);
      else if (library === undefined) reply.send("404 Not Found", "text/plain; charset=UTF-8", MISSING, !reply.hasBody);
      else reply.send("200 OK", "text/javascript; charset=UTF-8", library, reply.hasBody, DAY);
    });
}

/** A browser may keep them, and asks each time whether they are still the same. */
export function routeFiles(route: Route, files: readonly ServedFile[], door: Door): void {
  for (const { path, type, body, gzip, tag, headers = [] } of files)
    route(path, (res, req) => {
      const framed = framing(req);
      const known = tag !== undefined && req.getHeader("if-none-match").includes(tag);
      const packed = gzip !== undefined && /\bgzip\b/.test(req.getHeader("accept-encoding"));
      const reply = new Reply(res, door, req.getMethod(), framed, "");
      if (framed.kind === "wrong") return door.refuse(reply, AMBIGUOUS);
      const named = [...headers, ...(tag === undefined ? [] : ([["ETag", `"${tag}"`]] as const))];
      if (gzip !== undefined) named.push(["Vary", "Accept-Encoding"]);
      if (known) return reply.send("304 Not Modified", "", "", reply.hasBody, "no-cache", named);
      if (packed) named.push(["Content-Encoding", "gzip"]);
      reply.send("200 OK", type, packed ? gzip : body(), reply.hasBody, "no-cache", named);
    });
}
