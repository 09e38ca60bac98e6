// What --help says and src/cli/chinese/texts.ts does not have in Chinese. Settings are held by the compiler.
import { missing } from "../../src/cli/chinese.ts";
import { run } from "../../src/cli/index.ts";

/** One sentence for each text. */
export async function untranslated(): Promise<readonly string[]> {
  const host = { program: ["pushbox"], env: { PUSHBOX_LANG: "zh" }, terminal: false, out() {}, err() {} };
  // Each makes all commands; headings are looked up as they are printed.
  for (const args of [["--help"], ["serve", "--help"], ["lab", "--help"], ["job", "--help"], ["job", "get", "--help"]])
    await run({ ...host, args } as unknown as Parameters<typeof run>[0]);
  return [...missing].map((text) => `src/cli/chinese/texts.ts has no Chinese for ${JSON.stringify(text)}`);
}
