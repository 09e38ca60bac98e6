// A downloaded release: which file it is, whether it is whole, and its executable, which is taken out of an archive for the moment.
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Trouble } from "../trouble.ts";

export interface Release {
  /** The file that was looked at. */
  readonly file: string;
  readonly executable: string;
  /** By SHA256SUMS beside it; undefined: there is none that names it. */
  readonly checksum: "right" | undefined;
  /** Removes what was unpacked. */
  discard(): void;
}

const MOST_UNPACKED = 1_000_000_000;

/** @param path of the executable, of an archive or package, or of a directory with one of these */
export function openRelease(path: string, platform: string): Release {
  if (!existsSync(path)) throw new Trouble(`there is no ${path}`);
  const file = statSync(path).isDirectory() ? fileIn(path, platform) : path;
  const checksum = checked(file);
  const packed = /\.(tar\.gz|tgz)$/.test(file) ? unpackArchive : file.endsWith(".deb") ? unpackPackage : undefined;
  if (packed === undefined) return { file, executable: file, checksum, discard() {} };
  const bytes = packed(readFileSync(file));
  if (bytes === undefined) throw new Trouble(`${file} holds no pushbox`);
  const directory = mkdtempSync(join(tmpdir(), "pushbox-upgrade-"));
  const executable = join(directory, "pushbox");
  writeFileSync(executable, bytes, { mode: 0o700 });
  chmodSync(executable, 0o700);
  return { file, executable, checksum, discard: () => rmSync(directory, { recursive: true, force: true }) };
}

/** The executable itself, or the one archive or package for this machine. */
function fileIn(directory: string, platform: string): string {
  const names = readdirSync(directory);
  if (names.includes("pushbox") && statSync(join(directory, "pushbox")).isFile()) return join(directory, "pushbox");
  const architecture = platform.endsWith("arm64") ? "arm64" : "amd64";
  const ours = names.filter((name) => name.endsWith(`-${platform}.tar.gz`));
  const found = ours.length > 0 ? ours : names.filter((name) => name.endsWith(`_${architecture}.deb`));
  const [first, ...more] = found;
  if (first === undefined)
    throw new Trouble(`${directory} holds neither pushbox nor pushbox-VERSION-${platform}.tar.gz: name the file`);
  if (more.length > 0) throw new Trouble(`${directory} holds ${found.sort().join(" and ")}: name one of them`);
  return join(directory, first);
}

function checked(file: string): "right" | undefined {
  const sums = join(dirname(file), "SHA256SUMS");
  if (!existsSync(sums)) return undefined;
  const name = basename(file);
  const line = readFileSync(sums, "utf8")
    .split("\n")
    .find((one) => one.slice(64).replace(/^ [ *]/, "") === name);
  if (line === undefined) return undefined;
  if (createHash("sha256").update(readFileSync(file)).digest("hex") === line.slice(0, 64).toLowerCase()) return "right";
  throw new Trouble(`${file} is not what ${sums} names: download it again. Nothing of it was run`);
}

/** The executable in a tar.gz; undefined: there is none. */
function unpackArchive(archive: Uint8Array): Uint8Array | undefined {
  const tar = gunzipSync(archive, { maxOutputLength: MOST_UNPACKED });
  const text = (at: number, length: number): string => tar.toString("latin1", at, at + length).replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= tar.length; ) {
    const name = text(at, 100);
    const size = Number.parseInt(text(at + 124, 12).trim() || "0", 8);
    if (!(size >= 0)) return undefined;
    const isFile = ["0", ""].includes(text(at + 156, 1));
    if (isFile && /(^|\/)pushbox$/.test(name)) return tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return undefined;
}

/** The same in a Debian package: an ar archive whose data.tar.gz holds the files. */
function unpackPackage(bytes: Uint8Array): Uint8Array | undefined {
  const ar = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 8; at + 60 <= ar.length; ) {
    const name = ar.toString("latin1", at, at + 16).trim();
    const size = Number(ar.toString("latin1", at + 48, at + 58).trim());
    if (!(size >= 0)) return undefined;
    if (/^data\.tar\.gz\/?$/.test(name)) return unpackArchive(ar.subarray(at + 60, at + 60 + size));
    at += 60 + size + (size % 2);
  }
  return undefined;
}
