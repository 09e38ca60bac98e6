// Who may do what: a viewer sees no button that the server would refuse.
import { computed, signal } from "@preact/signals";
import { QUIET, session } from "./api.ts";

/** Endpoints by path that only read, from the description of the API. Undefined: not known yet. */
const readable = signal<ReadonlySet<string> | undefined>(undefined);

interface Description {
  readonly paths: Readonly<Record<string, { readonly "x-access"?: string }>>;
}

let asked = false;

const known = computed(() => {
  if (session.value?.role !== "viewer") return undefined;
  if (!asked) {
    asked = true;
    void fetch("/api/openapi.json", { headers: QUIET })
      .then((answer) => answer.json() as Promise<Description>)
      .then(({ paths }) => {
        const reading = Object.entries(paths).filter(([, one]) => one["x-access"] === "read");
        readable.value = new Set(reading.map(([path]) => path.replace(/^\/api\//, "")));
      })
      .catch(() => {
        asked = false;
      });
  }
  return readable.value ?? new Set<string>();
});

/** Whether this person may call that endpoint. */
export const may = (path: string): boolean => known.value?.has(path) ?? session.value?.role === "operator";
