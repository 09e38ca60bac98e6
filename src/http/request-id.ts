// What one request is called, by its caller or by us, so that both find it in their logs.
import { randomBytes } from "node:crypto";

/** What callers may write: short, and harmless in a header, in JSON and in a line of a log. */
const FIT = /^[\w.:@/+=-]{1,128}$/;
/** Begins every id that this process makes. */
const PREFIX = `${randomBytes(6).toString("base64url")}.`;
let made = 0;

/** The one that was given, where it is fit to be repeated; else one of this process, never given twice. */
export const requestIdOf = (given: string): string => (given !== "" && FIT.test(given) ? given : `${PREFIX}${++made}`);
