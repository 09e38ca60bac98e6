// A real browser without a window, driven over its DevTools protocol: pages, their network, and what they say on the console.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** The first is Chromium without what is around a page: it takes half of the processor's time. */
const NAMES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Where one is installed; CHROMIUM names another. */
export const chromium: string | undefined = [process.env["CHROMIUM"] ?? "", ...NAMES].find(
  (name) => name !== "" && spawnSync(name, ["--version"]).status === 0,
);

type Fields = Record<string, unknown>;

export interface Page {
  /** Evaluates an expression there, a promise's result included. */
  run<T = unknown>(expression: string): Promise<T>;
  /** Resolves once the expression is true there. */
  until(expression: string): Promise<void>;
  command(method: string, params?: Fields): Promise<Fields>;
  /** Errors, and what the policy of the page forbade. */
  readonly complaints: string[];
  /** What it asked for, and from where. */
  readonly requests: string[];
  screenshot(): Promise<Buffer>;
  /** A snapshot of its heap, in V8's JSON. */
  heap(): Promise<string>;
  goTo(url: string): Promise<void>;
  /** As `goTo`, also where only what follows # differs from the address that is open, or nothing. */
  load(url: string): Promise<void>;
}

export interface Browser {
  /** @param apart in a profile of its own: another person's */
  open(url: string, apart?: boolean): Promise<Page>;
}

/** How long a browser may take to end in peace before it is killed, milliseconds. */
const PATIENCE = 5000;
/** How long it may take for anything that is asked of it, milliseconds: far more than it needs, on a busy machine too. */
const LONGEST = 90_000;

/** Looks of a page whether something has become so there, milliseconds: after a change of the document, and without one. */
const SOON = 10;
const BETWEEN = 100;
/** Between looks from outside: the timers of a page that is not seen are slow, and a page that is left has none. */
const NET = 500;

/** Becomes the program, beside one that ends the whole group once nobody holds the other end of its input any more. */
const GUARDED = 'exec 3<&0; { read -r _ <&3; kill -KILL 0; } 2>&- & exec "$0" "$@" 3<&- </dev/null';

/** @param t when it ends, the browser does */
export async function startChromium(
  t: { teardown(end: () => Promise<void>): unknown },
  binary: string,
): Promise<Browser> {
  // Not in the test's own folder: what may still be written there must not be in the way when that one is removed.
  const profile = mkdtempSync(join(tmpdir(), "pushbox-chromium-"));
  const flags = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--no-first-run",
    "--disable-background-networking",
    // As few processes as can be: to start one costs more than most pages do. A page of the same server goes on in the same one.
    "--renderer-process-limit=1",
    "--disable-site-isolation-trials",
    "--in-process-gpu",
    "--enable-features=NetworkServiceInProcess2",
    // No page lives long enough for its script to be worth the work of the best compilers.
    "--js-flags=--no-opt,--no-maglev",
    "--remote-debugging-port=0",
    `--user-data-dir=${profile}`,
    "about:blank",
  ];
  // A group of its own: its helpers can be ended with it, and do not keep its output open. That group ends with this process, too.
  const child = spawn("sh", ["-c", GUARDED, binary, ...flags], { stdio: ["pipe", "ignore", "pipe"], detached: true });
  const ended = once(child, "exit");
  t.teardown(async () => {
    const late = setTimeout(() => kill(child), PATIENCE);
    connection?.close();
    if (connection === undefined) kill(child);
    await ended;
    clearTimeout(late);
    kill(child);
    child.stderr.destroy();
    child.stdin.destroy();
    try {
      rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    } catch {
      // A helper of it is still writing: what it leaves is temporary.
    }
  });
  let connection: Connection | undefined;
  const opened = new Connection(await address(child));
  connection = opened;
  await opened.opened;
  return {
    async open(url, apart = false) {
      const context = apart ? await opened.command("Target.createBrowserContext") : {};
      const { targetId } = await opened.command("Target.createTarget", { url: "about:blank", ...context });
      const { sessionId } = await opened.command("Target.attachToTarget", { targetId, flatten: true });
      const page = new RealPage(opened, String(sessionId));
      for (const domain of ["Page", "Runtime", "Network", "Log"]) await page.command(`${domain}.enable`);
      await page.goTo(url);
      return page;
    },
  };
}

/** Ends the browser and what it has started. */
function kill({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // All of them have ended.
  }
}

async function address(child: ChildProcess): Promise<string> {
  let said = "";
  for await (const text of child.stderr!.setEncoding("utf8")) {
    said += text;
    const [, found] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
    if (found !== undefined) {
      child.stderr?.resume();
      return found;
    }
  }
  throw new Error(`the browser ended: ${said}`);
}

interface Reply {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Fields;
  readonly result?: Fields;
  readonly error?: { readonly message: string };
}

class Connection {
  readonly #socket: WebSocket;
  readonly opened: Promise<unknown>;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  readonly listeners = new Map<string, (method: string, params: Fields) => void>();
  #id = 0;

  constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.opened = once(this.#socket, "open");
    this.#socket.addEventListener("message", ({ data }) => {
      const reply = JSON.parse(String(data)) as Reply;
      if (reply.id === undefined) this.listeners.get(reply.sessionId ?? "")?.(reply.method ?? "", reply.params ?? {});
      else this.#waiting.get(reply.id)?.(reply);
    });
    // What is asked of a browser that ended is not answered any more.
    this.#socket.addEventListener("close", () => {
      for (const answer of this.#waiting.values()) answer({ error: { message: "the browser has ended" } });
    });
  }

  /** Asks the browser to end. */
  close(): void {
    if (this.#socket.readyState === WebSocket.OPEN)
      this.#socket.send(JSON.stringify({ id: ++this.#id, method: "Browser.close" }));
  }

  command(method: string, params: Fields = {}, sessionId?: string): Promise<Fields> {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#waiting.get(id)?.({ error: { message: `no answer within ${LONGEST / 1000} s` } });
      }, LONGEST);
      this.#waiting.set(id, ({ result, error }) => {
        clearTimeout(late);
        this.#waiting.delete(id);
        if (error === undefined) resolve(result ?? {});
        else reject(new Error(`${method}: ${error.message}`));
      });
      if (this.#socket.readyState !== WebSocket.OPEN) {
        this.#waiting.get(id)?.({ error: { message: "the browser has ended" } });
        return;
      }
      this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    });
  }
}

/** By what was evaluated in a page. */
class Thrown extends Error {}

/**
 * Resolves with true once it is so: the page itself looks, after it has changed. To look at each change would cost more than to
 * look soon after it, and what changes outside of the document is looked for from time to time.
 * @param name of a function that looks at once, until it was so
 */
const whenTrue = (name: string, is: string): string => `((is) => new Promise((resolve, reject) => {
  let soon;
  const look = () => {
    clearTimeout(soon);
    soon = undefined;
    let found = true;
    try {
      found = is();
      if (!found) return false;
      resolve(true);
    } catch (error) {
      reject(error);
    }
    observer.disconnect();
    clearInterval(timer);
    delete window.${name};
    return found;
  };
  const observer = new MutationObserver(() => { soon ??= setTimeout(look, ${SOON}); });
  const timer = setInterval(look, ${BETWEEN});
  if (look()) return;
  observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  window.${name} = look;
}))(() => ${is})`;

class RealPage implements Page {
  readonly complaints: string[] = [];
  readonly requests: string[] = [];
  readonly #connection: Connection;
  readonly #session: string;
  #loaded: (() => void) | undefined;
  #heap: string[] = [];
  #waits = 0;

  constructor(connection: Connection, session: string) {
    this.#connection = connection;
    this.#session = session;
    connection.listeners.set(session, (method, params) => {
      if (method === "Page.loadEventFired") this.#loaded?.();
      if (method === "HeapProfiler.addHeapSnapshotChunk") this.#heap.push(String(params["chunk"]));
      if (method === "Runtime.exceptionThrown") this.complaints.push(JSON.stringify(params["exceptionDetails"]));
      if (method === "Network.requestWillBeSent")
        this.requests.push((params as { request: { url: string } }).request.url);
      const { level, text } = Object(params["entry"]) as { level?: string; text?: string };
      if (method === "Log.entryAdded" && level === "error") this.complaints.push(String(text));
    });
  }

  command(method: string, params?: Fields): Promise<Fields> {
    return this.#connection.command(method, params, this.#session);
  }

  goTo(url: string): Promise<void> {
    return this.#loading(url, () => this.command("Page.navigate", { url }));
  }

  async load(url: string): Promise<void> {
    const here = `location.href.replace(/#.*/, "") === ${JSON.stringify(url.replace(/#.*/, ""))}`;
    if (!(await this.run<boolean>(here))) return this.goTo(url);
    // Without what a new address would have changed in the page that is left.
    await this.run(`scrollTo(0, 0); history.replaceState(null, "", ${JSON.stringify(url)})`);
    await this.#loading(url, () => this.command("Page.reload"));
  }

  /** Sets out, and resolves once the page has been loaded. */
  async #loading(url: string, setOut: () => Promise<unknown>): Promise<void> {
    const loaded = new Promise<void>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`not loaded within ${LONGEST / 1000} s: ${url}`)),
        LONGEST,
      ).unref();
      this.#loaded = () => {
        clearTimeout(late);
        resolve();
      };
    });
    loaded.catch(() => {}); // it may not even set out
    await setOut();
    await loaded;
  }

  async run<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await this.command("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    })) as { result: { value: T }; exceptionDetails?: { exception?: { description?: string } } };
    if (exceptionDetails !== undefined) throw new Thrown(exceptionDetails.exception?.description ?? expression);
    return result.value;
  }

  async until(expression: string): Promise<void> {
    const late = performance.now() + LONGEST;
    const name = `wait${++this.#waits}`;
    const is = `Boolean(${expression})`;
    let told: Promise<boolean> | undefined;
    while (performance.now() < late) {
      told ??= this.run<boolean>(whenTrue(name, is)).catch((error: unknown) => {
        if (error instanceof Thrown) throw error;
        return false; // the page was left: the one that follows is asked
      });
      told.catch(() => {}); // nobody may wait for it any more
      const timer = new AbortController();
      const answer = await Promise.race([told, pause(NET, undefined, { signal: timer.signal }).catch(() => {})]);
      timer.abort();
      if (answer === true || (await this.run<boolean>(`window.${name} ? ${name}() : ${is}`))) return;
      if (answer === false) told = undefined;
    }
    throw new Error(`not within ${LONGEST / 1000} s: ${expression}`);
  }

  async screenshot(): Promise<Buffer> {
    const { data } = await this.command("Page.captureScreenshot", { captureBeyondViewport: true });
    return Buffer.from(String(data), "base64");
  }

  async heap(): Promise<string> {
    this.#heap = [];
    await this.command("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
    return this.#heap.splice(0).join("");
  }
}
