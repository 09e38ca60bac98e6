// A fake vendor: a push service as its document says it is, strict about everything a client may get wrong. The lab's server
// (server.ts) gives it a TLS endpoint and the misbehaviour of networks; the fake itself is plain values in and out.

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly http: 1 | 2;
  /** PEM of the certificate the client showed. */
  readonly clientCertificate?: string;
}

export interface FakeReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The connection is ended with it: the code of the GOAWAY, and the reason in its debug data. */
  readonly ends?: { readonly code: number; readonly reason?: string };
}

/** What a device would see. */
export interface Shown {
  readonly vendor: string;
  readonly token: string;
  readonly title?: string;
  readonly message?: string;
  readonly payload?: unknown;
  readonly id?: string;
}

/** A vendor's token endpoint. */
export interface Login {
  /** Seconds that what is issued from now on is good for. */
  lifetime: number;
  /** Tokens so far. */
  readonly issued: number;
  /** All that was issued is good no longer. */
  revoke(): void;
}

export interface FakeVendor {
  readonly name: string;
  /** Whether it speaks HTTP/2. */
  readonly http2: boolean;
  /** It refuses HTTP/1.1, which otherwise each of them speaks. */
  readonly http2Only?: true;
  /** HTTP/2: streams that it allows a connection before its first success, and after it. As many as come without it. */
  readonly streams?: { readonly first: number; readonly full: number };
  /** It is asked for a login before anything is sent. */
  readonly logsIn?: true;
  /**
   * The configuration entry (`[[vendors.name]]`) that points a server at this fake; may reference files by path written with
   * `write(name, text): path`.
   */
  config(baseUrl: string, write: (file: string, text: string) => string): Record<string, unknown>;
  /** Strict: verifies everything; unknown fields are refused. */
  handle(request: FakeRequest, now: number): FakeReply;
  /** Accepted notifications, in order. Whoever lets a fake run for long takes them out. */
  readonly shown: Shown[];
  /** Token state: "dead", "blocked", ... as the vendor knows them; default: fine. */
  readonly tokens: Map<string, string>;
  /** Makes the next requests fail the vendor's own way: "quota", "throttle", "denied", "expired-credential", "partial", ... */
  fail(kind: string, times: number): void;
  /** Those that `fail` knows. */
  readonly kinds?: readonly string[];
  /** Of vendors whose tokens say how long they live. */
  readonly login?: Login;
}

/** What a fake remembers of the past, for `Recent`: a lab may run for days. */
export const REMEMBERED = 10_000;
