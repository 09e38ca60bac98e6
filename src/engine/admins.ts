// Users of the web console of a single process, and what the command line does to them while a server runs or not.
import { existsSync } from "node:fs";
import type { Admins } from "../core/admin.ts";
import type { AuditEntry } from "../core/audit.ts";
import { PushError } from "../core/errors.ts";
import type { Calls } from "./calls.ts";
import { databaseFile } from "./directory.ts";
import { admins } from "./sqlite/admins.ts";
import { auditTable } from "./sqlite/audit.ts";
import { explain } from "./sqlite/faults.ts";
import { MIGRATIONS, openFile, recognise } from "./sqlite/schema.ts";

export const localAdmins = (queue: Calls): Admins => ({
  users: () => queue.call("adminUsers", []),
  user: (name) => queue.call("adminUser", [name]),
  begin: (id, name, now, alive) => queue.call("beginAdminSession", [id, name, now, alive]),
  session: (id, alive) => queue.call("adminSession", [id, alive]),
  touch: (id, now) => queue.call("touchAdminSession", [id, now]),
  confirm: (id, until) => queue.call("confirmAdminSession", [id, until]),
  end: (id) => queue.call("endAdminSession", [id]),
  setPassword: (name, password, keep) => queue.call("setAdminPassword", [name, password, keep]),
  openSetup: (link) => queue.call("openAdminSetup", [link]),
  link: (id, now) => queue.call("adminLink", [id, now]),
  useLink: (id, user) => queue.call("useAdminLink", [id, user]),
});

/**
 * One step on the data itself, which a running server sees at once.
 * @param act what it returns last is noted in the audit log, unless it is undefined
 */
export function changeAdmins<T>(
  dataDir: string,
  act: (table: ReturnType<typeof admins>) => readonly [result: T, noted: AuditEntry | undefined],
): T {
  const file = databaseFile(dataDir);
  if (!existsSync(file))
    throw new PushError(
      "invalid",
      `there is no ${file}: name the data directory with --data, or start the server first`,
    );
  let db: ReturnType<typeof openFile> | undefined;
  try {
    db = openFile(file, { fileMustExist: true });
    if (recognise(db, file, MIGRATIONS.length) < MIGRATIONS.length)
      throw new PushError(
        "unavailable",
        `${file} is of an older pushbox: start this one once, which brings it up to date`,
      );
    db.exec("BEGIN IMMEDIATE");
    const [result, noted] = act(admins(db));
    if (noted !== undefined) auditTable(db).addAudit([noted]);
    db.exec("COMMIT");
    return result;
  } catch (error) {
    throw explain(error, file);
  } finally {
    db?.close(); // undoes what was not committed
  }
}
