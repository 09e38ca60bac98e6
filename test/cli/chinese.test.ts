// The help in Chinese: every command and option, and only where somebody reads Chinese.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { readsChinese } from "../../src/cli/chinese.ts";
import { run } from "../../src/cli/index.ts";

async function cli(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  let text = "";
  const write = (piece: string): void => {
    text += piece;
  };
  await run({ args, env, program: ["pushbox"], terminal: false, out: write, err: write } as never);
  return text;
}

const CHINESE = /[\u4e00-\u9fff]/;

t.test("the language is that of PUSHBOX_LANG, or of the locale", async (t) => {
  for (const [env, expected] of [
    [{}, false],
    [{ LANG: "zh_CN.UTF-8" }, true],
    [{ LANG: "zh" }, true],
    [{ LANG: "en_US.UTF-8", LC_MESSAGES: "zh_TW" }, true],
    [{ LANG: "zh_CN.UTF-8", LC_ALL: "C" }, false],
    [{ LC_ALL: "", LANG: "zh_CN.UTF-8" }, true],
    [{ LANG: "zh_CN.UTF-8", PUSHBOX_LANG: "en" }, false],
    [{ LANG: "C", PUSHBOX_LANG: "zh-CN" }, true],
    [{ LANG: "zho" }, false],
  ] as const)
    t.equal(readsChinese(env), expected, JSON.stringify(env));
});

t.test("the help of every command is Chinese, its words of the command line are as they were", async (t) => {
  // What a shell completes with are all commands and flags, each with what it is for.
  const [english, chinese] = await Promise.all(
    ["C", "zh_CN.UTF-8"].map(async (LANG) => (await cli(["completion", "fish"], { LANG })).split("\n")),
  );
  const words = (lines: readonly string[]): readonly string[] => lines.map((line) => line.replace(/ -d '.*$/, ""));
  t.same(words(chinese!), words(english!));
  const why = chinese!.map((line) => / -d '(.*)'$/.exec(line)?.[1] ?? "").filter((text) => text !== "");
  t.ok(why.length > 200);
  t.same(
    why.filter((text) => !CHINESE.test(text)),
    [],
  );
  const commands = new Set(
    chinese!.flatMap((line) => {
      const before = [...line.matchAll(/__fish_seen_subcommand_from ([\w-]+)(?=;|')/g)].map(([, word]) => word ?? "");
      const [, own] = / -a ([\w-]+) /.exec(line) ?? [];
      return own === undefined ? [] : [[...before, own].join(" ")];
    }),
  );
  t.ok(commands.size > 30);
  for (const command of commands) {
    const help = await cli([...command.split(" "), "--help"], { LANG: "zh_CN.UTF-8" });
    t.match(help, /^用法： pushbox /, command);
    t.same(
      help.split("\n").filter((line) => /^[A-Z]/.test(line) && !CHINESE.test(line)),
      [],
      command,
    );
    t.notMatch(help, /Options:|Arguments:|Examples?:|Exit codes/, command);
  }
});

t.test("a mistake is explained in Chinese, with its place and the way out", async (t) => {
  const file = join(t.testdir({}), "wrong.toml");
  const lines = [
    "dat = 1",
    "[client]",
    "port = 80000",
    "tls_cert = 'x'",
    "[api]",
    "host = '0.0.0.0'",
    "metrics = 'yes'",
    "[admin]",
    "domain = 'a.example'",
    "prt = 1",
    "[nowhere]",
  ];
  writeFileSync(file, lines.join("\n"), { mode: 0o600 });
  const env = { LANG: "zh_CN.UTF-8" };
  const told = (await cli(["check", "--config", file, "--port", "1"], env)).replaceAll(`${file}:`, "");
  t.same(
    told.split("\n").filter((line) => line !== "" && !CHINESE.test(line)),
    [],
  );
  t.match(told, "1：没有配置项 dat；是不是 data？");
  t.match(told, "3：client.port：80000 不符合要求；请写 0 到 65_535 之间的整数");
  t.match(told, /^6：api\.host 0\.0\.0\.0 可以被他人访问，却没有密钥；/m);
  t.match(told, /您须同意其服务条款 \(https:\/\/letsencrypt/);
  t.match(told, /^--port：没有这个参数；是不是 --client-port or /m);
  t.match(told, /共 \d+ 个问题\n$/);
  t.equal(
    await cli(["check", "--config", "none.toml"], env),
    "none.toml：没有这个文件；可以生成一个：pushbox init\n共 1 个问题\n",
  );
  t.match(await cli(["serv"], env), /没有命令 serv/);
});

t.test("what doctor finds and what init writes is Chinese, and the file is as right as the English one", async (t) => {
  const directory = t.testdir({});
  const file = join(directory, "pushbox.toml");
  const env = { PUSHBOX_LANG: "zh" };
  t.match(await cli(["init", file], env), /^已写入 /);
  t.match(await cli(["init", file], env), /已存在/);
  const lines = readFileSync(file, "utf8").split("\n");
  t.match(lines[0], /全部配置项/);
  const said = lines.slice(lines.indexOf("")).filter((line) => /^# /.test(line));
  t.ok(said.length > 200);
  t.same(
    said.filter((line) => !CHINESE.test(line) && !/^# (vivo|OPPO)/.test(line)),
    [],
    "what vendors' keys are for, too",
  );
  t.match(await cli(["check", "--config", file], env), /配置正确/);
  const free = ["--client-port", "0", "--api-port", "0", "--admin-port", "0", "--data", join(directory, "data")];
  const found = (await cli(["doctor", ...free], env)).split("\n").filter((line) => line !== "");
  t.ok(found.length > 5);
  t.same(
    found.filter((line) => !/^(正常|注意|错误) {2}\S.* {2}.*[\u4e00-\u9fff]/.test(line)),
    [],
  );
});
