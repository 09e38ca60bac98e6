// The client library that old pages load from the server itself: <script src="/socket.io/socket.io.js">.
import type { TemplatedApp } from "uWebSockets.js";
import { framing } from "../../http/uws/framing.ts";
import type { Door } from "./door.ts";
import { Reply } from "./reply.ts";
import { AMBIGUOUS } from "./request.ts";

const NAMES = ["socket.io.js", "socket.io.min.js", "socket.io.slim.js"];
const DAY = "public, max-age=86400";
const MISSING =
  "The client library is not part of this server: take dist/socket.io.js of the npm package socket.io-client, version 2.5.0.";

/** @param library undefined: whoever asks is told where to get it */
export function routeLibrary(app: TemplatedApp, path: string, library: Uint8Array | undefined, door: Door): void {
  for (const name of NAMES)
    app.any(`${path}${name}`, (res, req) => {
      const framed = framing(req);
      const reply = new Reply(res, door, req.getMethod(), framed, "");
      if (framed.kind === "wrong") door.refuse(reply, AMBIGUOUS);
      else if (library === undefined) reply.send("404 Not Found", "text/plain; charset=UTF-8", MISSING, !reply.hasBody);
      else reply.send("200 OK", "text/javascript; charset=UTF-8", library, reply.hasBody, DAY);
    });
}
