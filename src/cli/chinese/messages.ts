// What a person is told of a mistake, in Chinese: patterns of the English sentences. `{...}` is what they are about; it is looked up
// in turn, for some of it are sentences too. What fits none stays English.

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

  // Settings, each after its place.
  ["{place}: unknown setting {name}; did you mean {guess}?", "{place}：没有配置项 {name}；是不是 {guess}？"],
  ["{place}: unknown setting {name}; {key} belongs in {sections}", "{place}：没有配置项 {name}；{key} 属于 {sections}"],
  ["{place}: unknown setting {name}; remove it", "{place}：没有配置项 {name}；请删除"],
  ["{place}: unknown section {name}; did you mean {guess}?", "{place}：没有配置节 {name}；是不是 {guess}？"],
  ["{place}: unknown section {name}; remove it", "{place}：没有配置节 {name}；请删除"],
  ["{place}: unknown {names}; remove it", "{place}：没有 {names}；请删除"],
  ["{place}: {name}: {found} does not fit; write {what}", "{place}：{name}：{found} 不符合要求；请写 {what}"],
  ["{place}: {name}: does not fit; write {what}", "{place}：{name}：不符合要求；请写 {what}"],
  ["{place}: {name}: is missing; write {what}", "{place}：缺少 {name}；请写 {what}"],
  [
    "{place}: {name} is a section; write {section} on a line of its own and its settings below",
    "{place}：{name} 是配置节；请单独写一行 {section}，配置项写在其下",
  ],
  ["{place}: {message}; the line is not TOML", "{place}：该行不是合法的 TOML（{message}）"],
  ["{file}: there is no such file; write one with: pushbox init", "{file}：没有这个文件；可以生成一个：pushbox init"],
  ["{file}: this is a directory; name the file in it", "{file}：这是目录；请写其中的文件"],
  ["{file}: this user may not read it; change its owner or mode", "{file}：当前用户无权读取；请修改属主或权限"],
  [
    "{file} holds keys and every user of this machine can read it: chmod 600 {again}",
    "{file} 中有密钥，而本机所有用户都能读取：chmod 600 {again}",
  ],
  ["a whole number from {a} to {b}", "{a} 到 {b} 之间的整数"],
  ["true or false", "true 或 false"],
  ["one of {words}", "以下之一：{words}"],
  ["the path of a PEM file", "PEM 文件的路径"],
  ["the path of a directory", "目录的路径"],
  ['an address such as "0.0.0.0", "::1" or a host name', '地址（如 "0.0.0.0"、"::1"）或主机名'],
  ['a name such as "push.example.com"', '域名，如 "push.example.com"'],
  ["one e-mail address", "一个邮箱地址"],
  ["a list: {example}", "列表：{example}"],
  ["a key of 16 to 256 letters, digits and {signs}", "16 到 256 个字符的密钥，可用字母、数字和 {signs}"],
  ["a name of up to 64 letters, digits and {signs}", "最多 64 个字符的名称，可用字母、数字和 {signs}"],
  [
    "a random one, not an example or a pattern that others guess, as made by pushbox init or: openssl rand -hex 24",
    "随机的密钥，不要用示例或容易猜到的内容；可由 pushbox init 生成，或：openssl rand -hex 24",
  ],

  // Rules that join settings.
  [
    "{place}: client.port and api.port are both {port}; give the API a port of its own",
    "{place}：client.port 和 api.port 都是 {port}；请给 API 另用一个端口",
  ],
  [
    "{place}: {name} and admin.port are both {port}; give the console a port of its own",
    "{place}：{name} 和 admin.port 都是 {port}；请给控制台另用一个端口",
  ],
  [
    "{place}: {name} and acme.port are both {port}; the authority's question needs a port of its own",
    "{place}：{name} 和 acme.port 都是 {port}；应答签发机构的验证须另用一个端口",
  ],
  [
    "{place}: {section}.tls_cert is set and {again}.tls_key is not; name the certificate's key too",
    "{place}：设置了 {section}.tls_cert 而没有 {again}.tls_key；请同时写证书的私钥",
  ],
  [
    "{place}: {section}.tls_key is set and {again}.tls_cert is not; name the key's certificate too",
    "{place}：设置了 {section}.tls_key 而没有 {again}.tls_cert；请同时写私钥的证书",
  ],
  [
    "{place}: {section}.domain gets its certificate by itself and {again}.tls_cert names one; leave one of them",
    "{place}：{section}.domain 会自动获取证书，而 {again}.tls_cert 又指定了一个；请只留其一",
  ],
  [
    "{place}: {section}.domain asks {host} for a certificate, whose terms of service you have to agree to {terms}: write acme.accept_terms = true",
    "{place}：{section}.domain 会向 {host} 申请证书，您须同意其服务条款 {terms}：请写 acme.accept_terms = true",
  ],
  [
    "{section}.domain is {domain}, but {again}.host {host} can only be reached from this machine",
    "{section}.domain 是 {domain}，但 {again}.host {host} 只有本机可达",
  ],
  [
    '{place}: api.host {host} can be reached by others and there is no key; add [[api.keys]], or use "127.0.0.1", or accept that anybody can push with --insecure-api',
    '{place}：api.host {host} 可以被他人访问，却没有密钥；请添加 [[api.keys]]，或改用 "127.0.0.1"，或用 --insecure-api 接受任何人都能推送',
  ],
  [
    "{place}: two api.keys are called {name}; give each key a name of its own",
    "{place}：有两个 api.keys 都叫 {name}；请各取一个名称",
  ],
  [
    "{place}: api.broadcast_keys: no key is called {name}; did you mean {guess}?",
    "{place}：api.broadcast_keys：没有叫 {name} 的密钥；是不是 {guess}？",
  ],
  [
    "{place}: {name} is set and no token could be checked; add [[client.auth.keys]] or jwks_url",
    "{place}：设置了 {name}，却无法校验任何 token；请添加 [[client.auth.keys]] 或 jwks_url",
  ],
  ["{place}: {name}: there is no file {file}", "{place}：{name}：没有文件 {file}"],
  ["{domain} has no certificate yet; {reason}; next try {when}", "{domain} 还没有证书：{reason}；下次尝试：{when}"],
  ["within a minute", "一分钟内"],
  ["in {n} min", "{n} 分钟后"],
  ["in {n} h", "{n} 小时后"],

  // Places.
  [
    "{name}: {host} is not an address of this machine: set {flag} to one, or to 0.0.0.0",
    "{name}：{host} 不是本机的地址：请把 {flag} 设为本机地址，或 0.0.0.0",
  ],
  [
    "{name}: {host} is not an address or a known name: set {flag} to an address",
    "{name}：{host} 不是地址，也不是已知的名称：请把 {flag} 设为一个地址",
  ],
  [
    "{name}: this user may not use port {port}: take one above 1023 with {flag}, or: {command}",
    "{name}：当前用户不能使用端口 {port}：请用 {flag} 换成 1023 以上的端口，或：{command}",
  ],
  [
    "data: the data directory {path} is a file: name another with --data",
    "data：数据目录 {path} 是一个文件：请用 --data 指定另一个",
  ],

  // Commands.
  ["{file} exists and is left as it is: name another file", "{file} 已存在，未作改动：请换一个文件名"],
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
  ["{place} cannot be reached, so its clock is not known", "无法连接 {place}，不知道其时钟"],
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
