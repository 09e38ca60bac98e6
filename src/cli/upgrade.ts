// The command `upgrade`: what a downloaded release would change here. It changes nothing itself.
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readSync, statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { databaseOf } from "../app/database.ts";
import { version } from "../app/version.ts";
import type { Config } from "../config/index.ts";
import { rows } from "../config/settings.ts";
import { MINUTE } from "../core/time.ts";
import { FORMAT, storedFormat } from "../engine/format.ts";
import { type SchemaVersion, VERSION } from "../engine/postgres/schema.ts";
import { type Cli, configured, everything, failed, type Options, ok, type Process, words, wrong } from "./command.ts";
import { explain } from "./trouble.ts";
import { openRelease, type Release } from "./upgrade/release.ts";

/** What a release says of itself: pushbox version --json. */
export interface Described {
  readonly version: string;
  /** Of the tables it writes. Absent: an older release, which does not say. */
  readonly format?: number;
  /** The same of PostgreSQL's. */
  readonly postgres?: SchemaVersion;
  readonly settings?: readonly string[];
}

/** Of this program. */
export const described = (): Described => ({
  version,
  format: FORMAT,
  postgres: VERSION,
  settings: rows.map(({ name }) => name),
});

const PATIENCE = MINUTE;

export function addUpgrade(cli: Cli): void {
  const { host } = cli;
  configured(
    cli,
    "upgrade",
    "compare a downloaded release with what runs here: version, checksum, data, settings",
    everything,
    async ({ config, origins }, _given, command) => {
      const [path = ""] = words(command).positional;
      if (command.opts<Options>()["check"] !== true) {
        host.err("pushbox does not replace itself: compare with --check, then install the release as the first time\n");
        return wrong;
      }
      let release: Release | undefined;
      const problems: string[] = [];
      const say = (title: string, text: string): void => host.out(`${title.padEnd(10)}${text}\n`);
      try {
        release = openRelease(path, `${process.platform}-${process.arch}`);
        const it = describe(release, host);
        say("here", `pushbox ${version}`);
        say("release", `pushbox ${it.version}, ${release.file}${it.version === version ? ": the same version" : ""}`);
        say(
          "checksum",
          release.checksum ??
            `not compared: no SHA256SUMS beside it names ${release.file}; check it before you install it`,
        );
        if (config.engine === "sqlite") sayData(it, config.data, say, problems);
        else sayShared(it, config.postgres.schema, await sharedVersion(config), say, problems);
        sayNames(it, origins, say, problems);
        const check = runIt(release, ["check", ...flags(host.args, path)], host);
        const said = `${check.stdout}${check.stderr}`.trim().split("\n");
        if (check.status !== 0) problems.push(...said.map((line) => `its check says: ${line}`));
        else for (const line of said) say("check", line);
      } catch (error) {
        host.err(`not compared: ${explain(error, config)}\n`);
        return failed;
      } finally {
        release?.discard();
      }
      if (problems.length > 0) {
        host.err(problems.map((problem) => `${problem}\n`).join(""));
        host.err("do not upgrade before this is put right\n");
        return failed;
      }
      host.out(
        config.engine === "sqlite"
          ? "nothing is in the way: make a backup, stop the server, install the release, start it\n"
          : "nothing is in the way: make a backup; then node by node: stop it, install the release, start it\n",
      );
      return ok;
    },
  )
    .argument("[release]", "its executable, archive or package, or the directory that has one of them")
    .usage("--check <file or directory> [options]")
    .option("--check", "compare, and change nothing")
    .addHelpText(
      "after",
      `
A file that SHA256SUMS beside it names has to be the same; only then is anything of it run: its executable is asked for its version, the
format of its data and its settings, and to check this configuration, as pushbox check does. Takes the flags of serve: give those that
your server is started with. The server may run.

Exit codes: 0 nothing is in the way, 1 something is or the release could not be read, 2 wrong command line or configuration.

Examples:
  pushbox upgrade --check ~/Downloads --config /etc/pushbox/pushbox.toml
  pushbox upgrade --check pushbox-0.5.0-linux-x64.tar.gz --config /etc/pushbox/pushbox.toml`,
    );
}

type Say = (title: string, text: string) => void;

function sayData({ version: of, format }: Described, data: string, say: Say, problems: string[]): void {
  const stored = storedFormat(data);
  if (stored === undefined) return say("data", `none in ${resolve(data)}`);
  const here = `format ${stored.format} in ${stored.file}, ${size(stored.bytes)}`;
  if (format === undefined) return say("data", `${here}; this release does not say which format it has`);
  if (format === stored.format) return say("data", `${here}: stays as it is`);
  if (format < stored.format) {
    const copy = `${stored.file}.v${format}`;
    const way = existsSync(copy)
      ? `restore ${copy}, which is from before the upgrade`
      : "restore a backup that it made";
    problems.push(`data: ${here}: pushbox ${of} knows only ${format} and refuses it; to go back, ${way}`);
    return;
  }
  const { bavail, bsize } = statfsSync(dirname(stored.file));
  const free = bavail * bsize;
  say(
    "data",
    `${here}: becomes format ${format} at the first start; the file as it was stays beside it as pushbox.db.v${stored.format}`,
  );
  // The copy, and what is written anew while the tables change.
  if (free < 2 * stored.bytes)
    problems.push(
      `data: for the copy and the change ${size(2 * stored.bytes)} are needed there, ${size(free)} are free`,
    );
}

async function sharedVersion(config: Config): Promise<SchemaVersion | undefined> {
  const { versionOf } = await import("../engine/postgres/look.ts");
  return await versionOf(databaseOf(config));
}

/** Within a major version both may run at once. */
function sayShared(
  { version: of, postgres: it }: Described,
  schema: string,
  stored: SchemaVersion | undefined,
  say: Say,
  problems: string[],
): void {
  if (stored === undefined) return say("data", `there is no schema ${schema} yet`);
  const here = `format ${stored.major}.${stored.format} in the schema ${schema}`;
  if (it === undefined) return say("data", `${here}; this release does not say which format it has`);
  if (it.major < stored.major)
    problems.push(
      `data: ${here}: pushbox ${of} knows only ${it.major}.${it.format} and refuses it; restore a backup that it made`,
    );
  else if (it.major > stored.major)
    say(
      "data",
      `${here}: becomes ${it.major}.${it.format} at the first start, and nodes of before refuse it: stop all of them first`,
    );
  else if (it.format > stored.format)
    say("data", `${here}: becomes ${it.major}.${it.format} at the first start; nodes of this version go on beside it`);
  else say("data", `${here}: stays as it is`);
}

function sayNames(
  { settings, version: of }: Described,
  origins: ReadonlyMap<string, string>,
  say: Say,
  problems: string[],
): void {
  if (settings === undefined) return say("settings", "this release does not list its settings");
  const known = new Set(settings);
  const own = new Set<string>(rows.map(({ name }) => name));
  const gone = rows.filter(({ name }) => !known.has(name)).map(({ name }) => name);
  const added = settings.filter((name) => !own.has(name));
  say(
    "settings",
    added.length === 0 && gone.length === 0
      ? "the same"
      : `new: ${added.join(", ") || "none"}; gone: ${gone.join(", ") || "none"}`,
  );
  for (const name of gone) {
    const origin = origins.get(name);
    if (origin !== undefined && origin !== "default")
      problems.push(
        `settings: ${name} is set (${origin}) and pushbox ${of} has it no more: see its changes, then remove it`,
      );
  }
}

const size = (bytes: number): string =>
  bytes >= 1e9
    ? `${(bytes / 1e9).toFixed(1)} GB`
    : bytes >= 1e6
      ? `${(bytes / 1e6).toFixed(1)} MB`
      : `${Math.ceil(bytes / 1e3)} KB`;

/** The flags of this command are those of its `check`. */
const flags = (args: readonly string[], path: string): readonly string[] =>
  args.slice(1).filter((word) => word !== "--check" && word !== path);

const ELF = Buffer.from("\x7fELF");
/** `e_machine` of an ELF file, by Node's names. */
const MACHINES: Readonly<Record<number, string>> = { 62: "x64", 183: "arm64" };

/** What a program of this system is made for; undefined: it is none, or for neither. */
function machineOf(file: string): string | undefined {
  const head = Buffer.alloc(20);
  const fd = openSync(file, "r");
  try {
    readSync(fd, head);
  } finally {
    closeSync(fd);
  }
  return head.subarray(0, 4).equals(ELF) ? MACHINES[head.readUInt16LE(18)] : undefined;
}

function describe(release: Release, host: Process): Described {
  const machine = machineOf(release.executable);
  if (machine !== undefined && machine !== process.arch)
    throw new Error(
      `${release.file} is for ${machine} and this machine is ${process.arch}: download the release for linux-${process.arch}`,
    );
  const said = runIt(release, ["version", "--json"], host);
  if (said.error !== undefined || said.signal !== null)
    throw new Error(
      `${release.file} does not run here: ${said.error?.message ?? said.signal}; is it for this kind of machine?`,
    );
  if (said.status === 0)
    try {
      const it: unknown = JSON.parse(said.stdout);
      if (isDescribed(it)) return it;
    } catch {
      // An older one takes no --json.
    }
  const older = runIt(release, ["--version"], host).stdout.trim();
  if (/^\d+\.\d+\.\d+\S*$/.test(older)) return { version: older };
  throw new Error(`${release.file} does not say which version of pushbox it is`);
}

const isDescribed = (it: unknown): it is Described =>
  typeof it === "object" &&
  it !== null &&
  typeof (it as Described).version === "string" &&
  typeof (it as Described).format === "number" &&
  Array.isArray((it as Described).settings);

const runIt = (release: Release, args: readonly string[], host: Process): SpawnSyncReturns<string> =>
  spawnSync(resolve(release.executable), args, { env: host.env, encoding: "utf8", timeout: PATIENCE, maxBuffer: 1e7 });
