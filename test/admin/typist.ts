// A person at the console without a mouse: every field, button and link is reached by keys, and named by its text in the language
// that is shown.
import { en } from "../../src/admin/console/words/en.ts";
import { filled } from "../../src/admin/console/words/filled.ts";
import { zh } from "../../src/admin/console/words/zh.ts";
import type { Look, Person } from "./person.ts";

export type Word = keyof typeof en;
type Values = Readonly<Record<string, string | number>>;

/** Tabs that are pressed before one looks where they led. */
const AT_ONCE = 5;
/** Places for Tab inside of one field: a date and time has so many. */
const INSIDE = 8;
/** More than any page has places for Tab. */
const MOST = 400;

/** What was reached since, by name; the browser may have gone on meanwhile. */
const TRAIL = `
window.nameOf = (one) => (one.getAttribute("aria-label") ?? one.labels?.[0]?.innerText ?? one.innerText ?? "").trim();
window.trail ??= (() => {
  const trail = [];
  document.addEventListener("focusin", ({ target }) => trail.push(target));
  return trail;
})();
`;

export class Typist {
  readonly person: Person;
  readonly language: "en" | "zh";
  readonly #look: Look;
  readonly #password: string;

  constructor(person: Person, look: Look & { readonly language: "en" | "zh" }, password: string) {
    this.person = person;
    this.language = look.language;
    this.#look = look;
    this.#password = password;
  }

  /** As the page says it. */
  word(word: Word, values: Values = {}): string {
    return filled((this.language === "zh" ? zh : en)[word], values);
  }

  /** Opens an address anew. */
  async open(hash: string, word: Word): Promise<void> {
    await this.person.look(this.#look);
    await this.person.open(hash, this.word(word));
    await this.person.page.run(TRAIL);
  }

  /** To a page of the navigation, which is folded where there is little room. @param hash of its link */
  async goTo(hash: string): Promise<void> {
    const { page } = this.person;
    const current = `document.querySelector("nav [aria-current]")?.hash === ${JSON.stringify(hash)}`;
    if (await page.run<boolean>(current)) return this.settled();
    await this.person.key("k", "control");
    await page.until('document.activeElement?.closest("header") && document.activeElement.matches("input")');
    if ((this.#look.width ?? 1280) < 800) {
      await this.#tabUntil('one.matches(".unfold")', "shift");
      await this.person.key("Enter");
      await page.until('document.querySelector("nav.side.open")');
    }
    await this.#tabUntil(`one.closest("nav.side") && one.hash === ${JSON.stringify(hash)}`);
    await this.person.key("Enter");
    await page.until(`${current} && document.activeElement.closest("main") !== null`);
    await this.settled();
  }

  /** Nothing is being loaded. */
  settled(): Promise<void> {
    return this.person.page.until(
      'document.querySelector("main h1") && !document.querySelector("main [aria-busy=true]")',
    );
  }

  /** A button or a link, by its text. */
  async press(text: string): Promise<void> {
    await this.#tabUntil(`one.matches("button, a, summary") && nameOf(one) === ${JSON.stringify(text)}`);
    await this.person.key("Enter");
  }

  pressWord(word: Word, values?: Values): Promise<void> {
    return this.press(this.word(word, values));
  }

  /** Presses, and says yes to what is then asked. */
  async order(word: Word, yes: Word = word): Promise<void> {
    await this.pressWord(word);
    await this.person.page.until('document.querySelector("dialog[open] button")');
    await this.pressWord(yes);
  }

  /** A field, by its label. What was in it is replaced. */
  async fill(label: string, text: string): Promise<void> {
    await this.#tabUntil(`one.matches("input, textarea") && nameOf(one) === ${JSON.stringify(label)}`);
    const all = { key: "a", code: "KeyA", modifiers: 2, commands: ["selectAll"] };
    await this.person.page.command("Input.dispatchKeyEvent", { type: "rawKeyDown", ...all });
    await this.person.page.command("Input.dispatchKeyEvent", { type: "keyUp", ...all });
    await this.person.types(text);
  }

  /** One of a few that are all seen. */
  async choose(word: Word): Promise<void> {
    const label = JSON.stringify(this.word(word));
    await this.#tabUntil(
      `one.type === "radio" && [...one.closest(".segments").querySelectorAll("input")].some((other) => nameOf(other) === ${label})`,
    );
    for (let i = 0; i < 10; i++) {
      if (await this.person.page.run(`nameOf(document.activeElement) === ${label}`)) return;
      await this.person.key("ArrowRight");
    }
    throw new Error(`no arrow leads to ${label}`);
  }

  /** Until a text is there; `{...}` in it stands for anything. */
  async reads(word: Word): Promise<void> {
    const parts = (this.language === "zh" ? zh : en)[word].split(/\{[^}]*\}/);
    const pattern = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".+");
    try {
      await this.person.page.until(`${new RegExp(pattern)}.test(document.body.innerText)`);
    } catch (error) {
      throw new Error(`${String(error)}\n--- there is:\n${await this.person.page.run("document.body.innerText")}`);
    }
  }

  /** Until that is so; gives the password where it is asked for. @param is an expression */
  async becomes(is: string): Promise<void> {
    const { page } = this.person;
    const asked = 'document.activeElement?.matches("dialog[open] input[type=password]")';
    await page.until(`(${is}) || ${asked}`);
    if (!(await page.run<boolean>(`Boolean(${asked})`))) return;
    await this.person.types(this.#password);
    await this.person.key("Enter");
    await page.until(is);
  }

  /** As `becomes`, a text. */
  shows(text: string): Promise<void> {
    return this.becomes(`document.body.innerText.includes(${JSON.stringify(text)})`);
  }

  /**
   * Goes on with Tab until what has the focus is so. Several are pressed at once, and what was passed is returned to.
   * @param is an expression of `one`
   */
  async #tabUntil(is: string, held: "none" | "shift" = "none"): Promise<void> {
    const { page } = this.person;
    const here = await page.run<boolean>(`{ const one = document.activeElement; trail.length = 0; Boolean(${is}) }`);
    if (here) return;
    for (let pressed = 0; pressed < MOST; pressed += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, () => this.person.key("Tab", held)));
      const passed = await page.run<number>(
        `{ const at = trail.findIndex((one) => one.isConnected && (${is})); at === -1 ? -1 : trail.length - 1 - at }`,
      );
      if (passed === -1) continue;
      for (let i = 0; i <= passed + INSIDE; i++) {
        if (await page.run<boolean>(`{ const one = document.activeElement; Boolean(${is}) }`)) return;
        await this.person.key("Tab", held === "none" ? "shift" : "none");
      }
      await page.run("trail.length = 0");
    }
    throw new Error(`no Tab leads to ${is}\n--- there is:\n${await page.run("document.body.innerText")}`);
  }
}
