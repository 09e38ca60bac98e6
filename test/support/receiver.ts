// A business server that is told events: a real HTTP server that checks each signature with the published library.
import { randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Webhook } from "standardwebhooks";
import type { Test } from "tap";
import { freePort } from "./ports.ts";

export interface ToldEvent {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly key: string;
  readonly seq: number;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Message {
  /** `webhook-id` */
  readonly id: string;
  readonly type: string;
  readonly body: string;
  /** Empty for what is no message of events. */
  readonly events: readonly ToldEvent[];
}

/** A status, a whole answer, or one of the test's own making; nothing: it hangs. */
type Said =
  | number
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | "hang";
type Say = (message: Message, count: number) => Said | Promise<Said>;

export interface Receiver {
  readonly url: string;
  readonly secret: string;
  /** Whatever came, in the order in which it was complete. */
  readonly messages: Message[];
  /** Events of the messages that were answered with success and not named in it. */
  readonly taken: ToldEvent[];
  /** Requests at once, at most. */
  readonly most: number;
  /** Requests that were not signed as they should be. */
  readonly forged: number;
  say: Say;
  /** Resolves once so many messages have come. */
  messagesAre(count: number): Promise<void>;
  /** Resolves once so many events were taken. */
  takenAre(count: number): Promise<void>;
  /** Refuses connections, until `open`. */
  shut(): Promise<void>;
  open(): Promise<void>;
}

export const newSecret = (): string => `whsec_${randomBytes(32).toString("base64")}`;

export async function startReceiver(t: Test, say: Say = () => 200, secret = newSecret()): Promise<Receiver> {
  const changed = new EventEmitter().setMaxListeners(0);
  const hook = new Webhook(secret);
  const state = { now: 0, most: 0, forged: 0 };
  const messages: Message[] = [];
  const taken: ToldEvent[] = [];
  const port = await freePort(); // it comes back on it
  let server = createServer();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    state.most = Math.max(state.most, ++state.now);
    response.on("close", () => state.now--);
    let body = "";
    for await (const piece of request.setEncoding("utf8")) body += piece as string;
    try {
      hook.verify(body, request.headers as Record<string, string>);
    } catch {
      state.forged++;
      response.writeHead(401).end();
      changed.emit("change");
      return;
    }
    const { type, data } = JSON.parse(body) as { type: string; data: { events?: ToldEvent[] } };
    const message = { id: String(request.headers["webhook-id"]), type, body, events: data.events ?? [] };
    messages.push(message);
    changed.emit("change");
    const said = await receiver.say(message, messages.length);
    if (said === "hang") return;
    const { status, headers = {}, body: text = "" } = typeof said === "number" ? { status: said } : said;
    if (status >= 200 && status < 300) {
      const failed = text === "" ? [] : ((JSON.parse(text) as { failed?: string[] }).failed ?? []);
      taken.push(...message.events.filter(({ id }) => !failed.includes(id)));
    }
    response.writeHead(status, headers).end(text);
    changed.emit("change");
  }

  async function open(): Promise<void> {
    server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  }

  async function shut(): Promise<void> {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }

  async function until(reached: () => boolean): Promise<void> {
    while (!reached()) await once(changed, "change");
  }

  await open();
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const receiver: Receiver = {
    get url() {
      return `http://127.0.0.1:${port}/pushbox`;
    },
    secret,
    messages,
    taken,
    get most() {
      return state.most;
    },
    get forged() {
      return state.forged;
    },
    say,
    messagesAre: (count) => until(() => messages.length >= count),
    takenAre: (count) => until(() => taken.length >= count),
    shut,
    open,
  };
  return receiver;
}
