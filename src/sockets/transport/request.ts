// What a client asks for: read from a request at once, since the request dies with its handler, and checked (protocol 2.2, 2.10).
import type { HttpRequest } from "uWebSockets.js";
import type { OriginList } from "../../http/origins.ts";
import type { Framing } from "../../http/uws/framing.ts";
import type { Revision } from "../wire/engineio.ts";
import type { Handshake, HandshakeWish } from "./types.ts";

export interface EngineRequest {
  readonly method: string;
  readonly transport: "polling" | "websocket";
  readonly revision: Revision;
  /** Well formed, known or not; `undefined` for a handshake. */
  readonly sid: string | undefined;
  /** The client takes no binary (revision 3); said by the handshake alone. */
  readonly base64: boolean;
  /** The digits of a JSONP callback's index (revision 3); `undefined` for an ordinary poll. */
  readonly jsonp: string | undefined;
  readonly contentType: string;
  /** Declared length of the body; 0 when it is not declared. */
  readonly contentLength: number;
  /** Only of a handshake, and as wished for. */
  readonly handshake: Handshake | undefined;
}

export interface Refusal {
  readonly status: string;
  readonly code: number;
  readonly message: string;
}

const BAD = "400 Bad Request";
const TRANSPORT_UNKNOWN: Refusal = { status: BAD, code: 0, message: "Transport unknown" };
export const SID_UNKNOWN: Refusal = { status: BAD, code: 1, message: "Session ID unknown" };
export const BAD_METHOD: Refusal = { status: BAD, code: 2, message: "Bad handshake method" };
export const BAD_REQUEST: Refusal = { status: BAD, code: 3, message: "Bad request" };
/** What follows on such a connection may be read in two ways. */
export const AMBIGUOUS: Refusal = { ...BAD_REQUEST };
export const FORBIDDEN: Refusal = { status: "403 Forbidden", code: 4, message: "Forbidden" };
const UNSUPPORTED: Refusal = { status: BAD, code: 5, message: "Unsupported protocol version" };
export const TOO_MANY: Refusal = { status: "429 Too Many Requests", code: 4, message: "Too many connections" };
export const FULL: Refusal = { status: "503 Service Unavailable", code: 4, message: "Too many connections" };
export const STOPPING: Refusal = { status: "503 Service Unavailable", code: 4, message: "Server is shutting down" };

/** Clients of Socket.IO 1.0 and some PHP clients say 2 and mean what became 3: the 1.x server looked at 4 alone. */
const REVISIONS: ReadonlySet<string> = new Set(["1", "2", "3", "4"]);

export const isRefusal = (value: EngineRequest | Refusal): value is Refusal => "status" in value;

/** Can be written into an answer. */
const FIT_ORIGIN = /^[\x21-\x7e]{0,300}$/;

/** The request's origin: "" when there is none or when it cannot be written into an answer. */
export function originOf(req: HttpRequest): string {
  const origin = req.getHeader("origin");
  return FIT_ORIGIN.test(origin) ? origin : "";
}

/** What is asked for, or with which error of protocol 2.10 it is refused. Only within the request's handler. */
export function readRequest(
  req: HttpRequest,
  body: Framing,
  rules: {
    readonly strictEio: boolean;
    readonly origins: OriginList;
    readonly wish: (() => HandshakeWish | undefined) | undefined;
  },
): EngineRequest | Refusal {
  if (body.kind === "wrong") return AMBIGUOUS;
  const origin = req.getHeader("origin");
  if (origin !== "") {
    if (!FIT_ORIGIN.test(origin)) return BAD_REQUEST;
    if (!rules.origins.has(origin)) return FORBIDDEN;
  }

  const { transport, eio, sid, b64, j } = readQuery(req);
  if (transport !== "polling" && transport !== "websocket") return TRANSPORT_UNKNOWN;
  if (eio === undefined ? rules.strictEio : !REVISIONS.has(eio)) return UNSUPPORTED;
  const revision = eio === "4" ? 4 : 3;
  if (sid !== undefined && !/^[A-Za-z0-9_-]{20}$/.test(sid)) return SID_UNKNOWN;
  const method = req.getMethod();

  return {
    method,
    transport,
    revision,
    sid,
    base64: revision === 3 && Boolean(b64),
    jsonp: (revision === 3 && j?.replace(/\D/g, "").slice(0, 10)) || undefined,
    contentType: method === "post" ? req.getHeader("content-type") : "",
    contentLength: (body.kind === "body" && body.length) || 0,
    handshake: sid === undefined && rules.wish !== undefined ? readHandshake(req, rules.wish()) : undefined,
  };
}

interface Query {
  readonly transport: string | undefined;
  readonly eio: string | undefined;
  readonly sid: string | undefined;
  readonly b64: string | undefined;
  readonly j: string | undefined;
}

/** Handshakes' queries, by their text: most clients send the same one, and uWS reads it anew for each parameter. */
const queries = new Map<string, Query>();
const MOST_QUERIES = 100;
const LONGEST_QUERY = 64;

function readQuery(req: HttpRequest): Query {
  const text = req.getQuery() ?? ""; // none where the path has no question mark, whatever its type says
  const known = text.length <= LONGEST_QUERY ? queries.get(text) : undefined;
  if (known !== undefined) return known;
  const query: Query = {
    transport: req.getQuery("transport"),
    eio: req.getQuery("EIO"),
    sid: req.getQuery("sid"),
    b64: req.getQuery("b64"),
    j: req.getQuery("j"),
  };
  if (query.sid !== undefined || text.length > LONGEST_QUERY) return query;
  if (queries.size === MOST_QUERIES) queries.clear();
  queries.set(text, query);
  return query;
}

function readHandshake(req: HttpRequest, wish: HandshakeWish | undefined): Handshake | undefined {
  if (wish === undefined) return undefined;
  const headers = wish.headers.map((name) => [name, req.getHeader(name)] as const).filter(([, value]) => value !== "");
  return { query: req.getQuery(), headers: Object.fromEntries(headers) };
}
