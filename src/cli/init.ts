// The command `init`: a configuration file to begin with, or the unit that starts a service with it.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { type InitWords, initText } from "../config/text.ts";
import { taught } from "./chinese/messages.ts";
import { SETTINGS } from "./chinese/settings.ts";
import { readsChinese } from "./chinese.ts";
import { type Cli, failed } from "./command.ts";
import { systemdUnit } from "./systemd.ts";

/** Where a service finds its configuration. */
const PLACE = "/etc/pushbox/pushbox.toml";

const CHINESE: InitWords = {
  head: (live) => [
    "pushbox：全部配置项及其默认值。要修改某项，去掉它前面的 #。",
    "时间单位为毫秒，大小单位为字节；路径相对于启动 pushbox 的目录，厂商条目中的路径相对于本文件。",
    "同名的命令行参数（--client-port）和环境变量（PUSHBOX_CLIENT_PORT）优先于本文件。",
    "pushbox check --config FILE 检查错误。kill -HUP 重新读取证书文件，并使以下配置项和厂商条目的更改生效，其余需要重启：",
    live,
  ],
  why: (name, english) => (SETTINGS as Readonly<Record<string, string>>)[name] ?? english,
  vendors: [
    "厂商推送服务。每个条目对应一个应用：再写一个 [[vendors.名称]] 即可增加一个。每个厂商的第一个条目用于没有指明应用的设备。",
    "值为示例；多数项可以省略，缺少哪些由 pushbox check 指出。",
    '密钥也可放在单独的文件中：用 app_secret_file = "/run/secrets/xiaomi" 代替 app_secret。',
  ],
};

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
        return;
      }
      const file = given ?? "pushbox.toml";
      const { vendorExamples } = await import("../app/vendors.ts");
      const { examples, publicKey } = vendorExamples();
      try {
        // Keys will be written into it.
        const words = readsChinese(host.env) ? CHINESE : undefined;
        const text = initText(randomBytes(24).toString("base64url"), examples, words);
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
