// Joins the configuration and those who speak to the vendors: neither knows the other.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Config } from "../config/index.ts";
import type { KeyWords, OpenKeys, VendorExample } from "../config/text.ts";
import { openVendors as openEntries, VENDORS, type Vendors } from "../vendors/index.ts";
import type { Network } from "../vendors/line.ts";
import { createVapidKey, publicKeyOf } from "../vendors/webpush.ts";

/** What outlives a reload. */
type Shared = Pick<Network, "signatures" | "debug">;

/** The vendors as configured, connected to nothing yet. @throws Error when an entry, which was checked before, is no longer right */
export function openVendors(configured: Config["vendors"], now: number, shared: Shared = {}): Vendors {
  const opened = openConfigured(configured, now, shared);
  if (opened.problems.length > 0) throw new Error(opened.problems.join("\n"));
  return opened;
}

/** Reads the files that are named, each time. @throws Error when that of the authorities, which was checked before, is gone */
function openConfigured(
  { entries, directory, caFile, proxy }: Config["vendors"],
  now: number,
  shared: Shared,
): Vendors {
  return openEntries(entries, (file) => readNamed(resolve(directory, file)), now, {
    ...(caFile === "" ? {} : { ca: readFileSync(caFile, "utf8") }),
    ...(proxy === "" ? {} : { proxy }),
    ...shared,
  });
}

/** What is wrong with the entries, each with its place and key. */
export function vendorProblems(configured: Config["vendors"], now: number): readonly string[] {
  return openConfigured({ ...configured, caFile: "" }, now, {}).problems;
}

/** Keys of a vendor's entry that hold no secret. */
export const openKeys: OpenKeys = (name) =>
  new Set(
    (VENDORS.find((vendor) => vendor.name === name)?.keys ?? [])
      .filter((key) => key.secret !== true)
      .map((key) => key.name),
  );

/** What each key of a vendor's entry is for, by its name. */
export const keyWords: KeyWords = (name) =>
  new Map((VENDORS.find((vendor) => vendor.name === name)?.keys ?? []).map((key) => [key.name, key.why]));

/** With a new key for Web Push. `publicKey` is what pages subscribe with. */
export function vendorExamples(): { readonly examples: readonly VendorExample[]; readonly publicKey: string } {
  const { privateKey, publicKey } = createVapidKey();
  const examples = VENDORS.map(({ name, title, keys }) => ({
    name,
    title,
    keys: keys.map((key) =>
      name === "webpush" && key.name === "private_key"
        ? {
            ...key,
            why: {
              en: `The VAPID key. This one was made for this file; pages subscribe with (applicationServerKey): ${publicKey}`,
              zh: `VAPID 私钥，已为该文件新生成；网页订阅时使用的公钥（applicationServerKey）：${publicKey}`,
            },
            example: privateKey,
          }
        : key,
    ),
  }));
  return { examples, publicKey };
}

/** The public keys of Web Push by app, as pages need them; of entries that were checked. */
export function webPushKeys({ entries, directory }: Config["vendors"]): Readonly<Record<string, string>> {
  const own = entries.filter(({ vendor }) => vendor === "webpush").map(({ value }) => Object(value) as Entry);
  return Object.fromEntries(
    own.map(({ app, private_key: key, private_key_file: file }) => [
      app,
      publicKeyOf(key ?? readNamed(resolve(directory, String(file))).trim()),
    ]),
  );
}

interface Entry {
  readonly app: string;
  readonly private_key?: string;
  readonly private_key_file?: string;
}

function readNamed(file: string): string {
  // It may be a key: not to be shown.
  if (file.includes("-----BEGIN")) throw new Error("is PEM text itself; write it into a file and give the file's path");
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new Error(`there is no file ${file}`);
    if (code === "EACCES") throw new Error(`this user may not read ${file}`);
    throw new Error(`cannot read ${file}: ${code}`);
  }
}
