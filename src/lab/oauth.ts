// A token endpoint as Google, Huawei and Honor have it: issues bearer tokens for a while, and knows which still count.

import { Recent } from "../core/recent.ts";
import { ensure } from "./checks.ts";
import { type FakeReply, type FakeRequest, type Login, REMEMBERED } from "./fake.ts";
import { strictly } from "./requests.ts";

const HOUR = 3600;

/** Whether a request asks for a credential, whichever vendor's it is. */
export function isLogin({ path }: Pick<FakeRequest, "path">): boolean {
  return /\/(token|auth)$/.test(path);
}

export class TokenEndpoint implements Login {
  /** Seconds for which a token counts. */
  lifetime = HOUR;
  issued = 0;
  readonly #issued = new Recent<string, number>(REMEMBERED);
  readonly #check: (form: URLSearchParams, now: number) => void;

  /** `check` throws a Violation for what the client may not have. */
  constructor(check: (form: URLSearchParams, now: number) => void) {
    this.#check = check;
  }

  handle(request: FakeRequest, now: number): FakeReply {
    const issue = (): FakeReply => {
      ensure(request.method === "POST", "not a POST");
      ensure(request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded"), "not a form");
      this.#check(new URLSearchParams(request.body.toString()), now);
      // Huawei's contain + and /, which must arrive as they are.
      const token = `lab+/${++this.issued}`;
      this.#issued.set(token, now + this.lifetime * 1000);
      return json(200, { access_token: token, expires_in: this.lifetime, token_type: "Bearer" });
    };
    return strictly(issue, (error_description) => json(400, { error: "invalid_grant", error_description }));
  }

  /** What is wrong with the request's bearer token, if anything. */
  problem(request: FakeRequest, now: number): "unknown" | "expired" | undefined {
    const [, token] = /^Bearer (\S+)$/.exec(request.headers["authorization"] ?? "") ?? [];
    const expires = this.#issued.get(token ?? "");
    if (expires === undefined) return "unknown";
    return expires <= now ? "expired" : undefined;
  }

  revoke(): void {
    for (const token of [...this.#issued.keys()]) this.#issued.set(token, 0);
  }
}

export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): FakeReply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}
