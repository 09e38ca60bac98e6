// README.zh-CN.md is README.md in another language: the same chapters, and the same commands and configurations to the letter. And what
// code and tests cite of the READMEs beside the code is there.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

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

/** One sentence for each "holds 3", "protocol 4.5" or "api 3.10" of code and tests that leads nowhere. */
export function citationProblems(root: string): readonly string[] {
  const sources = ["src", "test", "scripts"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => join(root, folder, name)),
  );
  const texts = sources.map((file) => [relative(root, file), readFileSync(file, "utf8")] as const);
  return CITED.flatMap(([word, readme, number]) => {
    const there = new Set([...readFileSync(join(root, readme), "utf8").matchAll(number)].map(([, name]) => name));
    const cited = new RegExp(`(?<=\\b${word} )\\d+(?:\\.\\d+)?(?=[,;:)" ]|\\.?$)`, "gm");
    return texts.flatMap(([file, text]) =>
      [...text.matchAll(cited)]
        .filter(([name]) => !there.has(name))
        .map(([name]) => `${file}: ${word} ${name} is not in ${readme}`),
    );
  });
}
