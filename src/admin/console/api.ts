// Calls of the server: the same API as backends use, by the session's cookie, and the few of the console's own.
import { effect, signal } from "@preact/signals";
import { reach } from "./away.ts";

export type Fields = Readonly<Record<string, unknown>>;

export interface Session {
  readonly name: string;
  readonly role: "operator" | "viewer";
  readonly version: string;
  readonly node: string;
  /** The name of the process that shows this page, where there are several. */
  readonly here?: string;
  /** Where clients connect, on the same host. */
  readonly client?: { readonly port: number; readonly secure: boolean };
}

/** Undefined: not asked yet. null: nobody is logged in. */
export const session = signal<Session | null | undefined>(undefined);

/** Whoever was logged in here is no more, without having said so. */
export const ended = signal(false);

/** What the server did not do, in its words. `asksPassword`: it does once the password was asked for. */
export class Refused extends Error {
  readonly status: number;
  readonly hint: string | undefined;
  readonly requestId: string | undefined;
  readonly asksPassword: boolean;

  constructor(status: number, body: Fields) {
    super(String(body["message"] ?? `HTTP ${status}`));
    this.status = status;
    this.hint = body["hint"] as string | undefined;
    this.requestId = body["requestId"] as string | undefined;
    this.asksPassword = body["confirm"] === true;
  }
}

/** A wrong password there ends no login. */
const ASK_PASSWORD: ReadonlySet<string> = new Set([
  "/admin/login",
  "/admin/confirm",
  "/admin/password",
  "/admin/setup",
]);

/** The names of processes that have not answered, by what they were asked last: what only they know is missing in the answer. */
export const silent = signal<Readonly<Record<string, readonly string[]>>>({});

/** @param names none: all have answered */
export function noteSilent(path: string, names: readonly string[]): void {
  const { [path]: before = [], ...others } = silent.peek();
  if (before.join() !== names.join()) silent.value = names.length === 0 ? others : { ...others, [path]: names };
}

/** The browser's own log has nothing to say of a refusal. */
export const QUIET = { "x-quiet": "1" };

async function request<T>(path: string, body: Fields | undefined, signal?: AbortSignal): Promise<T> {
  const answer = await reach(path, {
    ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...QUIET },
    ...(signal === undefined ? {} : { signal }),
  });
  await admit(path, answer);
  noteSilent(path, (answer.headers.get("pushbox-silent") ?? "").split(",").filter(Boolean).map(decodeURIComponent));
  return (await answer.json().catch(() => ({}))) as T;
}

/** A refusal is told to the person, in the page. @throws Refused */
async function admit(path: string, answer: Response): Promise<void> {
  const status = Number(answer.headers.get("x-status") ?? answer.status);
  if (status < 400) return;
  if (status === 401 && !ASK_PASSWORD.has(path)) {
    localStorage.removeItem(BEEN_HERE);
    nobody();
  }
  throw new Refused(status, (await answer.json().catch(() => ({}))) as Fields);
}

/** Asks for the password again; false: the person changed their mind. ui/dialog.tsx sets it. */
let askPassword: () => Promise<boolean> = () => Promise.resolve(false);
/** @param ask resolves with whether the person gave it; without it nobody is asked, and nothing is done */
export function confirmBy(ask: () => Promise<boolean>): void {
  askPassword = ask;
}

/** The person was asked for the password and gave none. */
export class Declined extends Error {}

const addressOf = (path: string): string => (path.startsWith("/") ? path : `/api/${path}`);

/**
 * Calls an endpoint of the API, or with a slash before it one of the console's own. What reaches far asks for the password first, and
 * is then called again.
 * @throws Refused with the server's words; Declined
 */
export async function call<T = Fields>(path: string, fields: Fields = {}, signal?: AbortSignal): Promise<T> {
  try {
    return await request<T>(addressOf(path), fields, signal);
  } catch (error) {
    if (!(error instanceof Refused && error.asksPassword)) throw error;
    if (!(await askPassword())) throw new Declined();
    return request<T>(addressOf(path), fields, signal);
  }
}

/** What an endpoint answers as a table for a spreadsheet. @throws Refused */
export async function callCsv(path: string, fields: Fields): Promise<string> {
  const query = new URLSearchParams({ ...(fields as Record<string, string>), format: "csv" });
  const address = addressOf(path);
  const answer = await reach(`${address}?${query.toString()}`, { headers: QUIET });
  await admit(address, answer);
  return answer.text();
}

/** The console's own: session, login, logout, setup, confirm, password. */
export const admin = <T = Fields>(path: string, fields?: Fields): Promise<T> => request<T>(`/admin/${path}`, fields);

/**
 * Who was logged in here, and when: the cookie itself cannot be seen. Without it there is no need to be refused by the server first. It
 * is the same for all tabs, as the cookie is: what one changes the others notice.
 */
const BEEN_HERE = "pushbox.login";
addEventListener("storage", ({ key }) => {
  if (key === BEEN_HERE || key === null) readSession().catch(() => {});
});

function nobody(): void {
  if (session.peek()) ended.value = true;
  session.value = null;
}

/** Sets `session`. @throws when the server cannot be reached */
export async function readSession(): Promise<void> {
  if (localStorage.getItem(BEEN_HERE) === null) return nobody();
  try {
    session.value = await admin<Session>("session");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    nobody();
  }
}

/** After a login, or the first password. */
export async function enter(path: "login" | "setup", fields: Fields): Promise<void> {
  const entered = await admin<Session>(path, fields);
  ended.value = false;
  session.value = entered;
  localStorage.setItem(BEEN_HERE, `${entered.name} ${Date.now()}`);
}

/** Ends this browser's login. @throws Refused */
export async function leave(): Promise<void> {
  await admin("logout", {});
  localStorage.removeItem(BEEN_HERE);
  sessionStorage.clear();
  session.value = null;
}

interface ApiSettings {
  readonly host: string;
  readonly domain: string;
  readonly port: number;
  readonly tls_cert: string;
  readonly keys: readonly unknown[] | Readonly<Record<string, unknown>>;
}

/** Where backends call the API, and whether they need a key: for commands that are copied from here. */
const backends = signal({ url: "http://127.0.0.1:11001", key: "" });

effect(() => {
  if (!session.value) return;
  request<{ readonly api: ApiSettings }>("/api/config", {}).then(
    ({ api: { host, domain, port, tls_cert, keys } }) => {
      const everywhere = host === "0.0.0.0" || host === "::" || host === "[::]";
      const name = domain
        ? domain
        : everywhere
          ? location.hostname
          : host.includes(":") && !host.startsWith("[")
            ? `[${host}]`
            : host;
      backends.value = {
        url: `${tls_cert + domain === "" ? "http" : "https"}://${name}:${port}`,
        key: Object.keys(keys ?? {}).length > 0 ? ' -H "Authorization: Bearer $PUSHBOX_API_KEY"' : "",
      };
    },
    () => {},
  );
});

/** What a backend would type to do the same. */
export function curl(path: string, fields: Fields): string {
  const { url, key } = backends.value;
  const filled = Object.entries(fields).filter(([, value]) => value !== undefined && value !== "");
  if (filled.length === 0) return `curl ${url}/api/${path}${key}`;
  const body = JSON.stringify(Object.fromEntries(filled)).replaceAll("'", "'\\''");
  return [`curl ${url}/api/${path}${key}`, `-H 'Content-Type: application/json'`, `-d '${body}'`].join(" \\\n  ");
}
