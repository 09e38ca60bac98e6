// What each figure means, in one sentence: the console shows it beside the figure, the API's description and the README say the same.

export const FIGURES = {
  accepted: "the vendor took it; it does not mean that the phone showed it",
  sent: "taken by vendors and by connections; it does not mean that anybody saw it",
  target:
    "devices that it was addressed to, way by way: each vendor, and the connection (android); one that has both counts once in each",
  arrived: "the device itself said that it has it; apps that do not report are not counted",
  clicked: "a person opened it, as the device said",
  arrivalRate:
    "arrived of target, way by way; of a call to everybody the connection's target is the connections in the topic noti at that time and those it was replayed to later, not all devices",
  clickRate: "clicked of arrived, way by way; not of target",
  queued: "deliveries made so far, also those that wait",
  waiting: "deliveries that are not settled yet",
  failed: "deliveries that ended without being taken: the token is dead, the vendor refused it, or its time passed",
  gone: "the vendor says that the token is dead: the app was removed, or has another token by now",
  refused: "the vendor did not take it, and trying again would not help",
  expired: "its time to live passed before anybody took it",
  skipped: "devices that could show nothing of it: no text for their kind",
  seen: "devices that were looked at",
  connections: "clients with an open connection, also those that have not said who they are yet",
  sessions: "connections that have said which device they are",
  packets: "messages written to connections; one to a thousand subscribers counts a thousand times",
  apiCalls: "calls of the HTTP API that were answered",
  apiErrors: "calls of the HTTP API that were answered with an error",
  depth: "deliveries of this lane that are not settled yet",
  oldest: "for how long the first of those that wait has waited",
  quota:
    "what the vendor's last answer of today said of the day's quota, by the vendor's own count; absent: it has said nothing today, as most never do",
  rate: "accepted per second, over the last 10 seconds",
  online: "connections that it was handed to at the node that was called; 0: nobody was there",
  everybody:
    "of a call to everybody: vendors' tokens, and the connections in the topic of everybody; a device that has both counts once for each",
} as const satisfies Readonly<Record<string, string>>;

export type Figure = keyof typeof FIGURES;

/** The same for those who read Chinese. */
export const FIGURES_ZH: Readonly<Record<Figure, string>> = {
  accepted: "厂商已接收；不代表手机已经展示",
  sent: "厂商或长连接已接收；不代表有人看到",
  target: "通知所面向的设备数，按途径分别统计：各厂商，以及长连接（android）；两者都有的设备各计一次",
  arrived: "设备自己上报已收到；不上报的应用不计入",
  clicked: "设备上报用户已打开",
  arrivalRate:
    "到达率：到达数除以目标数，按途径分别统计；发给所有人时，长连接的目标数是当时在主题 noti 中的连接数加上之后补发到的设备数，而不是全部设备数",
  clickRate: "点击率：点击数除以到达数，按途径分别统计；分母不是目标数",
  queued: "目前已生成的投递，包括仍在等待的",
  waiting: "尚无结果的投递",
  failed: "未被接收就结束的投递：令牌失效、被厂商拒绝或已过期",
  gone: "厂商称令牌已失效：应用已卸载，或已换了新令牌",
  refused: "厂商拒绝接收，重试也无用",
  expired: "在被接收之前有效期已过",
  skipped: "没有可展示内容的设备：通知里没有适合该平台的文字",
  seen: "已检查过的设备",
  connections: "已打开连接的客户端，包括尚未表明身份的",
  sessions: "已表明是哪台设备的连接",
  packets: "写入连接的消息数；一条消息发给一千个订阅者算一千条",
  apiCalls: "已应答的 HTTP API 调用",
  apiErrors: "以错误应答的 HTTP API 调用",
  depth: "该通道尚无结果的投递",
  oldest: "等待中最早的一条已等待的时间",
  quota: "厂商今天最近一次应答所告知的当日配额，以厂商自己的统计为准；没有此项表示厂商今天未告知，多数厂商从不告知",
  rate: "最近 10 秒内每秒被接收的数量",
  online: "被调用的节点已交给的连接数；0 表示当时那里没有连接",
  everybody: "发给所有人时：厂商令牌加上全员主题里的连接；两者都有的设备各计一次",
};
