// What the commands that connect like a client have in common: where to, and as whom.
import { readFileSync } from "node:fs";
import { Option } from "commander";
import type { Options } from "../client/api.ts";
import { causeOf, codeOf, UNTRUSTED } from "../http/causes.ts";
import type { Process } from "./command.ts";
import { trustMachine } from "./trust.ts";

const PATIENCE = 3000;
const CLIENTS = "http://127.0.0.1:10001";

export interface ConnectLine {
  readonly url: string;
  readonly tokenFile?: string;
  readonly transport?: "websocket" | "polling";
}

export const connectOptions = (): readonly Option[] => [
  new Option("--url <url>", "where clients connect").default(CLIENTS),
  new Option(
    "--token-file <file>",
    "the client's token (JWT) is in this file (or in PUSHBOX_TOKEN): where client.auth wants one",
  ),
  new Option("--transport <transport>", "only this one").choices(["websocket", "polling"]),
];

/** Undefined: there are problems. */
export function connectionOf(
  { url, tokenFile, transport }: ConnectLine,
  { env }: Process,
  problems: string[],
): Pick<Options, "token" | "transports"> | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.search + parsed.hash !== "")
    problems.push(`--url ${url}: write where clients connect, like ${CLIENTS}`);
  let token = env["PUSHBOX_TOKEN"] ?? "";
  if (tokenFile !== undefined) {
    try {
      token = readFileSync(tokenFile, "utf8").trim();
      if (token === "") problems.push(`--token-file ${tokenFile}: the file is empty`);
    } catch (error) {
      problems.push(`--token-file ${tokenFile}: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0 || parsed === null) return undefined;
  trustMachine(parsed);
  return {
    ...(token === "" ? {} : { token }),
    ...(transport === undefined ? {} : { transports: [transport] }),
  };
}

/** Why no connection opens there, as a plain request finds it: a websocket that fails says nothing. */
export async function whyNot(url: string): Promise<string> {
  try {
    // Of a pushbox a refusal, which opens no session.
    const place = `${url.replace(/\/+$/, "")}/socket.io/?EIO=4&transport=none`;
    const answer = await fetch(place, { redirect: "manual", signal: AbortSignal.timeout(PATIENCE) });
    const text = await answer.text();
    return text.includes("Transport unknown")
      ? "it answers HTTP, but no connection opens; a proxy between may take no websocket"
      : `HTTP ${answer.status}, as no client port of a pushbox answers`;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const code = codeOf(cause);
    if (UNTRUSTED.test(code))
      return `its certificate is not trusted (${code}): add its authority to those of this machine, or name it: SSL_CERT_FILE=ca.pem`;
    if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG")
      return "no TLS is spoken there; try http://";
    return code === "TimeoutError" ? "no answer in time" : causeOf(cause);
  }
}

/** Prints what is wrong. */
export function tellProblems(problems: readonly string[], name: string, { err }: Process): void {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  err(`${problems.map((problem) => `${problem}\n`).join("")}${count}; see pushbox ${name} --help\n`);
}
