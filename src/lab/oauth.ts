// A token endpoint as Google, Huawei and Honor have it: issues bearer tokens for an hour, and knows which still count.
import type { FakeReply, FakeRequest } from "./fake.ts";
import { Recent } from "./recent.ts";
import { need, Violation } from "./strict.ts";

const HOUR = 3_600_000;

export class TokenEndpoint {
  readonly #issued = new Recent<string, number>();
  readonly #check: (form: URLSearchParams, now: number) => void;
  #serial = 0;

  /** `check` throws a Violation for what the client may not have. */
  constructor(check: (form: URLSearchParams, now: number) => void) {
    this.#check = check;
  }

  handle(request: FakeRequest, now: number): FakeReply {
    try {
      need(request.method === "POST", "not a POST");
      need(request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded"), "not a form");
      this.#check(new URLSearchParams(request.body.toString()), now);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return json(400, { error: "invalid_grant", error_description: error.message });
    }
    // Huawei's contain + and /, which must arrive as they are.
    const token = `lab+/${++this.#serial}`;
    this.#issued.set(token, now + HOUR);
    return json(200, { access_token: token, expires_in: HOUR / 1000, token_type: "Bearer" });
  }

  /** What is wrong with the request's bearer token, if anything. */
  problem(request: FakeRequest, now: number): "unknown" | "expired" | undefined {
    const [, token] = /^Bearer (\S+)$/.exec(request.headers["authorization"] ?? "") ?? [];
    const expires = this.#issued.get(token ?? "");
    if (expires === undefined) return "unknown";
    return expires <= now ? "expired" : undefined;
  }

  /** As if all had been revoked. */
  revoke(): void {
    this.#issued.clear();
  }
}

export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): FakeReply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}
