// What has no Chinese text: of --help, and of the API's description. Settings and vendors' keys are held by the compiler.
import { inChinese, leftOver } from "../../src/api/chinese.ts";
import { openApi, translated } from "../../src/api/openapi.ts";
import { missing } from "../../src/cli/chinese.ts";
import { run } from "../../src/cli/index.ts";

/** One sentence for each text. */
export async function untranslated(): Promise<readonly string[]> {
  const host = { program: ["pushbox"], env: { PUSHBOX_LANG: "zh" }, terminal: false, out() {}, err() {} };
  // Each makes all commands; headings are looked up as they are printed.
  for (const args of [["--help"], ["serve", "--help"], ["lab", "--help"], ["job", "--help"], ["job", "get", "--help"]])
    await run({ ...host, args } as unknown as Parameters<typeof run>[0]);
  const said = new Set<string>();
  translated(openApi(""), (text) => {
    said.add(text);
    return text;
  });
  return [
    ...[...missing].map((text) => `src/cli/chinese/texts.ts has no Chinese for ${JSON.stringify(text)}`),
    ...[...said]
      .filter((text) => inChinese(text) === undefined)
      .map((text) => `src/api/chinese.ts has no Chinese for ${JSON.stringify(text)}`),
    ...leftOver().map((text) => `src/api/chinese.ts: the API's description does not say ${JSON.stringify(text)}`),
  ];
}
