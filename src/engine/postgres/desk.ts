// What the command line does to the users of the web console, beside whatever nodes run.
import { PushError } from "../../core/errors.ts";
import type { AdminDesk } from "../admins.ts";
import { admins } from "./admins.ts";
import { auditTable } from "./audit.ts";
import { connect, type DatabaseOptions, explain } from "./database.ts";
import { isThere } from "./schema.ts";
import { Turn } from "./turns.ts";

/** In one transaction. */
export async function atPostgresDesk<T>(database: DatabaseOptions, act: (desk: AdminDesk) => Promise<T>): Promise<T> {
  const client = await connect(database);
  try {
    if (!(await isThere(client, database.schema)))
      throw new PushError("unavailable", `the schema ${database.schema} is not there: start this pushbox once`);
    await client.query("BEGIN");
    const turn = new Turn(client);
    const result = await act({
      users: () => admins.adminUsers(turn),
      invite: (link, name) => admins.inviteAdmin(turn, link, name),
      reset: async (link) => admins.resetAdmins(turn, link),
      remove: (name) => admins.removeAdmin(turn, name),
      setRole: (name, role) => admins.setAdminRole(turn, name, role),
      setDisabled: (name, disabled) => admins.setAdminDisabled(turn, name, disabled),
      note: async (entry) => auditTable.addAudit(turn, [entry]),
    });
    await turn.sent(); // in order, so nothing needs to be waited for before
    await client.query("COMMIT");
    return result;
  } catch (error) {
    throw explain(error);
  } finally {
    await client.end().catch(() => {}); // undoes what was not committed
  }
}
