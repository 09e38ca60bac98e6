// The backend of the torture: it takes events, fails now and then, and keeps what it took.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import type { Dice } from "./plan.ts";

/** An event as it was told. */
export interface Told {
  readonly id: string;
  readonly type: string;
  readonly key: string;
  readonly seq: number;
  readonly data: Readonly<Record<string, unknown>>;
}

const FAULTS = 0.04;

export interface Backend {
  readonly url: string;
  readonly secret: string;
  /** Events of requests that it answered with success, in the order of its answers. */
  readonly taken: readonly Told[];
  readonly problems: readonly string[];
  readonly requests: number;
  readonly failed: number;
  /** It fails no more. */
  behave(): void;
  close(): Promise<void>;
}

export async function startBackend(random: Dice): Promise<Backend> {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const hook = new Webhook(secret);
  const taken: Told[] = [];
  const problems: string[] = [];
  const state = { requests: 0, failed: 0, fails: true };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const piece of request.setEncoding("utf8")) body += piece as string;
    hook.verify(body, request.headers as Record<string, string>); // throws: caught below
    state.requests++;
    const { data } = JSON.parse(body) as { readonly data: { readonly events: readonly Told[] } };
    const fault = state.fails && random() < FAULTS ? random() : 1;
    if (fault < 1) state.failed++;
    if (fault < 0.3) response.destroy();
    else if (fault < 0.5) response.writeHead(503, { "retry-after": "1" }).end();
    else if (fault < 0.6) response.writeHead(500).end();
    else if (fault < 1) {
      const failed = data.events.filter(() => random() < 0.5).map(({ id }) => id);
      taken.push(...data.events.filter(({ id }) => !failed.includes(id)));
      response.end(JSON.stringify({ failed }));
    } else {
      taken.push(...data.events);
      response.end();
    }
  }

  const listening = createServer((request, response) =>
    answer(request, response).catch((error: unknown) => {
      // A request that a kill cuts off is no problem.
      if (!request.readableAborted) problems.push(`a request that is wrong: ${String(error)}`);
      response.destroy();
    }),
  ).listen(0, "127.0.0.1");
  await once(listening, "listening");
  return {
    url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}/`,
    secret,
    taken,
    problems,
    get requests() {
      return state.requests;
    },
    get failed() {
      return state.failed;
    },
    behave() {
      state.fails = false;
    },
    async close() {
      listening.closeAllConnections();
      listening.close();
      await once(listening, "close");
    },
  };
}
