// What the token endpoints of Google, Huawei and Honor answer (RFC 6749, 5.1 and 5.2).
import { asText, excerpt, parseObject } from "./answer.ts";
import { type Credential, Denied, type HttpReply } from "./dialect.ts";

/** @throws Denied when the endpoint refuses what we are; another Error when it is in trouble */
export function credentialFrom(vendor: string, reply: HttpReply, now: number): Credential {
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

/** Headers and body of such a request. */
export function form(fields: Readonly<Record<string, string>>) {
  return {
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields).toString(),
  };
}
