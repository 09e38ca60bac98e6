// What several pages say of the same thing.
import { moment } from "./format.ts";
import { language, t } from "./language.ts";
import type { Job, Lane } from "./types.ts";
import { inChinese } from "./words/said.ts";

/** What a person calls a notification: its text, else its id. */
export const jobName = ({ text, id }: Pick<Job, "text" | "id">): string => (text === "" ? id : text);

/** How far a job is, 0 to 1. Undefined: it is not known how many there are. */
export function done({ state, progress: { queued, waiting } }: Job): number | undefined {
  if (state === "finished") return 1;
  return queued === 0 ? undefined : (queued - waiting) / queued;
}

/** It is not over. */
export const isOpen = ({ state }: Pick<Job, "state">): boolean => state !== "finished" && state !== "cancelled";

/** Whom it goes to, in the chosen language. */
export const audience = ({ target }: Pick<Job, "target">): string => t(`target.${target}`);

/** The host in the place of the app, where a lane is one host's. */
export const laneName = ({ provider, app, host }: Pick<Lane, "provider" | "app" | "host">): string =>
  `${provider} · ${host ?? app}`;

const ISO = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

/** What the server said, in the chosen language as far as it is known there, and by the clock of whoever reads it. */
export function said(text: string): string {
  const whole = language.value === "zh" ? inChinese(text) : text;
  return whole.replace(ISO, (at) => moment(Date.parse(at)));
}
