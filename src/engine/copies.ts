// The folder of copies of a single process: made, checked and prepared for the next start by a thread of their own.
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Content, Copies, CopiesView, Copy, CopyTask, CopyWork } from "../core/copies.ts";
import { PushError } from "../core/errors.ts";
import { nextFile, readStaged, replacedFile, unstage } from "./backup.ts";
import { databaseFile } from "./directory.ts";
import { explain } from "./sqlite/faults.ts";
import type { CopyOrder } from "./sqlite/thread.ts";

interface CopiesOptions {
  readonly dataDir: string;
  readonly folder: string;
  /** In a thread of its own. */
  run(order: CopyOrder): Promise<Content | undefined>;
  readonly now: () => number;
}

/** What is no copy of ours in the folder is not shown. */
const NAME = /^[\w][\w.-]{0,199}\.db$/;
const REPLACED = "pushbox.db.replaced";

export function localCopies({ dataDir, folder, run, now }: CopiesOptions): Copies {
  let work: (CopyWork & { readonly writes?: string }) | undefined;
  const isBusy = (): boolean => work !== undefined && work.ended === undefined;
  const database = databaseFile(dataDir);
  const size = async (): Promise<number> => (await bytesOf(database)) + (await bytesOf(`${database}-wal`));

  async function copies(): Promise<readonly Copy[]> {
    const names = existsSync(folder) ? await readdir(folder, { withFileTypes: true }) : [];
    const found = await Promise.all(
      names
        .filter((entry) => entry.isFile() && NAME.test(entry.name))
        .map(({ name }) => copyOf(join(folder, name), name)),
    );
    const replaced = await copyOf(replacedFile(dataDir), REPLACED);
    return [...found, replaced && { ...replaced, replaced: true as const }]
      .filter((copy) => copy !== undefined)
      .sort((a, b) => b.at - a.at || (a.name < b.name ? 1 : -1));
  }

  async function known(name: string): Promise<{ readonly path: string; readonly bytes: number }> {
    const copy = (await copies()).find((one) => one.name === name);
    if (copy === undefined) throw new PushError("invalid", `there is no copy ${name} in ${folder}`);
    return { path: copy.replaced === true ? replacedFile(dataDir) : join(folder, name), bytes: copy.bytes };
  }

  async function checkRoom(place: string, needed: number): Promise<void> {
    const free = await freeAt(place);
    if (free < needed)
      throw new PushError(
        "unavailable",
        `${place} has room for ${inMegabytes(free)}, and ${inMegabytes(needed)} are needed: remove older copies, or name another folder with storage.backups`,
      );
  }

  async function order(task: CopyTask, name: string): Promise<{ order: CopyOrder; writes?: string; of?: number }> {
    if (task === "backup") {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const [target, of] = [join(folder, name), await size()];
      await checkRoom(folder, of);
      return { order: { task, source: database, target }, writes: `${target}.part`, of };
    }
    const { path, bytes: of } = await known(name);
    if (task === "check") return { order: { task, file: path } };
    await checkRoom(dataDir, of);
    return { order: { task: "stage", source: path, dataDir }, writes: `${nextFile(dataDir)}.part`, of };
  }

  async function shown(): Promise<CopyWork | undefined> {
    if (work === undefined) return undefined;
    const { writes, ...rest } = work;
    if (writes === undefined || rest.ended !== undefined) return rest;
    return { ...rest, written: Math.min(rest.of ?? 0, await bytesOf(writes)) };
  }

  return {
    async look(): Promise<CopiesView> {
      const [found, bytes, free, now] = await Promise.all([copies(), size(), freeAt(folder, dataDir), shown()]).catch(
        (error: unknown) => {
          throw explain(error, folder);
        },
      );
      const staged = readStaged(dataDir);
      return {
        ...{ folder, size: bytes, free, copies: found },
        ...(now === undefined ? {} : { work: now }),
        ...(staged === undefined ? {} : { staged }),
      };
    },
    async begin(task, given, who, ended) {
      if (isBusy())
        throw new PushError("conflict", `a ${work?.task} of ${work?.name} is running: wait until it has ended`);
      const began = now();
      const name = given ?? `pushbox-${new Date(began).toISOString().slice(0, 19).replaceAll(":", "-")}.db`;
      const former = work;
      const begun: CopyWork = { task, name, who, began };
      work = begun;
      try {
        const { order: asked, ...about } = await order(task, name);
        const running = { ...begun, ...about };
        work = running;
        const stage = asked.task === "stage" ? { ...asked, staged: { name, who, at: began } } : asked;
        const done = (result: Pick<CopyWork, "error" | "content">): void => {
          const { writes: _, ...rest } = running;
          work = { ...rest, ...result, ended: now() };
          ended(work);
        };
        run(stage).then(
          (content) => done(content === undefined ? {} : { content }),
          (error: unknown) => done({ error: error instanceof Error ? error.message : String(error) }),
        );
        return begun;
      } catch (error) {
        work = former;
        throw explain(error, folder);
      }
    },
    file: known,
    async remove(name) {
      const { path } = await known(name);
      if (isBusy() && work?.name === name)
        throw new PushError("conflict", `${name} is being used: wait until it is done`);
      for (const end of ["", "-wal", "-shm"]) await rm(`${path}${end}`, { force: true });
    },
    async unstage() {
      if (isBusy() && work?.task === "restore")
        throw new PushError("conflict", "it is still being prepared: wait until it is done");
      return unstage(dataDir);
    },
  };
}

async function copyOf(path: string, name: string): Promise<Copy | undefined> {
  const found = await stat(path).catch(() => undefined); // it went meanwhile
  return found && { name, bytes: found.size, at: Math.floor(found.mtimeMs) };
}

const bytesOf = async (file: string): Promise<number> => (await stat(file).catch(() => undefined))?.size ?? 0;

/** Bytes that a user may still write there. @param otherwise while there is no such folder */
async function freeAt(folder: string, otherwise = folder): Promise<number> {
  const { bavail, bsize } = await statfs(existsSync(folder) ? folder : otherwise);
  return bavail * bsize;
}

const inMegabytes = (bytes: number): string => `${Math.ceil(bytes / 1_000_000)} MB`;
