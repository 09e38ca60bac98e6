// What the commands that connect like a client have in common: where to, and as whom.
import { readFileSync } from "node:fs";
import { Option } from "commander";
import type { Options } from "../client/api.ts";
import type { Process } from "./command.ts";

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
  if (problems.length > 0) return undefined;
  return {
    ...(token === "" ? {} : { token }),
    ...(transport === undefined ? {} : { transports: [transport] }),
  };
}

/** Prints what is wrong. */
export function tellProblems(problems: readonly string[], name: string, { err }: Process): void {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  err(`${problems.map((problem) => `${problem}\n`).join("")}${count}; see pushbox ${name} --help\n`);
}
