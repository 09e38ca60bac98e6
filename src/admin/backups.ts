// Copies of the data from the console: made, checked, downloaded, and prepared for the next start.
import { createReadStream } from "node:fs";
import type { AuditEntry } from "../core/audit.ts";
import type { Copies, CopyTask } from "../core/copies.ts";
import { HttpError, type Outlet, type Response, type Stream } from "../http/message.ts";
import { type Asker, type Deed, type Download, textOf } from "./deed.ts";

interface Backups {
  /** Undefined: the store has means of its own. */
  readonly copies: Copies | undefined;
  /** Of PostgreSQL, where that has the data. */
  readonly schema?: string | undefined;
  /** What came of what was begun. */
  readonly audit: (entry: AuditEntry) => void;
  readonly whoIs: (name: string) => string;
  readonly now: () => number;
}

const ELSEWHERE =
  "the data is in PostgreSQL, which has its own means: pg_dump makes a copy, pg_restore puts it back while no node runs";

/** What `/admin/backup/*` does (admin 15 to 17). @throws HttpError 409 of all but the list, where the data is in PostgreSQL */
export function backupDeeds({ copies: given, schema, audit, whoIs, now }: Backups): Readonly<Record<string, Deed>> {
  function copies(): Copies {
    if (given === undefined) throw new HttpError(409, ELSEWHERE);
    return given;
  }

  const begin = async (task: CopyTask, name: string | undefined, asker: Asker): Promise<object> => {
    const work = await copies().begin(task, name, asker.name, ({ error, ...done }) => {
      audit({
        time: now(),
        who: whoIs(asker.name),
        address: asker.address,
        action: `/admin/backup/${task === "backup" ? "start" : task}/done`,
        what: JSON.stringify({ name: done.name, ...done.content }),
        status: error === undefined ? 200 : 500,
        ...(error === undefined ? {} : { message: error }),
        requestId: asker.requestId,
      });
    });
    return { work };
  };

  return {
    "backup/list": {
      access: "read",
      act: async () => (given === undefined ? { elsewhere: ELSEWHERE, schema } : await given.look()),
    },
    "backup/start": { access: "change", act: (_, asker) => begin("backup", undefined, asker) },
    "backup/check": {
      access: "change",
      notes: ["name"],
      act: ({ name }, asker) => begin("check", textOf(name, "name"), asker),
    },
    "backup/restore": {
      access: "grave",
      notes: ["name"],
      act: ({ name }, asker) => begin("restore", textOf(name, "name"), asker),
    },
    "backup/cancel": {
      access: "change",
      async act() {
        if (!(await copies().unstage())) throw new HttpError(409, "nothing is prepared to be restored");
        return {};
      },
    },
    "backup/remove": {
      access: "grave",
      notes: ["name"],
      async act({ name }) {
        await copies().remove(textOf(name, "name"));
        return {};
      },
    },
    /** Asks for the password, and is noted; the browser then gets the file itself. */
    "backup/download": {
      access: "grave",
      notes: ["name"],
      async act({ name }) {
        const { bytes } = await copies().file(textOf(name, "name"));
        return { bytes };
      },
    },
  };
}

/** A copy as a file: written as the browser takes it. */
export function backupDownload({ copies }: Pick<Backups, "copies">): Download {
  return {
    access: "grave",
    async answer(query) {
      if (copies === undefined) throw new HttpError(409, ELSEWHERE);
      const name = textOf(query.get("name"), "name");
      const { path } = await copies.file(name);
      return {
        status: 200,
        headers: [
          ["Content-Type", "application/vnd.sqlite3"],
          ["Content-Disposition", `attachment; filename="${name}"`],
          ["Cache-Control", "no-store"],
          ["X-Content-Type-Options", "nosniff"],
        ],
        body: "",
        stream: (outlet) => sent(path, outlet),
      } satisfies Response;
    },
  };
}

const PIECE = 262_144;

/** As the browser takes it; what cannot be read to its end is cut, so that nobody takes it for whole. */
function sent(path: string, outlet: Outlet): Stream {
  const file = createReadStream(path, { highWaterMark: PIECE });
  file.on("data", (piece) => {
    if (!outlet.write(piece)) file.pause();
  });
  file.on("end", () => outlet.end());
  file.on("error", () => outlet.cut());
  return {
    ready: () => void file.resume(),
    closed: () => void file.destroy(),
    end: () => outlet.cut(),
  };
}
