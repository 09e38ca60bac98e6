// What errors of the system and of the database mean to the person who runs the server: what is wrong with a file or a directory,
// and the way out. One table, for the start, the run and the store.

/** No room for what is to be written, which may pass. */
export const NO_ROOM = /^(SQLITE_(FULL|IOERR_(SHMSIZE|SHMMAP|WRITE|FSYNC|TRUNCATE))|ENOSPC|EDQUOT|EFBIG)$/;

/** By the code, SQLite's or the system's; the first that fits counts. */
const SENTENCES: readonly (readonly [RegExp, (place: string, code: string) => string])[] = [
  [NO_ROOM, (place) => `no room left to write ${place}: free some disk space`],
  [
    /^SQLITE_(CORRUPT|NOTADB)/,
    (place) =>
      `${place} is damaged or not a pushbox database: move it away and bring back a copy with \`pushbox restore\``,
  ],
  [
    /^(SQLITE_READONLY|EROFS)/,
    (place) => `${place} cannot be written: its file system or the file is read-only; name another place with --data`,
  ],
  [
    /^(SQLITE_PERM|EACCES|EPERM)/,
    (place) => `${place} cannot be written: this user has no permission for it; change its owner`,
  ],
  [/^(ENOTDIR|EEXIST)$/, (place) => `${place} cannot be created: a part of its path is a file, not a directory`],
  [/^EISDIR$/, (place) => `${place} is a directory, a file was expected`],
  [/^(ENOENT|SQLITE_CANTOPEN)/, (place, code) => `${place} cannot be opened: it or its directory is missing (${code})`],
  [/^SQLITE_(BUSY|LOCKED|PROTOCOL)/, (place) => `${place} is locked by another program: close it there`],
  [/^SQLITE_NOMEM/, (place) => `not enough memory to work on ${place}`],
  [/^(EMFILE|ENFILE)$/, () => "too many open files: raise the limit with ulimit -n, or LimitNOFILE= in systemd"],
  [
    /^(SQLITE_IOERR|EIO$|ENAMETOOLONG$)/,
    (place, code) => `${place} could not be read or written (${code}): check the disk`,
  ],
];

/** One sentence; undefined for a code that is none of those known. */
export const systemTrouble = (code: string, place: string): string | undefined =>
  SENTENCES.find(([pattern]) => pattern.test(code))?.[1](place, code);
