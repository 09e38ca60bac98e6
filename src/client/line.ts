// One Engine.IO connection of revision 4, by websocket or by polling: packets as text, in order, and one end.
import type { Socket } from "./api.ts";

export interface Line {
  /** Not before the server's open packet has come. */
  send(packet: string): void;
  /** Tells nothing any more. @param lost what was not sent need not be */
  close(lost: boolean): void;
}

export interface LineEvents {
  packet(packet: string): void;
  /** Once. */
  closed(): void;
}

/** Milliseconds for what was said before the end. */
const LAST_WORDS = 10_000;

/** @param url of the server, with http */
const address = (url: string, transport: string): string => `${url}/socket.io/?EIO=4&transport=${transport}`;

/** @param url of the server, with http */
export function openSocket(url: string, WebSocket: new (url: string) => Socket, events: LineEvents): Line {
  const socket = new WebSocket(address(url.replace(/^http/, "ws"), "websocket"));
  let open = true;
  const end = (): void => {
    if (!open) return;
    open = false;
    events.closed();
  };
  socket.onmessage = ({ data }: { readonly data: unknown }) => {
    if (open) events.packet(String(data));
  };
  socket.onclose = socket.onerror = end;
  return {
    send: (packet) => socket.send(packet),
    close() {
      open = false;
      socket.close();
    },
  };
}

/** @param url of the server, with http */
export function openPolling(url: string, events: LineEvents): Line {
  const abort = new AbortController();
  let lastWords: ReturnType<typeof setTimeout> | undefined;
  let place = address(url, "polling");
  let most = 1e6;
  let open = true;
  let posting = true;
  const queue: string[] = [];

  const end = (): void => {
    if (!open) return finish();
    open = false;
    abort.abort();
    events.closed();
  };

  async function ask(body?: string): Promise<string> {
    // What is said last is to arrive also when its page goes; browsers take 64 KiB along.
    const post = body === undefined ? {} : { method: "POST", body, keepalive: !open && body.length < 20_000 };
    const answer = await fetch(place, { ...post, signal: abort.signal });
    if (!answer.ok) throw answer;
    return answer.text();
  }

  async function poll(): Promise<void> {
    while (open) {
      for (const packet of (await ask()).split("\x1e")) {
        if (packet[0] === "0") {
          const { sid, maxPayload } = JSON.parse(packet.slice(1)) as { sid: string; maxPayload: number };
          place += `&sid=${sid}`;
          most = maxPayload;
          posting = false;
        }
        if (open) events.packet(packet);
      }
    }
  }

  /** One request at a time, as large as the server takes it. */
  async function post(): Promise<void> {
    if (posting || queue.length === 0) return;
    posting = true;
    let body = queue.shift() as string;
    // A character takes at most three bytes.
    while (queue.length > 0 && 3 * (body.length + queue[0]!.length) < most) body += `\x1e${queue.shift()}`;
    await ask(body);
    posting = false;
    if (!open && queue.length === 0) finish();
    return post();
  }

  function finish(): void {
    clearTimeout(lastWords);
    abort.abort();
  }

  poll().catch(end);
  return {
    send(packet) {
      queue.push(packet);
      // What is said in one turn goes together.
      Promise.resolve().then(post).catch(end);
    },
    close(lost) {
      if (!open) return;
      open = false;
      if (!place.includes("&sid=")) return finish();
      if (lost) {
        finish();
        // So that the server need not wait for the end of its patience.
        fetch(place, { method: "POST", body: "1", keepalive: true }).catch(() => {});
        return;
      }
      // A poll that is broken off would end the session before it has heard the rest.
      lastWords = setTimeout(finish, LAST_WORDS);
      queue.push("1");
      post().catch(finish);
    },
  };
}
