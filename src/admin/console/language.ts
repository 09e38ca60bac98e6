// The language that is shown: the browser's at first, then what was chosen here.
import { effect, signal } from "@preact/signals";
import { en } from "./words/en.ts";
import { filled } from "./words/filled.ts";
import { zh } from "./words/zh.ts";

export type Language = "en" | "zh";
export type Word = keyof typeof en;

const KEY = "pushbox.language";

function first(): Language {
  const chosen = localStorage.getItem(KEY) ?? navigator.language;
  return chosen.startsWith("zh") ? "zh" : "en";
}

export const language = signal<Language>(first());

effect(() => {
  document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
});

/** Also at the next visit. */
export function speak(chosen: Language): void {
  localStorage.setItem(KEY, chosen);
  language.value = chosen;
}

/** The text in the chosen language, with its values (`filled`). */
export const t = (word: Word, values: Readonly<Record<string, string | number>> = {}): string =>
  filled((language.value === "zh" ? zh : en)[word], values);

/** For words that a server chose, like states: as they are where there is no text for them. */
export function tOr(word: string, otherwise: string): string {
  return word in en ? t(word as Word) : otherwise;
}
