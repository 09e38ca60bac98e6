// The token endpoints of Google, Huawei and Honor: what they are asked and what they answer (RFC 6749).
import { asText, excerpt, parseObject } from "./answer.ts";
import { type CommonApp, type Credential, Denied, type Exchange, type HttpReply, type Key } from "./dialect.ts";
import { common, word } from "./entry.ts";
import { key } from "./entry-keys.ts";

/** An app with the id and secret of a client, as Huawei and Honor give them (RFC 6749, 4.4). */
export interface ClientApp extends CommonApp {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tokenUrl: string;
}

/** What its entry says of that. */
export const clientEntry = { client_id: word, client_secret: word, token_url: common.base_url };

interface ClientEntry {
  readonly client_id: string;
  readonly client_secret: string;
  readonly token_url?: string | undefined;
}

/** @param url the vendor's own */
export const tokenUrlKey = (url: string): Key =>
  key("token_url", url, { en: "Another token endpoint.", zh: "另一个换取令牌的地址。" });

/** @param url the vendor's own, unless the entry says something else */
export function clientOf({ client_id, client_secret, token_url }: ClientEntry, url: string) {
  return { account: client_id, clientId: client_id, clientSecret: client_secret, tokenUrl: token_url ?? url };
}

/** Rejects as `credentialBy` does. */
export function clientCredential(vendor: string, app: ClientApp, now: number, exchange: Exchange): Promise<Credential> {
  const { clientId: client_id, clientSecret: client_secret } = app;
  const fields = { grant_type: "client_credentials", client_id, client_secret };
  return credentialBy(vendor, app.tokenUrl, fields, now, exchange);
}

/** Rejects with Denied when the endpoint refuses what we are; with another Error when it is in trouble. */
export async function credentialBy(
  vendor: string,
  url: string,
  fields: Readonly<Record<string, string>>,
  now: number,
  exchange: Exchange,
): Promise<Credential> {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const body = new URLSearchParams(fields).toString();
  return credentialFrom(vendor, await exchange({ method: "POST", url, headers, body }), now);
}

function credentialFrom(vendor: string, reply: HttpReply, now: number): Credential {
  const said = parseObject(reply.body) ?? {};
  const { access_token: value, expires_in: seconds } = said;
  if (reply.status === 200 && typeof value === "string" && /^[!-~]+$/.test(value) && Number(seconds) > 0) {
    return { value, expires: now + Number(seconds) * 1000 };
  }
  const code = asText(said["error"]);
  const what = excerpt(String(reply.status), code, []);
  if (code !== undefined && reply.status >= 400 && reply.status < 500 && reply.status !== 429) {
    throw new Denied(`${vendor}: the token endpoint refuses our credentials: ${what}`);
  }
  throw new Error(`the token endpoint answered ${what}`);
}
