// The server as a process of its own that is killed and started again on the same data.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

const root = join(import.meta.dirname, "../..");
/** A start that takes longer has failed. */
const PATIENCE = 240_000;
/** From source it loads what it is made of as this process does, which takes a third of the time. */
const FLAGS = process.execArgv.filter((argument) => /^--(import|min-semi-space-size)=/.test(argument));

export interface Kill {
  /** Epoch milliseconds: when the process was killed, and when the next one was started. */
  readonly at: number;
  readonly back: number;
}

export class Server {
  readonly kills: Kill[] = [];
  /** Lines of its log of level error and above. */
  readonly errors: string[] = [];
  /** Resolves when the server has ended although nobody killed it. */
  readonly crashed: Promise<Error>;
  readonly #args: readonly string[];
  readonly #crash: (error: Error) => void;
  #child: ChildProcess | undefined;
  #url = Promise.withResolvers<string>();
  #clientUrl = "";
  #started = false;
  #stopping = false;

  /** @param flags more of them */
  constructor(config: string, data: string, flags: readonly string[] = []) {
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.crashed = promise;
    this.#crash = resolve;
    const ports = ["--client-host", "127.0.0.1", "--client-port", "0", "--api-port", "0", "--admin-enabled=false"];
    this.#args = ["serve", "--config", config, "--data", data, ...ports, ...flags];
  }

  /** Where the API is, once it is there. */
  url(): Promise<string> {
    return this.#url.promise;
  }

  /** Where clients connect, once it is there. */
  async clientUrl(): Promise<string> {
    await this.url();
    return this.#clientUrl;
  }

  /** It answers, as far as is known. */
  get isUp(): boolean {
    return this.#started;
  }

  start(): void {
    // The test runner adds a module of its own to every process below it; pushbox takes every PUSHBOX_... for a setting.
    const { NODE_OPTIONS: _theirs, PUSHBOX_BINARY: binary = "", ...env } = process.env;
    const [program, own] =
      binary === ""
        ? [process.execPath, ["--disable-warning=ExperimentalWarning", ...FLAGS, join(root, "src/main.ts")]]
        : [binary, []];
    const child = spawn(program, [...own, ...this.#args], { env, stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    const late = setTimeout(() => this.#crash(new Error(`the server does not start within ${PATIENCE} ms`)), PATIENCE);
    createInterface({ input: child.stdout }).on("line", (line) => {
      // A kill may cut its last line.
      const [, clients] = /"msg":"clients connect to (http\S+)"/.exec(line) ?? [];
      if (clients !== undefined) this.#clientUrl = clients;
      const [, url] = /"msg":"API at (\S+)"/.exec(line) ?? [];
      if (url !== undefined && !child.killed) {
        clearTimeout(late);
        this.#started = true;
        this.#url.resolve(url);
      }
      if (/^\{"level":"(error|fatal)"/.test(line)) this.errors.push(line);
    });
    child.on("exit", (code) => {
      clearTimeout(late);
      if (child.killed || this.#stopping) return;
      this.#crash(new Error(`the server ended with ${code}: ${this.errors.slice(-3).join("\n")}`));
    });
  }

  /** SIGKILL, and a new start at once. Resolves when the old process is gone. */
  async kill(): Promise<void> {
    const child = this.#child!;
    // Who waits for a start that is cut short waits for the next one.
    if (this.#started) this.#url = Promise.withResolvers();
    this.#started = false;
    const at = Date.now();
    child.kill("SIGKILL");
    await ended(child);
    this.kills.push({ at, back: Date.now() });
    this.start();
  }

  /** SIGTERM. Returns the exit code. */
  async stop(): Promise<number | null> {
    this.#stopping = true;
    this.#child!.kill("SIGTERM");
    return await ended(this.#child!);
  }

  /** Whatever happened before: nothing is left running. */
  end(): void {
    this.#stopping = true;
    this.#child?.kill("SIGKILL");
  }

  /** A call of the API, repeated until it was answered by whichever run of the server. */
  async call(path: string, body: string | undefined, repeated: () => void): Promise<unknown> {
    for (;;) {
      const answer = await ask(await this.url(), path, body);
      if (answer?.status === 200) return JSON.parse(answer.text);
      if (answer !== undefined) throw new Error(`${path}: ${answer.status} ${answer.text.slice(0, 300)}`);
      repeated();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** One call of an API; undefined: no answer came. */
export async function ask(
  url: string,
  path: string,
  body: string | undefined,
  signal?: AbortSignal,
): Promise<{ readonly status: number; readonly text: string } | undefined> {
  try {
    const headers = { "content-type": "application/json" };
    const given = body === undefined ? {} : { method: "POST", headers, body };
    const answer = await fetch(`${url}/api/${path}`, signal === undefined ? given : { ...given, signal });
    return { status: answer.status, text: await answer.text() };
  } catch {
    return undefined;
  }
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}
