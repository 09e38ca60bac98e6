// A downloaded release is compared with what runs here: real processes, archives and packages.
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { ar, gzip, tar } from "../../scripts/release/archive.ts";
import { version } from "../../src/app/version.ts";
import { rows } from "../../src/config/settings.ts";
import { FORMAT } from "../../src/engine/format.ts";
import { VERSION } from "../../src/engine/postgres/schema.ts";
import { startTestApp } from "../support/app.ts";
import { runHere } from "../support/cli.ts";
import { main, nodeArguments, run, serve } from "../support/process.ts";

const settings = rows.map(({ name }) => name);
const platform = `${process.platform}-${process.arch}`;

const itself = `exec "${process.execPath}" ${nodeArguments.join(" ")} "${main}" "$@"`;
const right = "echo the configuration is right";

/** An executable that says this of itself, and does that when it is to check the configuration. */
const executable = (said: object | undefined, check: string): string => `#!/bin/sh
case "$1 $2" in
  "version --json") ${said === undefined ? "exit 2" : `echo '${JSON.stringify(said)}'`};;
  "--version ") echo 0.1.0;;
  "check "*) ${check};;
  *) exit 2;;
esac
`;

function download(t: Test, said: object | undefined, check = right): string {
  const directory = t.testdir({
    new: { pushbox: executable(said, check) },
    "pushbox.toml": 'log_level = "warn"\n',
  });
  chmodSync(join(directory, "new/pushbox"), 0o755);
  return directory;
}

t.test("a newer release that fits: version, format and settings are told, and nothing is changed", async (t) => {
  const said = { version: "9.0.0", format: FORMAT + 2, settings: [...settings, "api.brand_new"] };
  const directory = download(t, said, itself);
  const server = await serve(t, directory, ["--config", "pushbox.toml", "--log-level", "info"]);
  await server.call("uid/bind", { pushId: "upgrade-device", uid: "ann" });
  const before = readdirSync(directory, { recursive: true }).sort();
  const done = await run(directory, "upgrade", "--check", "new", "--config", "pushbox.toml");
  t.equal(done.code, 0, done.err);
  t.match(done.out, `here      pushbox ${version}\n`);
  t.match(done.out, "release   pushbox 9.0.0, new/pushbox\n");
  t.match(done.out, /checksum {2}not compared: no SHA256SUMS/);
  t.match(
    done.out,
    new RegExp(
      `data {6}format ${FORMAT} in .*pushbox\\.db, .* [KM]B: becomes format ${FORMAT + 2} at the first start; .*pushbox\\.db\\.v${FORMAT}\n`,
    ),
  );
  t.match(done.out, "settings  new: api.brand_new; gone: none\n");
  t.match(done.out, "check     the configuration is right\n");
  t.match(done.out, /nothing is in the way: make a backup/);
  t.same(readdirSync(directory, { recursive: true }).sort(), before);
  t.match((await server.call("device/get", { pushId: "upgrade-device" })).text, '"uid":"ann"');
  t.equal((await server.stop()).code, 0);
});

t.test(
  "a release that knows less than the data, lacks a setting that is set, or refuses the configuration, is told",
  async (t) => {
    const directory = download(t, {
      version: "0.2.0",
      format: FORMAT - 1,
      settings: settings.filter((name) => name !== "log_level" && name !== "api.port"),
    });
    await (await startTestApp(t, { data: join(directory, "pushbox-data") })).stop();
    writeFileSync(join(directory, "pushbox-data/pushbox.db.v1"), "");
    const done = await runHere(directory, "upgrade", "--check", "new", "--config", "pushbox.toml");
    t.equal(done.code, 1);
    t.match(
      done.err,
      new RegExp(
        `data: format ${FORMAT} in .*: pushbox 0\\.2\\.0 knows only ${FORMAT - 1} and refuses it; to go back, restore`,
      ),
    );
    t.match(done.err, "settings: log_level is set (pushbox.toml:1) and pushbox 0.2.0 has it no more");
    t.notMatch(done.err, "api.port is set");
    t.match(done.err, /do not upgrade before this is put right\n$/);

    writeFileSync(
      join(directory, "new/pushbox"),
      executable({ version: "9.0.0", format: FORMAT, settings }, "echo 'pushbox.toml:1: no' >&2; exit 2"),
    );
    t.match(await runHere(directory, "upgrade", "--check", "new", "--config", "pushbox.toml"), {
      code: 1,
      out: /data {6}format \d+ in .*: stays as it is\n/,
      err: /^its check says: pushbox\.toml:1: no\n/,
    });
  },
);

t.test("an archive or a package that SHA256SUMS names has to be the same before anything of it runs", async (t) => {
  const directory = download(t, { version: "9.0.0", format: FORMAT, settings });
  const downloads = join(directory, "downloads");
  mkdirSync(downloads);
  const bytes = readFileSync(join(directory, "new/pushbox"));
  const archive = await gzip(tar([{ name: "pushbox-9.0.0/pushbox", mode: 0o755, bytes }], 0));
  const data = await gzip(tar([{ name: "./usr/bin/pushbox", mode: 0o755, bytes }], 0));
  const deb = ar(
    [
      { name: "debian-binary", bytes: Buffer.from("2.0\n") },
      { name: "data.tar.gz", bytes: data },
    ],
    0,
  );
  const name = `pushbox-9.0.0-${platform}.tar.gz`;
  const sum = (file: Uint8Array): string => createHash("sha256").update(file).digest("hex");
  writeFileSync(join(downloads, name), archive);
  writeFileSync(join(downloads, "pushbox_9.0.0_amd64.deb"), deb);
  writeFileSync(join(downloads, "SHA256SUMS"), `${sum(archive)}  ${name}\n${sum(deb)}  pushbox_9.0.0_amd64.deb\n`);
  for (const path of ["downloads", `downloads/${name}`, "downloads/pushbox_9.0.0_amd64.deb"]) {
    const done = await runHere(directory, "upgrade", "--check", path);
    t.equal(done.code, 0, `${path}: ${done.err}`);
    t.match(done.out, "checksum  right\n");
    t.match(done.out, "release   pushbox 9.0.0, ");
  }
  const marker = join(directory, "it-ran");
  const other = await gzip(
    tar([{ name: "pushbox", mode: 0o755, bytes: Buffer.from(`#!/bin/sh\ntouch '${marker}'\n`) }], 0),
  );
  writeFileSync(join(downloads, name), other);
  t.match(await runHere(directory, "upgrade", "--check", "downloads"), {
    code: 1,
    err: /is not what .*SHA256SUMS names: download it again\. Nothing of it was run\n$/,
  });
  t.throws(() => statSync(marker), /ENOENT/);
});

t.test("an older release that cannot say more than its version, and what is no release", async (t) => {
  const directory = download(t, undefined);
  const done = await runHere(directory, "upgrade", "--check", "new/pushbox");
  t.equal(done.code, 0, done.err);
  t.match(done.out, "release   pushbox 0.1.0, new/pushbox\n");
  t.match(done.out, "settings  this release does not list its settings\n");
  writeFileSync(join(directory, "text"), "no program");
  const elf = Buffer.alloc(64);
  elf.write("\x7fELF\x02\x01\x01", "latin1");
  elf.writeUInt16LE(process.arch === "x64" ? 0xb7 : 0x3e, 18);
  writeFileSync(join(directory, "other"), elf);
  mkdirSync(join(directory, "empty"));
  for (const [path, why] of [
    [
      "other",
      /^not compared: other is for (arm64|x64) and this machine is (x64|arm64): download the release for linux-/,
    ],
    ["text", /^not compared: text does not run here/],
    ["empty", /^not compared: empty holds neither pushbox nor pushbox-VERSION-/],
    ["nowhere", /^not compared: there is no nowhere\n$/],
  ] as const)
    t.match(await runHere(directory, "upgrade", "--check", path), { code: 1, err: why });
  t.match(await runHere(directory, "upgrade", "new"), { code: 2, err: "compare with --check" });
  t.match(await runHere(directory, "upgrade", "--check"), { code: 2, err: "release is missing" });
  t.equal(
    (await runHere(directory, "version", "--json")).out,
    `${JSON.stringify({ version, format: FORMAT, postgres: VERSION, settings })}\n`,
  );
});
