// Why a request of ours to somebody else got no answer, in words for the operator.

/** Codes of errors about a certificate whose authority is not known. */
export const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY)|CERT_UNTRUSTED|INVALID_CA/;

const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there (ECONNREFUSED)",
  ENOTFOUND: "there is no such name (ENOTFOUND)",
  EAI_AGAIN: "the name could not be looked up (EAI_AGAIN)",
  ECONNRESET: "the connection was closed before the answer (ECONNRESET)",
  UND_ERR_SOCKET: "the connection was closed before the answer",
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
  UND_ERR_HEADERS_TIMEOUT: "no answer in time",
  UND_ERR_BODY_TIMEOUT: "no complete answer in time",
  UND_ERR_DESTROYED: "pushbox is stopping",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};

/** @param error of Node or undici, whose codes say what happened; their texts may quote what was sent */
export function causeOf(error: unknown): string {
  const code = codeOf(error);
  if (UNTRUSTED.test(code))
    return `its certificate is not trusted (${code}): name the authority's certificate with ca_file`;
  return CAUSES[code] ?? `the request failed (${code})`;
}

/** The error's `code`, else its name. */
export function codeOf(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  return typeof code === "string" ? code : String(name);
}
