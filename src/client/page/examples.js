// The examples at /client/: a room, a drawing, notifications. All that an app of its own would need is in this file.
import { PushClient, registerWebPush } from "./pushbox.js";

const $ = (id) => document.getElementById(id);
const items = new Map();
// This page may be behind a proxy, in a folder of its host.
const client = new PushClient(location.href.replace(/\/client\/.*$/, ""), {
  pushId: deviceName(),
  // Positions for as long as the page lives: loaded anew, it shows what is still kept of the room.
  storage: { getItem: (key) => items.get(key), setItem: (key, text) => items.set(key, text) },
});

/** The same each time in this browser: 16 random characters. */
function deviceName() {
  const stored = localStorage.getItem("pushbox-examples");
  const name =
    stored ??
    Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  localStorage.setItem("pushbox-examples", name);
  return name;
}

const COLORS = ["#2157d6", "#c2410c", "#15803d", "#a21caf", "#b45309", "#0e7490"];
// Two pages of one browser are one device, and two visitors.
const number = Math.floor(Math.random() * 900 + 100);
const me = { name: `guest ${number}`, color: number % COLORS.length };

function add(list, ...parts) {
  const item = document.createElement("li");
  for (const part of parts) {
    const span = document.createElement("span");
    span.textContent = part.text;
    if (part.name !== undefined) span.className = part.name;
    item.append(span);
  }
  $(list).append(item);
  while ($(list).childElementCount > 100) $(list).firstElementChild.remove();
  item.scrollIntoView({ block: "nearest" });
}
const tell = (text) => add("log", { text });

// ---- what the client tells

client.on("state", (state) => {
  $("state").textContent = state;
  $("state").dataset.state = state;
});
client.on("connect", ({ recovered }) => {
  tell(`connect, recovered: ${recovered}`);
  count();
});
client.on("gap", ({ topic }) => tell(`gap on ${topic ?? "this device's own channel"}: load it from your backend`));
client.on("error", ({ code, message }) => tell(`error ${code}: ${message}`));
$("push-id").textContent = client.pushId;
$("curl").textContent = `curl http://127.0.0.1:11001/api/push -d pushId=${client.pushId} -d json=hello`;

// ---- the room: what is said is kept for ten minutes, so it comes to those who are away, or later

client.subscribe("examples:chat", { replay: "all" });
client.subscribe("examples:drawing", { replay: false });

client.on("message", ({ data, topic }) => {
  const { kind, from, text, online, line, color } = Object(data);
  if (kind === "draw") draw(line, COLORS[color] ?? COLORS[0]);
  else if (kind === "chat" && topic !== undefined) {
    add("chat", { text: from, name: "who" }, { text });
    show(online);
  } else tell(`message ${JSON.stringify(data)}`);
});

$("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (text === "") return;
  $("text").value = "";
  await ask("say", { from: me.name, text });
});

const show = (online) => {
  if (online !== undefined) $("online").textContent = online === 1 ? "only you are here" : `${online} are here`;
};

/** `emit` is a question to your backend; here pushbox answers it itself. */
async function ask(what, data) {
  try {
    const { online, error } = Object(await client.emit(`/examples/${what}`, data));
    show(what === "draw" ? undefined : online);
    $("problem").textContent = error ?? "";
  } catch ({ code }) {
    if (code !== "closed") tell(`no answer: ${code}`);
  }
}

const count = () => ask("online");
setInterval(() => {
  if (client.state === "connected" && !document.hidden) count();
}, 5000);

// ---- the drawing

const sheet = $("drawing").getContext("2d");
sheet.lineWidth = 3;
sheet.lineCap = "round";

function draw([x0, y0, x1, y1] = [], color = COLORS[0]) {
  sheet.strokeStyle = color;
  sheet.beginPath();
  sheet.moveTo(x0, y0);
  sheet.lineTo(x1, y1);
  sheet.stroke();
}

const at = ({ clientX, clientY }) => {
  const { left, top, width } = $("drawing").getBoundingClientRect();
  const scale = $("drawing").width / width;
  return [Math.round((clientX - left) * scale), Math.round((clientY - top) * scale)];
};
let last;
$("drawing").addEventListener("pointerdown", (event) => {
  last = at(event);
  event.target.setPointerCapture(event.pointerId);
});
$("drawing").addEventListener("pointermove", (event) => {
  const here = last && at(event);
  // A line is at least a few dots long: not every move is worth a message.
  if (here === undefined || Math.hypot(here[0] - last[0], here[1] - last[1]) < 6) return;
  const line = [...last, ...here];
  last = here;
  draw(line, COLORS[me.color]);
  if (client.state === "connected") ask("draw", { line, color: me.color });
});
for (const name of ["pointerup", "pointercancel"])
  $("drawing").addEventListener(name, () => {
    last = undefined;
  });
$("clear").addEventListener("click", () => sheet.clearRect(0, 0, $("drawing").width, $("drawing").height));

// ---- notifications

client.on("notification", ({ title, message }) => add("notes", { text: title, name: "who" }, { text: message }));
$("notify").addEventListener("click", () => ask("notify"));
$("register").addEventListener("click", async () => {
  try {
    await registerWebPush(client, { worker: "sw.js" });
    $("problem").textContent = "";
    tell("registered for Web Push");
  } catch (error) {
    $("problem").textContent = error.message;
  }
});
