// What --help says, in Chinese, by what it says in English. `npm run check` names what is missing.
import { FAULTS } from "./faults.ts";

/** As one line, without the case of its first letter and the end of a sentence, in which texts of the same words may differ. */
export function plain(text: string): string {
  const line = text.trim().replace(/\s+/g, " ").replace(/[.:]$/, "");
  return `${line.charAt(0).toLowerCase()}${line.slice(1)}`;
}

const HELP: Readonly<Record<string, string>> = {
  // What Commander writes, and the headings of settings.
  "Usage:": "用法：",
  "Options:": "选项：",
  "Commands:": "命令：",
  "Arguments:": "参数：",
  "General:": "通用：",
  "Clients:": "客户端：",
  "Login of clients (JWT):": "客户端登录（JWT）：",
  "API:": "API 接口：",
  "Web console:": "Web 控制台：",
  "Certificates for domains (ACME):": "域名证书（ACME）：",
  "PostgreSQL:": "PostgreSQL 数据库：",
  "Storage:": "存储：",
  "Events for the business server (hooks):": "事件回调（hooks）：",
  "Questions to the business server:": "向业务服务器询问：",
  "Push services of vendors:": "厂商推送服务：",
  Examples: "示例：",
  Example: "示例：",

  // pushbox
  "A self-hosted push server: Socket.IO connections, kept and replayed messages, one HTTP API":
    "自托管的推送服务器：Socket.IO 长连接、离线消息存储与补发、一套 HTTP API。",
  "print the version": "打印版本号",
  "print help; also: pushbox COMMAND --help": "打印帮助；也可以用：pushbox COMMAND --help",
  "display help for command": "打印帮助",
  "print help": "打印帮助",
  "print the help of a command": "打印某个命令的帮助",
  "clients on port 10001, API on 127.0.0.1:11001, data in ./pushbox-data":
    "客户端端口 10001，API 在 127.0.0.1:11001，数据在 ./pushbox-data",
  "write pushbox.toml with every setting explained": "生成 pushbox.toml，每个配置项都附有说明",
  "the same, without curl": "同上，不用 curl",
  "Every setting is a line in the file, a flag and a variable: [client] port = 80, --client-port 80, PUSHBOX_CLIENT_PORT=80. Flags beat variables, variables beat the file, the file beats the defaults. A secret may be in a file: PUSHBOX_API_KEYS_FILE":
    "每个配置项都有三种写法：文件中的一行、命令行参数、环境变量，即 [client] port = 80、--client-port 80、PUSHBOX_CLIENT_PORT=80。\n优先级：命令行参数 > 环境变量 > 文件 > 默认值。密钥可以放在单独的文件里：PUSHBOX_API_KEYS_FILE。",
  "Exit codes: 0 done, 1 failed at run time, 2 wrong command line or configuration":
    "退出码：0 成功，1 运行时失败，2 命令行或配置有误。",
  "read settings from this file (PUSHBOX_CONFIG)": "从该文件读取配置（PUSHBOX_CONFIG）",

  // serve
  "start the server": "启动服务器",
  "https by naming a domain, whose port 80 leads here": "只写域名即可启用 https，该域名的 80 端口须指向本机",
  "Signals: TERM or INT stop the server within 10 s, a second one at once. HUP reads certificates, keys and log level again without dropping a connection. Where systemd asks (Type=notify, WatchdogSec=), it is told by systemd-notify when the server is ready, stops, and still turns":
    "信号：TERM 或 INT 在 10 秒内停止服务器，再发一次则立即退出。HUP 重新读取证书、密钥和日志级别，不断开任何连接。\n在 systemd 下（Type=notify、WatchdogSec=），会通过 systemd-notify 告知服务器已就绪、正在停止、仍在运转。",

  // check, config, init
  "check the configuration and start nothing": "检查配置，不启动任何服务",
  "Every problem is printed at once, with its place and what to write instead. Takes the flags of serve":
    "一次性列出所有问题，包括位置和正确写法。接受 serve 的全部参数。",
  "print the settings that hold and where each comes from; secrets are masked":
    "打印生效的配置及每一项的来源；密钥会被遮盖",
  "Takes the flags of serve": "接受 serve 的全部参数。",
  "write a configuration file with every setting, its default and one line of why":
    "生成配置文件，包含所有配置项、默认值和一行说明",
  "Write a configuration file with every setting, its default and one line of why. Never overwrites a file":
    "生成配置文件，包含所有配置项、默认值和一行说明。绝不覆盖已有文件。",
  "where to write it (pushbox.toml)": "写到哪里（pushbox.toml）",
  "print a unit for systemd instead, which starts this program with that file (/etc/pushbox/pushbox.toml)":
    "改为打印 systemd 单元文件，用该配置启动本程序（/etc/pushbox/pushbox.toml）",
  "The unit runs pushbox as the user pushbox, which has to be able to read the file: adduser --system --group pushbox":
    "该单元以用户 pushbox 运行，此用户须能读取配置文件：adduser --system --group pushbox",

  // backup, restore, import, export, upgrade
  "copy the data of a running or stopped server into a new file": "把数据备份到一个新文件，服务器运行与否均可",
  "the new file; - writes it to standard output": "新文件；- 表示写到标准输出",
  "The copy is consistent: it holds everything that was answered with success before it began":
    "备份是一致的：开始之前所有已应答成功的内容都在其中。",
  "check a backup and place it as the data of a stopped server": "校验备份，并把它放为（已停止的）服务器的数据",
  "a file that pushbox backup made; - reads it from standard input":
    "由 pushbox backup 生成的文件；- 表示从标准输入读取",
  "replace data that is there": "替换已有的数据",
  "take over devices, tokens or a configuration from elsewhere": "从别处迁入设备、token 或配置",
  "Take over what there is elsewhere: devices as mongoexport writes them, tokens as a table, the configuration of socket.io-push":
    "迁入已有的数据：mongoexport 导出的设备、表格形式的 token、socket.io-push 的配置。",
  "lines of mongoexport of the collection <prefix>_devices; - reads standard input":
    "集合 <prefix>_devices 经 mongoexport 导出的各行；- 表示读标准输入",
  "a CSV file whose first line names its columns; - reads standard input": "CSV 文件，首行是列名；- 表示读标准输入",
  "config-proxy.js, config-api.js and so on: read, never run": "config-proxy.js、config-api.js 等：只读取，绝不执行",
  "where the configuration is written; never over a file that is there": "配置写到哪里；绝不覆盖已有文件",
  "the app of Xiaomi's, Umeng's and FCM's entries, which named none":
    "小米、友盟和 FCM 条目所属的应用（原配置中没有写）",
  "say what would become of it, and write nothing; the server may run": "只报告结果，不写入；服务器可以在运行",
  "Devices. Takes millions, line by line, and may be killed at any time: the same command goes on where it was. What is known here and newer stays as it is: a line counts only if its updateTime is later than what the server noted of the device. A token is on one device, the one that had it last. At the end it says what was skipped, and why":
    "设备。逐行处理，数百万条也可以；随时可以中断，再次执行同一命令会从中断处继续。本地已有且更新的记录保持不变：只有 updateTime 晚于\n服务器上该设备记录的行才会生效。一个 token 只属于一台设备，即最后持有它的那台。结束时报告跳过了哪些行以及原因。",
  "Tokens. Columns, in any order: type and token; pushId, uid, platform, tags (separated by spaces), package_name, updateTime. A row without pushId gets one, until the app connects and brings its token. Without updateTime only devices not known here are taken":
    "Token。列的顺序不限：type 和 token；pushId、uid、platform、tags（以空格分隔）、package_name、updateTime。没有 pushId 的行会得到一个\n临时的，直到应用连接并带来它的 token。没有 updateTime 时，只接收本地未知的设备。",
  'with engine = "postgres" there: into PostgreSQL': '其中 engine = "postgres"：写入 PostgreSQL',
  'with engine = "postgres" there: from PostgreSQL': '其中 engine = "postgres"：从 PostgreSQL 导出',
  'With engine = "postgres" (--engine, or PUSHBOX_CONFIG) the same goes into PostgreSQL, with every node stopped':
    'engine = "postgres"（--engine 或 PUSHBOX_CONFIG）时写入 PostgreSQL，须先停止所有节点。',
  "Configuration. What is written out is taken over; code is not run. It lists what has no equivalent, and what to do instead":
    "配置。直接写出的值会被迁入；代码不会执行。没有对应项的会逐一列出，并说明替代办法。",
  "Exit codes: 0 done, also when lines were skipped; 1 failed or interrupted, what was read is stored; 2 wrong command line":
    "退出码：0 完成（包括有跳过的行）；1 失败或中断，已读取的内容已存储；2 命令行有误。",
  "write the devices of a running or stopped server, one per line, as import reads them":
    "导出设备，每行一台，格式与 import 读取的相同；服务器运行与否均可",
  "a new file; standard output without it": "新文件；不写则为标准输出",
  "Each line is a document as mongoexport writes it, of the fields _id, uid, platform, tags, createTime, updateTime, type, token, package_name, lastSeen, uidTimeToLive. While a server runs, each thousand devices are as of their moment. What is kept for devices, statistics and jobs are not in it: pushbox backup, or pg_dump of PostgreSQL, copies everything":
    "每行是一个 mongoexport 格式的文档，字段为 _id、uid、platform、tags、createTime、updateTime、type、token、package_name、\nlastSeen、uidTimeToLive。服务器运行时，每一千台设备是各自读取时刻的状态。离线消息、统计和任务不在其中：完整备份请用 pushbox backup；数据在 PostgreSQL 时用 pg_dump。",
  "compare a downloaded release with what runs here: version, checksum, data, settings":
    "把下载的新版本与当前运行的相比较：版本、校验和、数据格式、配置",
  "its executable, archive or package, or the directory that has one of them":
    "新版本的可执行文件、压缩包或安装包，或其所在目录",
  "compare, and change nothing": "只比较，不做任何改动",
  "A file that SHA256SUMS beside it names has to be the same; only then is anything of it run: its executable is asked for its version, the format of its data and its settings, and to check this configuration, as pushbox check does. Takes the flags of serve: give those that your server is started with. The server may run":
    "若旁边的 SHA256SUMS 列有该文件，校验和必须一致，然后才会执行其中的程序：询问它的版本、数据格式和配置项，并让它像 pushbox check\n那样检查当前配置。接受 serve 的全部参数：请写上启动服务器时所用的参数。服务器可以在运行。",
  "Exit codes: 0 nothing is in the way, 1 something is or the release could not be read, 2 wrong command line or configuration":
    "退出码：0 可以升级，1 有障碍或无法读取新版本，2 命令行或配置有误。",

  // move
  "move everything from a data directory to PostgreSQL, or back": "把全部数据从数据目录迁移到 PostgreSQL，或迁回",
  "to PostgreSQL, from the directory of --data; without a URL that of postgres.url":
    "迁移到 PostgreSQL，来源为 --data 的目录；不写 URL 则用 postgres.url",
  "from PostgreSQL, to the directory of --to-data; without a URL that of postgres.url":
    "从 PostgreSQL 迁移到 --to-data 的目录；不写 URL 则用 postgres.url",
  "a directory on which no server has run": "一个没有服务器运行过的目录",
  "Stop the server first, with --from every node. What is moved from stays as it is, so a move can be tried, and done again later: the schema, or file, that an earlier move made is replaced as long as no server has run on it. What is there gets its name once all of it is copied and compared. A million devices take one to three minutes":
    "请先停止服务器；用 --from 时须停止所有节点。来源保持不变，因此可以先试迁移，之后再迁移一次：只要没有服务器在其上运行过，先前迁移\n生成的 schema 或文件会被替换。全部复制并比对之后，目标才启用正式名称。一百万台设备需要一到三分钟。",
  "A URL on the command line can be seen by other users of the machine: postgres.url_file or PUSHBOX_POSTGRES_URL cannot":
    "命令行中的 URL 可能被本机其他用户看到；postgres.url_file 或 PUSHBOX_POSTGRES_URL 则不会。",
  "Exit codes: 0 done, 1 failed, and nothing has changed, 2 wrong command line or configuration":
    "退出码：0 完成，1 失败且没有任何改动，2 命令行或配置有误。",

  // lab, healthcheck
  "all vendors' push services on this machine, to try notifications without phones and accounts":
    "在本机模拟所有厂商的推送服务，无需手机和账号即可试用通知",
  "Start a faithful copy of every vendor's push service on this machine, write a configuration that uses them, and print what devices would show. With --devices: register one device per vendor with a running server instead, and end":
    "在本机启动各厂商推送服务的高仿真副本，生成使用它们的配置，并打印设备会显示的内容。带 --devices 时：改为向运行中的服务器为每个厂商注册一台设备，然后结束。",
  "where to write configuration, keys and certificates; made when missing": "配置、密钥和证书写到哪里；不存在则创建",
  "take this port and those after it; any free ones without it": "使用该端口及其后的端口；不写则任取空闲端口",
  "let a vendor misbehave, see below; can be repeated": "让某个厂商出故障，见下文；可重复",
  "let vendors tell the server with this API what arrived (default: http://127.0.0.1:11001)":
    "让厂商向该 API 地址的服务器回报送达（默认：http://127.0.0.1:11001）",
  "register the lab's devices with the server whose clients connect there": "向客户端地址为此的服务器注册模拟设备",
  'Faults, as VENDOR=FAULT for all requests or VENDOR=FAULT:TIMES for the next so many, with "all" for every vendor that can. They are changed while the lab runs in the file faults.txt of its directory':
    '故障写作 VENDOR=FAULT（对所有请求）或 VENDOR=FAULT:TIMES（对接下来的若干次请求），"all" 表示所有支持的厂商。\n运行期间可以在其目录下的 faults.txt 中修改。',
  "in another terminal, while the lab runs": "在另一个终端，lab 保持运行",
  "in a third: one device per vendor": "在第三个终端：每个厂商一台设备",
  "the server's statistics count what arrived": "服务器的统计会计入送达数",
  "while it runs": "运行期间",
  "ask the server of this configuration whether it is well: exit code 0 or 1":
    "询问该配置的服务器是否健康：退出码 0 或 1",
  "Example, in a Dockerfile": "示例，写在 Dockerfile 中：",

  // send
  "send a push or a notification by a running server": "通过运行中的服务器发送推送或通知",
  "Send by a running server: a push, which apps and pages get that are connected, or a notification, which a person sees though the app is closed. The same parameters as /api/push and /api/notification":
    "通过运行中的服务器发送：推送，由保持连接的应用和页面接收；或通知，应用已关闭时用户也能看到。参数与 /api/push 和 /api/notification 相同。",
  "a push: JSON, or any text; - reads it from standard input": "推送内容：JSON 或任意文本；- 表示从标准输入读取",
  "everybody who subscribed to it; pushes only": "订阅了该主题的所有人；仅限推送",
  "a device; may be repeated": "一台设备；可重复",
  "every device of a user; may be repeated": "某用户的所有设备；可重复",
  "every device with this tag; notifications only": "带有该标签的所有设备；仅限通知",
  "everybody; notifications only": "所有人；仅限通知",
  "how that tag begins, up to the version: app_ of app_2.3.1": "标签中版本号之前的部分：app_2.3.1 的 app_",
  "below this one": "低于该版本",
  "above this one": "高于该版本",
  "what phones show, in bold": "手机上显示的标题（粗体）",
  "the text below it": "标题下方的正文",
  "an object for the app": "传给应用的 JSON 对象",
  "the number at the app's icon, Apple only; 0 takes it away, and needs no title":
    "应用图标上的角标数字，仅限 Apple；0 表示清除，此时不需要标题",
  "a sound of the app, Apple only": "应用自带的提示音，仅限 Apple",
  "a name of your own, to look it up by; the same name again adds to the same statistics":
    "自定义的 id，便于查询；再次使用同一 id 会计入同一份统计",
  "what the statistics sum it under": "统计时归入的类别",
  "fields of the vendors' own, by vendor: passed on as they are": "各厂商自有的字段，按厂商书写，原样透传",
  "all of it, as /api/notification takes it; - reads it from standard input; the flags above are laid over it":
    "完整的通知，格式同 /api/notification；- 表示从标准输入读取；上面的参数会覆盖其中的字段",
  "keep it so long for those who are away: 90s, 15m, 1h, 7d, or milliseconds":
    "为离线者保留多久：90s、15m、1h、7d，或毫秒数",
  "sent again with the same key within a day, it is not sent twice": "一天之内以同一个 key 重发，不会发送两次",
  "milliseconds since 1970, or a time with its zone; notifications only":
    "1970 年以来的毫秒数，或带时区的时间；仅限通知",
  "devices per second; notifications only": "每秒发送的设备数；仅限通知",
  "only count the devices, nothing is sent; notifications only": "只计算设备数，不发送；仅限通知",
  "stay until it is done, and tell how it went; notifications only": "等到发送结束，并报告结果；仅限通知",
  "where its API is": "服务器的 API 地址",
  "the API key is in this file (or in PUSHBOX_API_KEY, or in the file of PUSHBOX_API_KEY_FILE)":
    "API 密钥所在的文件（或用 PUSHBOX_API_KEY，或 PUSHBOX_API_KEY_FILE 指定的文件）",
  "print the server's answer as it is": "原样打印服务器的应答",
  "Examples, pushes": "示例，推送：",
  Notifications: "通知：",
  "stay, and see what became of it at each device": "等待，并查看每台设备上的结果",
  "how many would get it?": "会发给多少台设备？",
  "Another server": "另一台服务器：",
  "A key is never given as a flag: other users of this machine could see it":
    "密钥不通过命令行参数给出：否则本机的其他用户可以看到。",
  "Exit codes: 0 the server took it (with --wait: and it ended, not all of it in failure), 1 refused, unreachable, cancelled, not done in time, or failed for every device, 2 wrong command line":
    "退出码：0 服务器已接受（带 --wait 时：且已结束，并非全部失败），1 被拒绝、无法连接、被取消、未按时完成，或所有设备均失败，2 命令行有误。",

  "To whom, one of:": "发给谁，任选其一：",
  "Of those devices only the ones whose tag holds a version:": "其中只限标签所含版本符合的设备：",
  "A push, instead of JSON:": "推送，代替 JSON：",
  "A notification:": "通知：",
  "Server:": "服务器：",
  "What it says:": "token 的内容：",
  "When and how:": "何时发送、如何发送：",

  // listen, probe, token, openapi
  "connect to a server like a client, and print what comes": "像客户端一样连接服务器，打印收到的内容",
  "Connect like a client, subscribe, and print each message and notification on a line of its own":
    "像客户端一样连接并订阅，每条消息或通知打印一行。",
  "subscribe to it; may be repeated": "订阅该主题；可重复",
  "the device to be, 10 characters or more; without it a new one": "以哪台设备的身份，至少 10 个字符；不写则为新设备",
  "also what was kept before": "也接收之前存储的消息",
  "keeps the pushId and the positions there: the next time it goes on where it was":
    "把 pushId 和接收位置保存在该文件：下次从上次的位置继续",
  "where clients connect": "客户端连接的地址",
  "the client's token (JWT) is in this file (or in PUSHBOX_TOKEN): where client.auth wants one":
    "客户端 token（JWT）所在的文件（或用 PUSHBOX_TOKEN）：在 client.auth 要求时使用",
  "only this one": "只用这一种",
  "end after so many messages": "收到这么多条消息后结束",
  'print {"topic","id","data"} on each line': '每行打印 {"topic","id","data"}',
  "What it prints besides messages is on standard error": "消息以外的内容打印到标准错误。",
  "Exit codes: 0 ended by a signal or --count, 1 refused, 2 wrong command line":
    "退出码：0 因信号或 --count 结束，1 被拒绝，2 命令行有误。",
  "connect to a server like a client, and push to itself": "像客户端一样连接服务器，并给自己推送一条消息",
  "Connect like a client, push to itself by the API, and tell how long both took: what a monitor wants to know, end to end":
    "像客户端一样连接，通过 API 给自己推送，并报告两步各花了多少时间：即监控所需的端到端探测。",
  "for all of it": "总时限",
  "print one line of JSON, also when it fails": "打印一行 JSON，失败时也是",
  "It is the device pushbox-probe-HOST of its machine, each time the same":
    "每次都使用同一台设备 pushbox-probe-HOST（HOST 为本机名）。",
  "Exit codes: 0 the push has come back, 1 it has not, and why is told, 2 wrong command line":
    "退出码：0 已收到推送，1 未收到（会说明原因），2 命令行有误。",
  "make a client's token, for trying": "生成一个客户端 token，用于试验",
  "whose it is (sub)": "属于哪个用户（sub）",
  "the only device that may use it": "唯一可以使用它的设备",
  "a topic that it permits, * at the end matches any rest; may be repeated":
    "允许的主题，末尾的 * 匹配任意后缀；可重复",
  "a topic that it subscribes to; may be repeated": "自动订阅的主题；可重复",
  "how long it lasts: 30s, 15m, 1h or 7d": "有效期：30s、15m、1h 或 7d",
  "the key that signs it (the first of HS256)": "签名用的密钥（默认第一个 HS256 密钥）",
  "It is signed with the secret of one of client.auth.keys: one line, which a client gives as auth.token, as the query token or by the event authorize. A server signs its own, in its own language: any JWT library does":
    "用 client.auth.keys 中某个密钥签名，输出一行，客户端以 auth.token、查询参数 token 或 authorize 事件提交。\n正式使用时由业务服务器用自己的语言签发：任何 JWT 库都可以。",
  "print the description of the API, as OpenAPI 3.1": "打印 API 描述（OpenAPI 3.1）",
  "Print the description of the API, as OpenAPI 3.1; a running server has it at /api/openapi.json":
    "打印 API 描述（OpenAPI 3.1）；运行中的服务器在 /api/openapi.json 提供它。",

  // admin
  "who may use the web console": "谁可以使用 Web 控制台",
  "end all logins and make a new link to set a password": "结束所有登录，并生成设置密码的新链接",
  "print what was done as JSON": "以 JSON 打印结果",
  "Whoever opens the link within 30 minutes sets a name and a password, and is an operator: a new one, or one that has forgotten the password. Waits after wrong passwords end with it. Users stay: see pushbox admin user list":
    "30 分钟内打开链接的人可以设置用户名和密码，成为 operator：可以是新用户，也可以是忘记密码的用户。因密码错误而产生的等待随之解除。\n已有用户保留：见 pushbox admin user list。",
  "Exit codes: 0 done, 1 failed, 2 wrong command line or configuration": "退出码：0 成功，1 失败，2 命令行或配置有误。",
  "users of the web console": "Web 控制台的用户",
  "who may use the console, and as what": "谁可以使用控制台，各是什么角色",
  "make a link by which somebody sets a password": "生成供某人设置密码的链接",
  "by which the user logs in": "登录用的用户名",
  "what the user may do (viewer, or what it is)": "用户的角色（默认 viewer，已有用户则不变）",
  "The link is good for a day, and once. Of a user who is there it changes the password, and the role when --role is given":
    "链接一天内有效，只能用一次。用户已存在时用于修改密码；带 --role 时也修改角色。",
  "take a user away; the user's logins end": "删除用户，其登录随之失效",
  "make a user an operator, or a viewer, who changes nothing": "把用户设为 operator，或只读的 viewer",
  "what the user is from now on": "用户今后的角色",
  "It holds at once": "立即生效。",
  "let a user log in no more, without taking it away; logins end": "禁止用户登录而不删除，已有登录随之失效",
  "let a user log in again who was disabled": "重新允许被禁止的用户登录",
  "It holds at once; the password stays.": "立即生效；密码不变。",

  // reach, hook
  "reach users by a running server: a message over their connections, else a notification":
    "通过运行中的服务器触达用户：在线则经长连接发消息，否则发通知",
  "Reach users by a running server: every device of theirs that is connected gets the message; a user none of whose devices acknowledges it in time gets the notification at his vendors. The same parameters as /api/reach":
    "通过运行中的服务器触达用户：用户所有在线的设备都会收到消息；若没有任何设备及时确认，则经厂商向该用户发送通知。参数与 /api/reach 相同。",
  "the message: JSON, or any text; - reads it from standard input": "消息内容：JSON 或任意文本；- 表示从标准输入读取",
  "a user; may be repeated": "一个用户；可重复",
  "of the notification: what phones show, in bold": "通知的标题，手机上以粗体显示",
  "all of it, as /api/notification takes it; the flags above are laid over it":
    "完整的通知，格式同 /api/notification；上面的参数会覆盖其中的字段",
  "a name of your own, to look it up by": "自定义的 id，便于查询",
  "how long an acknowledgement is waited for: 5s when absent": "等待确认的时长；不写则为 5s",
  "milliseconds since 1970, or a time with its zone": "1970 年以来的毫秒数，或带时区的时间",
  "like 22:00-08:00: vendors are not asked in them": "免打扰时段，如 22:00-08:00：期间不请求厂商",
  "of the quiet hours, like Europe/Berlin; that of the server when absent":
    "免打扰时段的时区，如 Asia/Shanghai；不写则为服务器的时区",
  "a user gets no more notifications by such calls in 24 hours": "单个用户 24 小时内经此类调用最多收到的通知数",
  "stay until it is done, and tell how many were reached which way": "等到结束，并报告经各途径触达的人数",
  "Exit codes: 0 the server took it (with --wait: and it ended, not all of it in failure), 1 refused, unreachable, cancelled, not done in time, or failed at everybody, 2 wrong command line":
    "退出码：0 服务器已接受（带 --wait 时：且已结束，并非全部失败），1 被拒绝、无法连接、被取消、未按时完成，或全部失败，2 命令行有误。",
  "the endpoints of the backend that events are sent to": "接收事件的业务后端",
  "the endpoints of the backend that events are sent to, and how they do": "接收事件的业务后端及其状态",
  "send a message of no event to an endpoint, and tell what became of it": "向接收端发送一条测试消息，并报告结果",
  "as in [[hooks.tell]]": "[[hooks.tell]] 中的名称",
  "try endpoints again at once that have failed or were switched off; all of them without a name":
    "立即重试失败或已停用的接收端；不写名称则为全部",
  "events that an endpoint did not take in time, oldest first": "接收端未按时接收的事件，最旧的在前",
  "send an endpoint events once more: of the log, or those that it did not take in time":
    "向接收端重发事件：日志中的，或其未按时接收的",
  "written at this time or later: milliseconds, or a time with its zone": "起始时间（含）：毫秒数，或带时区的时间",
  "written before this time": "截止时间（不含）",
  "behind this one: its id or seq": "在该事件之后：其 id 或 seq",
  "only of these, separated by commas: user.*,topic.left": "只限这些类型，以逗号分隔：user.*,topic.left",
  "only of this key: user:ann": "只限该 key：user:ann",
  "those that it did not take in time, instead of the log": "重发其未按时接收的事件，而不是日志中的",

  // device, topic, job, lane, notification, status
  "devices of a running server": "运行中服务器的设备",
  "a device: its record, connections and former tokens": "一台设备：记录、连接和用过的 token",
  "the device": "设备",
  "Exit codes: 0 done, 1 refused, unknown or unreachable, 2 wrong command line":
    "退出码：0 成功，1 被拒绝、不存在或无法连接，2 命令行有误。",
  "the devices of users": "用户的设备",
  "the users": "用户",
  "forget devices: record, tags, user, token and kept packets": "删除设备：记录、标签、用户绑定、token 和离线消息",
  "the devices": "设备",
  "topics of a running server": "运行中服务器的主题",
  "topics with a connection now": "当前有连接的主题",
  "only those that begin so": "只列出以此开头的",
  "how many at most": "最多多少条",
  "the place that the page before told": "上一页给出的位置",
  "who is in a topic now": "当前谁在某个主题中",
  "its name": "名称",
  "calls of notification: how far they are, and orders to them": "通知任务：查看进度，控制任务",
  "calls of notification that reach many or wait, newest first": "面向大量设备或等待中的通知任务，最新的在前",
  "only those: scheduled, deferred, running, paused, cancelled, finished":
    "只列出该状态的：scheduled、deferred、running、paused、cancelled、finished",
  "how far a job is": "任务的进度",
  "the notification's id": "通知的 id",
  "hold a job: nothing of it is sent until it is resumed": "暂停任务：恢复之前不再发送",
  "let a paused job go on": "恢复已暂停的任务",
  "let a job go faster or slower, from its next devices on": "调整任务的发送速率，从接下来的设备起生效",
  "devices per second; 0: as fast as it goes": "每秒设备数；0 表示不限速",
  "end a job: what was not given to a vendor yet is not sent any more": "取消任务：尚未提交给厂商的不再发送",
  "the ways to the vendors": "通往各厂商的通道",
  "the processes that share a PostgreSQL": "共用一个 PostgreSQL 的各进程",
  "the processes that share a PostgreSQL, and how each does": "共用一个 PostgreSQL 的各进程及其状况",
  "the ways to the vendors: what waits, what is wrong": "通往各厂商的通道：积压多少，有何问题",
  "let lanes go on that are paused or stopped, or hold deletions; all of them without a flag":
    "让暂停、停止或暂缓删除 token 的通道继续；不带参数则为所有通道",
  "only of this vendor": "只限该厂商",
  "only of this bundle id or package name": "只限该 bundle id 或包名",
  "only of this push service of browsers": "只限该浏览器推送服务",
  "what became of notifications": "通知的结果",
  "what became of a notification, device by device": "某条通知在每台设备上的结果",
  "why it did not arrive at a device, and what helps": "为什么没有到达某台设备，以及如何解决",
  "how a running server is: whether it is ready, who is connected, what waits":
    "运行中服务器的状态：是否就绪、连接数、积压",
  "Exit codes: 0 it is ready, 1 it is not, refused or unreachable, 2 wrong command line":
    "退出码：0 已就绪，1 未就绪、被拒绝或无法连接，2 命令行有误。",
  "the data directory of a stopped server (PUSHBOX_DATA, or that of PUSHBOX_CONFIG)":
    "已停止的服务器的数据目录（PUSHBOX_DATA，或 PUSHBOX_CONFIG 中的目录）",
  "the form that clients of 2015 know": "2015 年的客户端所认识的格式",
  "devices that are marked for trying things out: the list; with a pushId, mark it":
    "标记为测试用的设备：列出；带 pushId 时标记该设备",
  "the device to mark": "要标记的设备",
  "whose it is, what it is": "备注：属于谁，是什么设备",
  "it is one no more": "取消标记",
  "ask a vendor what it thinks of our credentials, with a token that nobody has":
    "用一个不存在的 token 询问厂商，检验凭据是否有效",
  "apns, fcm, huawei ...": "厂商：apns、fcm、huawei ……",
  "the bundle id or package name": "bundle id 或包名",
  "of Web Push: the push service": "Web Push 的推送服务",
  "watch a running server: connections, messages, calls, what waits for vendors and backends":
    "实时观察运行中的服务器：连接、消息、调用、积压",
  "Watch a running server: connections, messages, calls, what waits for vendors and backends. Ctrl-C ends it":
    "实时观察运行中的服务器：连接、消息、调用，以及等待厂商和业务后端的积压。按 Ctrl-C 结束。",
  "from one look to the next": "刷新间隔",
  "end after so many": "刷新这么多次后结束",
  "On a terminal it is drawn again in its place, with the last minute as curves. Elsewhere it is a line for each look; vendors and hooks are then what waits for them":
    "在终端中原地刷新，并用曲线显示最近一分钟。其他情况下每次刷新打印一行，其中 vendors 和 hooks 为各自的积压数。",
  "Exit codes: 0 ended by a signal or --count, 1 refused or unreachable, 2 wrong command line":
    "退出码：0 因信号或 --count 结束，1 被拒绝或无法连接，2 命令行有误。",

  // doctor, completion, version
  "look at this machine: files, clock, disk, ports, certificates, credentials":
    "检查本机：文件数上限、时钟、磁盘、端口、证书、厂商凭据",
  "print the findings as JSON": "以 JSON 打印检查结果",
  "It may run beside the server: a port that is in use is then no mistake":
    "可以在服务器运行时执行：此时端口被占用不算错误。",
  "Exit codes: 0 fine, perhaps with warnings, 1 something is wrong, 2 wrong command line or configuration":
    "退出码：0 正常（可能有警告），1 有问题，2 命令行或配置有误。",
  "print what a shell needs to complete commands and flags": "打印 shell 补全命令和参数所需的脚本",
  "which shell": "哪种 shell",
  "Print the version; so does --version": "打印版本号；与 --version 相同。",
  "with the format of the data and the names of the settings, for a program":
    "附带数据格式版本和配置项名称，供程序读取",
};

export const TEXTS: ReadonlyMap<string, string> = new Map(
  Object.entries({ ...HELP, ...FAULTS }).map(([english, chinese]) => [plain(english), chinese]),
);
