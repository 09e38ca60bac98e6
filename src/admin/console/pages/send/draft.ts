// What was written and not sent outlives what takes the page away: a reload, the end of a login, a look at another page. In this tab only.
import { session } from "../../api.ts";
import { type Draft, EMPTY } from "./content.ts";

const KEY = "pushbox.draft";
const SENT_BY = "pushbox.send";

interface Kept {
  readonly name: string;
  /** The address that the form had: another one asks for another form. */
  readonly at: string;
  readonly draft: Draft;
}

export function keep(draft: Draft): void {
  const name = session.peek()?.name;
  if (name !== undefined)
    sessionStorage.setItem(KEY, JSON.stringify({ name, at: location.hash, draft } satisfies Kept));
}

export function forget(): void {
  for (const key of [KEY, SENT_BY]) sessionStorage.removeItem(key);
}

/**
 * The key that a form is sent by as it is filled in now: the same after a reload, so that what the server has taken, though its answer
 * was lost, is not sent again.
 */
export function sendingKey(text: string): string {
  const [of, key] = JSON.parse(sessionStorage.getItem(SENT_BY) ?? "[]") as readonly string[];
  if (of === text && key !== undefined) return key;
  const fresh = crypto.getRandomValues(new Uint32Array(4)).join("-");
  sessionStorage.setItem(SENT_BY, JSON.stringify([text, fresh]));
  return fresh;
}

/** By the same person, at the same address. */
export function kept(): Draft | undefined {
  try {
    const { name, at, draft } = JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Partial<Kept>;
    if (name !== session.peek()?.name) forget();
    else if (at === location.hash && draft !== undefined) return { ...EMPTY, ...draft };
  } catch {
    forget();
  }
  return undefined;
}
