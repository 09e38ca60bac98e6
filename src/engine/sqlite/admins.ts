// People of the web console, their sessions, and links by which a password is set.
import type Database from "better-sqlite3";
import {
  type AdminLink,
  type AdminPeople,
  type AdminSession,
  type AdminUser,
  type Alive,
  type Invited,
  lastOperator,
  MOST_USERS,
  type Role,
  SESSIONS_PER_USER,
  type StoredUser,
} from "../../core/admin.ts";
import { PushError } from "../../core/errors.ts";
import { type PersonRow, personOf, type StoredRow, storedOf, type UserRow, userOf } from "../people.ts";

interface LinkRow extends Pick<AdminLink, "id" | "until" | "role"> {
  readonly name: string | null;
}

export function admins(db: Database) {
  const all = db.prepare<[], UserRow>("SELECT name, role, since, disabled FROM admin_users ORDER BY name");
  const one = db.prepare<[string], StoredRow>(
    "SELECT name, role, since, disabled, password FROM admin_users WHERE name = ?",
  );
  const people = db.prepare<[number, number, number, number, number], PersonRow>(`
    SELECT name, role, since, disabled,
      (SELECT count(*) FROM admin_sessions s WHERE s.name = u.name AND s.began > ? AND s.used > ?) AS sessions,
      (SELECT max(used) FROM admin_sessions s WHERE s.name = u.name AND s.began > ? AND s.used > ?) AS used,
      (SELECT max(until) FROM admin_links l WHERE l.name = u.name AND l.until > ?) AS link
    FROM admin_users u ORDER BY name`);
  const invited = db.prepare<[number, number], Invited>(`
    SELECT name, role, until FROM admin_links l
    WHERE until > ? AND name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM admin_users u WHERE u.name = l.name)
    ORDER BY name LIMIT ?`);
  const count = db.prepare<[], number>("SELECT count(*) FROM admin_users").pluck<number>();
  const put = db.prepare<[string, string, string, number]>(`
    INSERT INTO admin_users (name, role, password, since) VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET role = excluded.role, password = excluded.password, disabled = 0`);
  const changePassword = db.prepare<[string, string]>("UPDATE admin_users SET password = ? WHERE name = ?");
  const changeRole = db.prepare<[string, string]>("UPDATE admin_users SET role = ? WHERE name = ?");
  const disable = db.prepare<[number, string]>("UPDATE admin_users SET disabled = ? WHERE name = ?");
  const remove = db.prepare<[string]>("DELETE FROM admin_users WHERE name = ?");

  const dropDead = db.prepare<[number, number]>("DELETE FROM admin_sessions WHERE began <= ? OR used <= ?");
  const dropOldest = db.prepare<[string, number]>(`
    DELETE FROM admin_sessions WHERE id IN
      (SELECT id FROM admin_sessions WHERE name = ? ORDER BY used DESC LIMIT -1 OFFSET ?)`);
  const begin = db.prepare<[string, string, number, number]>(
    "INSERT INTO admin_sessions (id, name, began, used, confirmed) VALUES (?, ?, ?, ?, 0)",
  );
  const session = db.prepare<[string, number, number], AdminSession>(`
    SELECT s.name, u.role, s.began, s.used, s.confirmed FROM admin_sessions s JOIN admin_users u ON u.name = s.name
    WHERE s.id = ? AND s.began > ? AND s.used > ? AND u.disabled = 0`);
  const touch = db.prepare<[number, string]>("UPDATE admin_sessions SET used = max(used, ?) WHERE id = ?");
  const confirm = db.prepare<[number, string]>("UPDATE admin_sessions SET confirmed = ? WHERE id = ?");
  const end = db.prepare<[string]>("DELETE FROM admin_sessions WHERE id = ?");
  const endOthers = db.prepare<[string, string]>("DELETE FROM admin_sessions WHERE name = ? AND id <> ?");
  const endAll = db.prepare<[]>("DELETE FROM admin_sessions");

  const addLink = db.prepare<[string, number, string | null, string]>(
    "INSERT INTO admin_links (id, until, name, role) VALUES (?, ?, ?, ?)",
  );
  const dropSetups = db.prepare<[]>("DELETE FROM admin_links WHERE name IS NULL");
  const dropLinksOf = db.prepare<[string]>("DELETE FROM admin_links WHERE name = ?");
  const dropLink = db.prepare<[string]>("DELETE FROM admin_links WHERE id = ?");
  const link = db.prepare<[string, number], LinkRow>(
    "SELECT id, until, name, role FROM admin_links WHERE id = ? AND until > ?",
  );

  function linkOf(id: string, now: number): AdminLink | undefined {
    const row = link.get(id, now);
    if (row === undefined) return undefined;
    const { name, ...rest } = row;
    return name === null ? rest : { ...rest, name };
  }

  function openSetup({ id, until, role }: AdminLink, beside = false): void {
    if (!beside) dropSetups.run();
    addLink.run(id, until, null, role);
  }

  const users = (): readonly AdminUser[] => all.all().map(userOf);
  function user(name: string): StoredUser | undefined {
    return storedOf(one.get(name));
  }

  function keepOperator(name: string): void {
    const fault = lastOperator(users(), name);
    if (fault !== undefined) throw new PushError("invalid", fault);
  }

  return {
    adminUsers: users,
    adminUser: user,
    adminPeople(now: number, { begunAfter, usedAfter }: Alive): AdminPeople {
      return {
        people: people.all(begunAfter, usedAfter, begunAfter, usedAfter, now).map(personOf),
        invited: invited.all(now, MOST_USERS),
      };
    },

    beginAdminSession(id: string, name: string, now: number, { begunAfter, usedAfter }: Alive): boolean {
      const found = user(name);
      if (found === undefined || found.disabled === true) return false;
      dropDead.run(begunAfter, usedAfter);
      dropOldest.run(name, SESSIONS_PER_USER - 1);
      begin.run(id, name, now, now);
      return true;
    },
    adminSession: (id: string, { begunAfter, usedAfter }: Alive): AdminSession | undefined =>
      session.get(id, begunAfter, usedAfter),
    touchAdminSession: (id: string, now: number): void => void touch.run(now, id),
    confirmAdminSession: (id: string, until: number): void => void confirm.run(until, id),
    endAdminSession: (id: string): void => void end.run(id),
    setAdminPassword(name: string, password: string, keep: string): void {
      changePassword.run(password, name);
      endOthers.run(name, keep);
    },

    openAdminSetup: openSetup,
    adminLink: linkOf,
    /** False: it was used before, or is too old. Its user is made, or has this password from now on and no session. */
    useAdminLink(id: string, { name, password, since }: Omit<StoredUser, "role">): boolean {
      const found = linkOf(id, since);
      if (found === undefined) return false;
      if (one.get(name) === undefined && (count.get() ?? 0) >= MOST_USERS)
        throw new PushError("invalid", `there are ${MOST_USERS} users: remove one first`);
      dropLink.run(id);
      if (found.name === undefined) dropSetups.run();
      put.run(name, found.role, password, since);
      endOthers.run(name, "");
      return true;
    },

    inviteAdmin({ id, until, role }: AdminLink, name: string): void {
      const known = user(name);
      if (known?.disabled === true) throw new PushError("invalid", `${name} may not log in: enable the user first`);
      if (known !== undefined && role !== "operator") keepOperator(name);
      dropLinksOf.run(name);
      addLink.run(id, until, name, role);
    },
    /** Ends every session; the users stay. */
    resetAdmins(link: AdminLink): void {
      endAll.run();
      openSetup(link);
    },
    removeAdmin(name: string): boolean {
      keepOperator(name);
      const links = dropLinksOf.run(name).changes;
      endOthers.run(name, "");
      return remove.run(name).changes + links > 0;
    },
    setAdminRole(name: string, role: Role): boolean {
      if (role !== "operator") keepOperator(name);
      return changeRole.run(role, name).changes > 0;
    },
    setAdminDisabled(name: string, disabled: boolean): boolean {
      if (disabled) {
        keepOperator(name);
        dropLinksOf.run(name);
        endOthers.run(name, "");
      }
      return disable.run(disabled ? 1 : 0, name).changes > 0;
    },
    endAdminSessions: (name: string): number => endOthers.run(name, "").changes,
  };
}

/** Of a copy, whose format may be older. */
export function endAdminSessions(db: Database): void {
  const known = db
    .prepare<[], number>("SELECT count(*) FROM sqlite_schema WHERE name = 'admin_sessions'")
    .pluck<number>();
  if (known.get() === 1) db.exec("DELETE FROM admin_sessions; DELETE FROM admin_links");
}
