// A client in the page that shows every frame: Engine.IO 4 over a websocket, and the events of a device (sockets/README.md).
import { signal } from "@preact/signals";
import { session } from "../../api.ts";

export interface Frame {
  readonly number: number;
  readonly at: number;
  readonly what: "in" | "out" | "decision";
  readonly text: string;
}

export type State = "closed" | "connecting" | "connected";

export const state = signal<State>("closed");
export const frames = signal<readonly Frame[]>([]);
/** Who the server says that this is. */
export const device = signal("");

const MOST = 500;
let numbers = 0;
let socket: WebSocket | undefined;
const listeners = new Set<(data: unknown) => void>();

function note(what: Frame["what"], text: string): void {
  frames.value = [...frames.peek(), { number: ++numbers, at: Date.now(), what, text }].slice(-MOST);
}

/** Gets what every message says while the component is there. */
export function listen(listener: (data: unknown) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export interface Hello {
  readonly pushId: string;
  readonly topics: readonly string[];
  readonly token: string;
}

/** Where clients connect, as this page reaches this server. */
export function clientOrigin(): string {
  const { port, secure } = session.value?.client ?? { port: 10001, secure: false };
  return `http${secure ? "s" : ""}://${location.hostname}:${port}`;
}

/** The websocket's, with Engine.IO 4. */
export const clientUrl = (): string => `${clientOrigin().replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`;

/** Ends the connection before. @param unreachable said when it could not be opened */
export function connect(hello: Hello, unreachable: string): void {
  disconnect();
  state.value = "connecting";
  const own = new WebSocket(clientUrl());
  socket = own;
  own.onmessage = ({ data }: MessageEvent<string>) => {
    note("in", data);
    hear(data, hello);
  };
  own.onerror = () => note("decision", unreachable);
  own.onclose = ({ code }) => {
    if (socket !== own) return;
    socket = undefined;
    note("decision", `closed (${code})`);
    state.value = "closed";
  };
}

function hear(text: string, { pushId, topics, token }: Hello): void {
  if (text === "2") return say("3");
  if (text.startsWith("0")) return say(token === "" ? "40" : `40${JSON.stringify({ token })}`);
  if (text.startsWith("40")) return emit("pushId", { id: pushId, version: 1, platform: "browser", topics });
  if (!text.startsWith("42")) return;
  const [name, first] = JSON.parse(text.slice(text.indexOf("["))) as [string, unknown];
  if (name === "pushId") {
    device.value = String((first as { id?: unknown } | undefined)?.id ?? pushId);
    state.value = "connected";
  } else if (name === "p") for (const listener of listeners) listener(first);
}

/** A frame as it is. */
export function say(text: string): void {
  if (socket?.readyState !== WebSocket.OPEN) return;
  note("out", text);
  socket.send(text);
}

/** As a Socket.IO event; nothing while there is no connection. */
export const emit = (name: string, ...args: readonly unknown[]): void => say(`42${JSON.stringify([name, ...args])}`);

export function disconnect(): void {
  const own = socket;
  socket = undefined;
  own?.close();
  state.value = "closed";
}

export function clear(): void {
  frames.value = [];
}
