// A browser at the console: it keeps its cookie, and sends what a browser sends along.

import type { IncomingHttpHeaders } from "node:http";
import { request } from "node:http";
import { request as tlsRequest } from "node:https";
import type { Test } from "tap";
import { startTestApp, type TestApp } from "./app.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

export type Headers = Readonly<Record<string, string>>;

export class Browser {
  readonly url: string;
  /** As it goes back; "" before a login. */
  cookie = "";

  constructor(url: string, cookie = "") {
    this.url = url;
    this.cookie = cookie;
  }

  get(path: string, headers: Headers = {}): Promise<Answer> {
    return this.send("GET", path, undefined, { "sec-fetch-site": "same-origin", ...headers });
  }

  /** As the page's own script does it. */
  post(path: string, body: unknown = {}, headers: Headers = {}): Promise<Answer> {
    return this.send("POST", path, JSON.stringify(body), {
      "content-type": "application/json",
      origin: this.url,
      "sec-fetch-site": "same-origin",
      ...headers,
    });
  }

  /** An empty header is not sent. */
  async send(method: string, path: string, body: string | undefined, headers: Headers): Promise<Answer> {
    const all = { ...(this.cookie === "" ? {} : { cookie: this.cookie }), ...headers };
    const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
    const answer = await new Promise<Answer>((done, failed) => {
      const ask = this.url.startsWith("https") ? tlsRequest : request;
      const outgoing = ask(
        `${this.url}${path}`,
        { method, headers: sent, agent: false, rejectUnauthorized: false },
        (incoming) => {
          let text = "";
          incoming.setEncoding("utf8").on("data", (chunk: string) => {
            text += chunk;
          });
          incoming.on("error", failed);
          incoming.on("end", () => {
            const isJson = incoming.headers["content-type"]?.startsWith("application/json") === true && text !== "";
            const parsed = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
            done({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, body: parsed });
          });
        },
      );
      outgoing.on("error", failed);
      outgoing.end(body);
    });
    const [line] = answer.headers["set-cookie"] ?? [];
    if (line !== undefined) this.cookie = line.includes("Max-Age=0") ? "" : (line.split(";")[0] ?? "");
    return answer;
  }

  login(name: string, password: string): Promise<Answer> {
    return this.post("/admin/login", { name, password });
  }
}

export const PASSWORD = "correct horse battery";

export const secretOf = (link: string | undefined): string => /#setup=([\w-]+)$/.exec(link ?? "")?.[1] ?? "";

interface AtConsole extends TestApp {
  /** Ann, an operator, who has just set her password. */
  readonly ann: Browser;
}

/** An app whose console has its first user. */
export async function startConsole(t: Test, overrides: Parameters<typeof startTestApp>[1] = {}): Promise<AtConsole> {
  const app = await startTestApp(t, { ...overrides, admin: { enabled: true, ...overrides?.admin } });
  const ann = new Browser(app.consoleUrl);
  const link = secretOf(app.app.setupLink);
  const done = await ann.post("/admin/setup", { link, name: "ann", password: PASSWORD });
  if (done.status !== 200) throw new Error(`setup: ${done.status} ${done.text}`);
  return { ...app, ann };
}
