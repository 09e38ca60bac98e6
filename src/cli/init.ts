// The command `init`: a configuration file to begin with.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { initText } from "../config/text.ts";
import { type Cli, failed } from "./command.ts";

export function addInit({ program, host, end }: Cli): void {
  program
    .command("init")
    .summary("write a configuration file with every setting, its default and one line of why")
    .description(
      "Write a configuration file with every setting, its default and one line of why. Never overwrites a file.",
    )
    .argument("[file]", "where to write it", "pushbox.toml")
    .action(async (file: string) => {
      const { vendorExamples } = await import("../app/vendors.ts");
      const { examples, publicKey } = vendorExamples();
      try {
        // Keys will be written into it.
        const text = initText(randomBytes(24).toString("base64url"), examples);
        writeFileSync(file, text, { flag: "wx", mode: 0o600 });
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        host.err(
          code === "EEXIST"
            ? `${file} exists and is left as it is: name another file\n`
            : `cannot write ${file}: ${message}\n`,
        );
        end(failed);
        return;
      }
      host.out(`${file} written. Start with it: pushbox serve --config ${file}\n`);
      host.out(`It holds a new key for Web Push, whose public half for pages is ${publicKey}\n`);
    })
    .addHelpText("after", "\nExample:\n  pushbox init /etc/pushbox.toml");
}
