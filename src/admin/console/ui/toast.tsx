// A sentence at the edge of the page: what came of an action.
import { signal } from "@preact/signals";
import { Declined, Refused } from "../api.ts";
import { t } from "../language.ts";
import { said } from "../say.ts";
import { Icon } from "./icon.tsx";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly bad: boolean;
}

const toasts = signal<readonly Toast[]>([]);
let last = 0;

/** What went well goes by itself; what went wrong stays until it was read. */
export function toast(text: string, bad = false): void {
  const id = ++last;
  toasts.value = [...toasts.value.slice(-3), { id, text, bad }];
  if (!bad) setTimeout(() => drop(id), 6000);
}

const drop = (id: number): void => {
  toasts.value = toasts.value.filter((one) => one.id !== id);
};

/** What is wrong, in the server's words. */
export function explain(error: unknown): string {
  if (error instanceof Refused)
    return error.hint === undefined ? said(error.message) : `${said(error.message)}. ${said(error.hint)}`;
  if (error instanceof TypeError) return t("unreachable");
  return error instanceof Error ? error.message : String(error);
}

/** For what a person did: an error is told, their own change of mind is not. */
export function complain(error: unknown): void {
  if (!(error instanceof Declined)) toast(explain(error), true);
}

export const Toasts = () => (
  <div class="toasts" role="status" aria-live="polite">
    {toasts.value.map(({ id, text, bad }) => (
      <div key={id} class={bad ? "toast bad" : "toast"}>
        <span>{text}</span>
        <button type="button" class="plain" aria-label={t("close")} onClick={() => drop(id)}>
          <Icon name="close" />
        </button>
      </div>
    ))}
  </div>
);
