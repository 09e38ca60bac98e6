// The real haproxy and nginx in front of a server, and pgbouncer in front of PostgreSQL, where they are installed.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Test } from "tap";
import { freePort } from "./ports.ts";
import { type Server, somebody } from "./postgres.ts";

type Owner = ReturnType<typeof somebody>;

/** So long it may take to be up, milliseconds: far more than any needs, on a busy machine too. */
const PATIENCE = 60_000;
const PATH = `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin`;

/** False, and the test says so, where it is not installed. */
export function installed(t: Test, program: "haproxy" | "nginx" | "pgbouncer"): boolean {
  const shown = program === "pgbouncer" ? "--version" : "-v";
  const found = spawnSync(program, [shown], { env: { PATH }, stdio: "ignore" }).status === 0;
  if (!found) t.pass(`left out: ${program} is not installed`);
  return found;
}

/** Returns its port on 127.0.0.1. @param frontend lines of `frontend` */
export async function haproxy(t: Test, target: number, ...frontend: readonly string[]): Promise<number> {
  const port = await freePort();
  await haproxyOf(
    t,
    port,
    `defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port}
  ${frontend.join("\n  ")}
  default_backend out
backend out
  server one 127.0.0.1:${target}
`,
  );
  return port;
}

/** With a whole configuration, which haproxy itself has found right, warnings included. @param port of 127.0.0.1, that it is up at */
export async function haproxyOf(t: Test, port: number, text: string): Promise<void> {
  const file = join(t.testdir(), "haproxy.cfg");
  writeFileSync(file, text);
  const { status, stdout, stderr } = spawnSync("haproxy", ["-c", "-f", file], { env: { PATH }, encoding: "utf8" });
  if (status !== 0 || /\[(ALERT|WARNING)\]/.test(stderr)) throw new Error(`haproxy -c: ${stdout}${stderr}`);
  await up(t, port, "haproxy", ["-db", "-f", file]);
}

/** Returns its port on 127.0.0.1. @param location lines of `location /` after `proxy_pass` */
export function nginx(t: Test, target: number, ...location: readonly string[]): Promise<number> {
  return nginxOf(
    t,
    (port) => `map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${target};
      proxy_http_version 1.1;
      ${location.join("\n      ")}
    }
  }`,
  );
}

/** Returns its port on 127.0.0.1. @param http what stands in the block of that name, given the port; nginx itself finds it right */
export async function nginxOf(t: Test, http: (port: number) => string): Promise<number> {
  const port = await freePort();
  const directory = t.testdir();
  const file = join(directory, "nginx.conf");
  const kept = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${directory}/${name};`,
  );
  writeFileSync(
    file,
    `daemon off;
master_process off;
pid ${directory}/pid;
error_log stderr;
events {}
http {
  access_log off;
  ${kept.join("\n  ")}
  ${http(port)}
}
`,
  );
  const args = ["-p", directory, "-e", "stderr", "-c", file];
  const { status, stderr } = spawnSync("nginx", ["-t", ...args], { env: { PATH }, encoding: "utf8" });
  if (status !== 0 || /\[(warn|emerg)\]/.test(stderr)) throw new Error(`nginx -t: ${stderr}`);
  await up(t, port, "nginx", args);
  return port;
}

/** A pooler of transactions. Returns where it has the database of a URL of that server. */
export async function pgbouncer(t: Test, { directory }: Pick<Server, "directory">): Promise<(url: string) => string> {
  const port = await freePort();
  const file = join(directory, "pgbouncer.ini");
  writeFileSync(
    file,
    `[databases]
* = host=${directory} user=test
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
ignore_startup_parameters = application_name, extra_float_digits, options, statement_timeout, lock_timeout, idle_in_transaction_session_timeout
`,
  );
  await up(t, port, "pgbouncer", [file], somebody());
  return (url) => `postgres://test@127.0.0.1:${port}/${/\/(\w+)\?/.exec(url)?.[1]}`;
}

/** Resolves once it takes connections; it tells nobody when. @param owner who it runs as */
async function up(t: Test, port: number, program: string, args: readonly string[], owner: Owner = {}): Promise<void> {
  const child = spawn(program, args, { env: { PATH }, stdio: ["ignore", "pipe", "pipe"], ...owner });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-10_000);
    });
  const ended = once(child, "close");
  t.teardown(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const end = performance.now() + PATIENCE;
  while (!(await takes(port))) {
    if (hasEnded(child)) throw new Error(`${program} ended: ${said}`);
    if (performance.now() > end)
      throw new Error(`${program} takes no connections at port ${port} within ${PATIENCE / 1000} s: ${said}`);
    await wait(10);
  }
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

function takes(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => done(true)).on("error", () => done(false));
    socket.on("connect", () => socket.destroy());
  });
}
