// The real API over real sockets, with a core that only records what it was asked.

import type { IncomingHttpHeaders } from "node:http";
import { request as httpRequest } from "node:http";
import type { Test } from "tap";
import type { Actions } from "../../src/api/actions.ts";
import type { Api, ApiOptions } from "../../src/api/routes.ts";
import { createApi } from "../../src/api/routes.ts";
import type { HttpOptions, HttpServer } from "../../src/http/server.ts";
import { createServer } from "../../src/http/server.ts";
import { idleActions } from "../support/actions.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Without `requestId`, which every error has. */
  readonly json: unknown;
}

/** Several values are sent as several lines. */
export type Headers = Readonly<Record<string, string | string[]>>;

interface Call {
  readonly action: string;
  readonly args: readonly unknown[];
}

export interface Harness {
  readonly port: number;
  readonly api: Api;
  readonly server: HttpServer;
  /** What the core was asked since the last look. */
  take(): Call[];
  /** Targets and drafts of the pushes since the last look. */
  pushes(): { target: unknown; draft: unknown }[];
  /** The keys of the calls that were counted. */
  readonly counted: string[];
  readonly reported: unknown[];
  /** Lines for the log on who was not let in. */
  readonly warned: string[];
  get(path: string, headers?: Headers): Promise<Answer>;
  send(method: string, path: string, body?: string | Buffer, headers?: Headers): Promise<Answer>;
  form(path: string, body: string): Promise<Answer>;
  post(path: string, body: unknown): Promise<Answer>;
}

export async function start(
  t: Test,
  options: Partial<ApiOptions> = {},
  actions: Partial<Actions> = {},
  http: Partial<HttpOptions> = {},
): Promise<Harness> {
  const calls: Call[] = [];
  const counted: string[] = [];
  const reported: unknown[] = [];
  const warned: string[] = [];
  const record = (action: string, ...args: unknown[]): void => void calls.push({ action, args });
  const idle = idleActions();
  const recorder: Actions = {
    ...idle,
    push: (...args) => {
      record("push", ...args);
      return { id: "packet123456", online: 0 };
    },
    notify: async (content, notifyOptions) => {
      record("notify", content, notifyOptions);
      return notifyOptions.id ?? "generated123";
    },
    outbox: {
      ...idle.outbox,
      jobs: async (...args) => {
        record("jobs", ...args);
        return [];
      },
      order: async (...args) => {
        record("order", ...args);
        return [];
      },
      deliveries: async (...args) => void record("deliveries", ...args),
    },
    lanes: {
      ...idle.lanes,
      resume: (which) => {
        record("resume", which);
        return [];
      },
    },
    relay: async (...args) => void record("relay", ...args),
    receiver: (...args) => void record("receiver", ...args),
    bind: async (binding) => record("bind", binding),
    unbind: async (who) => record("unbind", who),
    async revoke(tokens) {
      record("revoke", tokens);
      return 0;
    },
    deleteDevices: async (pushIds) => record("delete", pushIds),
    count: (key) => void counted.push(key),
    ...actions,
  };
  const api = createApi(
    {
      keys: [],
      insecure: false,
      broadcast: { keys: [], addresses: [] },
      limits: { id: 256, topic: 256 },
      serverId: "10.0.0.5:1",
      hosts: [],
      origins: [],
      report: (error) => void reported.push(error),
      warn: (text) => void warned.push(text),
      ...options,
    },
    recorder,
  );
  const server = createServer(
    { host: "127.0.0.1", port: 0, maxBody: 100_000_000, bodyTimeout: 60_000, trustedProxies: [], ...http },
    api.site,
  );
  const port = await server.listen();
  t.teardown(() => server.close());

  const send: Harness["send"] = (method, path, body, headers = {}) => exchange(port, method, path, body, headers);
  return {
    port,
    api,
    server,
    counted,
    reported,
    warned,
    take: () => calls.splice(0),
    pushes: () => calls.splice(0).map(({ args: [target, draft] }) => ({ target, draft })),
    send,
    get: (path, headers) => send("GET", path, undefined, headers),
    form: (path, body) => send("POST", path, body, { "content-type": "application/x-www-form-urlencoded" }),
    post: (path, body) => send("POST", path, JSON.stringify(body), { "content-type": "application/json" }),
  };
}

function exchange(
  port: number,
  method: string,
  path: string,
  body: string | Buffer | undefined,
  headers: Headers,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length =
      body === undefined || "transfer-encoding" in headers ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const outgoing = httpRequest(
      { host: "127.0.0.1", port, method, path, agent: false, headers: { ...length, ...headers } },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = incoming.headers["content-type"]?.startsWith("application/json") ?? false;
          const json: unknown = isJson && text !== "" ? JSON.parse(text) : undefined;
          const status = incoming.statusCode ?? 0;
          try {
            resolve({ status, headers: incoming.headers, text, json: withoutRequestId(json, incoming.headers) });
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Every answer names its request, an error in its body too. Not those that uWS gives by itself, which are no JSON. */
function withoutRequestId(json: unknown, { "x-request-id": named }: IncomingHttpHeaders): unknown {
  if (json === undefined) return json;
  if (named === undefined) throw new Error("an answer without X-Request-Id");
  if (typeof json !== "object" || json === null || !("code" in json) || json.code !== "error") return json;
  const { requestId, ...rest } = json as Record<string, unknown>;
  if (requestId !== named) throw new Error(`an error of the request ${named} names ${String(requestId)}`);
  return rest;
}

export const error = (message: string): object => ({ code: "error", message });
/** What the recorder answers to a push. */
export const pushed = { code: "success", id: "packet123456", online: 0 };
export const success = { code: "success" };

/** A multipart body of text parts. */
export function multipart(fields: readonly (readonly [string, string])[]): { type: string; body: string } {
  const parts = fields.map(
    ([name, value]) => `--XbX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return { type: "multipart/form-data; boundary=XbX", body: `${parts.join("")}--XbX--\r\n` };
}
