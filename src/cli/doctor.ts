// The command `doctor`: whether this machine can carry the server of this configuration, looked at part by part. Nothing is sent to
// anybody's phone, and nothing is changed.
import { closeSync, fsyncSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { databaseOf } from "../app/database.ts";
import { openFiles, share } from "../app/files.ts";
import { type Config, domainsOf, listeners, places } from "../config/index.ts";
import { taught } from "./chinese/messages.ts";
import { readsChinese } from "./chinese.ts";
import { type Cli, configured, everything, failed, ok } from "./command.ts";

interface Finding {
  readonly part: string;
  readonly level: "ok" | "warning" | "wrong";
  readonly text: string;
}

export function addDoctor(cli: Cli): void {
  const { host } = cli;
  const command = configured(
    cli,
    "doctor",
    "look at this machine: files, clock, disk, ports, certificates, credentials",
    everything,
    async ({ config, warnings }, _given, self) => {
      // Not before it is needed: Node loads all it has for HTTP/2 with it.
      const { clocks } = await import("./doctor/clock.ts");
      const findings = [
        files(),
        disk(resolve(config.data)),
        room(resolve(config.data)),
        ...(await shared(config)),
        ...(await ports(config)),
        ...certificates(config, warnings),
        ...(await domains(config)),
        ...credentials(config),
        ...(await clocks(config.vendors.entries, reaching(config.vendors))),
      ];
      const { json } = self.opts<{ json?: true }>();
      if (json === true) host.out(`${JSON.stringify(findings)}\n`);
      else {
        const chinese = readsChinese(host.env);
        for (const { part, level, text } of findings) {
          const line = chinese ? inChinese(part, level, text) : `${level.padEnd(7)}  ${part.padEnd(12)}  ${text}`;
          host.out(`${line}\n`);
        }
      }
      return findings.some(({ level }) => level === "wrong") ? failed : ok;
    },
  );
  command.option("--json", "print the findings as JSON").addHelpText(
    "after",
    `
It may run beside the server: a port that is in use is then no mistake.

Example:
  pushbox doctor --config pushbox.toml

Exit codes: 0 fine, perhaps with warnings, 1 something is wrong, 2 wrong command line or configuration.`,
  );
}

const CHINESE = { ok: "正常", warning: "注意", wrong: "错误" } as const;
const PARTS: Readonly<Record<string, string>> = {
  ...{ files: "文件", disk: "磁盘", room: "空间", postgres: "PostgreSQL", settings: "配置", clock: "时钟" },
  ...{ "client port": "客户端端口", "api port": "API 端口", "admin port": "控制台端口" },
  ...{ certificates: "证书", domain: "域名", credentials: "凭据" },
};

/** A Chinese letter is as wide as two. */
function inChinese(name: string, level: Finding["level"], text: string): string {
  const part = PARTS[name] ?? name;
  const width = part.length + (part.match(/[\u4e00-\u9fff]/g)?.length ?? 0);
  return `${CHINESE[level]}  ${part}${" ".repeat(Math.max(0, 12 - width))}  ${taught(text)}`;
}

const FEW_CONNECTIONS = 10_000;

function files(): Finding {
  const limit = openFiles();
  const part = "files";
  if (limit === undefined) return { part, level: "ok", text: "this system tells no limit" };
  const { client } = share(limit);
  const text = `${limit} open files: up to ${client} connections`;
  if (client === 0)
    return { part, level: "wrong", text: `${text}; raise it with ulimit -n, or LimitNOFILE= in systemd` };
  return client < FEW_CONNECTIONS
    ? { part, level: "warning", text: `${text}; for more, ulimit -n, or LimitNOFILE= in systemd` }
    : { part, level: "ok", text };
}

const MEASURED = 500;
/** Each commit is one: so many durable calls per second by one caller. */
const SLOW_DISK = 100;

/** As the store writes: some bytes more, then a wait for the disk. */
function disk(data: string): Finding {
  const part = "disk";
  let directory: string | undefined;
  try {
    directory = mkdtempSync(join(existing(data), ".doctor-"));
    const fd = openSync(join(directory, "probe"), "w", 0o600);
    const block = Buffer.alloc(4096, 1);
    let count = 0;
    const began = performance.now();
    try {
      for (; performance.now() - began < MEASURED; count++) {
        writeSync(fd, block);
        fsyncSync(fd);
      }
    } finally {
      closeSync(fd);
    }
    const rate = Math.round((1000 * count) / (performance.now() - began));
    const text = `${rate} writes that survive a power cut per second (fsync)`;
    return rate < SLOW_DISK
      ? { part, level: "warning", text: `${text}: slow; storage.synchronous = "NORMAL" does not wait for the disk` }
      : { part, level: "ok", text };
  } catch (error) {
    return { part, level: "wrong", text: `${data} cannot be written: ${(error as Error).message}` };
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  }
}

/** The directory itself, or what it will be made in. */
function existing(directory: string): string {
  for (let at = directory; ; at = resolve(at, "..")) {
    try {
      statfsSync(at);
      return at;
    } catch {
      if (at === resolve(at, "..")) return tmpdir();
    }
  }
}

/** The PostgreSQL that processes share. */
async function shared(config: Config): Promise<readonly Finding[]> {
  if (config.engine !== "postgres") return [];
  const { lookAt } = await import("../engine/postgres/look.ts");
  return (await lookAt(databaseOf(config))).map(({ level, text }) => ({ part: "postgres", level, text }));
}

const LITTLE_ROOM = 1_000_000_000;

function room(data: string): Finding {
  const { bavail, bsize } = statfsSync(existing(data));
  const free = bavail * bsize;
  const text = `${(free / 1e9).toFixed(1)} GB free for the data`;
  return free < LITTLE_ROOM
    ? { part: "room", level: "warning", text: `${text}: little` }
    : { part: "room", level: "ok", text };
}

async function ports(config: Config): Promise<readonly Finding[]> {
  // What loads native code is loaded here: a command that needs none is to start without.
  const { placeTrouble } = await import("./places.ts");
  return await Promise.all(
    places(config).map(async (section): Promise<Finding> => {
      const { host, port } = config[section];
      const part = `${section} port`;
      const trouble = await placeTrouble(section, config);
      if (trouble === undefined) return { part, level: "ok", text: `${port} on ${host} is free` };
      if (trouble.code === "EADDRINUSE")
        return { part, level: "ok", text: `${port} on ${host} is in use, by this very server perhaps` };
      return { part, level: "wrong", text: trouble.text };
    }),
  );
}

/** What is wrong with them the configuration has been refused for: these are about time. */
function certificates(config: Config, warnings: readonly string[]): readonly Finding[] {
  const told = warnings.map((text): Finding => {
    if (!text.includes(": the certificate in ")) return { part: "settings", level: "warning", text };
    return { part: "certificates", level: text.includes("clients refuse it") ? "wrong" : "warning", text };
  });
  const named = listeners(config)
    .map((section) => config[section].tlsCert)
    .filter((file) => file !== "");
  if (told.some(({ part }) => part === "certificates")) return told;
  if (named.length > 0) return [...told, { part: "certificates", level: "ok", text: `valid: ${named.join(", ")}` }];
  return domainsOf(config).size > 0
    ? told
    : [...told, { part: "certificates", level: "ok", text: "none is configured" }];
}

/** The certificates that are got for domains, and whether the authority's question would be answered. */
async function domains(config: Config): Promise<readonly Finding[]> {
  const names = [...domainsOf(config).keys()];
  if (names.length === 0) return [];
  const [{ storedCertificates }, { reached }] = await Promise.all([
    import("../acme/stored.ts"),
    import("./doctor/reach.ts"),
  ]);
  const stored = await storedCertificates(resolve(config.data), names, Date.now());
  return [
    ...stored.map(({ concern, text }): Finding => ({ part: "certificates", level: LEVELS[concern], text })),
    ...(await Promise.all(names.map(async (name) => ({ part: "domain", ...(await reached(name, config.acme)) })))),
  ];
}

const LEVELS = { none: "ok", renewal: "warning", outage: "wrong" } as const;

const reaching = ({ caFile, proxy }: Config["vendors"]) => ({
  proxy,
  ...(caFile === "" ? {} : { ca: readFileSync(caFile, "utf8") }),
});

function credentials(config: Config): readonly Finding[] {
  const names = [...new Set(config.vendors.entries.map(({ vendor }) => vendor))];
  const text =
    names.length === 0
      ? "no vendor is configured: only connections are served"
      : `${names.join(", ")}: complete and readable; whether a vendor takes them only it knows`;
  return [{ part: "credentials", level: names.length === 0 ? "warning" : "ok", text }];
}
