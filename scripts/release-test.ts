// npm run release:test: what `npm run release` made is what it says, and those parts that can run on this machine do: each is
// unpacked as its reader would, started, and pushed through. Ends with a line "N passed, N failed".
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { io } from "socket.io-client4";
import { version } from "../src/app/version.ts";
import { freePort } from "../test/support/ports.ts";
import { documents } from "./release/documents.ts";
import { licences } from "./release/licences.ts";

const root = resolve(import.meta.dirname, "..");
const dist = join(root, "dist");
const work = mkdtempSync(join(tmpdir(), "pushbox-release-"));
const target = `linux-${process.arch}`;
/** The same machine, as Debian calls it. */
const architectures = { "linux-x64": "amd64", "linux-arm64": "arm64" } as const;
/** e_machine of ELF: 62 is x86-64, 183 AArch64. */
const machines = { "linux-x64": 62, "linux-arm64": 183 } as const;
let passed = 0;
let failed = 0;

async function step(name: string, act: () => Promise<void> | void): Promise<void> {
  try {
    await act();
    passed++;
    process.stdout.write(`ok  ${name}\n`);
  } catch (error) {
    failed++;
    process.stdout.write(`not ok  ${name}\n${error instanceof Error ? error.stack : error}\n`);
  }
}

function check(right: boolean, otherwise: string): void {
  if (!right) throw new Error(otherwise);
}

/** Runs a program; it must end with 0. */
function run(command: string, ...args: string[]): string {
  const done = spawnSync(command, args, { cwd: work, encoding: "utf8", maxBuffer: 64e6 });
  check(done.status === 0, `${command} ${args.join(" ")}: ${done.error ?? ""}${done.stdout}${done.stderr}`);
  return done.stdout;
}

const has = (command: string): boolean => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;

/** Undoes a package; without dpkg by the tools that it is made with. */
function unpack(deb: string, into: string, control: string): void {
  for (const directory of [into, control]) mkdirSync(directory, { recursive: true });
  if (has("dpkg-deb")) {
    run("dpkg-deb", "-x", deb, into);
    run("dpkg-deb", "-e", deb, control);
    return;
  }
  run("sh", "-c", `ar p '${deb}' data.tar.gz | tar -xzf - -C '${into}'`);
  run("sh", "-c", `ar p '${deb}' control.tar.gz | tar -xzf - -C '${control}'`);
}

/** Starts the executable, pushes once to a client of it, and stops it. */
async function serves(executable: string, config: string, data: string): Promise<void> {
  const [client, api] = [await freePort(), await freePort()];
  check(run(executable, "--version") === `${version}\n`, "it is another version");
  const flags = [
    "--client-host",
    "127.0.0.1",
    "--client-port",
    `${client}`,
    "--api-port",
    `${api}`,
    "--admin-port",
    "0",
    "--data",
    data,
  ];
  const child = spawn(executable, ["serve", "--config", config, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
  const socket = io(`http://127.0.0.1:${client}`, { transports: ["websocket"], autoConnect: false });
  try {
    await Promise.race([ready(child), ended(child)]);
    const greeted = new Promise((done) => socket.once("pushId", done));
    const pushed = new Promise((done) => socket.once("p", done));
    socket.once("connect", () =>
      socket.emit("pushId", { id: "release0123456789", platform: "test", topics: ["news"] }),
    );
    socket.connect();
    await Promise.race([greeted, ended(child)]);
    const body = new URLSearchParams({ topic: "news", json: '{"hello":"world"}' });
    await fetch(`http://127.0.0.1:${api}/api/push`, { method: "POST", body });
    check(JSON.stringify(await Promise.race([pushed, ended(child)])) === '{"hello":"world"}', "another message came");
  } finally {
    socket.disconnect();
    const exit = once(child, "exit");
    if (child.exitCode === null) child.kill("SIGTERM");
    const code: unknown = child.exitCode ?? (await exit)[0];
    check(code === 0, `it ended with ${code}`);
  }
}

async function ready(child: ChildProcess): Promise<void> {
  for await (const line of createInterface({ input: child.stdout! })) if (line.includes("try: curl")) break;
  child.stdout!.resume();
}

async function ended(child: ChildProcess): Promise<never> {
  const [code] = child.exitCode === null ? await once(child, "exit") : [child.exitCode];
  throw new Error(`it ended with ${code}`);
}

/** The kind of machine that an executable is for. */
const machine = (file: string): number => readFileSync(file).readUInt16LE(18);

const names = [
  ...Object.entries(architectures).flatMap(([platform, architecture]) => [
    `pushbox-${version}-${platform}.tar.gz`,
    `pushbox_${version}_${architecture}.deb`,
  ]),
  `pushbox-client-${version}.tgz`,
  `pushbox-${version}-grafana.json`,
];

await step("SHA256SUMS names what there is, and each file is what it says", () => {
  const lines = readFileSync(join(dist, "SHA256SUMS"), "utf8").trim().split("\n");
  const sums = lines.map((line) => line.split("  "));
  check(sums.map(([, name]) => name).join() === names.join(), `it names ${lines.join(", ")}`);
  for (const [sum, name = ""] of sums) {
    const bytes = readFileSync(join(dist, name));
    check(createHash("sha256").update(bytes).digest("hex") === sum, `${name} is another file`);
  }
});

await step("the client is a package that npm takes, and the dashboard is JSON", () => {
  run("tar", "-xzf", join(dist, `pushbox-client-${version}.tgz`), "-C", work);
  const entry = join(work, "package/pushbox.umd.cjs");
  const made = run(process.execPath, "-p", `typeof require(${JSON.stringify(entry)}).PushClient`);
  check(made === "function\n", `its client is ${made}`);
  const own = JSON.parse(readFileSync(join(work, "package/package.json"), "utf8")) as { readonly version?: string };
  check(own.version === version, `it is ${own.version}`);
  const board = JSON.parse(readFileSync(join(dist, `pushbox-${version}-grafana.json`), "utf8")) as object;
  check("panels" in board, "it has no panels");
});

/** Where the links of README.md lead. */
const pages = [...documents(root, ["README.md", "README.zh-CN.md"]).keys()];

for (const [platform, architecture] of Object.entries(architectures)) {
  const kind = platform as keyof typeof machines;
  const archive = join(work, `pushbox-${version}-${platform}`);
  const [files, control] = [join(work, `${architecture}-files`), join(work, `${architecture}-control`)];

  await step(`${platform}: the archive holds the executable of that machine, and what goes with it`, () => {
    run("tar", "-xzf", join(dist, `pushbox-${version}-${platform}.tar.gz`), "-C", work);
    const expected =
      "LICENSE README.md README.zh-CN.md THIRD-PARTY cluster grafana.json pushbox pushbox.service pushbox.toml scripts src";
    check(readdirSync(archive).sort().join(" ") === expected, `it holds ${readdirSync(archive).join(" ")}`);
    check(machine(join(archive, "pushbox")) === machines[kind], "the executable is for another machine");
    for (const path of pages) check(existsSync(join(archive, path)), `a link leads to ${path}, which it does not hold`);
    const cluster = readdirSync(join(archive, "cluster")).sort().join(" ");
    check(
      cluster === "README.md README.zh-CN.md compose.yaml haproxy.cfg nginx.conf node.toml pushbox@.service",
      `cluster: ${cluster}`,
    );
  });

  await step(`${architecture}: the package puts the same files where Debian has them`, () => {
    unpack(join(dist, `pushbox_${version}_${architecture}.deb`), files, control);
    const sums = readFileSync(join(control, "md5sums"), "utf8").trim().split("\n");
    const expected = [
      "etc/pushbox/pushbox.toml",
      "usr/bin/pushbox",
      "usr/lib/systemd/system/pushbox.service",
      ...pages.map((path) => `usr/share/doc/pushbox/${path}`),
      "usr/share/doc/pushbox/copyright",
    ];
    check(sums.map((line) => line.slice(34)).join() === expected.join(), sums.join("\n"));
    for (const line of sums) {
      const bytes = readFileSync(join(files, line.slice(34)));
      check(createHash("md5").update(bytes).digest("hex") === line.slice(0, 32), `${line.slice(34)} is another file`);
    }
    check(readFileSync(join(control, "conffiles"), "utf8") === "/etc/pushbox/pushbox.toml\n", "conffiles");
    const same = readFileSync(join(files, "usr/bin/pushbox")).equals(readFileSync(join(archive, "pushbox")));
    check(same, "its executable is another one");
    const fields = readFileSync(join(control, "control"), "utf8");
    check(fields.includes(`\nVersion: ${version}\nArchitecture: ${architecture}\n`), fields);
    if (has("dpkg-deb")) run("dpkg-deb", "--info", join(dist, `pushbox_${version}_${architecture}.deb`));
    for (const script of ["postinst", "prerm", "postrm"]) run("sh", "-n", join(control, script));
  });

  await step(`${platform}: every work inside is named with its terms`, () => {
    const wanted = licences(root, `node-${process.platform}-${process.arch}`);
    check(wanted.length > 20, `${wanted.length} are known`);
    for (const file of [join(archive, "THIRD-PARTY"), join(files, "usr/share/doc/pushbox/copyright")]) {
      const text = readFileSync(file, "utf8");
      for (const { name, version: of, terms } of wanted)
        check(text.includes(`\n${name} ${of}\n${terms}\n\n`), `${file} does not name ${name} ${of}`);
      for (const name of ["Node.js 22.", "uWebSockets.js", "better-sqlite3", "SQLite", "socket.io-client 2.5.0"])
        check(text.includes(`\n${name}`), `${file} does not name ${name}`);
    }
    const own = readFileSync(join(root, "LICENSE"), "utf8");
    check(readFileSync(join(archive, "LICENSE"), "utf8") === own, "LICENSE is another");
    check(readFileSync(join(files, "usr/share/doc/pushbox/copyright"), "utf8").startsWith(own), "copyright lacks ours");
  });

  if (platform !== target) continue;

  await step(`${platform}: the archive's executable serves with the configuration beside it`, () =>
    serves(join(archive, "pushbox"), join(archive, "pushbox.toml"), join(work, "archive-data")),
  );
  await step(`${architecture}: the package's executable serves with the package's configuration`, () =>
    serves(join(files, "usr/bin/pushbox"), join(files, "etc/pushbox/pushbox.toml"), join(work, "package-data")),
  );
  await step("the package's unit is the one that pushbox init --systemd prints, but for the path", () => {
    const printed = run(join(files, "usr/bin/pushbox"), "init", "--systemd");
    const unit = readFileSync(join(files, "usr/lib/systemd/system/pushbox.service"), "utf8");
    check(printed.replace(join(files, "usr/bin/pushbox"), "/usr/bin/pushbox") === unit, printed);
  });
  await step("the example configuration holds no secret, and data where the unit lets it write", () => {
    const config = readFileSync(join(files, "etc/pushbox/pushbox.toml"), "utf8");
    const set = config.split("\n").filter((line) => line !== "" && !line.startsWith("#") && !line.startsWith("["));
    check(set.join() === 'data = "/var/lib/pushbox"', set.join("\n"));
    check(config.includes('#private_key = "..."'), "there is a key for Web Push");
  });
  if (has("systemd-analyze") && process.getuid?.() === 0)
    await step("systemd takes the unit, and finds little exposed", () => {
      // As if it were installed: verify looks for the program, and for the user's group.
      const unit = join(work, "pushbox.service");
      const text = readFileSync(join(files, "usr/lib/systemd/system/pushbox.service"), "utf8");
      writeFileSync(unit, text.replace("/usr/bin/pushbox", join(files, "usr/bin/pushbox")));
      run("systemd-analyze", "verify", "--man=no", unit);
      const template = join(work, "pushbox@.service");
      const several = readFileSync(join(archive, "cluster/pushbox@.service"), "utf8");
      writeFileSync(template, several.replace("/usr/local/bin/pushbox", join(files, "usr/bin/pushbox")));
      run("systemd-analyze", "verify", "--man=no", template.replace("@", "@a"));
      // 0 is the least, 10 an ordinary service.
      run("systemd-analyze", "security", "--offline=true", "--threshold=30", unit);
    });
}

rmSync(work, { recursive: true, force: true });
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
