// README.zh-CN.md is README.md in another language: the same chapters, and the same commands and configurations to the letter.
import { readFileSync } from "node:fs";
import { join } from "node:path";

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
