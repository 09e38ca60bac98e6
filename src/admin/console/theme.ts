// Light or dark: as the system says, until one is chosen here.
import { effect, signal } from "@preact/signals";

const KEY = "pushbox.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

const chosen = signal(localStorage.getItem(KEY));
const system = signal(dark.matches);
dark.addEventListener("change", () => {
  system.value = dark.matches;
});

export const theme = signal<"light" | "dark">("light");
effect(() => {
  const now = chosen.value ?? (system.value ? "dark" : "light");
  document.documentElement.style.colorScheme = now;
  theme.value = now === "dark" ? "dark" : "light";
});

/** From light to dark or back; also at the next visit. */
export function turn(): void {
  const next = theme.value === "dark" ? "light" : "dark";
  localStorage.setItem(KEY, next);
  chosen.value = next;
}
