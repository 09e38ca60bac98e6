// What the source says of itself: a number that is cited stands in a README beside the code.
import { globSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import t from "tap";

const root = resolve(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const sources = globSync("{src,test,scripts}/**/*.{ts,mjs}", { cwd: root });

/** Where the numbers of each word are explained, and how they stand there. */
const cited: Readonly<Record<string, readonly [file: string, stands: (number: string) => RegExp]>> = {
  protocol: ["src/sockets/README.md", (number) => new RegExp(`^#+ ${number.replace(".", "\\.")}[. ]`, "m")],
  api: ["src/api/README.md", (number) => new RegExp(`^#+ ${number.replace(".", "\\.")}[. ]`, "m")],
  holds: ["src/README.md", (number) => new RegExp(`^${number}\\. `, "m")],
};

for (const [word, [file, stands]] of Object.entries(cited))
  t.test(`every "${word} N" of the source is found in ${file}`, async (t) => {
    const readme = read(file);
    const pattern = new RegExp(`\\b${word} (\\d+(?:\\.\\d+)?(?:(?:, | and )\\d+(?:\\.\\d+)?)*)`, "g");
    for (const source of sources)
      for (const [, numbers = ""] of read(source).matchAll(pattern))
        for (const number of numbers.split(/, | and /)) t.match(readme, stands(number), `${source}: ${word} ${number}`);
  });

t.test("no comment names a document that is not here", async (t) => {
  for (const source of sources) {
    const text = read(source);
    for (const [, name = ""] of text.matchAll(/([\w./-]+\.md)\b/g))
      t.ok(/README(\.zh-CN)?\.md$/.test(name), `${source}: ${name}`);
    t.notMatch(text, /\(trials [A-F]\d/, source);
  }
});

/** Beside dot files. What is made is in no commit. */
const TOP = [
  "LICENSE",
  "README.md",
  "README.zh-CN.md",
  "build.mjs",
  "package-lock.json",
  "package.json",
  "scripts",
  "src",
  "test",
  "tsconfig.json",
];
/** What `npm start`, `npm test` and a build leave there. */
const MADE = readFileSync(join(root, ".gitignore"), "utf8")
  .split("\n")
  .map((line) => line.replace(/\/$/, ""));

t.test("the top level holds what everybody expects there, and nothing else", async (t) => {
  const names = readdirSync(root).filter((name) => !name.startsWith(".") && !MADE.includes(name));
  t.same(names.toSorted(), TOP);
});
