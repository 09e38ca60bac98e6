// What the API's description says, in Chinese, by what it says in English. `npm run check` names what is missing or left over.
import { FIGURES, FIGURES_ZH, type Figure } from "../core/figures.ts";

const TEXTS: Readonly<Record<string, string>> = {
  // The whole, and what holds of every endpoint.
  "Push to connected clients, and notifications by the vendors' services.":
    "向在线客户端推送消息，并通过各厂商的推送服务发送通知。",
  "Any method runs an endpoint, save OPTIONS. Parameters are one flat set: those of the body (a form or a JSON object) first, then those of the query, which win. Callers look at `code`: success or error.":
    "除 OPTIONS 外，任何 HTTP 方法都可以调用接口。参数是一个平铺的集合：先取请求体（表单或 JSON 对象），再取查询串，同名时以查询串为准。调用方只看 `code`：success 或 error。",
  "one of api.keys": "api.keys 中的一个密钥",
  Done: "成功",
  "A mistake in the call; nothing was changed": "调用有误；未作任何更改",
  "No valid key, or not the right to do this": "没有有效的密钥，或无权执行",
  "Cannot be done now; the same call may succeed later": "目前无法执行；稍后重试同一调用可能成功",
  "Anything else that is wrong, by its status: 403, 404, 409, 413, 500": "其他错误，见状态码：403、404、409、413、500",
  "what a caller can do about it, where the message keeps its old words":
    "调用方可以怎么做；用于 message 须保持旧措辞的情况",
  "by which the call is found in the server's log": "在服务器日志中查找该次调用的编号",
  "what was ignored, or likely meant otherwise": "被忽略的内容，或可能不是本意的写法",
  "the same as idempotencyKey": "同 idempotencyKey",
  "a node has not answered in time: this is what the others know": "有节点未及时应答：此处只有其他节点所知的内容",
  "the names of the nodes that have not answered in time": "没有及时应答的节点名称",
  "the node that it is at, where there may be several": "所在的节点；仅在可能有多个节点时出现",
  "the node that sends for all, where there may be several": "代表全体发送的节点；仅在可能有多个节点时出现",
  "the node that was asked, where there may be several": "被询问的节点；仅在可能有多个节点时出现",
  "how many at most": "最多多少条",
  "the `next` of the page before": "上一页返回的 `next`",
  "the `after` of the next page": "下一页的 `after`",
  "the `before` of the next page": "下一页的 `before`",
  "milliseconds since 1970": "毫秒时间戳",
  milliseconds: "毫秒",
  "ISO text": "ISO 文本",
  "the same as ISO text": "同一时刻的 ISO 文本",
  "since the start": "自启动以来",
  when: "时间",
  "when that was": "发生时间",
  "since when": "起始时间",
  "its name": "名称",
  "by name": "按名称",

  // push, notification, reach.
  "Send data to those who are connected to a topic, or to devices or users; kept for those who are away with timeToLive.":
    "向主题的在线者、设备或用户发送数据；设了 timeToLive 还会为离线者保留。",
  "the topic's name": "主题名",
  devices: "设备",
  "users: all devices of each": "用户：各自的全部设备",
  "the message: any JSON, or text": "消息：任意 JSON 或文本",
  "base64 of JSON: the form that clients of 2015 know": "JSON 的 base64：2015 年的客户端所用的形式",
  "how long it is kept for those who are away": "为离线者保留多久",
  "the same key within 24 hours means the same call, which is made once": "24 小时内相同的键表示同一次调用，只执行一次",
  "how the tag begins that holds a version: only devices with such a tag":
    "存放版本号的标签以什么开头：只选有这种标签的设备",
  "whose version is below this one": "版本低于此值",
  "whose version is above this one": "版本高于此值",
  "of the packet": "消息的编号",
  "Show a notification: through the vendor of each device's token, else over its connection.":
    "展示一条通知：设备有厂商令牌的走厂商，否则走长连接。",
  "what is shown (section 4 of the API's README): an object, or its JSON text":
    "展示的内容（见 API 的 README 第 4 节）：对象，或其 JSON 文本",
  "to everybody": "发给所有人",
  "to every device with this tag": "发给有该标签的每台设备",
  "what the statistics sum it under": "统计时归入的类别",
  "not before": "最早发送时间",
  "devices per second at most; 0: as fast as it goes": "每秒最多多少台设备；0：不限速",
  "only count the devices": "试算：只统计设备数，不发送",
  "like 22:00-08:00: what is due in them waits for their end": "如 22:00-08:00：时段内应发的等到时段结束",
  "of quietHours, a name of the IANA database; that of the server when absent":
    "quietHours 的时区，IANA 名称；不填则用服务器的时区",
  "the notification's own, or one made for it": "调用方给的编号，没有则自动生成",
  "until when it waits for the end of the quiet hours": "等到免打扰时段何时结束",
  "it would have come in the quiet hours and goes nowhere": "本应在免打扰时段内到达，已丢弃",
  "where to ask for the result of a dry run that takes longer than a second": "试算超过一秒时，到何处查询结果",
  "Reach users: a message to all their devices, and a notification at their vendors for those who do not acknowledge it in time.":
    "必达：向用户的所有设备发消息；未及时确认的用户，再经厂商收到通知。",
  "how long an acknowledgement is waited for; 5s when absent": "等待确认多久；不填为 5s",
  "like 22:00-08:00: vendors are not asked in them": "如 22:00-08:00：时段内不经厂商发送",
  "a user gets no more notifications by such calls in 24 hours": "24 小时内每个用户经此类调用最多收到的通知数",
  "until when the notification waits for the end of the quiet hours": "通知等到免打扰时段何时结束",
  "there will be no notification: it would come in the quiet hours": "不会有通知：它会在免打扰时段内到达",
  "What a notification would weigh at each vendor that is configured, and which would not take it; nothing is sent.":
    "一条通知在各个已配置厂商占用多少限额，哪些厂商不会接收；不发送任何内容。",
  "Android and browsers show something of it": "Android 和浏览器有内容可展示",
  "Apple's devices show something of it": "苹果设备有内容可展示",
  "bytes that a connection gets": "长连接收到的字节数",
  "why it cannot be sent there": "为什么不能经该厂商发送",
  "before anything is cut": "截短之前的大小",
  "what the vendor takes": "厂商允许的上限",

  // notification/get, notification/why, job.
  "What became of a notification: its content, its figures, and how it is with each device.":
    "一条通知的结果：内容、各项数字，以及逐台设备的情况。",
  "the notification's id": "通知的编号",
  "the `nextUser` of the page before": "上一页返回的 `nextUser`",
  "the `afterUser` of the next page": "下一页的 `afterUser`",
  "as it was accepted": "受理时的内容",
  "when the newest call came": "最近一次调用的时间",
  "when it was to begin": "预定开始的时间",
  "users, by what each was reached so far; of a call of reach": "用户数，按目前的到达方式；仅必达调用",
  "rises with each call": "随每次调用递增",
  "of the notification, shortened": "通知的文字，已截短",
  "devices per second at most": "每秒最多多少台设备",
  "when the call came": "调用时间",
  "until when it waits for the end of quiet hours": "等到免打扰时段何时结束",
  "when nothing was left to do": "全部完成的时间",
  "devices by the way to them: a vendor, `connection`, or `noti`, the topic of everybody":
    "按到达方式的设备数：某个厂商、`connection`（长连接）或 `noti`（全员主题）",
  "deliveries that failed, by reason": "失败的投递数，按原因",
  "the figures of stats/arrival": "stats/arrival 的各项数字",
  "absent: over the connection": "没有此项：经长连接",
  "the vendor's id of the message": "厂商给该消息的编号",
  "Why a notification did not arrive at a device, or how it did: step by step, in words, with what can be done.":
    "一条通知为什么没有到达某台设备，或是怎样到达的：用文字逐步说明，并给出解决办法。",
  "the device": "设备",
  "in a sentence": "一句话说明",
  "what can be done about it": "解决办法",
  "when it came to that": "发生时间",
  "of all calls with this id that came to this device, where there were several":
    "使用该编号且涉及该设备的全部调用；仅在有多次时出现",
  "The calls of notification that reach many or wait, newest first.": "发给很多人或需要等待的通知调用，最新在前。",
  "only those": "只列这些",
  "The last call to the same audience: to everybody, or to a tag.": "对同一对象（所有人或某个标签）的最近一次调用。",
  "How far a notification's job is.": "一条通知的任务进行到哪里。",
  "all calls with this id, where it was used more than once": "使用该编号的全部调用；仅在编号用过多次时出现",
  "Hold a job: nothing of it is sent until it is resumed.": "暂停任务：继续之前不再发送。",
  "Let a paused job go on.": "让已暂停的任务继续。",
  "Let a job go faster or slower, from its next devices on.": "调整任务的速度，从下一批设备起生效。",
  "End a job: what was not given to a vendor yet is not sent any more.": "取消任务：尚未交给厂商的不再发送。",

  // delivery, lane.
  "Deliveries that failed at vendors and were not retried, and how many failed alike.":
    "在厂商处失败且尚未重试的投递，以及同类失败各有多少。",
  "how they failed": "怎样失败的",
  "the vendor: apns, fcm, huawei ...": "厂商：apns、fcm、huawei 等",
  "the bundle id or package name": "bundle id 或包名",
  "why: the whole text": "原因：须为全文",
  "failed then or later": "失败时间不早于",
  "failed then or earlier": "失败时间不晚于",
  "how many in each of the last 24 hours, this one last": "最近 24 小时每小时的数量，当前小时在最后",
  "some of their devices, the latest first": "其中一些设备，最近的在前",
  "the reason in plain words": "原因的通俗说明",
  "the largest first; on the first page": "数量多的在前；仅第一页有",
  "there are more than were counted": "实际数量多于已统计的",
  "names it for delivery/retry": "用于 delivery/retry 的编号",
  "when it failed": "失败时间",
  "Make jobs of failed deliveries, each once.": "把失败的投递做成任务重试，每条只能重试一次。",
  "numbers of failed deliveries": "失败投递的编号",
  "a life of their own, from now": "新的有效期，从现在起",
  "only count them": "只统计数量",
  "left out: their token is dead": "已跳过：令牌已失效",
  "left out: their time is over": "已跳过：已过有效期",
  "of the first 100 notifications": "前 100 条通知的",
  "the `after` to go on with": "继续时使用的 `after`",
  "The ways to the vendors: what waits, what is wrong, how fast they are.":
    "通往各厂商的通道：有多少在等待、有什么问题、速度如何。",
  "of Web Push: the push service": "Web Push：推送服务的主机",
  "why it is paused or stopped": "暂停或停止的原因",
  "when it goes on, or is tried again": "恢复或重试的时间",
  "of a paused lane: how many of the first 10,000 will expire before it goes on":
    "已暂停的通道：前 10,000 条中，恢复之前将有多少条过期",
  "for how long the first of those that wait has waited, milliseconds": "等待中最早的一条已等待的时间，毫秒",
  "at the vendor now": "厂商正在处理的数量",
  "when it was said": "厂商这样回答的时间",
  "so many tokens are said to be dead that none is forgotten until the lane is resumed":
    "报告失效的令牌过多，通道恢复之前一个也不删除",
  "closed since then": "从何时起关闭",
  "tried again then": "何时重试",
  "its state in words": "状态的文字说明",
  "when the certificate expires by which the vendor knows us": "厂商用来识别我们的证书何时到期",
  "tokens set aside, being those of other credentials": "因属于其他凭据而搁置的令牌数",
  "of the day": "当日总配额",
  "of it, as the vendor counts": "已使用的，以厂商的统计为准",
  "the rest of it": "剩余的",
  "when it begins anew": "重新计算的时间",
  "Let lanes go on that are paused or stopped, or that hold deletions: all, those of a vendor, an app or a host, or one.":
    "恢复已暂停、已停止或暂缓删除的通道：全部，某个厂商、应用或主机的，或只是一条。",
  "Ask a vendor with a token that nobody has what it thinks of our credentials; nobody is sent anything.":
    "用一个不存在的令牌询问厂商是否接受我们的凭据；不会向任何人发送。",
  "the same in words": "同上，文字说明",
  "what the vendor said": "厂商的回答",
  "what was asked": "询问的地址",

  // hook, event.
  "The endpoints that events are sent to, and how they do.": "接收事件的各个 Webhook 地址及其状况。",
  "without its query": "不含查询串",
  "events that wait": "等待中的事件数",
  "how long ago the oldest of them was written, milliseconds": "其中最早的一条写于多久以前，毫秒",
  "events given up": "已放弃的事件数",
  "events forgotten for want of room": "因空间不足丢弃的事件数",
  "by what became of them, since the start": "自启动以来，按结果统计",
  "in a row": "连续次数",
  "when it is tried again": "下次重试的时间",
  "Try endpoints again that have failed or were switched off: all, or the one of this name.":
    "立即重试失败或已关闭的 Webhook：全部，或指定名称的一个。",
  "of one of [[hooks.tell]]": "某个 [[hooks.tell]] 的名称",
  "the names of those that go on": "已恢复的名称",
  "Send a message of no event to an endpoint, and tell what became of it.":
    "向一个 Webhook 发送一条不属于任何事件的测试消息，并返回结果。",
  "of the answer": "应答的状态码",
  "why it was not delivered": "未送达的原因",
  "Events that an endpoint did not take while they were kept, oldest first.":
    "在保留期内未被 Webhook 接收的事件，最早的在前。",
  "what it is about: events of one key keep their order": "事件的对象：同一个键的事件保持先后顺序",
  "when it was given up": "放弃的时间",
  "The log of events, oldest first.": "事件日志，最早的在前。",
  "types of events, families like user.* too": "事件类型，也可以是 user.* 这样的一族",
  "only of this key": "只列这个键的",
  "written then or later": "写入时间不早于",
  "written before": "写入时间早于",
  "Send events of the log, or those that were given up, to an endpoint once more.":
    "把日志中的事件，或已放弃的事件，重新发给一个 Webhook。",
  "the id or the seq of an event: those behind it": "某条事件的 id 或 seq：取其之后的",
  "those that were given up, instead of the log": "取已放弃的，而不是日志中的",
  "Events as they are written, as server-sent events; with Last-Event-ID or after from there on.":
    "以 server-sent events 实时读取写入的事件；给出 Last-Event-ID 或 after 则从该处开始。",
  "the last event that was read": "已读到的最后一条事件",
  "the id or the seq of an event: those behind it first": "某条事件的 id 或 seq：先补发其之后的",
  "of each its `id`, and its JSON as `data`": "每条的 `id`，`data` 是其 JSON",

  // uid, auth, device.
  "A device belongs to this user from now on.": "把设备绑定到该用户。",
  "the user": "用户",
  "of the device, for platformLimit; all: any": "设备的平台，用于 platformLimit；all：任意平台",
  "keep so many of the user's newest devices on this platform; anything but a number above 0: no limit":
    "该用户在此平台上保留多少台最新的设备；不是大于 0 的数则不限",
  "the binding ends after the device was offline for so long": "设备离线这么久之后自动解除绑定",
  "Take the user off devices, or off all of a user's.": "解除设备的用户绑定，或解除某个用户的全部设备。",
  "Tokens of clients that no longer count though they have not expired.": "吊销客户端尚未过期的令牌（JWT）。",
  users: "用户",
  "names of tokens": "令牌的编号（jti）",
  "of the users' tokens those issued before; now when absent": "吊销这些用户在此之前签发的令牌；不填为现在",
  "connections that were closed for it": "因此关闭的连接数",
  "Devices: one by its pushId, or a list.": "查询设备：按 pushId 查一台，或给出列表查多台。",
  "the pushId": "即 pushId",
  "while it is connected": "仅在线时有",
  "of the token; `apnNoToken`, `androidNoToken` without one": "令牌的类型；没有令牌时为 `apnNoToken`、`androidNoToken`",
  "of Engine.IO: 3 or 4": "Engine.IO 版本：3 或 4",
  "when it was opened": "建立的时间",
  "newest first; of up to 1,000 devices": "最新的在前；最多 1,000 台设备的",
  "when it was last connected, to within ten minutes": "最后在线时间，误差在十分钟以内",
  "its first 200 characters": "前 200 个字符",
  "when it went": "失效时间",
  "the last three former tokens": "最近三个旧令牌",
  "Devices in the order of an index, page by page: all, or those of a user, with a tag, with a token.":
    "按索引顺序分页列出设备：全部，或某个用户、某个标签、某个令牌的。",
  "only those whose pushId begins so": "只列 pushId 以此开头的",
  "only those of this user": "只列该用户的",
  "only those with this tag": "只列有该标签的",
  "only the one with this token of a vendor": "只列持有该厂商令牌的一台",
  "The same as device/get.": "同 device/get。",
  "Forget devices: record, tags, user, token and kept packets. A connection stays.":
    "删除设备：记录、标签、用户、令牌和保留的消息。现有连接不受影响。",

  // Topics, connections, presence.
  "How many are in a topic now.": "主题当前有多少连接。",
  connections: "连接数",
  "Who is in a topic now, each device once.": "主题中当前有哪些设备，每台只列一次。",
  "Topics with a connection now, in the order of their names.": "当前有连接的主题，按名称排序。",
  "only those that begin so": "只列以此开头的",
  "packets that went to nobody": "没有发给任何人的消息数",
  "Close connections of devices, users or a topic.": "断开设备、用户或主题的连接。",
  "false: clients are told to stay away until their app connects again":
    "false：要求客户端不再自动重连，直到应用主动连接",
  "The connections of these devices or users join a topic.": "让这些设备或用户的连接加入主题。",
  "They leave it, and are kept out for a while.": "让它们离开主题，并在一段时间内不能再加入。",
  "kept out for so long": "多久不能再加入",
  "Which devices or users are online.": "哪些设备或用户在线。",
  "of a user: devices online": "用户的在线设备数",
  "when the oldest connection came": "最早的连接建立的时间",
  "in the order asked": "按询问的顺序",
  "A sample of the open connections: the first that fit, and how many were looked at.":
    "当前连接的抽样：最先符合条件的若干个，以及查看了多少个。",
  "as the client named it: android, ios, browser ...": "客户端自报的平台：android、ios、browser 等",
  "how it is connected": "传输方式",
  "of Engine.IO": "Engine.IO 版本",
  "of the client, or the network that limits count as one address": "客户端的地址，或限流时视为同一地址的网段",
  "slow ones: so many bytes wait for the client, at least": "慢连接：至少积压这么多字节",
  "open for so long at least": "至少已连接多久",
  "open for so long at most": "至多已连接多久",
  "its name, for connection/close": "连接的编号，用于 connection/close",
  "absent: it has not said who it is": "没有此项：尚未表明身份",
  "how many it is in": "所在主题的数量",
  "bytes that wait for the client": "积压的字节数",
  "its app said that it is in the background": "应用上报自己在后台",
  "connections that were looked at": "查看过的连接数",
  "connections that there are": "现有的连接数",
  "not all of them were looked at, or a node has not answered": "没有全部查看，或有节点未应答",
  "Close one connection; its client comes back.": "断开一个连接；客户端会自动重连。",
  "its name, as connection/list tells it": "连接的编号，由 connection/list 给出",
  "One topic: connections in it, how much goes through it, and what is kept for it.":
    "查询一个主题：其中的连接、流量，以及为它保留的消息。",
  "packets that came": "进入的消息数",
  "packets written to connections": "写入连接的消息数",
  "of those that came, those that are kept": "进入的消息中保留下来的",
  "that the rates are of; 0: it is counted from now on, while somebody asks":
    "速率统计的秒数；0：从现在起开始统计，有人查询期间持续",
  "its place in the log": "在日志中的位置",
  "its name, and the clients' position": "消息的编号，也是客户端的位置",
  "characters of its JSON": "JSON 的字符数",
  "kept until then": "保留到何时",
  "the newest first": "最新的在前",

  // Trace, test devices, search.
  "Follow a device, a user, an address or a topic: frames in and out, and what is decided. Kept in memory only.":
    "跟踪一台设备、一个用户、地址或主题：进出的帧，以及对它的处理。仅保存在内存中。",
  "a device": "一台设备",
  "a user: all devices": "一个用户：其全部设备",
  "all connections from there": "来自该地址的全部连接",
  "what goes to it, and who joins and leaves": "发往主题的内容，以及谁加入、谁离开",
  "it ends by itself": "到时自动结束",
  "when it ends, or has ended": "结束的时间",
  "the number of the newest line": "最新一行的编号",
  "lines for which there was no room: the oldest": "因空间不足丢弃的行数：最早的那些",
  "End a trace; its lines stay until another one needs the room.": "结束跟踪；内容保留到其他跟踪需要空间为止。",
  "The traces that run, and those that have ended and are still there, newest first.":
    "正在进行的跟踪，以及已结束但内容仍在的，最新的在前。",
  "The lines of a trace. Asked again with next as after, it tells what has come since.":
    "一次跟踪的内容。把返回的 next 作为 after 再次查询，即得到之后新增的。",
  "the number of the last line that is known": "已读到的最后一行的编号",
  "rises by one": "逐一递增",
  "a frame as it is on the wire, tokens masked, or what was decided": "线路上的原始帧（令牌已遮盖），或作出的处理",
  "Devices that are marked for trying things out, in the order in which they were marked.":
    "标为测试设备的设备，按标记的先后排列。",
  "only those that this key or user has marked": "只列该密钥或用户标记的",
  "the key or user that marked it": "标记它的密钥或用户",
  "there is a record of it": "已有该设备的记录",
  "Mark a device for trying things out. It need not be known yet.": "把一台设备标为测试设备。设备可以尚未出现。",
  "whose it is, what it is": "备注：是谁的、是什么设备",
  "A device is for trying things out no more.": "取消测试设备的标记。",
  "What exists under this name: devices, a user, a token's device, notifications, jobs, topics; at most five of each.":
    "按名称查找：设备、用户、令牌所在的设备、通知、任务、主题；每类最多五个。",
  "a pushId or its beginning, a uid, a token, a notification's id, a job's number, a topic or its beginning":
    "pushId 或其开头、uid、令牌、通知编号、任务编号、主题或其开头",
  "of a token the device's": "令牌所在设备的",
  "of a user": "用户的",
  "a user has more than so many": "用户的设备多于此数",
  "of a token": "令牌的",
  "of a notification": "通知的",
  "connections in a topic": "主题中的连接数",

  // Statistics.
  "Sessions now, and packets of the last 10 seconds.": "当前在线客户端数，以及最近 10 秒的消息数。",
  "packets written in the last 10 seconds": "最近 10 秒写出的消息数",
  "What happened in the last seconds, minutes and hours, for charts: all figures in one answer.":
    "最近若干秒、分钟和小时的各项数字，供画图用：一次返回全部。",
  "so many of the last ten minutes": "取最近十分钟中的多少秒",
  "so many of the last day": "取最近一天中的多少分钟",
  "so many of the last 30 days": "取最近 30 天中的多少小时",
  "milliseconds from one value to the next": "相邻两个值间隔的毫秒数",
  "the start of the first, milliseconds since 1970": "第一个值的起点，毫秒时间戳",
  "oldest first; null: nothing was measured then": "最早的在前；null：当时没有统计",
  "Sums of many keys by the hour or by the day, for curves: count, success, errors, rate and latency.":
    "多个指标按小时或按天的汇总，供画曲线用：数量、成功、错误、速率和延迟。",
  "keys of stats/getQueryDataKeys; the first 100 of them when absent":
    "stats/getQueryDataKeys 中的指标；不填则取前 100 个",
  "so many, the last of them today": "多少天，最后一天为今天",
  "one column for each; days begin at midnight UTC": "每小时或每天一列；每天从 UTC 零点开始",
  "json, or csv: a table for a spreadsheet, by UTC": "json，或 csv：供电子表格使用，时间为 UTC",
  "milliseconds from one column to the next": "相邻两列间隔的毫秒数",
  "keys that there was no room for": "放不下的指标数",
  "per second": "每秒",
  "milliseconds on the average; 0: none was measured": "平均毫秒数；0：没有测量",
  "How notifications of each type arrived, by the day they began.": "各类型通知的到达情况，按开始发送的日期统计。",
  "the start of the first day, milliseconds since 1970": "第一天的起点，毫秒时间戳",
  "devices that were addressed, of all ways": "各种途径面向的设备总数",
  "arrive of target": "到达数除以目标数",
  "click of arrive": "打开数除以到达数",
  "only its latest 1,000 notifications were looked at": "只统计了最近的 1,000 条通知",
  "its start, milliseconds since 1970": "起点，毫秒时间戳",
  "Sums of one key by the hour, of the last 7 days.": "单个指标最近 7 天按小时的汇总。",
  "one of stats/getQueryDataKeys": "stats/getQueryDataKeys 中的一个",
  "0 to 1": "0 到 1",
  "The keys that there are sums of.": "有汇总数据的全部指标。",
  "How notifications arrived: one by its id, or the last 50 of a user, a device or a type.":
    "通知的到达情况：按编号查一条，或查某个用户、设备或类型最近的 50 条。",
  "a user": "一个用户",
  "a record; empty when the id is unknown": "一条记录；编号不存在时为空",

  // The server itself.
  "The processes that share the store, and how each does; none where there is only one.":
    "共用存储的各个进程及其状况；只有一个进程时为空。",
  "rises with each start": "随每次启动递增",
  "as it is configured": "按配置的名称",
  "here: the one that answers; left: it was stopped": "here：正在应答的进程；left：已正常停止",
  "when it was started": "启动时间",
  "milliseconds since it last said that it lives": "距最近一次心跳的毫秒数",
  "what it sends for all": "由它代表全体发送的通道",
  "endpoints that it tells for all": "由它代表全体通知的 Webhook",
  "absent, as the rest: it has not answered": "没有此项及以下各项：该进程未应答",
  "The settings that hold, secrets masked, and where each came from: a line of the file, a variable, a flag, or the default.":
    "当前生效的配置（密钥已遮盖）及每一项的来源：文件的某一行、环境变量、命令行参数，或默认值。",
  "of what things are for: en, or zh for Chinese; en when absent": "说明文字的语言：en，或 zh（中文）；不填为 en",
  "of what is wrong: en, or zh for Chinese; en when absent": "所报问题的语言：en，或 zh（中文）；不填为 en",
  "like pushbox.toml:3, PUSHBOX_DATA, --data or default": "如 pushbox.toml:3、PUSHBOX_DATA、--data 或 default",
  "what it is for": "用途",
  "what each of the values is for": "各个值的用途",
  "a reload applies a change of it; others need a restart": "更改可通过重新加载生效；否则须重启",
  "the entries of vendors": "各厂商的配置条目",
  "What a reload would change now, and what needs a restart. Changes nothing.":
    "现在重新加载会更改什么，哪些须重启。本调用不作任何更改。",
  "of the setting": "配置项的名称",
  "what makes it hold": "怎样才能生效",
  "why a reload would change nothing": "重新加载为什么不会更改任何内容",
  "Read the settings' sources and the certificates again, as SIGHUP does; with a mistake in them nothing is changed.":
    "重新读取配置来源和证书，与 SIGHUP 相同；其中有错误则不作任何更改。",
  "The settings that hold, secrets masked.": "当前生效的配置，密钥已遮盖。",
  "V8's figures of memory.": "V8 的内存统计。",
  "Who changed something on this server: when, from where, what, and what came of it; newest first.":
    "谁更改了本服务器：何时、从何处、做了什么、结果如何；最新的在前。",
  "only calls with the key of this name": "只列使用该名称密钥的调用",
  "only of this path, like job/cancel": "只列该路径的，如 job/cancel",
  "not earlier": "不早于",
  "not later": "不晚于",
  "rises with each": "逐条递增",
  "when it was answered": "应答的时间",
  "the name of the key": "密钥的名称",
  "the path, without /api": "路径，不含 /api",
  "its parameters, shortened; not what a message says": "参数，已截短；不含消息内容",
  "what was wrong": "错误原因",
  "This description, as OpenAPI 3.1.": "本说明，OpenAPI 3.1 格式。",
  "of the descriptions: en, or zh for Chinese; en when absent": "说明文字的语言：en，或 zh（中文）；不填为 en",

  // What only other servers and clients of old use.
  "Send to Apple at once, with this server's credentials, for another server.":
    "代其他服务器立即发给苹果，使用本服务器的凭据。",
  "the app": "应用",
  "tokens of Apple": "苹果的令牌",
  "how long Apple keeps it": "苹果为离线设备保留多久",
  "tokens that Apple took it for": "苹果已接收的令牌数",
  "dead: forget them": "已失效：请删除",
  "why nothing was sent": "没有发送的原因",
  "Whether a device is connected, as the first server of this kind told it.":
    "设备是否在线，以最早一代服务器的形式返回。",
  "pushIdSocketId#<pushId>": "pushIdSocketId#<pushId>",
  "1: connected": "1：在线",
};

const figures = Object.entries(FIGURES).map(([name, text]) => [text, FIGURES_ZH[name as Figure]] as const);
const KNOWN: ReadonlyMap<string, string> = new Map([...figures, ...Object.entries(TEXTS)]);

/** What a kind of value adds to what it is for. */
const ENDS = [
  ["; one, or many in any array form", "；一个，或以任意数组形式给出多个"],
  ["; milliseconds since 1970", "；毫秒时间戳"],
  [": milliseconds since 1970, or ISO text with its zone", "：毫秒时间戳，或带时区的 ISO 文本"],
  [": milliseconds, or a duration like 90s, 15m, 1h, 7d", "：毫秒数，或 90s、15m、1h、7d 这样的时长"],
  ["; or its vendor said so", "；或由其厂商上报"],
] as const;
const BEGINNINGS = [
  ["of a dry run: ", "试算时："],
  ["when: ", "时间："],
] as const;

const found = new Set<string>();

/** Texts that nobody has looked up: after the whole description, those that it does not have any more. */
export const leftOver = (): readonly string[] => Object.keys(TEXTS).filter((text) => !found.has(text));

/** @returns undefined: there is none yet */
export function inChinese(text: string): string | undefined {
  const whole = KNOWN.get(text);
  if (whole !== undefined) {
    found.add(text);
    return whole;
  }
  for (const [end, chinese] of ENDS)
    if (text.endsWith(end)) return joined(inChinese(text.slice(0, -end.length)), (before) => `${before}${chinese}`);
  for (const [beginning, chinese] of BEGINNINGS)
    if (text.startsWith(beginning))
      return joined(inChinese(text.slice(beginning.length)), (rest) => `${chinese}${rest}`);
  return undefined;
}

const joined = (part: string | undefined, join: (part: string) => string): string | undefined =>
  part === undefined ? undefined : join(part);
