// Where PostgreSQL is, as the configuration says it.
import { readFileSync } from "node:fs";
import type { Config } from "./settings.ts";

/** The URL, which holds a password; `problem` says why there is none. */
export function postgresUrl({
  url,
  urlFile,
}: Config["postgres"]): { readonly url: string } | { readonly problem: string } {
  if (url !== "") return { url };
  if (urlFile === "")
    return { problem: 'postgres.url is empty; with engine = "postgres" write postgres://user:password@host/database' };
  try {
    const text = readFileSync(urlFile, "utf8").trim();
    if (/^postgres(ql)?:\/\/\S+$/.test(text)) return { url: text };
    return {
      problem: `postgres.url_file: ${urlFile} holds no URL; write postgres://user:password@host/database into it`,
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { problem: `postgres.url_file: ${urlFile} cannot be read (${code}); write the URL into it, for this user` };
  }
}
