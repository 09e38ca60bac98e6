// A PostgreSQL and its synchronous standby: killed, replaced by each other, stood still. Nothing is synced to disk, since only processes end.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "pg";
import { freePort } from "../../test/support/ports.ts";
import { newDirectory, programs, somebody } from "../../test/support/postgres.ts";

const USER = "test";
const DATABASE = "torture";
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  max_connections: "100",
  shared_buffers: "64MB",
  fsync: "off",
  synchronous_standby_names: "*",
  wal_keep_size: "256MB",
};
/** A start, or a promotion, that takes longer has failed. */
const PATIENCE = 60_000;

interface Instance {
  readonly port: number;
  readonly directory: string;
  readonly process: ChildProcess;
}

export interface FailOver {
  /** Epoch milliseconds: when the primary was killed, and when the standby had been promoted. */
  readonly at: number;
  readonly back: number;
}

/** What a process has started, and what that has. */
function family(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return text === "" ? [] : text.split(" ").flatMap((child) => [Number(child), ...family(Number(child))]);
  } catch {
    return []; // it has ended
  }
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended.
    }
  }
}

export class Pair {
  readonly #bin: string;
  readonly #owner = somebody();
  #primary!: Instance;
  #standby!: Instance;

  private constructor(bin: string) {
    this.#bin = bin;
  }

  static async start(): Promise<Pair> {
    const bin = programs(["initdb", "postgres", "pg_basebackup"]);
    if (bin === undefined)
      throw new Error("there is no PostgreSQL 15 or newer on this machine: apt install postgresql");
    const pair = new Pair(bin);
    const directory = newDirectory();
    const made = ["-D", join(directory, "data"), "-U", USER, "-A", "trust", "-N", "-E", "UTF8", "--locale=C"];
    execFileSync(join(bin, "initdb"), made, { ...pair.#owner, cwd: directory, stdio: "ignore" });
    pair.#primary = await pair.#run(directory, await freePort());
    const client = new Client({ connectionString: pair.#urlOf([pair.#primary.port], "postgres") });
    await client.connect();
    await client.query("SET synchronous_commit = off"); // there is no standby yet
    await client.query(`CREATE DATABASE ${DATABASE} TEMPLATE template0`);
    await client.end();
    await pair.#addStandby(await freePort());
    return pair;
  }

  /** Of both, as libpq writes it. @param through ports that lead to them; absent: their own */
  url(through: readonly number[] = this.ports): string {
    return this.#urlOf(through, DATABASE);
  }

  get ports(): readonly number[] {
    return [this.#primary.port, this.#standby.port].sort((a, b) => a - b);
  }

  #urlOf(ports: readonly number[], database: string): string {
    const hosts = ports.map((port) => `127.0.0.1:${port}`).join();
    return `postgres://${USER}@${hosts}/${database}${ports.length > 1 ? "?target_session_attrs=read-write" : ""}`;
  }

  async #run(directory: string, port: number): Promise<Instance> {
    const all = { ...SETTINGS, port: String(port), unix_socket_directories: directory };
    const options = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const child = spawn(join(this.#bin, "postgres"), ["-D", join(directory, "data"), ...options], {
      ...this.#owner,
      cwd: directory,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`PostgreSQL does not start: ${said}`)), PATIENCE);
      child.stderr.on("data", (data) => {
        said = `${said}${data}`.slice(-4000);
        if (!/ready to accept (read-only )?connections/.test(said)) return;
        clearTimeout(late);
        resolve();
      });
      child.once("exit", () => reject(new Error(`PostgreSQL has ended: ${said}`)));
    });
    return { port, directory, process: child };
  }

  /** A copy of the primary that follows it; resolves when commits wait for it. */
  async #addStandby(port: number): Promise<void> {
    const directory = newDirectory();
    const from = ["-h", "127.0.0.1", "-p", String(this.#primary.port), "-U", USER];
    const copy = spawn(
      join(this.#bin, "pg_basebackup"),
      [...from, "-D", join(directory, "data"), "-X", "stream", "-c", "fast", "--no-sync", "-R"],
      { ...this.#owner, cwd: directory, stdio: ["ignore", "ignore", "inherit"] },
    );
    const code = await new Promise((resolve) => copy.once("exit", resolve));
    if (code !== 0) throw new Error(`pg_basebackup has ended with ${code}`);
    this.#standby = await this.#run(directory, port);
    const state = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'";
    await this.#until(this.#primary, "the standby does not follow", state);
  }

  async #until({ port }: Instance, trouble: string, question: string): Promise<void> {
    const client = new Client({ connectionString: this.#urlOf([port], "postgres") });
    await client.connect();
    try {
      for (const end = Date.now() + PATIENCE; (await client.query(question)).rows.length === 0; await pause(50))
        if (Date.now() > end) throw new Error(trouble);
    } finally {
      await client.end();
    }
  }

  async #kill({ process: { pid = 0 }, process, directory }: Instance): Promise<void> {
    const ended = process.exitCode !== null || process.signalCode !== null;
    const gone = ended ? undefined : new Promise((resolve) => process.once("exit", resolve));
    const all = [pid, ...family(pid)];
    signal(all, "SIGKILL");
    await gone;
    // What it shared with its processes stays behind otherwise.
    const file = join(directory, "data/postmaster.pid");
    const [, id] = existsSync(file) ? (/^ *\d+ +(\d+)$/m.exec(readFileSync(file, "utf8")) ?? []) : [];
    try {
      if (id !== undefined) execFileSync("ipcrm", ["-m", id], { stdio: "ignore" });
    } catch {
      // It is gone already.
    }
    rmSync(directory, { recursive: true, force: true });
  }

  /** `kill -9` of the primary; its standby is promoted, and gets one of its own. */
  async failOver(): Promise<FailOver> {
    const at = Date.now();
    const { port } = this.#primary;
    await this.#kill(this.#primary);
    this.#primary = this.#standby;
    await this.#until(this.#primary, "the standby is not promoted", "SELECT 1 WHERE pg_promote()");
    const back = Date.now();
    await this.#addStandby(port);
    return { at, back };
  }

  /** Every process of the primary stands still. */
  async standStill(milliseconds: number): Promise<void> {
    const { pid = 0 } = this.#primary.process;
    const all = [pid, ...family(pid)];
    signal(all, "SIGSTOP");
    try {
      await pause(milliseconds);
    } finally {
      signal(all, "SIGCONT");
    }
  }

  async query<Row>(text: string, ...values: unknown[]): Promise<readonly Row[]> {
    const client = new Client({ connectionString: this.#urlOf([this.#primary.port], DATABASE) });
    await client.connect();
    try {
      return (await client.query(text, values)).rows as Row[];
    } finally {
      await client.end();
    }
  }

  /** Whatever happened before: nothing is left running. */
  end(): void {
    for (const { process } of [this.#primary, this.#standby].filter(Boolean)) {
      const { pid = 0 } = process;
      signal([pid, ...family(pid)], "SIGKILL");
    }
  }

  async close(): Promise<void> {
    for (const one of [this.#primary, this.#standby].filter(Boolean)) await this.#kill(one);
  }
}
