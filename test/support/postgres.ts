// A PostgreSQL of a test's own: the one on PATH, or of Debian, on a socket in a temporary directory. Not written to be safe from power cuts.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { Client } from "pg";
import type { Test } from "tap";

const MINIMUM = 15;

/** Where its programs are, these at least; undefined: there is none that is new enough. */
export function programs(needed: readonly string[] = ["initdb", "postgres"]): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, "bin")) : [];
  const found = [...(process.env.PATH ?? "").split(delimiter), ...versions].find((bin) => {
    if (!needed.every((name) => existsSync(join(bin, name)))) return false;
    const version = execFileSync(join(bin, "postgres"), ["--version"], { encoding: "utf8" });
    return Number(/(\d+)/.exec(version)?.[1]) >= MINIMUM;
  });
  // A link may stand for each of a few programs only.
  return found === undefined ? undefined : dirname(realpathSync(join(found, "postgres")));
}

/** It refuses to run as root: then it runs as nobody. */
export function somebody(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((one) => /^(postgres|nobody):/.test(one));
  const [, , uid, gid] = (line ?? "nobody:x:65534:65534").split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

export interface Server {
  /** The directory of its programs. */
  readonly programs: string;
  /** Of a new, empty database. */
  database(): Promise<string>;
  /** Takes every row out of a schema of ours, but for what its migrations put there. Quicker than another schema. */
  wipe(url: string, schema: string): Promise<void>;
  readonly process: ChildProcess;
  readonly directory: string;
  /** Another server that follows this one. Commits wait for it from here on, until it is promoted. */
  standby(): Promise<Standby>;
}

interface Standby {
  readonly process: ChildProcess;
  /** The same database there. */
  urlOf(url: string): string;
}

/** Undefined: this machine has none; tests that need it say that they were left out. */
export async function postgres(
  t: Pick<Test, "teardown">,
  settings: Readonly<Record<string, string>> = {},
): Promise<Server | undefined> {
  const bin = programs();
  if (bin === undefined) return undefined;
  const directory = newDirectory();
  initialise(bin, directory);
  const all = { fsync: "off", max_connections: "60", listen_addresses: "", shared_buffers: "32MB", ...settings };
  const child = await run(t, bin, directory, all);
  let count = 0;
  const url = (name: string): string => `postgres://test@/${name}?host=${directory}`;
  /** One for each database: to begin a connection takes longer than to wipe. */
  const wipers = new Map<string, Client & { ref(): void; unref(): void }>();
  async function sql(...texts: string[]): Promise<unknown[]> {
    const client = new Client({ connectionString: url("postgres") });
    await client.connect();
    try {
      const rows: unknown[] = [];
      for (const text of texts) rows.push(...(await client.query(text)).rows);
      return rows;
    } finally {
      await client.end();
    }
  }
  return {
    programs: bin,
    process: child,
    directory,
    async standby() {
      const second = newDirectory();
      const from = ["-h", directory, "-U", "test", "-c", "fast", "-X", "stream", "-R"];
      const owner = { ...somebody(), cwd: second, stdio: "ignore" as const };
      execFileSync(join(bin, "pg_basebackup"), ["-D", join(second, "data"), ...from], owner);
      const following = await run(t, bin, second, all);
      await sql("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()");
      for (let tries = 0; tries < 600; tries++) {
        const waits = await sql("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'");
        if (waits.length > 0) return { process: following, urlOf: (one) => one.replace(directory, second) };
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error("the standby does not follow");
    },
    async database() {
      const name = `test${count++}`;
      await sql(`CREATE DATABASE ${name} TEMPLATE template0`);
      return url(name);
    },
    async wipe(url, schema) {
      let client = wipers.get(url);
      if (client === undefined) {
        client = new Client({ connectionString: url }) as Client & { ref(): void; unref(): void };
        client.on("error", () => {}); // when the server ends
        await client.connect();
        wipers.set(url, client);
      }
      client.ref();
      await client.query(`SET search_path = ${schema};
        DO $$
        DECLARE named text;
        BEGIN
          FOR named IN SELECT tablename FROM pg_tables WHERE schemaname = '${schema}' AND tablename <> 'meta' LOOP
            EXECUTE format('DELETE FROM ${schema}.%I', named);
          END LOOP;
          DELETE FROM ${schema}.hook_sums;
          INSERT INTO ${schema}.hook_sums (hook) VALUES ('');
        END $$`);
      client.unref(); // the test may end
    },
  };
}

/** What initdb made once is copied: that takes a tenth of the processor's time. Kept by version, beside what else is made for tests. */
function initialise(bin: string, directory: string): void {
  const data = join(directory, "data");
  const version = execFileSync(join(bin, "initdb"), ["--version"], { encoding: "utf8" });
  const { uid = process.getuid?.() } = somebody();
  const cache = join(import.meta.dirname, "../../node_modules/.cache/pushbox");
  const kept = join(cache, `${version.replace(/[^\w.]+/g, "-")}${uid}`);
  const copy = (from: string, to: string): void =>
    void execFileSync("cp", ["-a", `${from}/.`, to], { stdio: ["ignore", "ignore", "pipe"] });
  if (existsSync(kept)) return copy(kept, data);
  const options = ["-U", "test", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"];
  execFileSync(join(bin, "initdb"), ["-D", data, ...options], { ...somebody(), cwd: directory, stdio: "ignore" });
  try {
    mkdirSync(cache, { recursive: true });
    const part = mkdtempSync(join(cache, ".making-"));
    copy(data, part);
    renameSync(part, kept);
  } catch {
    // Another test was quicker, or nothing can be kept there.
  }
}

/** That its owner may write in. */
export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "pg-"));
  const { uid, gid = 0 } = somebody();
  const data = join(directory, "data");
  mkdirSync(data, { mode: 0o700 });
  chmodSync(directory, 0o755);
  if (uid !== undefined) for (const path of [directory, data]) chownSync(path, uid, gid);
  return directory;
}

/** A server of the data in a directory, until the test ends. */
async function run(
  t: Pick<Test, "teardown">,
  bin: string,
  directory: string,
  settings: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(join(bin, "postgres"), ["-D", join(directory, "data"), "-k", directory, ...options], {
    ...somebody(),
    cwd: directory,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  process.once("exit", () => child.kill("SIGKILL"));
  t.teardown(async () => {
    child.ref();
    child.kill("SIGQUIT");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  });
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (data) => {
      said += data;
      if (/ready to accept (read-only )?connections/.test(said)) resolve();
    });
    child.once("exit", () => reject(new Error(`PostgreSQL has ended: ${said}`)));
  });
  // Else the test would not end, and nothing end it.
  child.unref();
  for (const stream of child.stdio) (stream as { unref?(): void } | null | undefined)?.unref?.();
  return child;
}
