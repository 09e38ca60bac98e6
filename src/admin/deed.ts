// What the console can be asked to do beside the API: it is not there for keys, by which nobody is to become a user or get all data.
import type { AccessLevel } from "../api/endpoints/spec.ts";
import type { Response } from "../http/message.ts";
import { HttpError } from "../http/message.ts";

/** Who asks. */
export interface Asker {
  readonly name: string;
  readonly address: string;
  readonly requestId: string;
}

type Fields = Readonly<Record<string, unknown>>;

export interface Deed {
  readonly access: AccessLevel;
  /** Parameters that are noted in the audit log. */
  readonly notes?: readonly string[];
  /** @returns members of the answer beside `code` */
  act(fields: Fields, asker: Asker): Promise<object>;
}

/** A file that is answered: its text is written as the browser takes it. */
export interface Download {
  readonly access: AccessLevel;
  /** Rejects with an `HttpError` for what there is not. */
  answer(query: URLSearchParams): Promise<Response>;
}

/** @throws HttpError 400 for what is no text, or empty */
export function textOf(value: unknown, name: string): string {
  if (value === undefined || value === null || value === "") throw new HttpError(400, `${name} is required`);
  if (typeof value !== "string") throw new HttpError(400, `${name} must be a text`);
  return value;
}
