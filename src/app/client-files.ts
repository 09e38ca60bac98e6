// What the client port serves to pages besides connections: our own client at /client/pushbox.js, and a page of examples.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { ServedFile } from "../sockets/transport/types.ts";
import { clientFile } from "./assets.ts";

const SCRIPT = "text/javascript; charset=UTF-8";
const FILES: readonly (readonly [name: string, type: string])[] = [
  ["pushbox.js", SCRIPT],
  ["pushbox.umd.js", SCRIPT],
  ["legacy.js", SCRIPT],
  ["sw.js", SCRIPT],
  ["pushbox.d.ts", "text/plain; charset=UTF-8"],
];
const EXAMPLES: readonly (readonly [name: string, type: string])[] = [
  ["index.html", "text/html; charset=UTF-8"],
  ["examples.js", SCRIPT],
  ["examples.css", "text/css; charset=UTF-8"],
];

/** The page runs nothing but its own files, and talks to nobody but this server. */
const STRICT = [
  [
    "Content-Security-Policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; worker-src 'self'; " +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ],
  ["Referrer-Policy", "no-referrer"],
] as const;
const PLAIN = ["X-Content-Type-Options", "nosniff"] as const;

/**
 * @param examples whether the page is served
 * @param keys the public keys of Web Push by app, asked with each request
 */
export function clientFiles(examples: boolean, keys: () => Readonly<Record<string, string>>): readonly ServedFile[] {
  const names = examples ? [...FILES, ...EXAMPLES] : FILES;
  const files = names.flatMap(([name, type]): ServedFile[] => {
    const body = clientFile(name);
    if (body === undefined) return [];
    return [
      {
        path: `/client/${name === "index.html" ? "" : name}`,
        type,
        body: () => body,
        gzip: gzipSync(body, { level: 9 }),
        tag: createHash("sha256").update(body).digest("base64url").slice(0, 16),
        headers: [
          PLAIN,
          ...(type.startsWith("text/html") ? STRICT : []),
          // A page anywhere on the host may be its scope.
          ...(name === "sw.js" ? [["Service-Worker-Allowed", "/"] as const] : []),
        ],
      },
    ];
  });
  const webPush = {
    path: "/client/webpush.json",
    type: "application/json",
    body: () => JSON.stringify(keys()),
    headers: [PLAIN],
  };
  return [...files, webPush];
}
