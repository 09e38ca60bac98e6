// Logins: who a browser is, by its cookie; passwords that are set, asked for and changed. What is stored of a cookie is its hash.
import { createHash, randomBytes } from "node:crypto";
import type { AdminSession, Admins, Alive } from "../core/admin.ts";
import { MINUTE } from "../core/time.ts";
import { HttpError } from "../http/message.ts";
import { hashPassword, isPassword, passwordFault } from "./password.ts";
import { type Others, Tries } from "./tries.ts";

export interface SessionTimes {
  /** Milliseconds. */
  readonly idle: number;
  readonly lifetime: number;
}

export interface SessionOptions {
  readonly admins: Admins;
  /** As the settings are now. */
  readonly times: () => SessionTimes;
  /** Other processes have links of their own for the first user. */
  readonly shared?: boolean;
  /** Other processes, where passwords may be tried as well. */
  readonly others?: Others | undefined;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
}

/** A login, as found by its cookie. */
export interface Login extends AdminSession {
  /** Hash of what the browser has. */
  readonly id: string;
}

/** How long the password counts as asked for, and a link as new. */
const CONFIRMED = 5 * MINUTE;
export const LINK_LASTS = 30 * MINUTE;
const LONGEST_NAME = 64;

/** A secret of 256 bits, and what is stored of it. */
export function newSecret(): { readonly secret: string; readonly id: string } {
  const secret = randomBytes(32).toString("base64url");
  return { secret, id: idOf(secret) };
}

const idOf = (secret: string): string => createHash("sha256").update(secret).digest("base64url");

export class Sessions {
  readonly #options: SessionOptions;
  readonly #tries: Tries;
  readonly counts = { success: 0, wrong: 0, waiting: 0 };

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#tries = new Tries(options.elapsed, options.others);
  }

  /** Which logins count now. */
  get lives(): Alive {
    const { now, times } = this.#options;
    const { idle, lifetime } = times();
    return { begunAfter: now() - lifetime, usedAfter: now() - idle };
  }

  /** Undefined: it has none that counts. */
  async find(secret: string | undefined, use = true): Promise<Login | undefined> {
    if (secret === undefined) return undefined;
    const id = idOf(secret);
    const session = await this.alive(id);
    if (session === undefined) return undefined;
    const now = this.#options.now();
    // A store that cannot be written shows what it has all the same.
    if (use && now - session.used >= MINUTE) await this.#options.admins.touch(id, now).catch(() => {});
    return { ...session, id };
  }

  /** By its hash; undefined: it has ended, or was idle for too long. */
  alive(id: string): Promise<AdminSession | undefined> {
    return this.#options.admins.session(id, this.lives);
  }

  /** @returns the secret of the login */
  async login(address: string, given: string, password: string): Promise<string> {
    const name = spelled(given);
    await this.#check(address, name, password);
    return this.#begin(name);
  }

  /** @throws HttpError 401 for a wrong password or an unknown name, 429 after too many */
  async #check(address: string, name: string, password: string): Promise<void> {
    const wait = this.#tries.begin(address);
    if (wait > 0) {
      this.counts.waiting++;
      const seconds = Math.ceil(wait / 1000);
      throw new HttpError(429, `too many wrong tries: try again in ${seconds} s`, { members: { wait } });
    }
    let isRight: boolean;
    let isDisabled = false;
    try {
      const user = await this.#options.admins.user(name);
      isRight = await isPassword(password, user?.password);
      isDisabled = user?.disabled === true;
    } catch (error) {
      this.#tries.undone(address);
      throw error;
    }
    this.counts[isRight ? "success" : "wrong"]++;
    if (!isRight) throw new HttpError(401, WRONG);
    this.#tries.right(address);
    if (isDisabled) throw new HttpError(403, `${name} may not log in at present: ask an operator`);
  }

  async #begin(name: string): Promise<string> {
    const { secret, id } = newSecret();
    if (!(await this.#options.admins.begin(id, name, this.#options.now(), this.lives))) throw new HttpError(401, WRONG);
    return secret;
  }

  /** @returns until when */
  async confirm(login: Login, address: string, password: string): Promise<number> {
    await this.#check(address, login.name, password);
    const until = this.#options.now() + CONFIRMED;
    await this.#options.admins.confirm(login.id, until);
    return until;
  }

  /** Ends all other logins of the user. @throws HttpError 400 for a password that is none, 401 when `old` is wrong, 429 after too many */
  async change(login: Login, address: string, old: string, password: string): Promise<void> {
    checkPassword(password, login.name);
    await this.#check(address, login.name, old);
    await this.#options.admins.setPassword(login.name, await hashPassword(password), login.id);
  }

  /** A link for the first user; @returns its secret, or undefined: there are users. */
  async invite(): Promise<string | undefined> {
    if ((await this.#options.admins.users()).length > 0) return undefined;
    const { secret, id } = newSecret();
    const link = { id, until: this.#options.now() + LINK_LASTS, role: "operator" } as const;
    await this.#options.admins.openSetup(link, this.#options.shared === true);
    return secret;
  }

  /** @returns the secret of a new login, and who it is of */
  async setUp(link: string, asked: string | undefined, password: string): Promise<{ secret: string; name: string }> {
    const { admins, now } = this.#options;
    const found = await admins.link(idOf(link), now());
    if (found === undefined) throw new HttpError(403, USED_UP);
    const name = nameOf(found.name, asked);
    checkPassword(password, name);
    const used = await admins.useLink(idOf(link), { name, password: await hashPassword(password), since: now() });
    if (!used) throw new HttpError(403, USED_UP);
    this.#tries.forget();
    return { secret: await this.#begin(name), name };
  }
}

const WRONG = "the name or the password is wrong";
const USED_UP = "this link was used, or is too old: make a new one with pushbox admin reset";

const spelled = (name: string): string => name.normalize("NFC").trim();

/** @throws HttpError 400 for what is no name, or not that of the link */
export function nameOf(given: string | undefined, asked: string | undefined): string {
  const name = spelled(asked ?? given ?? "");
  if (given !== undefined && name !== given) throw new HttpError(400, `name: this link is for ${given}`);
  if (name === "") throw new HttpError(400, "name is required: by it you log in from now on");
  if (name.length > LONGEST_NAME) throw new HttpError(400, `name has more than ${LONGEST_NAME} characters`);
  if (/\p{C}/u.test(name)) throw new HttpError(400, "name has characters that cannot be seen");
  return name;
}

function checkPassword(password: string, name: string): void {
  const fault = passwordFault(password, name);
  if (fault !== undefined) throw new HttpError(400, `the password ${fault}`);
}
