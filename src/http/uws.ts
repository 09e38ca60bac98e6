// The way to uWebSockets.js: loads it with the header limit set, and adds what its type declarations leave out.
import "./header-limit.ts";
import type { TemplatedApp, us_listen_socket } from "uWebSockets.js";
import * as uws from "uWebSockets.js";

export { App, SSLApp, us_listen_socket_close as closeListenSocket } from "uWebSockets.js";
export type ListenSocket = us_listen_socket;

const native = uws as unknown as {
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  _cfg(setting: "silent"): void;
};

/** Leaves the header that names the server and its version out of every answer. */
native._cfg("silent");

/** `false` when the port is taken: without the exclusive option two processes could share one unnoticed (SO_REUSEPORT). */
export function listenExclusively(app: TemplatedApp, host: string, port: number): ListenSocket | false {
  let socket: ListenSocket | false = false;
  const listen = app.listen as unknown as (
    this: TemplatedApp,
    host: string,
    port: number,
    options: number,
    done: (socket: ListenSocket | false) => void,
  ) => void;
  // uWS calls back before `listen` returns.
  listen.call(app, host, port, native.LIBUS_LISTEN_EXCLUSIVE_PORT, (opened) => {
    socket = opened;
  });
  return socket;
}

export const localPort = (socket: ListenSocket): number =>
  uws.us_socket_local_port(socket as Parameters<typeof uws.us_socket_local_port>[0]);
