// The real app on free ports with its data in memory or in a directory of its own, and the calls a backend makes.
import { pino } from "pino";
import type { Test } from "tap";
import { request } from "undici";
import { type App, startApp } from "../../src/app.ts";
import { type Config, type Reading, readConfig } from "../../src/config/index.ts";
import { onPostgres, sharedStore } from "./shared-store.ts";
import { withoutThread } from "./store-thread.ts";

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export interface TestApp {
  readonly app: App;
  readonly clientUrl: string;
  readonly clientPort: number;
  readonly apiUrl: string;
  /** "" without `admin.enabled`. */
  readonly consoleUrl: string;
  readonly config: Config;
  /** What the log says from `config.logLevel` up: `error: ...`. */
  readonly log: readonly string[];
  /** The same lines with their fields. */
  readonly entries: readonly Readonly<Record<string, unknown>>[];
  /** Before the test's end; the data stays for another app in the same directory. */
  stop(): Promise<void>;
  /** A form post: arrays become repeated keys. */
  post(path: string, fields: Record<string, unknown>): Promise<Answer>;
  postJson(path: string, body: unknown): Promise<Answer>;
  /** A form post that must succeed. */
  ok(path: string, fields: Record<string, unknown>): Promise<Record<string, unknown>>;
}

type Overrides = {
  readonly [Section in keyof Config]?: Config[Section] extends object ? Partial<Config[Section]> : Config[Section];
};

/**
 * The store is in the same thread: one of its own takes longer to start than most tests take.
 * @param reread what the settings' sources say by now: at first what they said then
 */
export async function startTestApp(
  t: Test,
  overrides: Overrides = {},
  reread?: () => Promise<Reading>,
): Promise<TestApp> {
  const reading = readConfig({ env: {}, flags: new Map() });
  if (reading.problems !== undefined) throw new Error("the defaults have problems");
  const base = reading.config;
  const data = overrides.data ?? t.testdir();
  const shared = onPostgres ? await sharedStore(data) : undefined;
  const config: Config = {
    ...base,
    ...shared,
    ...overrides,
    data,
    postgres: { ...base.postgres, ...shared?.postgres, ...overrides.postgres },
    client: { ...base.client, host: "127.0.0.1", port: 0, ...overrides.client },
    api: { ...base.api, port: 0, ...overrides.api },
    admin: { ...base.admin, enabled: false, port: 0, ...overrides.admin },
    acme: { ...base.acme, host: "127.0.0.1", port: 0, ...overrides.acme },
    hooks: { ...base.hooks, ...overrides.hooks },
    vendors: { ...base.vendors, ...overrides.vendors },
    storage: { ...base.storage, synchronous: "NORMAL", ...overrides.storage },
  };
  const { origins } = reading;
  const sources = {
    ...{ config, origins, fit: (next: Config) => next, told: () => {} },
    reread: reread ?? (async () => ({ config, origins, warnings: [] })),
  };
  const lines: string[] = [];
  const entries: Record<string, unknown>[] = [];
  const write = (line: string): void => {
    const { level, msg, err } = JSON.parse(line) as { level: number; msg: string; err?: { stack: string } };
    entries.push(JSON.parse(line) as Record<string, unknown>);
    lines.push(`${pino.levels.labels[level]}: ${msg}${err === undefined ? "" : ` ${err.stack}`}`);
  };
  const app = await startApp(config, pino({ level: config.logLevel }, { write }), {
    sources,
    startThread: withoutThread,
    ownClock: true, // a test may have moved it
  });
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= app.stop();
    return stopped;
  };
  t.teardown(stop);
  /** `fetch` takes twice the processor's time. */
  const call = async (path: string, type: string, sent: string): Promise<Answer> => {
    const headers = { "content-type": type };
    const { statusCode, body } = await request(`${app.apiUrl}/api/${path}`, { method: "POST", headers, body: sent });
    return { status: statusCode, body: (await body.json()) as Record<string, unknown> };
  };
  const post = (path: string, fields: Record<string, unknown>) => {
    const form = new URLSearchParams();
    for (const [key, value] of Object.entries(fields)) {
      for (const item of Array.isArray(value) ? value : [value]) {
        form.append(key, typeof item === "object" ? JSON.stringify(item) : String(item));
      }
    }
    return call(path, "application/x-www-form-urlencoded;charset=UTF-8", String(form));
  };
  return {
    app,
    clientUrl: app.clientUrl,
    clientPort: Number(new URL(app.clientUrl).port),
    apiUrl: app.apiUrl,
    consoleUrl: app.consoleUrl ?? "",
    config,
    log: lines,
    entries,
    stop,
    post,
    postJson: (path, body) => call(path, "application/json", JSON.stringify(body)),
    async ok(path, fields) {
      const answer = await post(path, fields);
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body;
    },
  };
}
