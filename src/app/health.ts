// Asks a running server's API whether it is well, as a container's health check does.
import { request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import type { Config } from "../config/index.ts";
import { isEncrypted } from "./places.ts";

export interface Health {
  readonly well: boolean;
  readonly text: string;
}

/** Never rejects; an answer that takes longer than 5 s is none. A certificate is not checked. */
export function healthy(api: Config["api"]): Promise<Health> {
  const host =
    { "0.0.0.0": "127.0.0.1", "::": "127.0.0.1", "[::]": "127.0.0.1" }[api.host] ?? api.host.replace(/^\[|\]$/g, "");
  const secure = isEncrypted(api);
  const where = { host, port: api.port, path: "/healthz", timeout: 5000 };
  return new Promise((done) => {
    const url = `${secure ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${api.port}/healthz`;
    const request = secure
      ? // Whoever signed it, whatever name it was made for: nothing is told here, and a renewed file is no illness.
        tlsRequest({ ...where, rejectUnauthorized: false })
      : plainRequest(where);
    request.on("response", (response) => {
      response.resume();
      done({ well: response.statusCode === 200, text: `${url} answers ${response.statusCode}` });
    });
    request.on("timeout", () => request.destroy(new Error("no answer within 5 s")));
    request.on("error", (error) => done({ well: false, text: `${url}: ${error.message}` }));
    request.end();
  });
}
