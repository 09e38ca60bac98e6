// A PostgreSQL of a test's own: the one on PATH, or of Debian, on a socket in a temporary directory. Not written to be safe from power cuts.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Client } from "pg";
import type { Test } from "tap";

const MINIMUM = 15;

/** Where its programs are; undefined: there is none that is new enough. */
function programs(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, "bin")) : [];
  return [...(process.env.PATH ?? "").split(delimiter), ...versions].find((bin) => {
    if (!existsSync(join(bin, "initdb")) || !existsSync(join(bin, "postgres"))) return false;
    const version = execFileSync(join(bin, "postgres"), ["--version"], { encoding: "utf8" });
    return Number(/(\d+)/.exec(version)?.[1]) >= MINIMUM;
  });
}

/** It refuses to run as root: then it runs as nobody. */
function somebody(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((one) => /^(postgres|nobody):/.test(one));
  const [, , uid, gid] = (line ?? "nobody:x:65534:65534").split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

export interface Server {
  /** Of a new, empty database. */
  database(): Promise<string>;
  /** Takes every row out of a schema of ours, but for what its migrations put there. Quicker than another schema. */
  wipe(url: string, schema: string): Promise<void>;
  readonly process: ChildProcess;
  readonly directory: string;
}

/** Undefined: this machine has none; tests that need it say that they were left out. */
export async function postgres(t: Test, settings: Readonly<Record<string, string>> = {}): Promise<Server | undefined> {
  const bin = programs();
  if (bin === undefined) return undefined;
  const directory = mkdtempSync(join(tmpdir(), "pg-"));
  const owner = somebody();
  const data = join(directory, "data");
  mkdirSync(data, { mode: 0o700 });
  chmodSync(directory, 0o755);
  if (owner.uid !== undefined) for (const path of [directory, data]) chownSync(path, owner.uid, owner.gid ?? 0);
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "test", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"], {
    ...owner,
    cwd: directory,
    stdio: "ignore",
  });
  const all = { fsync: "off", max_connections: "60", listen_addresses: "", shared_buffers: "32MB", ...settings };
  const options = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(join(bin, "postgres"), ["-D", data, "-k", directory, ...options], {
    ...owner,
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
      if (said.includes("ready to accept connections")) resolve();
    });
    child.once("exit", () => reject(new Error(`PostgreSQL has ended: ${said}`)));
  });
  // Else the test would not end, and nothing end it.
  child.unref();
  for (const stream of child.stdio) (stream as { unref?(): void } | null | undefined)?.unref?.();
  let count = 0;
  const url = (name: string): string => `postgres://test@/${name}?host=${directory}`;
  return {
    process: child,
    directory,
    async database() {
      const name = `test${count++}`;
      const client = new Client({ connectionString: url("postgres") });
      await client.connect();
      await client.query(`CREATE DATABASE ${name} TEMPLATE template0`);
      await client.end();
      return url(name);
    },
    async wipe(url, schema) {
      const client = new Client({ connectionString: url });
      await client.connect();
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
      await client.end();
    },
  };
}
