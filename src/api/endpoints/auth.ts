// /api/auth/revoke: tokens of clients that no longer count (api 3.18).
import { MOST_REVOKED } from "../bounds.ts";
import { success, whole } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { ids, time } from "./takes.ts";

export const AUTH_ENDPOINTS = {
  "/auth/revoke": {
    access: "grave",
    audited: "always",
    about: "Tokens of clients that no longer count though they have not expired.",
    takes: {
      uid: ids("users", MOST_REVOKED),
      jti: ids("names of tokens", MOST_REVOKED),
      issuedBefore: time("of the users' tokens those issued before; now when absent"),
    },
    answers: success({ closed: whole("connections that were closed for it") }),
  },
} as const satisfies Endpoints;
