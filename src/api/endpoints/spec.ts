// What an entry of the table of endpoints says.
import type { Params } from "../params.ts";
import type { Members, Schema } from "./schema.ts";

/** What a call does: `grave` reaches everybody or a tag, or cannot be taken back. */
export type AccessLevel = "read" | "change" | "grave";

export interface EndpointSpec {
  /** In a sentence. */
  readonly about: string;
  /** Its parameters by name: another one gets a warning. What must be there is said by the endpoint itself, in the order it is checked. */
  readonly takes: Members;
  readonly answers: Schema;
  /** What a user of the console has to be allowed; it may depend on the call. */
  readonly access: AccessLevel | ((params: Params) => AccessLevel);
  /** Finding out the caller's address costs something, so it is known only where it is asked for. */
  readonly namesCaller?: boolean;
  /** Who calls it is noted (api 6.4): always, or when it reaches everybody or a tag. */
  readonly audited?: "always" | "to many";
  /** The call may carry the header Idempotency-Key. */
  readonly repeatable?: boolean;
  /** The call may carry the header Last-Event-ID. */
  readonly resumable?: boolean;
  /** Every node is asked: `partial` is in the answer when one was silent, or in its head where it is a list. */
  readonly surveys?: true;
  /** It answers as CSV, too, where that is asked for. */
  readonly csv?: true;
  /** Of what it answers, where that is no JSON. */
  readonly media?: string;
}

/** Whether it goes to everybody or to a tag, which may be a right of its own (api 1.3). */
export const isToMany = (params: Params): boolean => params.flag("pushAll") || params.has("tag");

/** By the path, without `/api`. */
export type Endpoints = Readonly<Record<string, EndpointSpec>>;
