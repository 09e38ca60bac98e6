// One request's answer, over whichever protocol it came: given properly, or as servers and networks in trouble do.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2Session, ServerHttp2Stream } from "node:http2";
import { pipeline, Readable } from "node:stream";
import type { FakeReply } from "./fake.ts";
import type { Connection } from "./listener.ts";

export interface GoingAway {
  readonly code: number;
  readonly reason?: string;
  readonly graceful?: true;
  readonly silent?: true;
}

export interface Answerer {
  reply(reply: FakeReply): void;
  /** Head and first byte, and nothing after. */
  unfinished(): void;
  /** White space, so many bytes of it. */
  endless(bytes: number): void;
  /** @param code of HTTP/2 (RFC 9113, 7); HTTP/1.1 ends the connection */
  reset(code: number): void;
  /** A part of the answer, and then a TCP reset. */
  torn(reply: FakeReply): void;
  /** Says that the connection ends: GOAWAY, or `Connection: close`; `reply` still comes where it ends in peace. */
  goaway(fault: GoingAway, reply: FakeReply): void;
  /** HTTP/2: so many concurrent streams from now on. */
  limit(streams: number): void;
}

/** What is to remember of an HTTP/2 connection. */
interface State {
  /** The last stream that is answered, once GOAWAY was said. */
  last: number;
  /** Nothing is answered any more. */
  mute: boolean;
  /** What it was told last, or `undefined` before its first success. */
  streams: number | undefined;
}

/** Milliseconds for a client to have read the part that it gets. */
const TEAR = 20;

export class Http2Answers {
  readonly #states = new WeakMap<Http2Session, State>();
  /** Concurrent streams after the first success on a connection, where that changes. */
  readonly #full: number | undefined;

  constructor(full: number | undefined) {
    this.#full = full;
  }

  /** Undefined when the connection was cut since the request began, or has left it out. */
  to(stream: ServerHttp2Stream, { cut }: Connection): Answerer | undefined {
    const { session, id = 0 } = stream;
    if (session === undefined || session.destroyed) return undefined;
    let state = this.#states.get(session);
    if (state === undefined) {
      state = { last: Number.POSITIVE_INFINITY, mute: false, streams: undefined };
      this.#states.set(session, state);
    }
    if (id > state.last || state.mute) return undefined;
    return answerHttp2(stream, session, state, this.#full, cut);
  }
}

function answerHttp2(
  stream: ServerHttp2Stream,
  session: Http2Session,
  state: State,
  full: number | undefined,
  cut: () => void,
): Answerer {
  const limit = (streams: number): void => {
    if (state.streams === streams || session.destroyed) return;
    state.streams = streams;
    session.settings({ maxConcurrentStreams: streams });
  };
  /** Whether there is still somebody to answer. */
  const open = () => !stream.destroyed && !stream.closed && !state.mute;
  const head = (reply: FakeReply, endStream: boolean) =>
    stream.respond({ ":status": reply.status, ...reply.headers }, { endStream });
  const reply = (whole: FakeReply): void => {
    if (!open()) return;
    head(whole, !whole.body);
    if (whole.body) stream.end(whole.body);
    if (whole.status === 200 && full !== undefined && state.streams === undefined) limit(full);
  };
  return {
    reply,
    unfinished() {
      stream.respond({ ":status": 200 });
      stream.write("{");
    },
    endless(bytes) {
      stream.respond({ ":status": 200 });
      pipeline(spaces(bytes), stream, () => undefined);
    },
    reset: (code) => stream.close(code),
    torn(whole) {
      if (!open()) return;
      head(whole, false);
      stream.write(half(whole.body), () => setTimeout(cut, TEAR));
    },
    goaway({ code, reason, graceful, silent }, whole) {
      state.last = graceful ? 2 ** 31 - 1 : (stream.id ?? 0);
      const said = reason === undefined ? undefined : Buffer.from(JSON.stringify({ reason }));
      session.goaway(code, state.last, said);
      if (silent) state.mute = true;
      else if (code === 0) reply(whole);
    },
    limit,
  };
}

export function answerHttp1(request: IncomingMessage, response: ServerResponse, { cut }: Connection): Answerer {
  const reply = ({ status, headers, body }: FakeReply, more: Readonly<Record<string, string>> = {}): void => {
    response.writeHead(status, { ...headers, ...more });
    response.end(body);
  };
  return {
    reply: (whole) => reply(whole),
    unfinished() {
      response.writeHead(200);
      response.write("{");
    },
    endless(bytes) {
      response.writeHead(200);
      pipeline(spaces(bytes), response, () => undefined);
    },
    reset: () => request.socket.destroy(),
    torn({ status, headers, body = "" }) {
      response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) + 2 });
      response.write(half(body), () => setTimeout(cut, TEAR));
    },
    goaway({ silent }, whole) {
      if (!silent) reply(whole, { connection: "close" });
    },
    limit: () => undefined,
  };
}

/** As they are wanted: a server that holds more than 10 MB for a connection refuses its streams from then on. */
function spaces(bytes: number): Readable {
  const chunk = Buffer.alloc(65_536, " ");
  const count = Math.ceil(bytes / chunk.length);
  return Readable.from(Array.from({ length: count }, () => chunk));
}

/** Not empty: something is to come before the end does. */
function half(body = ""): string {
  return body.slice(0, Math.ceil(body.length / 2)) || " ";
}
