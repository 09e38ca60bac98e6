// The console's listener: its page, logins, the API for whoever has logged in, live figures. README.md numbers what is promised.

import { allowing, json, STATUS_OF } from "../api/answer.ts";
import { createPages, type PageWords, shownText } from "../api/pages.ts";
import { createRefusals } from "../api/refusals.ts";
import type { Api, Visitor } from "../api/routes.ts";
import type { AdminSession, Admins } from "../core/admin.ts";
import type { AuditEntry } from "../core/audit.ts";
import type { Copies } from "../core/copies.ts";
import { PushError } from "../core/errors.ts";
import { DAY } from "../core/time.ts";
import type { Head, Header, Response, Site, Stream } from "../http/message.ts";
import { HttpError } from "../http/message.ts";
import { backupDeeds, backupDownload } from "./backups.ts";
import { type Deed, textOf } from "./deed.ts";
import { type ClientPlace, consoleFiles } from "./files.ts";
import { LiveFeed, type LiveSource } from "./live.ts";
import { peopleDeeds } from "./people.ts";
import { type Login, Sessions, type SessionTimes } from "./sessions.ts";
import type { Others } from "./tries.ts";

export interface ConsoleOptions {
  readonly admins: Admins;
  readonly api: Pick<Api, "openFor" | "site">;
  /** The page's files by their names. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly live: LiveSource;
  /** Absent: the store has other means. */
  readonly copies?: Copies;
  /** Of PostgreSQL, where that has the data. */
  readonly schema?: string;
  /** What may change while it runs. */
  readonly settings: () => ConsoleSettings;
  /** Where clients connect, as it is now. */
  readonly client: () => ClientPlace;
  /** It is served by https. */
  readonly secure: boolean;
  /** Other processes show the same console: the name of this one among them. */
  readonly here?: string;
  readonly others?: Others;
  /** Of the program, and how this process names itself. */
  readonly version: string;
  readonly node: string;
  /** Nobody waits for it. */
  audit(entry: AuditEntry): void;
  /** Gets a line for the log on who was not let in. */
  warn(text: string, requestId: string): void;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
}

interface ConsoleSettings extends SessionTimes {
  /** Names, besides localhost and any address, that it answers to. */
  readonly hosts: readonly string[];
}

export interface Console {
  readonly site: Site;
  /** The port it listens on: cookies know no ports, so their names do. */
  listening(port: number): void;
  /** Settings have changed. */
  reload(): void;
  /** The secret of a link for the first user; undefined: there are users. */
  invite(): Promise<string | undefined>;
  readonly counts: Sessions["counts"];
  /** Pages that are shown what happens. */
  readonly pages: number;
  /** Looks no more whose login has ended; the end of the listener closes what is streamed. */
  stop(): void;
}

const WORDS: PageWords = {
  host: (name) =>
    `the console does not answer to the name ${name}: call it by its address, or list the name in admin.hosts`,
  site: (site) => `a web page of another site may not call the console (Sec-Fetch-Site: ${site})`,
  origin: (origin) => `web pages of ${origin} may not call the console`,
};

/** Bytes of what is posted to /admin. */
const LONGEST_BODY = 16_384;
/** Open streams are looked at so often: whose login has ended meanwhile is closed. */
const LOOK_EVERY = 5000;
/** Seconds that a cookie may last: browsers cut what asks for more. */
const LONGEST_COOKIE = (400 * DAY) / 1000;

interface Call {
  readonly address: string;
  readonly requestId: string;
  readonly cookie: string | undefined;
  readonly query: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What the listener answers (admin 9 to 17); it opens no port. */
export function createConsole(options: ConsoleOptions): Console {
  const { admins, api, secure, now } = options;
  const { here, others, elapsed } = options;
  const sessions = new Sessions({ admins, times: options.settings, shared: here !== undefined, others, now, elapsed });
  const rule = () => ({ hosts: options.settings().hosts, origins: [] });
  const pages = createPages(rule(), WORDS);
  const refusal = createRefusals(options.warn, elapsed);
  const fileOf = consoleFiles(options.files, options.client);
  const feed = new LiveFeed(options.live, now);
  /** Answers without end, by the login that they are of. */
  const streams = new Map<string, Set<Stream>>();
  let cookieName = "";

  // ---- who calls

  function cookieOf(head: Head): string | undefined {
    for (const part of head.header("cookie").split(";")) {
      const [name, value = ""] = part.trim().split("=", 2);
      if (name === cookieName && /^[\w-]{43}$/.test(value)) return value;
    }
    return undefined;
  }

  function cookie(secret: string | undefined): Header {
    const age = secret === undefined ? 0 : Math.min(LONGEST_COOKIE, Math.floor(options.settings().lifetime / 1000));
    const flags = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${age}${secure ? "; Secure" : ""}`;
    return ["Set-Cookie", `${cookieName}=${secret ?? ""}; ${flags}`];
  }

  async function loginOf(secret: string | undefined): Promise<Login> {
    const login = await sessions.find(secret);
    if (login !== undefined) return login;
    const setup = (await admins.users()).length === 0;
    const message = setup
      ? "nobody may use the console yet: open the link that the server printed at its start, or make one with pushbox admin reset"
      : "log in first";
    throw new HttpError(401, message, { members: { setup } });
  }

  function visitorOf(login: Login): Visitor {
    return {
      who: whoIs(login.name),
      admit(access) {
        if (access === "read") return;
        if (login.role !== "operator")
          throw new HttpError(403, `${login.name} is a viewer, who may look and change nothing`);
        if (access === "grave" && login.confirmed <= now())
          throw new HttpError(403, "this reaches far: enter your password again, then repeat it", {
            members: { confirm: true },
          });
      },
    };
  }

  const whoIs = (name: string): string => `${name} (console)`;

  // ---- streams end with their login

  function guarded(response: Response, id: string): Response {
    const { stream } = response;
    if (stream === undefined) return response;
    return {
      ...response,
      stream(outlet) {
        const made = stream.call(response, outlet);
        const kept: Stream = {
          ready: () => made.ready(),
          end: () => made.end(),
          closed() {
            const own = streams.get(id);
            own?.delete(kept);
            if (own?.size === 0) streams.delete(id);
            made.closed();
          },
        };
        const own = streams.get(id) ?? new Set();
        streams.set(id, own.add(kept));
        return kept;
      },
    };
  }

  function endStreams(id: string): void {
    for (const stream of [...(streams.get(id) ?? [])]) stream.end();
  }

  async function endDead(): Promise<void> {
    for (const id of [...streams.keys()]) if ((await sessions.alive(id)) === undefined) endStreams(id);
  }
  const looking = setInterval(() => void endDead().catch(() => {}), LOOK_EVERY).unref();

  // ---- /admin/...

  function note(
    call: Call,
    action: string,
    who: string | undefined,
    what: object,
    status = 200,
    message?: string,
  ): void {
    options.audit({
      time: now(),
      ...(who === undefined ? {} : { who: whoIs(who) }),
      address: call.address,
      action: `/admin/${action}`,
      what: JSON.stringify(what),
      status,
      ...(message === undefined ? {} : { message }),
      requestId: call.requestId,
    });
  }

  /** What is wrong is noted too, save that somebody has to wait: whoever guesses would fill the log. */
  async function noted<T>(call: Call, action: string, name: string, act: () => Promise<T>): Promise<T> {
    try {
      const done = await act();
      note(call, action, name, {});
      return done;
    } catch (error) {
      if (error instanceof HttpError && error.status !== 429 && error.status !== 503) {
        // A name that nobody has may be a password that somebody typed into the wrong field.
        const known = (await admins.user(name).catch(() => undefined)) !== undefined;
        note(call, action, known ? name : undefined, {}, error.status, error.message);
        if (error.status === 401)
          refusal(call.address, `the console: ${action} with a wrong name or password`, call.requestId);
      }
      throw error;
    }
  }

  const described = (session: Pick<AdminSession, "name" | "role" | "confirmed">): object => ({
    code: "success",
    name: session.name,
    role: session.role,
    ...(session.confirmed > now() ? { confirmedUntil: session.confirmed } : {}),
    version: options.version,
    node: options.node,
    ...(here === undefined ? {} : { here }),
    client: options.client(),
  });

  async function entered(secret: string): Promise<Response> {
    const answer = json(described(await loginOf(secret)));
    return { ...answer, headers: [...answer.headers, cookie(secret)] };
  }

  /** @returns whose login has ended; undefined: there was none */
  async function leave(call: Call): Promise<string | undefined> {
    const login = await sessions.find(call.cookie);
    if (login === undefined) return undefined;
    await admins.end(login.id);
    endStreams(login.id);
    return login.name;
  }

  const actions: Readonly<Record<string, (call: Call) => Promise<Response>>> = {
    async setup(call) {
      const { link, name, password } = call.fields;
      const made = await sessions
        .setUp(
          textOf(link, "link"),
          name === undefined ? undefined : textOf(name, "name"),
          textOf(password, "password"),
        )
        .catch((error: unknown) => {
          if (error instanceof HttpError && error.status === 403)
            refusal(call.address, "the console: setup with a link that is not good", call.requestId);
          throw error;
        });
      note(call, "setup", made.name, {});
      return entered(made.secret);
    },
    async login(call) {
      const [name, password] = [textOf(call.fields["name"], "name"), textOf(call.fields["password"], "password")];
      const secret = await noted(call, "login", name, () => sessions.login(call.address, name, password));
      await leave(call);
      return entered(secret);
    },
    async logout(call) {
      const name = await leave(call);
      if (name !== undefined) note(call, "logout", name, {});
      const answer = json({ code: "success" });
      return { ...answer, headers: [...answer.headers, cookie(undefined)] };
    },
    async confirm(call) {
      const login = await loginOf(call.cookie);
      const password = textOf(call.fields["password"], "password");
      const confirmed = await noted(call, "confirm", login.name, () => sessions.confirm(login, call.address, password));
      return json(described({ ...login, confirmed }));
    },
    async password(call) {
      const login = await loginOf(call.cookie);
      const [old, fresh] = [textOf(call.fields["old"], "old"), textOf(call.fields["new"], "new")];
      await noted(call, "password", login.name, () => sessions.change(login, call.address, old, fresh));
      await endDead();
      return json(described(login));
    },
  };

  const looks: Readonly<Record<string, (call: Call) => Promise<Response>>> = {
    session: async (call) => json(described(await loginOf(call.cookie))),
    async "backup/file"(call) {
      const login = await loginOf(call.cookie);
      visitorOf(login).admit(download.access);
      return guarded(await download.answer(new URLSearchParams(call.query)), login.id);
    },
    async live(call) {
      const login = await loginOf(call.cookie);
      const asked = new URLSearchParams(call.query);
      const topics = [...(asked.get("topics") ?? "").split(","), ...asked.getAll("topic")];
      return guarded(feed.open([...new Set(topics.filter((topic) => topic !== ""))], login.id), login.id);
    },
  };

  const { copies } = options;
  const download = backupDownload({ copies });
  const deeds: Readonly<Record<string, Deed>> = {
    ...peopleDeeds({ admins, alive: () => sessions.lives, now, ended: endDead }),
    ...backupDeeds({ copies, schema: options.schema, audit: options.audit, whoIs, now }),
  };

  /** Whoever asks is let in, and what changes something is noted with what came of it. */
  async function perform(name: string, deed: Deed, call: Call): Promise<Response> {
    const login = await loginOf(call.cookie);
    const { address, requestId, fields } = call;
    const tell = (status?: number, message?: string): void => {
      const what = Object.fromEntries((deed.notes ?? []).map((one) => [one, fields[one]]));
      if (deed.access !== "read") note(call, name, login.name, what, status, message);
    };
    try {
      visitorOf(login).admit(deed.access);
      const members = await deed.act(fields, { name: login.name, address, requestId });
      tell();
      return json({ code: "success", ...members });
    } catch (error) {
      if (error instanceof HttpError) tell(error.status, error.message);
      else if (error instanceof PushError) tell(STATUS_OF[error.code], error.message);
      else tell(500, "internal error");
      throw error;
    }
  }

  // ---- the site

  function open(head: Head): ReturnType<Site["open"]> {
    admitHost(head);
    const isLook = head.method === "get" || head.method === "head";
    const file = isLook ? fileOf(head) : undefined;
    if (file !== undefined) return file;
    admitPage(head);
    if (head.method === "options") return allowing([["Allow", "GET, POST"]]);
    const { address, requestId, query } = head;
    const cookie = cookieOf(head);
    if (head.path.startsWith("/api/")) return openApi(head, cookie);
    const name = /^\/admin\/(\w+(?:\/\w+)?)$/.exec(head.path)?.[1] ?? "";
    const look = Object.hasOwn(looks, name) ? looks[name] : undefined;
    const deed = Object.hasOwn(deeds, name) ? deeds[name] : undefined;
    const action =
      deed === undefined
        ? Object.hasOwn(actions, name)
          ? actions[name]
          : undefined
        : (call: Call) => perform(name, deed, call);
    if (look !== undefined && isLook) return () => look({ address, requestId, query, cookie, fields: {} });
    if (action === undefined || head.method !== "post") {
      const known = look !== undefined || action !== undefined;
      throw known
        ? new HttpError(405, `use ${look === undefined ? "POST" : "GET"} for ${head.path}`)
        : new HttpError(404, "not found");
    }
    head.maxBody = LONGEST_BODY;
    return ({ contentType }, body) =>
      action({ address, requestId, query, cookie, fields: fieldsOf(contentType, body) });
  }

  function openApi(head: Head, secret: string | undefined): ReturnType<Site["open"]> {
    let login: Login | undefined;
    const opened = api.openFor(head, async () => {
      login = await loginOf(secret);
      return visitorOf(login);
    });
    if (typeof opened !== "function") return opened;
    return async (sealed, body) => {
      if (body.length > 0) checkJson(sealed.contentType);
      const answer = await opened(sealed, body);
      return login === undefined ? answer : guarded(answer, login.id);
    };
  }

  function admitHost(head: Head): void {
    refuse(head, pages.refusesHost(head));
  }

  function admitPage(head: Head): void {
    refuse(head, pages.refusesPage(head));
  }

  function refuse(head: Head, why: string | undefined): void {
    if (why === undefined) return;
    refusal(head.address, `${head.method.toUpperCase()} ${shownText(head.path)}: ${why}`, head.requestId);
    throw new HttpError(403, why);
  }

  // ---- what a page's own script asks for

  /** Heads of such calls. */
  const quiet = new WeakSet<Head>();

  /** Browsers note every refusal as an error of the page; its script reads the status from a header instead. */
  const told = (response: Response, head: Head | undefined): Response => {
    const headers = guardedHeaders(response.headers);
    return head === undefined || response.status < 400 || !quiet.has(head)
      ? { ...response, headers }
      : { ...response, status: 200, headers: [...headers, ["X-Status", String(response.status)]] };
  };

  const site: Site = {
    open(head) {
      if (head.header("x-quiet") !== "") quiet.add(head);
      const opened = open(head);
      if (typeof opened !== "function") return told(opened, head);
      return async (sealed, body) => told(await opened(sealed, body), head);
    },
    failure: (error, head) => told(api.site.failure(error, head), head),
  };

  return {
    site,
    listening(port) {
      cookieName = `${secure ? "__Host-" : ""}pushbox-${port}`;
    },
    reload: () => pages.set(rule()),
    invite: () => sessions.invite(),
    counts: sessions.counts,
    get pages() {
      return feed.size;
    },
    stop: () => clearInterval(looking),
  };
}

/** What a browser is told of any answer, a table or an error too: it is what it says to be, and no document of its own. */
const GUARDS: readonly Header[] = [
  ["X-Content-Type-Options", "nosniff"],
  ["Referrer-Policy", "no-referrer"],
  ["Cross-Origin-Resource-Policy", "same-origin"],
  ["X-Frame-Options", "DENY"],
  ["Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"],
];

function guardedHeaders(headers: readonly Header[]): readonly Header[] {
  return [...headers, ...GUARDS.filter(([name]) => !headers.some(([given]) => given === name))];
}

function checkJson(contentType: string): void {
  if (!/^application\/json\s*(;|$)/i.test(contentType))
    throw new HttpError(415, "the console takes JSON only: Content-Type: application/json");
}

function fieldsOf(contentType: string, body: Buffer): Readonly<Record<string, unknown>> {
  if (body.length === 0) return {};
  checkJson(contentType);
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    throw new HttpError(400, "the request body is not valid JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new HttpError(400, "the request body must be a JSON object");
  return Object.fromEntries(Object.entries(value));
}
