// A URL that names several servers, as libpq reads it: postgres://a:5432,b:5432/pushbox?target_session_attrs=read-write.
import { PushError } from "../../core/errors.ts";

const AUTHORITY = /^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)([^/?#]*)([^?#]*)\??(.*)$/;
/** pushbox writes: of several servers it takes the one that does, whatever is asked of these. */
const WRITING = new Set(["any", "read-write", "primary"]);

/** A URL for each of its servers. @throws PushError when it asks for servers that only read */
export function serversOf(url: string): readonly string[] {
  const [, head = "", hosts = "", path = "", query = ""] = AUTHORITY.exec(url) ?? [];
  if (head === "") return [url];
  const parameters = new URLSearchParams(query);
  const wanted = parameters.get("target_session_attrs");
  if (wanted !== null && !WRITING.has(wanted))
    throw new PushError(
      "invalid",
      `postgres.url: target_session_attrs is ${wanted}; pushbox writes, so it can be read-write, primary or any`,
    );
  parameters.delete("target_session_attrs");
  const named = parameters.get("host")?.split(",") ?? [];
  const ports = parameters.get("port")?.split(",") ?? [];
  parameters.delete("host");
  parameters.delete("port");
  const count = Math.max(named.length, hosts.split(",").length);
  return Array.from({ length: count }, (_, i) => {
    const own = new URLSearchParams(parameters);
    if (named.length > 0) own.set("host", named[i] ?? named[0]!);
    const port = ports[i] ?? ports[0];
    if (port !== undefined) own.set("port", port);
    const text = own.toString();
    return `${head}${hosts.split(",")[i] ?? ""}${path}${text === "" ? "" : `?${text}`}`;
  });
}

/** What of such a URL may be shown. */
export function placeOf(server: string): string {
  const [, , host = "", , query = ""] = AUTHORITY.exec(server) ?? [];
  const parameters = new URLSearchParams(query);
  const port = parameters.get("port");
  return `${parameters.get("host") ?? host}${port === null ? "" : `:${port}`}`;
}
