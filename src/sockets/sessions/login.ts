// Where clients put their tokens: the payload of CONNECT, the handshake's query, or its header. None of it is ever logged.
import type { Handshake } from "../transport/types.ts";

/** The header of a handshake that is looked at. */
export const TOKEN_HEADER = "authorization";

/** `{"token": "..."}` of a revision 4 client. */
export function payloadToken(payload: string | undefined): string | undefined {
  if (payload === undefined) return undefined;
  const { token } = JSON.parse(payload) as { readonly token?: unknown }; // the transport has parsed it before
  return given(token);
}

/** The `token` of the handshake's query, else that of `Authorization: Bearer`; undefined: there is none. */
export function tokenOf(handshake: Handshake | undefined): string | undefined {
  if (handshake === undefined) return undefined;
  const inQuery = new URLSearchParams(handshake.query).get("token");
  if (inQuery !== null && inQuery !== "") return inQuery;
  const [, bearer] = /^bearer +(.+)$/i.exec(handshake.headers[TOKEN_HEADER] ?? "") ?? [];
  return bearer;
}

/** What is there and is no text is no token: it is refused as a wrong one. */
function given(token: unknown): string | undefined {
  if (token === undefined || token === null || token === "") return undefined;
  return typeof token === "string" ? token : "no text";
}
