// A dialect and its fake, face to face without a network.
import type { Notification } from "../../src/core/notification.ts";
import type { Recipient } from "../../src/core/vendor.ts";
import type { FakeVendor } from "../../src/lab/fake.ts";
import type { Answer, CommonApp, Dialect, HttpReply, HttpRequest } from "../../src/vendors/dialect.ts";

export const NOW = Date.UTC(2026, 10, 23, 9, 0, 0);
const BASE = "https://lab.test";

export function note(content: Record<string, unknown> = {}, rest: Partial<Notification> = {}): Notification {
  return {
    id: "n1",
    content: { android: { title: "T", message: "m", payload: { abc: 123 } }, ...content },
    timeToLive: 3_600_000,
    type: "pushAll",
    acceptedAt: NOW,
    callerAddress: "127.0.0.1",
    ...rest,
  };
}

export function worded(title: string, message: string, payload: object = {}): Notification {
  return note({ android: { title, message, payload } });
}

export function to(...tokens: readonly string[]): readonly Recipient[] {
  return tokens.map((token) => ({ token, ref: `n1-${token}` }));
}

export function appOf<App extends CommonApp>(dialect: Dialect<App>, entry: unknown): App {
  return dialect.parse(entry, () => "", NOW);
}

/** The app that the fake's own configuration makes, changed. */
export function fakeApp<App extends CommonApp>(dialect: Dialect<App>, fake: FakeVendor, more: object = {}): App {
  return appOf(dialect, { ...fake.config(BASE, (file) => file), ...more });
}

export function ask(fake: FakeVendor, request: HttpRequest, now = NOW): HttpReply {
  const url = new URL(request.url);
  const reply = fake.handle(
    {
      method: request.method,
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.from(request.body ?? ""),
      http: 1,
    },
    now,
  );
  return { status: reply.status, headers: reply.headers ?? {}, body: reply.body ?? "" };
}

/** Credential, request, answer: what client.ts does, once. */
export async function send<App extends CommonApp>(
  dialect: Dialect<App>,
  fake: FakeVendor,
  app: App,
  notification: Notification,
  recipients: readonly Recipient[],
  now = NOW,
): Promise<readonly Answer[]> {
  const credential = await dialect.credential(app, now, async (request) => ask(fake, request, now));
  const request = dialect.encode(app, notification, recipients, credential.value, now);
  return dialect.decode(app, ask(fake, request, now), recipients, now);
}

export function form(request: HttpRequest): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(String(request.body)));
}

export function json(value: unknown, status = 200): HttpReply {
  return { status, headers: {}, body: JSON.stringify(value) };
}

/** What the errors that `parse` throws say, line by line. */
export function problems(parse: () => unknown): readonly string[] {
  try {
    parse();
  } catch (error) {
    return (error as Error).message.split("\n");
  }
  return [];
}

/** What a promise rejects with. */
export async function caught(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => new Error("it did not fail"),
    (error: Error) => error,
  );
}
