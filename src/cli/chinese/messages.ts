// What a person is told of a mistake, in Chinese: patterns of the English sentences. `{...}` is what they are about; it is looked up
// in turn, for some of it are sentences too. What fits none stays English.

import { MISTAKES } from "../../config/chinese.ts";
import { type Patterns, translator } from "../../core/patterns.ts";

const PATTERNS: Patterns = [
  ["warning: {rest}", "警告：{rest}"],
  ["1 problem", "共 1 个问题"],
  ["{n} problems", "共 {n} 个问题"],
  ["1 problem; see {command}", "共 1 个问题；见 {command}"],
  ["{n} problems; see {command}", "共 {n} 个问题；见 {command}"],
  ["the configuration is right", "配置正确"],

  // The command line.
  ["error: unknown command '{name}'", "错误：没有命令 {name}"],
  ["error: unknown option '{name}'", "错误：没有参数 {name}"],
  ["error: missing required argument '{name}'", "错误：缺少 {name}"],
  ["error: option '{name}' argument missing", "错误：参数 {name} 缺少值"],
  ["(Did you mean {name}?)", "（是不是 {name}？）"],
  ["{word}: unknown flag; did you mean {guess}?", "{word}：没有这个参数；是不是 {guess}？"],
  ["{word}: unknown flag; {rest}", "{word}：没有这个参数；{rest}"],
  ["{word}: unexpected; settings are flags, {rest}", "{word}：多余；配置项要写成参数，{rest}"],
  ["{word}: unexpected; {rest}", "{word}：多余；{rest}"],
  ["{word} is missing; {rest}", "缺少 {word}；{rest}"],
  ["see pushbox {command} --help", "见 pushbox {command} --help"],

  // The data is in PostgreSQL.
  [
    'no backup was made: engine = "postgres": the data is in PostgreSQL, in the schema {schema}; copy it with {command}. A directory from before: --engine sqlite',
    '没有备份：engine = "postgres"，数据在 PostgreSQL 的 schema {schema} 中；请用 {command} 复制。以前的目录：--engine sqlite',
  ],
  [
    "{names} on the schema {schema}: stop all nodes first ({rest})",
    "{names}（schema {schema}）：请先停止所有节点（{rest}）",
  ],

  ...MISTAKES,

  // Commands.
  ["{file} exists and is left as it is: name another file", "{file} 已存在，未作改动：请换一个文件名"],
  [
    "the unit cannot see {file} (ProtectHome, PrivateTmp): move it, to /usr/local/bin for example, and print the unit there",
    "该单元看不到 {file}（ProtectHome、PrivateTmp）：请把它移到例如 /usr/local/bin，再从那里生成单元文件",
  ],
  [
    "this user may not read {file}: run this as the user that the server runs as",
    "当前用户无权读取 {file}：请以运行服务器的用户执行",
  ],
  ["no backup was made: {reason}", "没有备份：{reason}"],
  ["no devices were written: {reason}", "没有导出设备：{reason}"],
  [
    "a copy is not for a terminal: pushbox backup - > FILE, or into a program",
    "备份不能输出到终端：pushbox backup - > FILE，或通过管道交给其他程序",
  ],

  // What doctor finds.
  ["this system tells no limit", "本系统不提供上限"],
  [
    "{n} open files: up to {m} connections; raise it with ulimit -n, or LimitNOFILE= in systemd",
    "可打开 {n} 个文件：最多 {m} 个连接；请用 ulimit -n 或 systemd 的 LimitNOFILE= 调高",
  ],
  [
    "{n} open files: up to {m} connections; for more, ulimit -n, or LimitNOFILE= in systemd",
    "可打开 {n} 个文件：最多 {m} 个连接；如需更多，用 ulimit -n 或 systemd 的 LimitNOFILE=",
  ],
  ["{n} open files: up to {m} connections", "可打开 {n} 个文件：最多 {m} 个连接"],
  [
    '{n} writes that survive a power cut per second (fsync): slow; storage.synchronous = "NORMAL" does not wait for the disk',
    '每秒 {n} 次断电不丢的写入（fsync）：偏慢；storage.synchronous = "NORMAL" 不等待磁盘',
  ],
  ["{n} writes that survive a power cut per second (fsync)", "每秒 {n} 次断电不丢的写入（fsync）"],
  ["{place} cannot be written: {why}", "{place} 无法写入：{why}"],
  ["{n} GB free for the data: little", "数据可用空间 {n} GB：偏少"],
  ["{n} GB free for the data", "数据可用空间 {n} GB"],
  ["{port} on {host} is free", "{host} 上的端口 {port} 空闲"],
  ["{port} on {host} is in use, by this very server perhaps", "{host} 上的端口 {port} 已被占用，可能就是本服务器"],
  ["none is configured", "未配置"],
  ["valid: {names}", "有效：{names}"],
  ["no vendor is configured: only connections are served", "未配置任何厂商：只服务于长连接"],
  [
    "{names}: complete and readable; whether a vendor takes them only it knows",
    "{names}：完整且可读；厂商是否接受只有厂商知道",
  ],
  ["{time}; compared with nobody's", "{time}；没有可对照的时钟"],
  ["{place} cannot be reached ({why}), so its clock is not known", "无法连接 {place}，不知道其时钟（{why}）"],
  ["{place} answers without telling its time", "{place} 的应答中没有时间"],
  ["as that of {place}", "与 {place} 一致"],
  [
    "{off}: its signatures are refused; set the clock (timedatectl set-ntp true)",
    "{off}：签名会被拒绝；请校准时钟（timedatectl set-ntp true）",
  ],
  ["{n} s behind {place}", "比 {place} 慢 {n} 秒"],
  ["{n} s ahead of {place}", "比 {place} 快 {n} 秒"],
  [
    "{domain} has no address: it needs an A or AAAA record that leads to this machine",
    "{domain} 没有地址：需要一条指向本机的 A 或 AAAA 记录",
  ],
  [
    "something else answers on port {port} of {domain} ({place})",
    "{domain} 的端口 {port} 上应答的是别的程序（{place}）",
  ],
  ["notifications are heard", "能收到 NOTIFY 通知"],

  // init.
  ["{file} written. Start with it: {command}", "已写入 {file}。用它启动：{command}"],
  [
    "It holds a new key for Web Push, whose public half for pages is {key}",
    "其中有新的 Web Push 密钥，供网页使用的公钥是 {key}",
  ],
  ["{file} exists and is left as it is: name another file", "{file} 已存在，未作改动：请换一个文件名"],
  ["cannot write {file}: {why}", "无法写入 {file}：{why}"],
];

/** Each line of a text on its own. */
export const taught = translator(PATTERNS);
