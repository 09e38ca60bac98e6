// PostgreSQL as the configuration names it, for whoever connects to it.
import { readFileSync } from "node:fs";
import type { Config } from "../config/index.ts";
import { postgresUrl } from "../config/postgres.ts";
import { PushError } from "../core/errors.ts";

/** @throws PushError that says what is missing */
export function databaseOf({ postgres }: Pick<Config, "postgres">) {
  const found = postgresUrl(postgres);
  if ("problem" in found) throw new PushError("invalid", found.problem);
  const { schema, caFile } = postgres;
  return { url: found.url, schema, ...(caFile === "" ? {} : { ssl: { ca: readFileSync(caFile) } }) };
}
