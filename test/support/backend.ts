// A business server that is asked: it verifies every question with the published library, and answers as the test says.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import type { Test } from "tap";
import type { Config } from "../../src/config/index.ts";

const HOOK_SECRET = `whsec_${Buffer.from("a secret of thirty-two bytes, so").toString("base64")}`;

type Fields = Readonly<Record<string, unknown>>;
interface Asked {
  readonly type: string;
  readonly data: Fields;
}
/** An answer as it is, text instead of JSON, another status, or none at all. */
export type Answer = Fields | string | number | "silence" | Promise<Fields>;

export interface Backend {
  readonly url: string;
  readonly asked: Asked[];
  /** What it answers from now on. */
  answer: (asked: Asked) => Answer;
  /** Questions that are not answered yet, and how many there were at most. */
  open: number;
  most: number;
  /** Resolves when it has been asked so often since the start. */
  times(count: number): Promise<void>;
}

export async function startBackend(t: Test, answer: Backend["answer"] = () => ({ allow: true })): Promise<Backend> {
  const verifier = new Webhook(HOOK_SECRET);
  let heard = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    void take(request, response);
  });
  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces).toString();
    const headers = request.headers as Record<string, string>;
    let asked: Asked;
    try {
      asked = verifier.verify(body, headers) as Asked;
    } catch {
      response.writeHead(401).end();
      return;
    }
    backend.asked.push(asked);
    backend.most = Math.max(backend.most, ++backend.open);
    response.on("close", () => backend.open--);
    heard.resolve();
    heard = Promise.withResolvers();
    const said = await backend.answer(asked);
    if (said === "silence") return;
    if (typeof said === "number") response.writeHead(said).end();
    else
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(typeof said === "string" ? said : JSON.stringify(said));
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const backend: Backend = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/pushbox`,
    asked: [],
    answer,
    open: 0,
    most: 0,
    async times(count) {
      while (backend.asked.length < count) await heard.promise;
    },
  };
  return backend;
}

type Ask = Config["hooks"]["ask"];
/** `hooks.ask` that asks it. */
export const asking = ({ url }: Pick<Backend, "url">, more: Partial<Ask> = {}): Ask => ({
  url,
  secret: [HOOK_SECRET],
  questions: ["connect", "bind_uid", "subscribe", "packet"],
  subscribeTopics: ["room:"],
  timeout: 2000,
  onFailure: { connect: "allow", bind_uid: "refuse", subscribe: "refuse", packet: "refuse" },
  headers: [],
  maxAtOnce: 100,
  remember: 60_000,
  caFile: "",
  allowPrivate: false,
  ...more,
});
