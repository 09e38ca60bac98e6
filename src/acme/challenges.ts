// What port 80 answers: the challenges of HTTP-01 (RFC 8555, 8.3), and to browsers where the encrypted port is. Nothing else.
import type { Head, Response, Site } from "../http/message.ts";
import { HttpError } from "../http/message.ts";

const CHALLENGES = "/.well-known/acme-challenge/";
const TEXT = ["Content-Type", "text/plain; charset=UTF-8"] as const;

/** `pushbox doctor` knows by it that it reached a pushbox. */
export const NO_CHALLENGE = "pushbox: there is no such challenge now";

export class Challenges {
  readonly #answers = new Map<string, string>();
  readonly #home: (domain: string) => number | undefined;

  /** @param home the encrypted port of a domain; undefined: it is none of ours */
  constructor(home: (domain: string) => number | undefined) {
    this.#home = home;
  }

  /** Until what it returns is called. */
  answer(token: string, text: string): () => void {
    this.#answers.set(token, text);
    return () => this.#answers.delete(token);
  }

  readonly site: Site = {
    open: (head) => this.#open(head),
    failure: (error) => plain(error instanceof HttpError ? error.status : 500, "pushbox: this cannot be answered"),
  };

  #open(head: Head): Response {
    if (head.method !== "get" && head.method !== "head") return plain(404, "pushbox: there is nothing here");
    if (head.path.startsWith(CHALLENGES)) {
      const answer = this.#answers.get(head.path.slice(CHALLENGES.length));
      return answer === undefined ? plain(404, NO_CHALLENGE) : plain(200, answer);
    }
    const domain = head.header("host").replace(/:\d+$/, "").toLowerCase();
    const port = this.#home(domain);
    if (port === undefined) return plain(404, "pushbox: there is nothing here");
    const query = head.query === "" ? "" : `?${head.query}`;
    const location = `https://${domain}${port === 443 ? "" : `:${port}`}${head.path}${query}`;
    return { status: 302, headers: [["Location", location], TEXT], body: "" };
  }
}

const plain = (status: number, body: string): Response => ({ status, headers: [TEXT], body });
