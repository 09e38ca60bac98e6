// The command `init`: a configuration file to begin with, or the unit that starts a service with it.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { initText } from "../config/text.ts";
import { systemTrouble } from "../core/system-errors.ts";
import { taught } from "./chinese/messages.ts";
import { readsChinese } from "./chinese.ts";
import { type Cli, failed } from "./command.ts";
import { hiddenWord, systemdUnit } from "./systemd.ts";

/** Where a service finds its configuration. */
const PLACE = "/etc/pushbox/pushbox.toml";

export function addInit({ program, host, end }: Cli): void {
  program
    .command("init")
    .summary("write a configuration file with every setting, its default and one line of why")
    .description(
      "Write a configuration file with every setting, its default and one line of why. Never overwrites a file.",
    )
    .argument("[file]", "where to write it (pushbox.toml)")
    .option("--systemd", `print a unit for systemd instead, which starts this program with that file (${PLACE})`)
    .action(async (given: string | undefined, { systemd }: { readonly systemd?: true }) => {
      if (systemd) {
        host.out(systemdUnit({ program: host.program, config: resolve(given ?? PLACE) }));
        const hidden = hiddenWord(host.program);
        if (hidden !== undefined)
          host.err(
            `warning: the unit cannot see ${hidden} (ProtectHome, PrivateTmp): move it, to /usr/local/bin for example, and print the unit there\n`,
          );
        return;
      }
      const file = given ?? "pushbox.toml";
      const { vendorExamples } = await import("../app/vendors.ts");
      const { examples, publicKey } = vendorExamples();
      try {
        // Keys will be written into it.
        const language = readsChinese(host.env) ? "zh" : "en";
        const text = initText(randomBytes(24).toString("base64url"), examples, language);
        writeFileSync(file, text, { flag: "wx", mode: 0o600 });
      } catch (error) {
        const { code = "", message } = error as NodeJS.ErrnoException;
        host.err(
          code === "EEXIST"
            ? `${file} exists and is left as it is: name another file\n`
            : `${systemTrouble(code, file) ?? `cannot write ${file}: ${message}`}\n`,
        );
        end(failed);
        return;
      }
      const say = readsChinese(host.env) ? taught : (text: string): string => text;
      host.out(say(`${file} written. Start with it: pushbox serve --config ${file}\n`));
      host.out(say(`It holds a new key for Web Push, whose public half for pages is ${publicKey}\n`));
    })
    .addHelpText(
      "after",
      `
The unit runs pushbox as the user pushbox, which has to be able to read the file: adduser --system --group pushbox.

Example:
  pushbox init ${PLACE}
  pushbox init --systemd > /etc/systemd/system/pushbox.service`,
    );
}
