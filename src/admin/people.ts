// Users of the console, looked after by operators: by links, so that nobody knows another's password.
import { type Admins, type Alive, ROLES } from "../core/admin.ts";
import { DAY } from "../core/time.ts";
import { HttpError } from "../http/message.ts";
import { type Deed, textOf } from "./deed.ts";
import { nameOf, newSecret } from "./sessions.ts";

/** A person who is invited is seldom at the keyboard. */
export const INVITED = DAY;

interface People {
  readonly admins: Admins;
  /** Which logins count. */
  readonly alive: () => Alive;
  readonly now: () => number;
  /** Logins of somebody may have ended. */
  readonly ended: () => Promise<void>;
}

/** What `/admin/user/*` does (admin 14). @throws HttpError 404: no such user; 400: operators do some things for others only */
export function peopleDeeds({ admins, alive, now, ended }: People): Readonly<Record<string, Deed>> {
  /** @throws HttpError 404: there is no such user */
  const known = (found: boolean, name: string): void => {
    if (!found) throw new HttpError(404, `${name} is no user`);
  };
  const others = (name: string, asker: string, what: string): void => {
    if (name === asker) throw new HttpError(400, `nobody can ${what}: ask another operator`);
  };
  return {
    "user/list": {
      access: "read",
      act: async () => await admins.people(now(), alive()),
    },
    "user/invite": {
      access: "grave",
      notes: ["name", "role"],
      async act({ name: given, role: asked }) {
        const name = nameOf(undefined, textOf(given, "name"));
        const role = roleOf(asked ?? (await admins.user(name))?.role);
        const { secret, id } = newSecret();
        const until = now() + INVITED;
        await admins.invite({ id, until, role }, name);
        return { name, role, secret, until };
      },
    },
    "user/role": {
      access: "grave",
      notes: ["name", "role"],
      async act({ name: given, role: asked }, asker) {
        const [name, role] = [textOf(given, "name"), roleOf(asked)];
        others(name, asker.name, "change one's own role");
        known(await admins.setRole(name, role), name);
        return { name, role };
      },
    },
    "user/disable": disabling(true),
    "user/enable": disabling(false),
    "user/remove": {
      access: "grave",
      notes: ["name"],
      async act({ name: given }, asker) {
        const name = textOf(given, "name");
        others(name, asker.name, "remove oneself");
        known(await admins.remove(name), name);
        await ended();
        return { name };
      },
    },
    "user/end": {
      access: "change",
      notes: ["name"],
      async act({ name: given }) {
        const name = textOf(given, "name");
        const count = await admins.endAll(name);
        await ended();
        return { name, ended: count };
      },
    },
  };

  function disabling(disabled: boolean): Deed {
    return {
      access: "grave",
      notes: ["name"],
      async act({ name: given }, asker) {
        const name = textOf(given, "name");
        others(name, asker.name, "disable oneself");
        known(await admins.setDisabled(name, disabled), name);
        await ended();
        return { name, disabled };
      },
    };
  }
}

function roleOf(given: unknown): (typeof ROLES)[number] {
  const role = ROLES.find((one) => one === given);
  if (role === undefined) throw new HttpError(400, `role must be ${ROLES.join(" or ")}`);
  return role;
}
