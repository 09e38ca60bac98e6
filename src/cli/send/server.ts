// A running server's API, as the command line calls it.
import { readFileSync } from "node:fs";
import { MINUTE } from "../../core/time.ts";
import { UNTRUSTED } from "../../http/causes.ts";
import type { Process } from "../command.ts";
import { trustMachine } from "../trust.ts";

export const HOME = "http://127.0.0.1:11001";

export interface Answer {
  /** Success, by status and by what the body says. */
  readonly well: boolean;
  readonly status: number;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** What the server says is wrong. */
  readonly message: string;
}

export interface Server {
  /** As a person would open it, for what is told at the end. */
  address(path: string): string;
  /**
   * Throws `ServerTrouble` when there is no answer, or none of a pushbox.
   * @param uncoded success is the bare answer: the oldest endpoints have no `code` in it
   */
  post(path: string, body: object, uncoded?: boolean): Promise<Answer>;
}

/** No answer of a pushbox was to be had. */
export class ServerTrouble extends Error {
  /** The message without advice. */
  readonly reason: string;
  constructor(reason: string, advice: string, options?: ErrorOptions) {
    super(`${reason}: ${advice}`, options);
    this.reason = reason;
  }
}

const PATIENCE = MINUTE;
/** Nothing was sent yet when one of these came. */
const BEFORE_ANYTHING =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CERT_|DEPTH_|SELF_|UNABLE_|ERR_TLS)/;

/** @param flag the one that gives `url` */
export function serverOf(
  { url, keyFile }: { readonly url: string; readonly keyFile?: string },
  flag: string,
  { env }: Process,
  problems: string[],
): Server | undefined {
  let key = env["PUSHBOX_API_KEY"] ?? "";
  let from = "PUSHBOX_API_KEY";
  const named = env["PUSHBOX_API_KEY_FILE"];
  const file = keyFile ?? (key === "" && named !== "" ? named : undefined);
  if (file !== undefined) {
    from = keyFile === undefined ? "PUSHBOX_API_KEY_FILE" : `--key-file ${keyFile}`;
    try {
      key = readFileSync(file, "utf8").trim();
      if (key === "") problems.push(`${from}: the file is empty`);
    } catch (error) {
      problems.push(`${from}: ${(error as Error).message}`);
    }
  }
  // The text itself is not repeated: it may be a key after all.
  if (!/^[!-~]*$/.test(key)) problems.push(`${from}: a key is one word of printable ASCII characters`);
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.search + parsed.hash !== "") {
    problems.push(`${flag} ${url}: write the address of the API, like ${HOME}`);
    return undefined;
  }
  if (parsed.username + parsed.password !== "")
    problems.push(`${flag}: it holds a password; the API takes a key instead`);
  if (problems.length > 0) return undefined;
  trustMachine(parsed);
  return serverAt(url, key);
}

/** @param key empty: none is sent */
function serverAt(url: string, key: string): Server {
  const address = (path: string): string => `${url.replace(/\/+$/, "")}/api/${path}`;
  const headers = {
    "content-type": "application/json",
    ...(key === "" ? {} : { authorization: `Bearer ${key}` }),
  };
  return {
    address,
    async post(path, body, uncoded = false) {
      const target = address(path);
      let status: number;
      let text: string;
      try {
        const response = await fetch(target, {
          method: "POST",
          headers,
          body: JSON.stringify(body),
          // A key goes where it was told to go, and nowhere else.
          redirect: "manual",
          signal: AbortSignal.timeout(PATIENCE),
        });
        status = response.status;
        text = await response.text();
      } catch (error) {
        throw unreachable(target, error);
      }
      return read(target, status, text, uncoded);
    },
  };
}

function unreachable(target: string, error: unknown): ServerTrouble {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = String((cause as NodeJS.ErrnoException).code ?? "");
  const reason = cause instanceof Error && cause.message !== "" ? cause.message : code;
  const advice = UNTRUSTED.test(code)
    ? "nothing was sent; add its authority to those of this machine, or name it: SSL_CERT_FILE=ca.pem"
    : BEFORE_ANYTHING.test(code)
      ? "nothing was sent; does a pushbox run there? (--url)"
      : "whether it was taken is not known; with --idempotency-key the same command may be repeated";
  return new ServerTrouble(`${target}: ${reason}`, advice, { cause: error });
}

function read(target: string, status: number, text: string, uncoded: boolean): Answer {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (typeof body === "object" && body !== null && !("code" in body) && uncoded && status === 200)
    return { well: true, status, text, body: body as Record<string, unknown>, message: "" };
  if (typeof body !== "object" || body === null || !("code" in body))
    throw new ServerTrouble(
      `${target} answers ${status}, but not as a pushbox does`,
      "--url names the API port (11001), not that of clients",
    );
  const well = status === 200 && body.code === "success";
  const message = "message" in body ? String(body.message) : `status ${status}`;
  return { well, status, text, body: body as Record<string, unknown>, message: well ? "" : told(status, message) };
}

const told = (status: number, message: string): string =>
  status === 401 ? `${message}: give the key of this server by PUSHBOX_API_KEY or --key-file` : message;
