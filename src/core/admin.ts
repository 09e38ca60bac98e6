// Port: people who use the web console. What is secret is stored hashed: passwords (slowly), sessions and links (they are random).

/** A viewer sees everything and changes nothing. */
export const ROLES = ["operator", "viewer"] as const;
export type Role = (typeof ROLES)[number];

export interface AdminUser {
  readonly name: string;
  readonly role: Role;
  /** Epoch milliseconds. */
  readonly since: number;
  /** May not log in until somebody allows it again. */
  readonly disabled?: true;
}

/** With what is going on. Times are epoch milliseconds. */
export interface AdminPerson extends AdminUser {
  /** Logins that count. */
  readonly sessions: number;
  /** The last request of one of them, to within a minute. */
  readonly used?: number;
  /** There is a link, good until then, by which the user sets a password. */
  readonly link?: number;
}

/** Invited, and not yet a user. */
export interface Invited {
  readonly name: string;
  readonly role: Role;
  readonly until: number;
}

export interface AdminPeople {
  readonly people: readonly AdminPerson[];
  readonly invited: readonly Invited[];
}

/** @returns why this may not become of the user; undefined: it may */
export function lastOperator(users: readonly AdminUser[], name: string): string | undefined {
  const isOperator = ({ role, disabled }: AdminUser): boolean => role === "operator" && disabled !== true;
  const operators = users.filter(isOperator);
  if (operators.length !== 1 || operators[0]?.name !== name) return undefined;
  return `${name} is the only operator: add another first (pushbox admin user add NAME --role operator)`;
}

/** `password` as `admin/password.ts` writes it. */
export interface StoredUser extends AdminUser {
  readonly password: string;
}

/** A browser that has logged in. Times are epoch milliseconds. */
export interface AdminSession {
  readonly name: string;
  /** What it is now. */
  readonly role: Role;
  readonly began: number;
  /** The last request, to within a minute. */
  readonly used: number;
  /** Until then it may do what reaches far: the password was asked for again. 0: never. */
  readonly confirmed: number;
}

/** A secret, used once, by which somebody sets a password. */
export interface AdminLink {
  /** Hash of the secret. */
  readonly id: string;
  readonly until: number;
  /** Whose password is set; absent: who opens it chooses. */
  readonly name?: string;
  readonly role: Role;
}

/** A session counts from these times on. */
export interface Alive {
  readonly begunAfter: number;
  readonly usedAfter: number;
}

/**
 * What came of a password that somebody tried, for all who count such tries. `wrong` is said when it begins, and taken back by `right`, or
 * by `undone` when it could not be found out; `forget`: somebody has shown that the server is theirs.
 */
export interface Guess {
  readonly what: "wrong" | "right" | "undone" | "forget";
  /** An address, or a network of them, as `admin/tries.ts` counts it. */
  readonly who: string;
}

export const MOST_USERS = 100;
export const SESSIONS_PER_USER = 20;

/** What one user does to others, or the command line to all. Each in one step; the last operator stays one: `PushError("invalid")`. */
export interface AdminRule {
  /** A link for a user of this name and role, who may be new; the one before it ends. Rejects for one who may not log in. */
  invite(link: AdminLink, name: string): Promise<void>;
  /** Logins and links of the user end too. False: there is no such user, nor one who is invited. */
  remove(name: string): Promise<boolean>;
  /** False: there is no such user. */
  setRole(name: string, role: Role): Promise<boolean>;
  /** Logins and links of a user who may not log in end. */
  setDisabled(name: string, disabled: boolean): Promise<boolean>;
}

/** What is asked for by `id` is the hash of what the browser has. */
export interface Admins extends AdminRule {
  people(now: number, alive: Alive): Promise<AdminPeople>;
  /** @returns how many logins of the user have ended */
  endAll(name: string): Promise<number>;
  /** At most `MOST_USERS`, by name. */
  users(): Promise<readonly AdminUser[]>;
  /** Undefined: there is none of this name. */
  user(name: string): Promise<StoredUser | undefined>;
  /** Of this user; those that do not count any more, and the oldest of too many, go. False: there is no such user. */
  begin(id: string, name: string, now: number, alive: Alive): Promise<boolean>;
  /** Undefined: there is none, or it does not count any more. */
  session(id: string, alive: Alive): Promise<AdminSession | undefined>;
  touch(id: string, now: number): Promise<void>;
  confirm(id: string, until: number): Promise<void>;
  /** Ends a session; one that is not there is no error. */
  end(id: string): Promise<void>;
  /** Ends the user's other sessions. */
  setPassword(name: string, password: string, keep: string): Promise<void>;
  /** A link for whoever opens it; those before it end, or with `beside` once one of them is used. */
  openSetup(link: AdminLink, beside?: boolean): Promise<void>;
  link(id: string, now: number): Promise<AdminLink | undefined>;
  /** Uses a link up: its user is made, or has this password from now on and no session. False: it was used before, or is too old. */
  useLink(id: string, user: Omit<StoredUser, "role">): Promise<boolean>;
}
