// The page's files, as they were built into dist/console. They hold nothing that is secret: who may see what is asked with each call.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Head, Header, Response } from "../http/message.ts";

/** Where a client may connect from the page, to try it out. */
export interface ClientPlace {
  readonly port: number;
  readonly secure: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  ico: "image/x-icon",
  woff2: "font/woff2",
  json: "application/json",
};

const COMMON: readonly Header[] = [
  ["X-Content-Type-Options", "nosniff"],
  ["Referrer-Policy", "no-referrer"],
  ["Cross-Origin-Opener-Policy", "same-origin"],
  ["Cross-Origin-Resource-Policy", "same-origin"],
  ["X-Frame-Options", "DENY"],
  ["Cache-Control", "no-cache"], // asked again each time, which the tag makes cheap
];

/** Until the page was built. */
const PLAIN = new TextEncoder().encode(
  '<!doctype html><html lang="en"><title>pushbox</title><p>The console was not built: npm run build.</p></html>',
);

interface Served {
  readonly type: string;
  readonly plain: Uint8Array;
  readonly gzip: Uint8Array | undefined;
  readonly tag: string;
}

/**
 * @param files by their names; without index.html a plain page says so
 * @param client asked with each page
 */
export function consoleFiles(
  files: ReadonlyMap<string, Uint8Array>,
  client: () => ClientPlace,
): (head: Head) => Response | undefined {
  const table = new Map<string, Served>();
  const add = (path: string, name: string, bytes: Uint8Array): void => {
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    if (type === undefined) return;
    const gzip = /^(text|image\/svg|application)/.test(type) ? gzipSync(bytes, { level: 9 }) : undefined;
    const tag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 16)}"`;
    table.set(path, { type, plain: bytes, gzip, tag });
  };
  add("/", "index.html", files.get("index.html") ?? PLAIN);
  for (const [name, bytes] of files) add(`/${name}`, name, bytes);

  return (head) => {
    const file = table.get(head.path);
    if (file === undefined) return undefined;
    const zipped = file.gzip !== undefined && takesGzip(head.header("accept-encoding"));
    const headers: Header[] = [...COMMON, ["ETag", file.tag], ["Vary", "Accept-Encoding"]];
    if (file.type.startsWith("text/html")) headers.push(["Content-Security-Policy", policy(head, client())]);
    if (isKnown(head.header("if-none-match"), file.tag)) return { status: 304, headers, body: "" };
    headers.push(["Content-Type", file.type]);
    if (zipped) headers.push(["Content-Encoding", "gzip"]);
    return { status: 200, headers, body: zipped ? file.gzip! : file.plain };
  };
}

const takesGzip = (accepted: string): boolean =>
  accepted.split(",").some((one) => /^\s*gzip\s*(;|$)/i.test(one) && !/;\s*q=0(\.0*)?\s*$/i.test(one));

const isKnown = (asked: string, tag: string): boolean =>
  asked.split(",").some((one) => one.trim().replace(/^W\//, "") === tag);

/** The page runs nothing but its own files and talks to nobody but this server: of this host the clients' port too. */
function policy(head: Head, { port, secure }: ClientPlace): string {
  const [, host] = /^([\w.-]+)(?::\d+)?$/.exec(head.header("host")) ?? [];
  const s = secure ? "s" : "";
  const clients = host === undefined ? "" : ` http${s}://${host}:${port} ws${s}://${host}:${port}`;
  return (
    `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'${clients}; ` +
    "font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
  );
}
