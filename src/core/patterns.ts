// Sentences that a program makes, in another language: patterns of them, with what they are about left open.

export type Patterns = readonly (readonly [said: string, instead: string])[];

/** Characters: what is longer is data of somebody's, and costs too much to look at. */
const LONGEST = 1000;

/**
 * `{name}` stands for what a sentence is about, which is looked up in turn: some of it are sentences too. What fits none stays.
 * @returns a text with each of its lines looked up on its own
 */
export function translator(patterns: Patterns): (text: string) => string {
  const compiled = patterns.map(([said, instead]) => {
    const source = said
      .split(/\{(\w+)\}/)
      .map((part, at) => (at % 2 === 1 ? `(?<${part}>.+?)` : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")))
      .join("");
    return { fits: new RegExp(`^${source}$`), instead };
  });
  function sentence(line: string): string {
    for (const { fits, instead } of compiled) {
      const found = fits.exec(line);
      if (found !== null)
        return instead.replace(/\{(\w+)\}/g, (_, name: string) => sentence(found.groups?.[name] ?? ""));
    }
    return line;
  }
  return (text) => text.replace(/[^\n]+/g, (line) => (line.length > LONGEST ? line : sentence(line)));
}
