// The way to uWebSockets.js: loads it with the header limit set, and adds what its type declarations leave out.
import "./header-limit.ts";
import type { TemplatedApp, us_listen_socket } from "uWebSockets.js";
import * as uws from "uWebSockets.js";

export { App, SSLApp, us_listen_socket_close as closeListenSocket } from "uWebSockets.js";
export type ListenSocket = us_listen_socket;

/** Leaves the header that names the server and its version out of every answer. */
(uws as unknown as { _cfg(setting: "silent"): void })._cfg("silent");

/** `false` when the address cannot be had. A port that is taken is shared: see `freePort`. */
export function listen(app: TemplatedApp, host: string, port: number): ListenSocket | false {
  let socket: ListenSocket | false = false;
  // uWS calls back before `listen` returns.
  app.listen(host, port, (opened) => {
    socket = opened;
  });
  return socket;
}
