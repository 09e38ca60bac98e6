// Requests with a form, as most Chinese vendors want them.
import type { HttpRequest } from "./dialect.ts";

/** @param headers beside that of the type */
export function formPost(
  url: string,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): HttpRequest {
  return {
    method: "POST",
    url,
    headers: { ...headers, "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
    body: new URLSearchParams(fields).toString(),
  };
}
