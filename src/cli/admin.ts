// The command `admin`: who may use the web console. Done on the data itself, so whoever can read that may do it, whether a server
// runs or not; no password is ever typed here, only links are made by which one is set in the page.
import { INVITED } from "../admin/people.ts";
import { LINK_LASTS, newSecret } from "../admin/sessions.ts";
import { databaseOf } from "../app/database.ts";
import { setupLink, url } from "../app/places.ts";
import type { Config } from "../config/index.ts";
import type { Row } from "../config/settings.ts";
import { ROLES, type Role } from "../core/admin.ts";
import type { AuditEntry } from "../core/audit.ts";
import { PushError } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import { type AdminDesk, atAdminDesk } from "../engine/admins.ts";
import { type Cli, configured, failed, introduced, type Options, ok, words, wrong } from "./command.ts";
import { tableText } from "./render.ts";
import { explain } from "./trouble.ts";

interface Done {
  readonly text: string;
  readonly json: object;
  /** What is said beside what was asked for. */
  readonly aside?: string;
}

interface Sub {
  readonly name: string;
  readonly summary: string;
  readonly takes?: readonly (readonly [argument: string, why: string])[];
  readonly role?: true;
  readonly about: string;
  readonly act: (
    config: Config,
    given: { readonly words: readonly string[]; readonly role: Role | undefined },
    desk: AdminDesk,
  ) => Promise<Done>;
}

const NAME = ["<name>", "by which the user logs in"] as const;

const RESET: Sub = {
  name: "reset",
  summary: "end all logins and make a new link to set a password",
  about: `Whoever opens the link within 30 minutes sets a name and a password, and is an operator: a new one, or one that has forgotten
the password. Waits after wrong passwords end with it. Users stay: see pushbox admin user list.

Example:
  pushbox admin reset --config pushbox.toml`,
  async act(config, _given, desk) {
    const { secret, id } = newSecret();
    const until = Date.now() + LINK_LASTS;
    await desk.reset({ id, until, role: "operator" });
    await desk.note(entry("reset", {}));
    return linked(config, secret, until, "all logins have ended");
  },
};

const USER: readonly Sub[] = [
  {
    name: "list",
    summary: "who may use the console, and as what",
    about: "Example:\n  pushbox admin user list --data /var/lib/pushbox",
    async act(_config, _given, desk) {
      const users = await desk.users();
      const rows = users.map(({ since, ...user }) => ({ ...user, since, sinceIso: new Date(since).toISOString() }));
      return {
        json: { users: rows },
        text:
          rows.length === 0
            ? "nobody yet: pushbox admin reset makes a link"
            : tableText(
                rows.map((row) => ({
                  ...row,
                  name: printable(row.name),
                  login: row.disabled === true ? "disabled" : "enabled",
                })),
                ["name", "role", "login", "since"],
              ),
      };
    },
  },
  {
    name: "add",
    summary: "make a link by which somebody sets a password",
    takes: [NAME],
    role: true,
    about: `The link is good for a day, and once. Of a user who is there it changes the password, and the role when --role is given.

Example:
  pushbox admin user add ann --role viewer`,
    async act(config, { words: [name = ""], role }, desk) {
      const { secret, id } = newSecret();
      const until = Date.now() + INVITED;
      if (!/^[^\p{C}]{1,64}$/u.test(name))
        throw new PushError("invalid", "a name has 1 to 64 characters that can be seen");
      const users = await desk.users();
      const known = users.find((user) => user.name === name);
      const as = role ?? known?.role ?? "viewer";
      await desk.invite({ id, until, role: as }, name);
      await desk.note(entry("user/add", { name, role: as }));
      return linked(config, secret, until, `for ${name}`);
    },
  },
  {
    name: "remove",
    summary: "take a user away; the user's logins end",
    takes: [NAME],
    about: "Example:\n  pushbox admin user remove ann",
    async act(_config, { words: [name = ""] }, desk) {
      if (!(await desk.remove(name))) throw unknown(name);
      await desk.note(entry("user/remove", { name }));
      return { json: { removed: name }, text: `${name} is no user any more` };
    },
  },
  {
    name: "role",
    summary: "make a user an operator, or a viewer, who changes nothing",
    takes: [NAME, [`<${ROLES.join("|")}>`, "what the user is from now on"]],
    about: "It holds at once.\n\nExample:\n  pushbox admin user role ann viewer",
    async act(_config, { words: [name = "", given = ""] }, desk) {
      const role = ROLES.find((one) => one === given);
      if (role === undefined) throw new PushError("invalid", `${given}: write ${ROLES.join(" or ")}`);
      if (!(await desk.setRole(name, role))) throw unknown(name);
      await desk.note(entry("user/role", { name, role }));
      return { json: { name, role }, text: `${name} is ${role === "operator" ? "an operator" : "a viewer"} now` };
    },
  },
  ...(["disable", "enable"] as const).map(
    (act): Sub => ({
      name: act,
      summary:
        act === "disable"
          ? "let a user log in no more, without taking it away; logins end"
          : "let a user log in again who was disabled",
      takes: [NAME],
      about: `It holds at once; the password stays.\n\nExample:\n  pushbox admin user ${act} ann`,
      async act(_config, { words: [name = ""] }, desk) {
        const disabled = act === "disable";
        if (!(await desk.setDisabled(name, disabled))) throw unknown(name);
        await desk.note(entry(`user/${act}`, { name }));
        return { json: { name, disabled }, text: `${name} may ${disabled ? "not log in any more" : "log in again"}` };
      },
    }),
  ),
];

export function addAdmin(cli: Cli): void {
  const group = (parent: Cli["program"], name: string, summary: string): Cli["program"] =>
    introduced(parent.command(name), summary).helpCommand(false);
  const admin = group(cli.program, "admin", "who may use the web console");
  addOne(cli, admin, RESET);
  const user = group(admin, "user", "users of the web console");
  for (const sub of USER) addOne(cli, user, sub);
}

function addOne({ host, end }: Cli, program: Cli["program"], sub: Sub): void {
  const command = configured({ program, host, end }, sub.name, sub.summary, which, async ({ config }, _given, self) => {
    const { json, role } = self.opts<Options>();
    if (role !== undefined && !ROLES.some((one) => one === role)) {
      host.err(`--role ${String(role)}: write ${ROLES.join(" or ")}\n`);
      return wrong;
    }
    try {
      const given = { words: words(self).positional, role: role as Role | undefined };
      const done = await atDesk(config, (desk) => sub.act(config, given, desk));
      host.out(json === true ? `${JSON.stringify(done.json)}\n` : `${done.text}\n`);
      if (done.aside !== undefined) host.err(`${printable(done.aside)}\n`);
      return ok;
    } catch (error) {
      host.err(`${printable(explain(error, config))}\n`);
      return failed;
    }
  });
  for (const [argument, why] of sub.takes ?? []) command.argument(`[${argument.slice(1, -1)}]`, why);
  command.usage([...(sub.takes ?? []).map(([argument]) => argument), "[options]"].join(" "));
  if (sub.role === true) command.option(`--role <${ROLES.join("|")}>`, "what the user may do (viewer, or what it is)");
  command
    .option("--json", "print what was done as JSON")
    .addHelpText("after", `\n${sub.about}\n\nExit codes: 0 done, 1 failed, 2 wrong command line or configuration.`);
}

async function atDesk(config: Config, act: (desk: AdminDesk) => Promise<Done>): Promise<Done> {
  if (config.engine === "sqlite") return await atAdminDesk(config.data, act);
  const { atPostgresDesk } = await import("../engine/postgres/desk.ts");
  return await atPostgresDesk(databaseOf(config), act);
}

/** Where the data is, and by which address the page is opened. */
const which = ({ section, name }: Row): boolean =>
  section === "postgres" ||
  [
    ...[
      "data",
      "engine",
      "admin.enabled",
      "admin.host",
      "admin.port",
      "admin.domain",
      "admin.tls_cert",
      "admin.tls_key",
    ],
    "acme.accept_terms",
  ].includes(name);

function linked({ admin }: Config, secret: string, until: number, what: string): Done {
  const link = setupLink(url(admin, admin.port), secret);
  const time = new Date(until).toISOString();
  return {
    text: link,
    json: { link, until, untilIso: time },
    aside: `${what}; the link is good once, until ${time.slice(0, 16)}Z${admin.enabled ? "" : "; admin.enabled is false: nothing serves it"}`,
  };
}

const unknown = (name: string): PushError =>
  new PushError("invalid", `${name} is no user: pushbox admin user list names them`);

const entry = (action: string, what: object): AuditEntry => ({
  time: Date.now(),
  who: "command line",
  address: "local",
  action: `/admin/${action}`,
  what: JSON.stringify(what),
  status: 200,
  requestId: "",
});
