// What several pages say of the same thing.
import { t } from "./language.ts";
import type { Job, Lane } from "./types.ts";

/** What a person calls a notification: its text, else its id. */
export const jobName = ({ text, id }: Pick<Job, "text" | "id">): string => (text === "" ? id : text);

/** How far a job is, 0 to 1. Undefined: it is not known how many there are. */
export function done({ state, progress: { queued, waiting } }: Job): number | undefined {
  if (state === "finished") return 1;
  return queued === 0 ? undefined : (queued - waiting) / queued;
}

/** It is not over. */
export const isOpen = ({ state }: Pick<Job, "state">): boolean => state !== "finished" && state !== "cancelled";

export const audience = ({ target }: Pick<Job, "target">): string => t(`target.${target}`);

export const laneName = ({ provider, app, host }: Pick<Lane, "provider" | "app" | "host">): string =>
  `${provider} · ${host ?? app}`;
