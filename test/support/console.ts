// A browser at the console: it keeps its cookie, and sends what a browser sends along.
import { scryptSync } from "node:crypto";

import type { IncomingHttpHeaders } from "node:http";
import { request } from "node:http";
import { request as tlsRequest } from "node:https";
import type { Test } from "tap";
import type { Role } from "../../src/core/admin.ts";
import { databaseFile } from "../../src/engine/directory.ts";
import { admins } from "../../src/engine/sqlite/admins.ts";
import { openDatabase } from "../../src/engine/sqlite/file.ts";
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

/** For browsers that walk about for long: devices of a test send no pings, and stay all the same. Milliseconds. */
export const PATIENT = { pingIntervalV3: 3_600_000 };

export const PASSWORD = "correct horse battery";

export const secretOf = (link: string | undefined): string => /#setup=([\w-]+)$/.exec(link ?? "")?.[1] ?? "";

/** As passwords are stored, of such little cost that a test may check it often. */
function cheaply(password: string): string {
  const salt = Buffer.alloc(16, 7);
  const key = scryptSync(password.normalize("NFKC"), salt, 32, { N: 2, r: 1, p: 1 });
  return `scrypt:1:1:1:${salt.toString("base64url")}:${key.toString("base64url")}`;
}

/** Users in a data directory on which no server runs. */
export function addUsers(dataDir: string, users: Readonly<Record<string, Role>>): void {
  const db = openDatabase(databaseFile(dataDir), "NORMAL");
  const table = admins(db);
  for (const [name, role] of Object.entries(users)) {
    table.inviteAdmin({ id: name, until: Number.MAX_SAFE_INTEGER, role }, name);
    table.useAdminLink(name, { name, password: cheaply(PASSWORD), since: Date.now() });
  }
  db.close();
}

interface AtConsole extends TestApp {
  /** An operator and a viewer, both logged in. */
  readonly ann: Browser;
  readonly vic: Browser;
  /** As in a browser of its own. */
  enter(name: string): Promise<Browser>;
}

/** An app with users at its console. */
export async function startConsole(
  t: Test,
  overrides: Parameters<typeof startTestApp>[1] = {},
  reread?: Parameters<typeof startTestApp>[2],
): Promise<AtConsole> {
  const data = overrides.data ?? t.testdir({});
  addUsers(data, { ann: "operator", vic: "viewer" });
  const app = await startTestApp(t, { ...overrides, data, admin: { enabled: true, ...overrides.admin } }, reread);
  const enter = async (name: string): Promise<Browser> => {
    const browser = new Browser(app.consoleUrl);
    const { status, text } = await browser.login(name, PASSWORD);
    if (status !== 200) throw new Error(`login: ${status} ${text}`);
    return browser;
  };
  return { ...app, enter, ann: await enter("ann"), vic: await enter("vic") };
}

/** What a page is shown, line by line; ended with the test. */
export async function watch(t: Test, { url, cookie }: Browser, path: string) {
  const aborted = new AbortController();
  t.teardown(() => aborted.abort());
  const answer = await fetch(`${url}${path}`, { headers: { cookie }, signal: aborted.signal });
  const pieces = answer.body?.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let text = "";
  return {
    status: answer.status,
    /** The next event's data; undefined: it has ended. */
    async next(): Promise<Record<string, unknown> | undefined> {
      for (;;) {
        const [, data, rest] = /^data: (.*)\n\n([\s\S]*)$/m.exec(text) ?? [];
        if (data !== undefined && rest !== undefined) {
          text = rest;
          return JSON.parse(data) as Record<string, unknown>;
        }
        const piece = await pieces?.next();
        if (piece === undefined || piece.done === true) return undefined;
        text += piece.value;
      }
    },
    leave: () => aborted.abort(),
  };
}
