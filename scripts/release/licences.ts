// The licences of everything that is inside the executable, from the packages it is made of.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly name?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

type Lock = Readonly<Record<string, Locked>>;

/** A package and what it may be used under. */
export interface Licence {
  readonly name: string;
  readonly version: string;
  readonly terms: string;
  readonly text: string;
}

/** Served to pages, and so in the executable, though development dependencies to npm. */
const EMBEDDED = ["socket.io-client2", "preact", "@preact/signals", "uplot"];
/** Wraps the program into Node's executable. */
const WRAPPER = "@yao-pkg/pkg";

/** Sorted by name. `node` is the package whose Node becomes the executable. @throws Error for a package without terms */
export function licences(root: string, node: string): readonly Licence[] {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as { readonly packages: Lock };
  const inside = new Set<string>();
  const add = (path: string): void => {
    if (inside.has(path)) return;
    inside.add(path);
    for (const name of Object.keys(packages[path]?.dependencies ?? {})) add(place(packages, path, name));
  };
  for (const name of [...Object.keys(packages[""]?.dependencies ?? {}), ...EMBEDDED]) add(place(packages, "", name));
  inside.add(`node_modules/${WRAPPER}`);
  const all = [...inside].map((path) => licence(root, path, packages[path]));
  return [nodeItself(root, packages, node), sqlite, ...addon(all), ...all].sort(
    (a, b) => (a.name < b.name ? -1 : 1) || (a.version < b.version ? -1 : 1),
  );
}

export const licencesText = (all: readonly Licence[]): string =>
  `${[
    "pushbox contains the works below. Each is used under its own terms.",
    ...all.map(({ name, version, terms, text }) => `${"=".repeat(78)}\n${name} ${version}\n${terms}\n\n${text.trim()}`),
  ].join("\n\n")}\n`;

/** Where Node would find it from there. */
function place(packages: Lock, from: string, name: string): string {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const path = `${at === "" ? "" : `${at}/`}node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (at === "") throw new Error(`${name}, which ${from} needs, is not in package-lock.json`);
  }
}

function licence(root: string, path: string, locked: Locked | undefined): Licence {
  const directory = join(root, path);
  const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string | { readonly type: string };
    readonly author?: string | { readonly name?: string };
  };
  const { name, version, license, author } = manifest;
  const own = texts(directory);
  const said = typeof license === "string" ? license : (license?.type ?? locked?.license);
  // Some old ones have their terms in the README only, or nowhere but in the registry.
  const terms = said ?? (/\bMIT\b/.test(own + readmeOf(directory)) ? "MIT" : undefined) ?? OLD[name];
  if (terms === undefined) throw new Error(`${name} ${version} says nowhere what it may be used under`);
  const holder = (typeof author === "string" ? author : author?.name) ?? `The authors of ${name}`;
  return { name, version, terms, text: own || `Copyright (c) ${holder}\n\n${MIT}` };
}

const texts = (directory: string): string =>
  readdirSync(directory)
    .filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
    .sort()
    .map((file) => readFileSync(join(directory, file), "utf8").trim())
    .join("\n\n");

function readmeOf(directory: string): string {
  const file = readdirSync(directory).find((name) => /^readme/i.test(name));
  return file === undefined ? "" : readFileSync(join(directory, file), "utf8");
}

function nodeItself(root: string, packages: Lock, node: string): Licence {
  const { version = "" } = packages[`node_modules/${node}`] ?? {};
  const file = join(root, "node_modules", node, "LICENSE");
  if (!existsSync(file)) throw new Error(`${file} is missing: npm ci`);
  return { name: "Node.js", version, terms: "MIT, and those of its parts", text: readFileSync(file, "utf8") };
}

const sqlite: Licence = {
  name: "SQLite",
  version: "as in better-sqlite3",
  terms: "Public domain",
  text: "The author disclaims copyright to this source code: https://www.sqlite.org/copyright.html",
};

/** The package is a repack: its licence is that of the packing. The addon in it is under Apache's, the text of which others bring. */
function addon(all: readonly Licence[]): readonly Licence[] {
  const apache = all.find(({ terms }) => terms === "Apache-2.0");
  if (apache === undefined) throw new Error("no package brings the text of the Apache Licence 2.0 any more");
  const version = all.find(({ name }) => name === "uws-pack")?.version ?? "";
  const entry = { terms: "Apache-2.0", text: `Copyright Alex Hultman and contributors.\n\n${apache.text}` };
  return [
    { name: "uWebSockets.js, uWebSockets and uSockets", version, ...entry },
    {
      name: "BoringSSL, lsquic, libdeflate and zlib, in uWebSockets.js",
      version,
      terms: "Apache-2.0 and ISC; MIT; MIT; Zlib",
      text: `BoringSSL: Copyright The OpenSSL Project Authors, The BoringSSL Authors. The Apache License 2.0 is above.
lsquic: Copyright (c) 2017 - LiteSpeed Technologies Inc.
libdeflate: Copyright 2016 Eric Biggers, 2024 Google LLC.
zlib: Copyright (C) 1995-2024 Jean-loup Gailly and Mark Adler.

lsquic and libdeflate:

${MIT}

zlib:

${ZLIB}`,
    },
  ];
}

/** Neither their package nor their README says it; their repositories do. */
const OLD: Readonly<Record<string, string>> = { "component-bind": "MIT", "component-inherit": "MIT", indexof: "MIT" };

const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software
is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES
OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR
IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const ZLIB = `This software is provided 'as-is', without any express or implied warranty. In no event will the authors be held liable
for any damages arising from the use of this software. Permission is granted to anyone to use this software for any purpose,
including commercial applications, and to alter it and redistribute it freely, subject to the following restrictions: 1. The
origin of this software must not be misrepresented; you must not claim that you wrote the original software. If you use this
software in a product, an acknowledgment in the product documentation would be appreciated but is not required. 2. Altered
source versions must be plainly marked as such, and must not be misrepresented as being the original software. 3. This notice
may not be removed or altered from any source distribution.`;
