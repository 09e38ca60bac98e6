// The command `move`: a data directory becomes a schema of PostgreSQL, and the other way.
import { readFileSync } from "node:fs";
import type { Config } from "../config/index.ts";
import { postgresUrl } from "../config/postgres.ts";
import type { DatabaseOptions } from "../engine/postgres/database.ts";
import { type Cli, configured, failed, type Options, ok, wrong } from "./command.ts";
import { number } from "./import/progress.ts";
import { explain } from "./trouble.ts";

/** Milliseconds between two lines about one table. */
const TOLD_EVERY = 2000;

export function addMove(cli: Cli): void {
  const { host } = cli;
  configured(
    cli,
    "move",
    "move everything from a data directory to PostgreSQL, or back",
    ({ name, section }) => name === "data" || section === "postgres",
    async ({ config }, _given, command) => {
      const { to, from, toData } = command.opts<Options>();
      const problems = [
        ...((to === undefined) === (from === undefined) ? ["name one of --to and --from"] : []),
        ...(from !== undefined && toData === undefined ? ["--from needs --to-data <directory>: where it goes"] : []),
        ...(to !== undefined && toData !== undefined
          ? ["--to-data is for --from; --to reads the directory of --data"]
          : []),
      ];
      const database = databaseOf(config, to ?? from);
      if ("problem" in database) problems.push(database.problem);
      if (problems.length > 0 || "problem" in database) {
        host.err(problems.map((problem) => `${problem}\n`).join(""));
        return wrong;
      }
      const { moveFromPostgres, moveToPostgres } = await import("../engine/postgres/move.ts");
      let told = performance.now();
      const moving = {
        database,
        now: Date.now(),
        onProgress(table: string, rows: number): void {
          if (performance.now() - told < TOLD_EVERY) return;
          told = performance.now();
          host.err(`${table}: ${number(rows)} rows so far\n`);
        },
      };
      try {
        const moved =
          to === undefined
            ? await moveFromPostgres({ ...moving, dataDir: String(toData) })
            : await moveToPostgres({ ...moving, dataDir: config.data });
        for (const { table, rows } of moved) if (rows > 0) host.out(`${table}: ${number(rows)}\n`);
        const where = to === undefined ? `${toData}` : `the schema ${database.schema}`;
        host.out(`moved to ${where}: every table has as many rows there, and a sample of each is the same\n`);
        return ok;
      } catch (error) {
        host.err(`nothing was moved: ${explain(error, config)}\n`);
        return failed;
      }
    },
  )
    .option("--to [url]", "to PostgreSQL, from the directory of --data; without a URL that of postgres.url")
    .option("--from [url]", "from PostgreSQL, to the directory of --to-data; without a URL that of postgres.url")
    .option("--to-data <directory>", "a directory on which no server has run")
    .addHelpText(
      "after",
      `
Stop the server first, with --from every node. What is moved from stays as it is, so a move can be tried, and done again later: the
schema, or file, that an earlier move made is replaced as long as no server has run on it. What is there gets its name once all of it
is copied and compared. A million devices take one to three minutes.

A URL on the command line can be seen by other users of the machine: postgres.url_file or PUSHBOX_POSTGRES_URL cannot.

Exit codes: 0 done, 1 failed, and nothing has changed, 2 wrong command line or configuration.

Examples:
  pushbox move --data /var/lib/pushbox --to postgres://pushbox@db.example.com/pushbox
  pushbox serve --engine postgres --postgres-url postgres://pushbox@db.example.com/pushbox
  pushbox move --from postgres://pushbox@db.example.com/pushbox --to-data /var/lib/pushbox-back`,
    );
}

/** @param given the URL on the command line; true: that of the configuration */
function databaseOf(config: Config, given: unknown): DatabaseOptions | { readonly problem: string } {
  const { schema, caFile } = config.postgres;
  const found = typeof given === "string" ? { url: given } : postgresUrl(config.postgres);
  if ("problem" in found)
    return { problem: "where is PostgreSQL? Name it behind --to or --from, or with postgres.url" };
  if (!/^postgres(ql)?:\/\/\S+$/.test(found.url))
    return { problem: "--to and --from want a URL such as postgres://user:password@host/database" };
  return { url: found.url, schema, ...(caFile === "" ? {} : { ssl: { ca: readFileSync(caFile) } }) };
}
