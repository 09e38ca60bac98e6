// /api/receipt/<vendor>/<secret>: what vendors post about what they delivered. The secret in the path is the key, so it is
// never logged, counted or repeated in an answer.
import type { VendorName } from "../core/vendor.ts";
import { type Head, HttpError, type Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json, SUCCESS } from "./answer.ts";

/** Bytes. The largest known carries some hundred devices. */
export const LONGEST_RECEIPT = 1_000_000;

const PATH = /^\/api\/receipt\/([^/]+)\/([^/]+)\/?$/i;

export interface ReceiptAddress {
  readonly vendor: VendorName;
  readonly secret: string;
}

/** Whom a path is for; undefined when it is no address for receipts. */
export function receiptAddress(path: string): ReceiptAddress | undefined {
  if (path.length < 14 || path.slice(0, 13).toLowerCase() !== "/api/receipt/") return undefined;
  const [, vendor, secret] = PATH.exec(path) ?? [];
  if (vendor === undefined || secret === undefined) return undefined;
  return { vendor: vendor.toLowerCase(), secret: decoded(secret) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Before the body is read: a stranger's would take the room of others.
 * @throws HttpError for an unknown vendor and for a wrong secret, which look alike
 */
export function receipt(
  { vendor, secret }: ReceiptAddress,
  actions: Pick<Actions, "receiver">,
  head: Pick<Head, "headers">,
): (sealed: Pick<Head, "query">, body: Buffer) => Promise<Response> {
  const receive = actions.receiver(vendor, secret);
  if (receive === undefined) throw new HttpError(404, "not found");
  const headers = head.headers(); // they live no longer than this turn
  return async ({ query }, body) => {
    const answer = await receive({ headers, query, body: body.toString("utf8") });
    return answer === undefined ? SUCCESS : json(answer);
  };
}
