// People of the web console, their sessions, and links by which a password is set.
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
import { Column, Statement } from "./database.ts";
import type { Turn } from "./turns.ts";

const all = new Statement<[], UserRow>("SELECT name, role, since, disabled FROM admin_users ORDER BY name");
const one = new Statement<[string], StoredRow>(
  "SELECT name, role, since, disabled, password FROM admin_users WHERE name = ?",
);
const people = new Statement<[number, number, number, number, number], PersonRow>(`
  SELECT name, role, since, disabled,
    (SELECT count(*) FROM admin_sessions s WHERE s.name = u.name AND s.began > ? AND s.used > ?) AS sessions,
    (SELECT max(used) FROM admin_sessions s WHERE s.name = u.name AND s.began > ? AND s.used > ?) AS used,
    (SELECT max(until) FROM admin_links l WHERE l.name = u.name AND l.until > ?) AS link
  FROM admin_users u ORDER BY name`);
const invited = new Statement<[number, number], Invited>(`
  SELECT name, role, until FROM admin_links l
  WHERE until > ? AND name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM admin_users u WHERE u.name = l.name)
  ORDER BY name LIMIT ?`);
const count = new Column<[], number>("SELECT count(*) FROM admin_users");
const lock = new Statement<[]>("SELECT name FROM admin_users ORDER BY name FOR UPDATE");
const put = new Statement<[string, string, string, number]>(`
  INSERT INTO admin_users (name, role, password, since) VALUES (?, ?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET role = excluded.role, password = excluded.password, disabled = 0`);
const changePassword = new Statement<[string, string]>("UPDATE admin_users SET password = ? WHERE name = ?");
const dropDead = new Statement<[number, number]>("DELETE FROM admin_sessions WHERE began <= ? OR used <= ?");
const dropOldest = new Statement<[string, number]>(
  "DELETE FROM admin_sessions WHERE id IN (SELECT id FROM admin_sessions WHERE name = ? ORDER BY used DESC OFFSET ?)",
);
const begin = new Statement<[string, string, number, number]>(
  "INSERT INTO admin_sessions (id, name, began, used, confirmed) VALUES (?, ?, ?, ?, 0)",
);
const session = new Statement<[string, number, number], AdminSession>(`
  SELECT s.name, u.role, s.began, s.used, s.confirmed FROM admin_sessions s JOIN admin_users u ON u.name = s.name
  WHERE s.id = ? AND s.began > ? AND s.used > ? AND u.disabled = 0`);
const touch = new Statement<[number, string]>("UPDATE admin_sessions SET used = greatest(used, ?) WHERE id = ?");
const confirm = new Statement<[number, string]>("UPDATE admin_sessions SET confirmed = ? WHERE id = ?");
const end = new Statement<[string]>("DELETE FROM admin_sessions WHERE id = ?");
const endAll = new Statement<[]>("DELETE FROM admin_sessions");
const changeRole = new Statement<[string, string]>("UPDATE admin_users SET role = ? WHERE name = ?");
const disable = new Statement<[number, string]>("UPDATE admin_users SET disabled = ? WHERE name = ?");
const remove = new Statement<[string]>("DELETE FROM admin_users WHERE name = ?");
const endOthers = new Statement<[string, string]>("DELETE FROM admin_sessions WHERE name = ? AND id <> ?");
const addLink = new Statement<[string, number, string | null, string]>(
  "INSERT INTO admin_links (id, until, name, role) VALUES (?, ?, ?, ?)",
);
const dropLinksOf = new Statement<[string]>("DELETE FROM admin_links WHERE name = ?");
const dropSetups = new Statement<[]>("DELETE FROM admin_links WHERE name IS NULL");
const dropLink = new Statement<[string]>("DELETE FROM admin_links WHERE id = ?");
const link = new Statement<
  [string, number],
  Pick<AdminLink, "id" | "until" | "role"> & { readonly name: string | null }
>("SELECT id, until, name, role FROM admin_links WHERE id = ? AND until > ?");

async function linkOf(turn: Turn, id: string, now: number): Promise<AdminLink | undefined> {
  const row = await link.get(turn, id, now);
  if (row === undefined) return undefined;
  const { name, ...rest } = row;
  return name === null ? rest : { ...rest, name };
}

function openSetup(turn: Turn, { id, until, role }: AdminLink, beside = false): void {
  if (!beside) dropSetups.put(turn);
  addLink.put(turn, id, until, null, role);
}

const users = async (turn: Turn): Promise<readonly AdminUser[]> => (await all.all(turn)).map(userOf);

async function user(turn: Turn, name: string): Promise<StoredUser | undefined> {
  return storedOf(await one.get(turn, name));
}

/** Two who take each other's role at once wait for one another. */
async function keepOperator(turn: Turn, name: string): Promise<void> {
  await lock.all(turn);
  const fault = lastOperator(await users(turn), name);
  if (fault !== undefined) throw new PushError("invalid", fault);
}

export const admins = {
  adminUsers: users,
  adminUser: user,
  async adminPeople(turn: Turn, now: number, { begunAfter, usedAfter }: Alive): Promise<AdminPeople> {
    const rows = await people.all(turn, begunAfter, usedAfter, begunAfter, usedAfter, now);
    return {
      people: rows.map(personOf),
      invited: await invited.all(turn, now, MOST_USERS),
    };
  },

  async beginAdminSession(turn: Turn, id: string, name: string, now: number, { begunAfter, usedAfter }: Alive) {
    const found = await user(turn, name);
    if (found === undefined || found.disabled === true) return false;
    dropDead.put(turn, begunAfter, usedAfter);
    dropOldest.put(turn, name, SESSIONS_PER_USER - 1);
    begin.put(turn, id, name, now, now);
    return true;
  },
  adminSession: (turn: Turn, id: string, { begunAfter, usedAfter }: Alive): Promise<AdminSession | undefined> =>
    session.get(turn, id, begunAfter, usedAfter),
  touchAdminSession: (turn: Turn, id: string, now: number): void => touch.put(turn, now, id),
  confirmAdminSession: (turn: Turn, id: string, until: number): void => confirm.put(turn, until, id),
  endAdminSession: (turn: Turn, id: string): void => end.put(turn, id),
  setAdminPassword(turn: Turn, name: string, password: string, keep: string): void {
    changePassword.put(turn, password, name);
    endOthers.put(turn, name, keep);
  },

  openAdminSetup: openSetup,
  adminLink: linkOf,
  async useAdminLink(turn: Turn, id: string, { name, password, since }: Omit<StoredUser, "role">): Promise<boolean> {
    const found = await linkOf(turn, id, since);
    if (found === undefined) return false;
    if ((await one.get(turn, name)) === undefined && ((await count.get(turn)) ?? 0) >= MOST_USERS)
      throw new PushError("invalid", `there are ${MOST_USERS} users: remove one first`);
    dropLink.put(turn, id);
    if (found.name === undefined) dropSetups.put(turn);
    put.put(turn, name, found.role, password, since);
    endOthers.put(turn, name, "");
    return true;
  },

  async inviteAdmin(turn: Turn, { id, until, role }: AdminLink, name: string): Promise<void> {
    const known = await user(turn, name);
    if (known?.disabled === true) throw new PushError("invalid", `${name} may not log in: enable the user first`);
    if (known !== undefined && role !== "operator") await keepOperator(turn, name);
    dropLinksOf.put(turn, name);
    addLink.put(turn, id, until, name, role);
  },
  resetAdmins(turn: Turn, link: AdminLink): void {
    endAll.put(turn);
    openSetup(turn, link);
  },
  async removeAdmin(turn: Turn, name: string): Promise<boolean> {
    await keepOperator(turn, name);
    const links = await dropLinksOf.run(turn, name);
    endOthers.put(turn, name, "");
    return (await remove.run(turn, name)) + links > 0;
  },
  async setAdminRole(turn: Turn, name: string, role: Role): Promise<boolean> {
    if (role !== "operator") await keepOperator(turn, name);
    return (await changeRole.run(turn, role, name)) > 0;
  },
  async setAdminDisabled(turn: Turn, name: string, disabled: boolean): Promise<boolean> {
    if (disabled) {
      await keepOperator(turn, name);
      dropLinksOf.put(turn, name);
      endOthers.put(turn, name, "");
    }
    return (await disable.run(turn, disabled ? 1 : 0, name)) > 0;
  },
  endAdminSessions: (turn: Turn, name: string): Promise<number> => endOthers.run(turn, name, ""),
};
