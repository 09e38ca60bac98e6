// With npm test -- --engine postgres: one PostgreSQL for all servers of a test file, a schema for each data directory.
import { createHash } from "node:crypto";
import { postgres } from "./postgres.ts";

export const onPostgres = process.env["PUSHBOX_TEST_ENGINE"] === "postgres";

let server: Promise<{ readonly url: string } | undefined> | undefined;

export interface SharedStore {
  readonly engine: "postgres";
  readonly postgres: { readonly url: string; readonly schema: string };
}

export async function sharedStore(data: string): Promise<SharedStore> {
  server ??= (async () => {
    const { default: root } = await import("tap"); // only here: scripts import this file as well
    const started = await postgres(root, { max_connections: "200" });
    return started && { url: await started.database() };
  })();
  const found = await server;
  if (found === undefined) throw new Error("tests on PostgreSQL, and there is no PostgreSQL 15 or newer");
  const schema = `t${createHash("sha256").update(data).digest("hex").slice(0, 20)}`;
  return { engine: "postgres", postgres: { url: found.url, schema } };
}

/** The same for a server that is a process of its own. */
export async function sharedEnvironment(data: string): Promise<Readonly<Record<string, string>>> {
  if (!onPostgres) return {};
  const { engine, postgres: there } = await sharedStore(data);
  return {
    PUSHBOX_ENGINE: engine,
    PUSHBOX_POSTGRES_URL: there.url,
    PUSHBOX_POSTGRES_SCHEMA: there.schema,
  };
}

/** Why a test is left out there whose subject is SQLite's file. */
export const ofSqlite = { skip: onPostgres && "reads SQLite's file, which is not there" };
