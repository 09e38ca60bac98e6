// One run of the server: what is checked before, the first log lines, the signals, and what the process answers at the end.
import { accessSync, constants, statSync } from "node:fs";
import { platform } from "node:os";
import { resolve } from "node:path";
import { openFiles, share } from "../../app/files.ts";
import type { Log } from "../../app/log.ts";
import { isEncrypted, reachable } from "../../app/places.ts";
import type { Supervisor } from "../../app/supervisor.ts";
import { collectOnce } from "../../app/v8.ts";
import { type App, startApp } from "../../app.ts";
import { type Reloaded, Unfit } from "../../config/held.ts";
import { type Config, isLoopback, listeners, type Reading } from "../../config/index.ts";
import { lockDirectory, makeDirectory } from "../../engine/directory.ts";
import { hasIpv6, placeTrouble, withEveryFamily } from "../places.ts";
import { detail, explain, Trouble } from "../trouble.ts";

/** From `stop` until the process ends whatever happens. A supervisor that kills after 10 s must not have to. */
const patience = 9_000;

export interface Run {
  readonly version: string;
  readonly config: Config;
  /** Where each setting's value came from, by name. */
  readonly origins: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
  readonly log: Log;
  readonly supervisor: Supervisor;
  /** Reads the sources again, for SIGHUP. */
  readonly reread: () => Promise<Reading>;
  /** `act` is called each time that it comes. */
  readonly onSignal: (signal: "SIGTERM" | "SIGINT" | "SIGHUP", act: () => void) => void;
}

/** Serves until a signal or a failure. Returns the exit code: 0 after a signal, 1 when it could not start or go on. */
export async function serve(run: Run): Promise<number> {
  const { log, version } = run;
  log.info(`pushbox ${version}`);
  const files = openFiles();
  if (files !== undefined && share(files).client === 0) {
    log.fatal(`this process may open only ${files} files, too few to serve anybody: ${moreFiles}`);
    return 1;
  }
  const ipv6 = await hasIpv6();
  const config = withEveryFamily(shared(fit(run.config, files), chosenOf(run.origins)), ipv6);
  if (!ipv6 && config.client.host !== run.config.client.host)
    log.info("this machine has no IPv6: clients connect to its IPv4 addresses");
  tellLimit(run.config.client.maxConnections, config.client.maxConnections, files, run);
  for (const warning of run.warnings) log.warn(warning);
  if (config.api.insecure && config.api.keys.length === 0 && !isLoopback(config.api.host))
    log.warn(`INSECURE: the API on ${config.api.host} needs no key; whoever reaches it can push to every device`);
  const { admin } = config;
  if (admin.enabled && admin.insecure && !isEncrypted(admin) && !isLoopback(admin.host))
    log.warn(`INSECURE: the console on ${admin.host} has no https; whoever is on the way there can read passwords`);
  let app: App;
  try {
    prepareData(config.data, log);
    for (const section of listeners(config)) await probe(section, config);
    app = await startApp(config, log, {
      ...(files === undefined ? {} : { files: share(files) }),
      sources: {
        config: run.config,
        origins: run.origins,
        reread: run.reread,
        fit: (next) => fit(next, openFiles()),
        told: (by, outcome) => tellReload(by, outcome, run),
      },
    });
  } catch (error) {
    log.fatal(detail(error), explain(error, config));
    return 1;
  }
  collectOnce();
  greet(app, config, log);
  run.supervisor.ready();
  return await untilTheEnd(app, run);
}

/** Within so many milliseconds the same signal is the same wish: timeout(1) and others send it to the program and to its group. */
const ECHO = 500;

/** Resolves with the exit code once the server has stopped. */
function untilTheEnd(app: App, { config, log, supervisor, onSignal }: Run): Promise<number> {
  return new Promise((end) => {
    let stopping = false;
    let first: { readonly signal: string; readonly at: number } | undefined;
    const stop = (signal: string): void => {
      if (stopping) {
        if (first?.signal === signal && performance.now() - first.at < ECHO) return;
        log.warn(`${signal} again: ending at once`);
        end(1);
        return;
      }
      stopping = true;
      first = { signal, at: performance.now() };
      log.info(`${signal}: stopping`);
      supervisor.stopping();
      const tooLong = setTimeout(() => {
        log.error(`not stopped after ${patience / 1000} s: ending at once; what was answered with success is stored`);
        end(1);
      }, patience);
      app
        .settled()
        .then(() => app.stop())
        .then(
          () => {
            log.info("stopped");
            end(0);
          },
          (error: unknown) => {
            log.error(detail(error), `could not stop in order: ${explain(error, config)}`);
            end(1);
          },
        )
        .finally(() => clearTimeout(tooLong));
    };
    onSignal("SIGTERM", () => stop("SIGTERM"));
    onSignal("SIGINT", () => stop("SIGINT"));
    onSignal("SIGHUP", () => {
      if (!stopping) void app.reread("SIGHUP");
    });
    app.failed.then((error) => {
      if (stopping) return;
      log.fatal(detail(error), explain(error, config));
      stopping = true;
      supervisor.stopping();
      const giveUp = setTimeout(() => end(1), patience);
      app
        .stop()
        .catch((also: unknown) => log.error(detail(also), "could not stop in order"))
        .finally(() => {
          clearTimeout(giveUp);
          end(1);
        });
    });
  });
}

function tellReload(by: string, outcome: Reloaded | Error, { config, log }: Run): void {
  if (outcome instanceof Unfit) {
    for (const problem of outcome.problems) log.error(problem);
    log.error(`${by}: nothing was changed, because of the problems above`);
    return;
  }
  if (outcome instanceof Error) {
    log.error(detail(outcome), `${by}: nothing was changed: ${explain(outcome, config)}`);
    return;
  }
  const { changes, warnings, config: next } = outcome;
  for (const warning of warnings) log.warn(warning);
  log.level = next.logLevel;
  const named = (takes: string): readonly string[] =>
    changes.filter((one) => one.takes === takes).map(({ name }) => name);
  const certificates = listeners(next).some((section) => isEncrypted(next[section])) ? "certificates read again; " : "";
  log.info(`${by}: ${certificates}changed: ${named("reload").join(", ") || "no setting"}`);
  for (const name of named("restart")) log.warn(`${by}: ${name} has changed and needs a restart`);
}

// ---- before the start

/** Names of the settings that were set rather than left at their default. */
const chosenOf = (origins: Run["origins"]): ReadonlySet<string> =>
  new Set([...origins].filter(([, origin]) => origin !== "default").map(([name]) => name));

const moreFiles = "raise the limit with ulimit -n, or LimitNOFILE= in systemd";

/** As many connections as this process may have files open. */
function fit(config: Config, files: number | undefined): Config {
  if (files === undefined || share(files).client >= config.client.maxConnections) return config;
  return { ...config, client: { ...config.client, maxConnections: share(files).client } };
}

/** No address may take what is there for all: by default it gets three quarters of the connections that are possible. */
export function shared(config: Config, chosen: ReadonlySet<string>): Config {
  const share = Math.ceil((config.client.maxConnections * 3) / 4);
  if (config.client.maxConnectionsPerAddress <= share || chosen.has("client.max_connections_per_address"))
    return config;
  return { ...config, client: { ...config.client, maxConnectionsPerAddress: share } };
}

function tellLimit(wanted: number, possible: number, files: number | undefined, { origins, log }: Run): void {
  if (possible === wanted) return;
  const text = `this process may open ${files} files, so at most ${possible} connections are taken; for more, ${moreFiles}`;
  if (chosenOf(origins).has("client.max_connections")) log.warn(`client.max_connections is ${wanted}, but ${text}`);
  else log.info(text);
}

function prepareData(data: string, log: Log): void {
  const path = resolve(data);
  try {
    makeDirectory(path);
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const why = { EEXIST: "is a file", ENOTDIR: "is inside a file", EROFS: "is on a read-only file system" }[
      codeOf(cause)
    ];
    const what = why ?? "cannot be made or written by this user";
    const wayOut = why === undefined ? "change its owner, or name another with --data" : "name another with --data";
    throw new Trouble(`the data directory ${path} ${what}: ${wayOut}`, { cause });
  }
  if (platform() !== "win32" && (statSync(path).mode & 0o077) !== 0)
    log.warn(`the data directory ${path} is open to other users of this machine: chmod 700 ${path}`);
}

/** Before anything is opened: a port in use is the usual reason why a second server does not start. */
async function probe(section: "client" | "api" | "admin", config: Config): Promise<void> {
  const trouble = await placeTrouble(section, config);
  if (trouble === undefined) return;
  // The usual reason is this very server, started twice: its lock says so better than its port, and throws.
  if (trouble.code === "EADDRINUSE") lockDirectory(config.data).release();
  throw new Trouble(trouble.text, { cause: trouble.cause });
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";

// ---- what is logged

function greet(app: App, config: Config, log: Log): void {
  const [key] = config.api.keys;
  const header = key === undefined ? "" : ` -H 'Authorization: Bearer KEY'`;
  const note = key === undefined ? "" : ` (KEY: the key called ${key.name})`;
  log.info(`data in ${resolve(config.data)}`);
  const here = reachable(app.clientUrl);
  const others = here === app.clientUrl ? "" : ", and to every other address of this machine";
  log.info(`clients connect to ${here}${others}`);
  for (const text of app.outages()) log.warn(`until then nobody connects there: ${text}`);
  log.info(`API at ${app.apiUrl}`);
  if (app.consoleUrl !== undefined) log.info(`console at ${app.consoleUrl}`);
  if (app.setupLink !== undefined) {
    log.info(`nobody may use the console yet; set a password within 30 minutes: ${app.setupLink}`);
    const { hostname, port } = new URL(app.setupLink);
    if (isLoopback(hostname))
      log.info(
        `to open it on another machine, run this there first: ssh -L ${port}:${hostname}:${port} USER@THIS-SERVER`,
      );
  }
  log.info(`try: curl${header} ${reachable(app.apiUrl)}/api/push -d topic=news -d json=hello${note}`);
}
