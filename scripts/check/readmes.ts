// README.zh-CN.md is README.md in another language: the same chapters, and the same commands and configurations to the letter. And what
// code and tests cite of the READMEs beside the code is there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** The fenced blocks without their comments, and the headings' levels, in order. */
function skeleton(text: string): readonly string[] {
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$|^(#+) /gms)].map(([, language, body, heading]) =>
    heading === undefined ? `${language}\n${bare(body ?? "")}` : heading,
  );
}

/** Comments are translated. */
const bare = (body: string): string => body.replace(/[ \t]+(#|\/\/) .*$/gm, "");

/** One sentence for the first place where they part. */
export function readmeProblems(root: string): readonly string[] {
  const [english, chinese] = ["README.md", "README.zh-CN.md"].map((name) =>
    skeleton(readFileSync(join(root, name), "utf8")),
  ) as [readonly string[], readonly string[]];
  const at = english.findIndex((part, index) => part !== chinese[index]);
  if (at < 0 && english.length === chinese.length) return [];
  const place = JSON.stringify(english[at] ?? chinese[english.length]);
  return [`README.zh-CN.md: its headings and blocks of code are not those of README.md, beginning with ${place}`];
}

/** Who is cited by which word, and how its numbers stand there. */
const CITED: readonly (readonly [word: string, readme: string, number: RegExp])[] = [
  ["holds", "src/README.md", /^(\d+)\. /gm],
  ["protocol", "src/sockets/README.md", /^#{2,3} (\d+(?:\.\d+)?)\b/gm],
  ["api", "src/api/README.md", /^#{2,3} (\d+(?:\.\d+)?)\b/gm],
];

/** Also without the folder: then it is the nearest one above. */
const BY_NAME = /((?:\b[\w-]+\/)*)\bREADME(?:\.md)? (\d+(?:\.\d+)?)(?=[,;:)"\] ]|\.?$)/gm;

/** One sentence for each "holds 3", "protocol 4.5", "api 3.10" or `sockets/README.md 4.12` of code and tests that leads nowhere. */
export function citationProblems(root: string): readonly string[] {
  const sources = ["src", "test", "scripts"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => join(root, folder, name)),
  );
  const texts = sources.map((file) => [relative(root, file), readFileSync(file, "utf8")] as const);
  const byWord = CITED.flatMap(([word, readme, number]) => {
    const there = numbers(root, readme, number);
    const cited = new RegExp(`(?<=\\b${word} )\\d+(?:\\.\\d+)?(?=[,;:)" ]|\\.?$)`, "gm");
    return texts.flatMap(([file, text]) =>
      [...text.matchAll(cited)]
        .filter(([name]) => !there.has(name))
        .map(([name]) => `${file}: ${word} ${name} is not in ${readme}`),
    );
  });
  const byName = texts.flatMap(([file, text]) =>
    [...text.matchAll(BY_NAME)].flatMap(([cited, folder = "", number = ""]) => {
      const readme = folder === "" ? above(root, file) : `${folder.startsWith("src/") ? "" : "src/"}${folder}README.md`;
      const isThere = existsSync(join(root, readme)) && numbers(root, readme, NUMBERED).has(number);
      return isThere ? [] : [`${file}: ${cited} is not in ${readme}`];
    }),
  );
  return [...byWord, ...byName];
}

/** Chapters, and items of lists. */
const NUMBERED = /^(?:#{2,4} (?=\d))?(\d+(?:\.\d+)?)(?:\. |\b(?=[^.]))/gm;

const numbers = (root: string, readme: string, number: RegExp): ReadonlySet<string | undefined> =>
  new Set([...readFileSync(join(root, readme), "utf8").matchAll(number)].map(([, name]) => name));

/** Tests mirror the source. */
function above(root: string, file: string): string {
  for (let folder = dirname(file.replace(/^test\//, "src/")); folder !== "."; folder = dirname(folder))
    if (existsSync(join(root, folder, "README.md"))) return `${folder}/README.md`;
  return "src/README.md";
}
