// Users of the web console of a single process, and what the command line does to them while a server runs or not.
import type { AdminLink, AdminRule, Admins, AdminUser } from "../core/admin.ts";
import type { AuditEntry } from "../core/audit.ts";
import { PushError } from "../core/errors.ts";
import type { Calls } from "./calls.ts";
import { presentFile } from "./directory.ts";
import { admins } from "./sqlite/admins.ts";
import { auditTable } from "./sqlite/audit.ts";
import { explain } from "./sqlite/faults.ts";
import { openFile, recognise } from "./sqlite/file.ts";
import { MIGRATIONS } from "./sqlite/schema.ts";

export const localAdmins = (queue: Calls): Admins => ({
  users: () => queue.call("adminUsers", []),
  people: (now, alive) => queue.call("adminPeople", [now, alive]),
  invite: (link, name) => queue.call("inviteAdmin", [link, name]),
  remove: (name) => queue.call("removeAdmin", [name]),
  setRole: (name, role) => queue.call("setAdminRole", [name, role]),
  setDisabled: (name, disabled) => queue.call("setAdminDisabled", [name, disabled]),
  endAll: (name) => queue.call("endAdminSessions", [name]),
  user: (name) => queue.call("adminUser", [name]),
  begin: (id, name, now, alive) => queue.call("beginAdminSession", [id, name, now, alive]),
  session: (id, alive) => queue.call("adminSession", [id, alive]),
  touch: (id, now) => queue.call("touchAdminSession", [id, now]),
  confirm: (id, until) => queue.call("confirmAdminSession", [id, until]),
  end: (id) => queue.call("endAdminSession", [id]),
  setPassword: (name, password, keep) => queue.call("setAdminPassword", [name, password, keep]),
  openSetup: (link, beside = false) => queue.call("openAdminSetup", [link, beside]),
  link: (id, now) => queue.call("adminLink", [id, now]),
  useLink: (id, user) => queue.call("useAdminLink", [id, user]),
});

/** What the command line does, in one step. */
export interface AdminDesk extends AdminRule {
  users(): Promise<readonly AdminUser[]>;
  /** Ends every session; the users stay. */
  reset(link: AdminLink): Promise<void>;
  note(entry: AuditEntry): Promise<void>;
}

/** On the data of a directory, whether a server runs on it or not: what is done holds at once. */
export async function atAdminDesk<T>(dataDir: string, act: (desk: AdminDesk) => Promise<T>): Promise<T> {
  const file = presentFile(dataDir, ", or start the server first");
  let db: ReturnType<typeof openFile> | undefined;
  try {
    db = openFile(file, { fileMustExist: true });
    if (recognise(db, file, MIGRATIONS.length) < MIGRATIONS.length)
      throw new PushError(
        "unavailable",
        `${file} is of an older pushbox: start this one once, which brings it up to date`,
      );
    db.exec("BEGIN IMMEDIATE");
    const [table, audit] = [admins(db), auditTable(db)];
    const result = await act({
      users: async () => table.adminUsers(),
      invite: async (link, name) => table.inviteAdmin(link, name),
      reset: async (link) => table.resetAdmins(link),
      remove: async (name) => table.removeAdmin(name),
      setRole: async (name, role) => table.setAdminRole(name, role),
      setDisabled: async (name, disabled) => table.setAdminDisabled(name, disabled),
      note: async (entry) => audit.addAudit([entry]),
    });
    db.exec("COMMIT");
    return result;
  } catch (error) {
    throw explain(error, file);
  } finally {
    db?.close(); // undoes what was not committed
  }
}
