// Users of the web console as both stores have them in rows.
import type { AdminPerson, AdminUser, StoredUser } from "../core/admin.ts";

/** `disabled` 1: may not log in. */
export type UserRow = Omit<AdminUser, "disabled"> & { readonly disabled: number };
export type StoredRow = UserRow & Pick<StoredUser, "password">;

export interface PersonRow extends UserRow {
  readonly sessions: number;
  readonly used: number | null;
  readonly link: number | null;
}

const mark = (disabled: number): Pick<AdminUser, "disabled"> => (disabled === 0 ? {} : { disabled: true });

export const userOf = ({ disabled, ...user }: UserRow): AdminUser => ({ ...user, ...mark(disabled) });

export function storedOf(row: StoredRow | undefined): StoredUser | undefined {
  if (row === undefined) return undefined;
  const { disabled, ...user } = row;
  return { ...user, ...mark(disabled) };
}

export const personOf = ({ disabled, used, link, ...person }: PersonRow): AdminPerson => ({
  ...person,
  ...mark(disabled),
  ...(used === null ? {} : { used }),
  ...(link === null ? {} : { link }),
});
