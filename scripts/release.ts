// npm run release [-- --built]: what people download, in dist/: an archive and a Debian package for each of the two kinds of
// machine, our client as an npm package, a
// dashboard for Grafana, and SHA256SUMS. The same commit makes the same bytes. With --built the executables in dist/ are taken as they are.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { version } from "../src/app/version.ts";
import { systemdUnit } from "../src/cli/systemd.ts";
import { initText } from "../src/config/text.ts";
import { VENDORS } from "../src/vendors/index.ts";
import { digest, directory, gzip, parents, tar, text } from "./release/archive.ts";
import { debian } from "./release/debian.ts";
import { documents } from "./release/documents.ts";
import { dashboard } from "./release/grafana.ts";
import { licences, licencesText } from "./release/licences.ts";

const root = resolve(import.meta.dirname, "..");
const dist = join(root, "dist");
const CONFIG = "/etc/pushbox/pushbox.toml";

const { values } = parseArgs({ options: { built: { type: "boolean", default: false } } });

/** Seconds since 1970, of the commit: a file is as old as what is in it. */
function commitTime(): number {
  const given = process.env["SOURCE_DATE_EPOCH"];
  if (given !== undefined && /^\d+$/.test(given)) return Number(given);
  const git = spawnSync("git", ["log", "-1", "--format=%ct"], { cwd: root, encoding: "utf8" });
  if (git.status === 0) return Number(git.stdout);
  throw new Error("this is no clone: set SOURCE_DATE_EPOCH to the seconds since 1970 that the files are to bear");
}

const host = `${process.platform}-${process.arch}`;
const executable = (target: string): string => join(dist, target === host ? "pushbox" : `pushbox-${target}`);

function build(target: string): void {
  const words = ["--disable-warning=ExperimentalWarning", join(root, "build.mjs"), "--target", target];
  const { status } = spawnSync(process.execPath, words, { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error(`no executable for ${target}`);
}

/** No key of anybody: whoever installs it makes their own. */
function exampleConfig(): string {
  const shown = initText("16-characters-or-more", VENDORS);
  const relative = '#data = "./pushbox-data"';
  if (!shown.includes(relative)) throw new Error(`the configuration has no line ${relative}`);
  return shown.replace(relative, 'data = "/var/lib/pushbox"');
}

const time = commitTime();
/** Each at its own place, so that their links lead somewhere. */
const pages = [...documents(root, ["README.md", "README.zh-CN.md"])];
const licence = readFileSync(join(root, "LICENSE"), "utf8");
const thirdParty = licencesText(licences(root, `node-${host}`));
const config = exampleConfig();
const grafana = dashboard(version);
/** For those who run several nodes. */
const cluster: readonly (readonly [name: string, content: string])[] = [
  ...readdirSync(join(root, "scripts/release/cluster"))
    .sort()
    .map((name) => [name, readFileSync(join(root, "scripts/release/cluster", name), "utf8")] as const),
  [
    "pushbox@.service",
    systemdUnit({ program: ["/usr/local/bin/pushbox"], config: "/etc/pushbox/%i.toml", template: true }),
  ],
];
mkdirSync(dist, { recursive: true });

async function release(target: "linux-x64" | "linux-arm64"): Promise<readonly string[]> {
  if (!values.built) build(target);
  const bytes = readFileSync(executable(target));
  const folder = `pushbox-${version}-${target}/`;
  const placed = pages.map(([path, page]) => text(`${folder}${path}`, page));
  const archive = tar(
    [
      directory(folder),
      text(`${folder}LICENSE`, licence),
      text(`${folder}THIRD-PARTY`, thirdParty),
      directory(`${folder}cluster/`),
      ...cluster.map(([name, content]) => text(`${folder}cluster/${name}`, content)),
      text(`${folder}grafana.json`, grafana),
      { name: `${folder}pushbox`, mode: 0o755, bytes },
      text(`${folder}pushbox.service`, systemdUnit({ program: ["/usr/local/bin/pushbox"], config: CONFIG })),
      text(`${folder}pushbox.toml`, config),
      ...parents(placed)
        .filter((name) => name !== folder)
        .map(directory),
      ...placed,
    ],
    time,
  );
  const architecture = target === "linux-x64" ? "amd64" : "arm64";
  const files = await Promise.all([
    named(`pushbox-${version}-${target}.tar.gz`, gzip(archive)),
    named(
      `pushbox_${version}_${architecture}.deb`,
      debian({
        version,
        architecture,
        time,
        executable: bytes,
        unit: systemdUnit({ program: ["/usr/bin/pushbox"], config: CONFIG }),
        config,
        pages,
        licences: `${licence}\n${thirdParty}`,
      }),
    ),
  ]);
  return files;
}

/** Writes it; a line of SHA256SUMS. */
async function named(name: string, making: Promise<Buffer>): Promise<string> {
  const bytes = await making;
  writeFileSync(join(dist, name), bytes);
  process.stdout.write(`dist/${name}  ${(bytes.length / 1e6).toFixed(0)} MB\n`);
  return `${digest("sha256", bytes)}  ${name}\n`;
}

/** The client as `npm pack` makes it; run.mjs has seen to it that it is there. */
function client(): Promise<Buffer> {
  const from = join(dist, "client");
  const files = readdirSync(from).sort();
  return gzip(
    tar(
      files.map((name) => ({ name: `package/${name}`, mode: 0o644, bytes: readFileSync(join(from, name)) })),
      time,
    ),
  );
}

const sums = [
  ...(await release("linux-x64")),
  ...(await release("linux-arm64")),
  await named(`pushbox-client-${version}.tgz`, client()),
  await named(`pushbox-${version}-grafana.json`, Promise.resolve(Buffer.from(grafana))),
];
writeFileSync(join(dist, "SHA256SUMS"), sums.join(""));
