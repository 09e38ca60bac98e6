// How files leave the executable. Run from source there is nothing to do: Node finds everything in its place.
// In the executable an asset is a view of its own file, and an addon is unpacked only for the moment it is loaded.
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getAssetKeys, getRawAsset, isSea } from "node:sea";
import { PushError } from "../core/errors.ts";

/** True inside the executable. */
export const isPacked = (): boolean => isSea();

/** The bytes of a packed file. They are part of the executable's image: read, never write. */
const asset = (name: string): Uint8Array => new Uint8Array(getRawAsset(name));

/**
 * Source text of the storage thread, for `new Worker(text, { eval: true })`.
 * Undefined when run from source: the thread's own file is there then.
 */
export const threadSource = (): string | undefined =>
  isPacked() ? new TextDecoder().decode(asset("thread.cjs")) : undefined;

/**
 * The client library that pages load from /socket.io/socket.io.js: 2.5.0, whose calls are those of 1.x, for which such pages were made.
 * Undefined when run from source without development dependencies.
 */
export function clientLibrary(): Uint8Array | undefined {
  if (isPacked()) return asset("socket.io.js");
  const file = new URL("../../node_modules/socket.io-client2/dist/socket.io.js", import.meta.url);
  return existsSync(file) ? readFileSync(file) : undefined;
}

/** A file of dist/client, which scripts/client.mjs makes of src/client. Undefined when run from source and not made. */
export function clientFile(name: string): Uint8Array | undefined {
  if (isPacked()) return asset(`client/${name}`);
  const file = new URL(`../../dist/client/${name}`, import.meta.url);
  return existsSync(file) ? readFileSync(file) : undefined;
}

const CONSOLE = "console/";

/** The files of dist/console by their names, which are made of src/admin/console. None when run from source and not made. */
export function consoleAssets(): ReadonlyMap<string, Uint8Array> {
  if (isPacked()) {
    const names = getAssetKeys().filter((name) => name.startsWith(CONSOLE));
    return new Map(names.map((name) => [name.slice(CONSOLE.length), asset(name)]));
  }
  const folder = new URL("../../dist/console/", import.meta.url);
  if (!existsSync(folder)) return new Map();
  const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? entry.name : []));
  return new Map(names.map((name) => [name, readFileSync(new URL(name, folder))]));
}

/**
 * Loads a packed addon. The loader wants a real file, so it gets one in a directory that only this user can enter, and that is
 * gone when this returns: nothing is left behind, whatever ends the process.
 * @public build.mjs puts it into the bundle
 */
export function addon(name: string): unknown {
  let directory: string;
  try {
    directory = mkdtempSync(join(tmpdir(), "pushbox-"));
  } catch (cause) {
    throw unusable(`cannot write to ${tmpdir()}: set TMPDIR to a directory that this user may write to`, cause);
  }
  try {
    chmodSync(directory, 0o700);
    const file = join(directory, `${name}.node`);
    writeFileSync(file, asset(`${name}.node`), { mode: 0o700 });
    return createRequire(import.meta.url)(file) as unknown;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw unusable(
      `cannot load a part of pushbox from ${tmpdir()} (${why}): set TMPDIR to a directory without noexec`,
      cause,
    );
  } finally {
    // Windows keeps a loaded file locked; it stays until the next clean-up of the temporary directory there.
    rmSync(directory, { recursive: true, force: true, maxRetries: 0 });
  }
}

/** Told as it is, without a stack: whoever starts pushbox can put it right. */
const unusable = (message: string, cause: unknown): PushError => new PushError("unavailable", message, { cause });
