// /api/receipt/<provider>/<secret>: what vendors post about what they delivered. The secret in the path is the key, so it is
// never logged, counted or repeated in an answer.
import type { ProviderName } from "../core/provider.ts";
import { type Head, HttpError, type Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json, SUCCESS } from "./answer.ts";

/** Bytes. The largest known carries some hundred devices. */
export const LONGEST_RECEIPT = 1_000_000;

const PATH = /^\/api\/receipt\/([^/]+)\/([^/]+)\/?$/i;

export interface ReceiptAddress {
  readonly provider: ProviderName;
  readonly secret: string;
}

/** Whom a path is for; undefined when it is no address for receipts. */
export function receiptAddress(path: string): ReceiptAddress | undefined {
  if (path.length < 14 || path.slice(0, 13).toLowerCase() !== "/api/receipt/") return undefined;
  const [, provider, secret] = PATH.exec(path) ?? [];
  if (provider === undefined || secret === undefined) return undefined;
  return { provider: provider.toLowerCase(), secret: decoded(secret) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What a vendor wants to read; without it, it takes its call for failed and repeats it. The others look at the 200 alone. */
const ANSWERS: ReadonlyMap<ProviderName, Response> = new Map(
  // Honor's service is Huawei's of old; its document does not say.
  ["huawei", "honor"].map((provider) => [provider, json({ code: "0", message: "success" })]),
);

/** @param headers as they were while the request lived */
export async function receipt(
  { provider, secret }: ReceiptAddress,
  actions: Actions,
  head: Pick<Head, "query">,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<Response> {
  const request = { headers, query: head.query, body: body.toString("utf8") };
  // An unknown provider and a wrong secret look alike.
  if (!(await actions.receive(provider, secret, request))) throw new HttpError(404, "not found");
  return ANSWERS.get(provider) ?? SUCCESS;
}
