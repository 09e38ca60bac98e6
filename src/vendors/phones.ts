// What the push services of phone makers have in common.
import type { Wording } from "../core/language.ts";
import type { CommonApp, Dialect } from "./dialect.ts";

type Service = Pick<Dialect<CommonApp>, "name" | "tokenTypes" | "title" | "batch" | "doubtful" | "transport">;

/** Spoken to in HTTP/1.1; its tokens are of its own name, and one that it calls dead may be another app's. */
export function phoneService(name: string, title: Wording, { batch = 1000, connections = 16 } = {}): Service {
  const transport = { http2: false, connections, streams: 1, timeout: 15_000, gate: false };
  return { name, tokenTypes: [name], title, batch, doubtful: true, transport };
}
