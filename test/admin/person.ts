// A person at the console in a real browser: reads what is there, writes into fields by their names, presses what is named so.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Test } from "tap";
import type { Page } from "../support/chromium.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What Chromium needs to be told of a key. */
const KEYS: Readonly<Record<string, { readonly code: string; readonly number: number; readonly text?: string }>> = {
  Tab: { code: "Tab", number: 9 },
  Enter: { code: "Enter", number: 13, text: "\r" },
  Escape: { code: "Escape", number: 27 },
  Space: { code: "Space", number: 32, text: " " },
  ArrowDown: { code: "ArrowDown", number: 40 },
  ArrowRight: { code: "ArrowRight", number: 39 },
  "/": { code: "Slash", number: 191, text: "/" },
  k: { code: "KeyK", number: 75, text: "k" },
};

/** As DevTools counts them. */
const MODIFIERS = { none: 0, control: 2, shift: 8 } as const;

/** Of the page: finds by what a person reads. */
const HELPERS = `
window.shown = (element) => element.getClientRects().length > 0;
window.named = (kind, name) => ["dialog[open]", "main", "body"].flatMap((place) =>
  [...document.querySelectorAll(place)].flatMap((one) => [...one.querySelectorAll(kind)])).find((one) => shown(one) && !one.disabled &&
  (one.getAttribute("aria-label") ?? one.innerText).trim() === name);
window.field = (name) => {
  const label = [...document.querySelectorAll("label")].find((one) => shown(one) && one.innerText.trim() === name);
  return label && (label.control ?? document.getElementById(label.htmlFor));
};
window.put = (element, value) => {
  const kind = Object.getPrototypeOf(element);
  Object.getOwnPropertyDescriptor(kind, "value").set.call(element, value);
  element.dispatchEvent(new Event("input", { bubbles: true }));
  element.dispatchEvent(new Event("change", { bubbles: true }));
};
`;

/** Rules of axe that find nothing serious, by its list of rules: they are not asked. A newer one is, and what it finds is weighed. */
const HARMLESS = `
  aria-allowed-role aria-deprecated-role empty-heading empty-table-header focus-order-semantics form-field-multiple-labels
  heading-order hidden-content html-xml-lang-mismatch image-redundant-alt landmark-banner-is-top-level
  landmark-contentinfo-is-top-level landmark-main-is-top-level landmark-no-duplicate-banner
  landmark-no-duplicate-contentinfo landmark-no-duplicate-main landmark-one-main landmark-unique meta-viewport-large
  meta-viewport no-autoplay-audio page-has-heading-one presentation-role-conflict region scope-attr-valid
  server-side-image-map skip-link table-duplicate-name
`;
const RULES = Object.fromEntries(
  HARMLESS.trim()
    .split(/\s+/)
    .map((id) => [id, { enabled: false }]),
);

/** Words that are the same in Chinese. */
const SAME =
  /^(pushId|uid|Engine\.IO|iOS|iPhone|Android|Webhook|CSV|PNG|OpenAPI 3\.1|websocket|polling|apns|fcm|xiaomi|\[[a-z.]+\])$/;

export interface Look {
  readonly width?: number;
  readonly dark?: boolean;
  readonly language?: "en" | "zh";
}

/** How every page is looked at; all ways of it where pictures are kept. */
export const LOOKS: readonly Required<Look>[] =
  process.env["SCREENSHOTS"] === undefined
    ? [
        { language: "en", width: 1440, dark: false },
        { language: "zh", width: 360, dark: true },
      ]
    : (["en", "zh"] as const).flatMap((language) =>
        [1440, 360].flatMap((width) => [false, true].map((dark) => ({ language, width, dark }))),
      );

export const pictureName = (page: string, { language, width, dark }: Required<Look>): string =>
  `${page}-${language}-${width}${dark ? "-dark" : ""}`;

export class Person {
  readonly page: Page;
  readonly #url: string;
  #width = 1280;

  constructor(page: Page, url: string) {
    this.page = page;
    this.#url = url;
  }

  /** As it is from the next page on. */
  async look({ width = 1280, dark = false, language = "en" }: Look): Promise<void> {
    this.#width = width;
    await this.page.command("Emulation.setDeviceMetricsOverride", {
      ...{ width, height: 900, deviceScaleFactor: 1, mobile: width < 600 },
    });
    await this.page.command("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }],
    });
    await this.page.command("Emulation.setFocusEmulationEnabled", { enabled: true });
    await this.page.run(`localStorage.setItem("pushbox.language", ${JSON.stringify(language)})`);
  }

  /** Opens an address anew, with nothing half written. @param says what is there then */
  async open(hash: string, says: string): Promise<void> {
    await this.page.run('sessionStorage.removeItem("pushbox.draft")');
    await this.reload(hash, says);
  }

  /** Opens an address anew. @param says what is there then */
  async reload(hash: string, says: string): Promise<void> {
    await this.page.load(`${this.#url}/${hash}`);
    await this.page.run(HELPERS);
    await this.reads(says);
  }

  /** Follows an address in the page that is open, which has turned to it then. */
  async turn(hash: string): Promise<void> {
    await this.page.run(`new Promise((turned) => {
      const before = location.hash;
      addEventListener("hashchange", turned, { once: true });
      location.hash = ${JSON.stringify(hash)};
      if (location.hash === before) turned();
    }).then(() => {})`);
  }

  /** Follows an address in the page that is open. @param says what is there then */
  async follow(hash: string, says: string): Promise<void> {
    await this.turn(hash);
    await this.reads(says);
  }

  /** Logs in, in the page that is open. */
  async enter(name: string, password: string): Promise<void> {
    await this.page.run(HELPERS);
    await this.follow("#/", "Log in");
    await this.fill("Name", name);
    await this.fill("Password", password);
    await this.press("Log in");
    await this.reads("Being sent now");
  }

  /** Closes the page: one that stays open goes on asking the server. */
  async leave(): Promise<void> {
    await this.page.command("Page.close");
  }

  async reads(text: string): Promise<void> {
    try {
      await this.page.until(`document.body.innerText.includes(${JSON.stringify(text)})`);
    } catch (error) {
      throw new Error(`${String(error)}\n--- there is:\n${await this.page.run("document.body.innerText")}`);
    }
  }

  async sees(text: string): Promise<boolean> {
    return this.page.run<boolean>(`document.body.innerText.includes(${JSON.stringify(text)})`);
  }

  /** @param name of a button or a link, once it is there and can be pressed */
  async press(name: string): Promise<void> {
    const found = `named("button, a, summary", ${JSON.stringify(name)})`;
    await this.page.until(found);
    await this.page.run(`void ${found}.click()`);
  }

  has(name: string): Promise<boolean> {
    return this.page.run<boolean>(`Boolean(named("button, a", ${JSON.stringify(name)}))`);
  }

  /** @param name of a field's label */
  async fill(name: string, value: string): Promise<void> {
    const found = `field(${JSON.stringify(name)})`;
    await this.page.until(found);
    await this.page.run(`put(${found}, ${JSON.stringify(value)})`);
  }

  /** One of a few, by its word. */
  async choose(name: string): Promise<void> {
    const found = `[...document.querySelectorAll(".segments label")].find((one) => one.innerText.trim() === ${JSON.stringify(name)})`;
    await this.page.until(found);
    await this.page.run(`void ${found}.querySelector("input").click()`);
  }

  /** The password, where it is asked for. */
  async confirm(password: string): Promise<void> {
    await this.reads("Your password, please");
    await this.fill("Password", password);
    await this.press("Go ahead");
    await this.page.until('!document.querySelector("dialog[open]")');
  }

  /** Until that is so, which may want the password again: it was given some minutes ago, or not at all. @param is an expression */
  async becomes(is: string, password: string): Promise<void> {
    const asked = 'document.querySelector("dialog[open] input[type=password]")';
    await this.page.until(`(${is}) || ${asked}`);
    if (await this.page.run<boolean>(`Boolean(${asked})`)) await this.confirm(password);
    await this.page.until(is);
  }

  // ---- keys

  async key(name: string, held: keyof typeof MODIFIERS = "none"): Promise<void> {
    const known = KEYS[name];
    const text = held === "control" ? undefined : (known?.text ?? (known === undefined ? name : undefined));
    const about = {
      key: name === "Space" ? " " : name,
      modifiers: MODIFIERS[held],
      ...(known === undefined ? {} : { code: known.code, windowsVirtualKeyCode: known.number }),
    };
    await Promise.all([
      this.page.command("Input.dispatchKeyEvent", {
        type: text === undefined ? "rawKeyDown" : "keyDown",
        ...about,
        ...(text === undefined ? {} : { text }),
      }),
      this.page.command("Input.dispatchKeyEvent", { type: "keyUp", ...about }),
    ]);
  }

  /** Into the field that has the focus, once one has it. */
  async types(text: string): Promise<void> {
    await this.page.until('document.activeElement?.matches("input, textarea")');
    await this.page.command("Input.insertText", { text });
  }

  /** Goes on with Tab until what has the focus, in the page or a question, is called so. */
  async tabTo(name: string): Promise<void> {
    for (let i = 0; i < 120; i++) {
      await this.key("Tab");
      const focused = await this.page.run<string>(`(() => {
        const one = document.activeElement;
        if (one.closest("main, dialog") === null) return "";
        return (one.getAttribute("aria-label") ?? one.labels?.[0]?.innerText ?? one.innerText ?? "").trim();
      })()`);
      if (focused === name) return;
    }
    throw new Error(`no Tab leads to ${name}`);
  }

  // ---- what must hold of every page

  /**
   * What axe finds serious, in a line each.
   * @param place the part that is looked at
   * @param colours only those: the rest was looked at in other colours
   */
  async barriers(place = "body", colours = false): Promise<readonly string[]> {
    if (await this.page.run<boolean>("window.axe === undefined")) await this.page.run(`void (() => { ${axe} })()`);
    const which = { resultTypes: ["violations"], ...(colours ? { runOnly: ["color-contrast"] } : { rules: RULES }) };
    return this.page.run<
      readonly string[]
    >(`axe.run(${JSON.stringify(place)}, ${JSON.stringify(which)}).then(({ violations }) =>
      violations.filter(({ impact }) => impact === "serious" || impact === "critical").flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => id + " " + target + " " + failureSummary)))`);
  }

  /** What sticks out of the window: a phone's shows all of it smaller instead. */
  overflow(): Promise<readonly string[]> {
    const width = this.#width;
    return this.page.run<
      readonly string[]
    >(`Math.max(innerWidth, document.documentElement.scrollWidth) <= ${width} ? [] :
      [...document.querySelectorAll("main *")].filter((one) => one.getBoundingClientRect().right > ${width} + 1)
        .slice(0, 3).map((one) => one.tagName + "." + one.className)`);
  }

  /**
   * English in a page that is shown in Chinese: sentences anywhere, and the words that name what there is. What programs call
   * things is in code.
   * @param written by somebody, or said by a vendor
   */
  english(written: readonly string[]): Promise<readonly string[]> {
    return this.page.run<readonly string[]>(`(() => {
      const found = [];
      const written = new Set(${JSON.stringify(written)});
      const names = "h1, h2, h3, th, dt, label, legend, summary, button, caption, .state, .tag, option";
      const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const { parentElement: one, data } = walk.currentNode;
        if (written.has(data) || one.closest("code, pre, textarea, time") !== null || /[\\u4e00-\\u9fff]/.test(data)) continue;
        if (/[a-z]{2,} [a-z]{2,}/.test(data) || (one.matches(names) && /[A-Za-z]{3}/.test(data) && !${SAME}.test(data.trim())))
          found.push(data);
      }
      for (const one of document.querySelectorAll("main [aria-label], main [placeholder], main [title]"))
        for (const name of ["aria-label", "placeholder", "title"])
          if (/[a-z]{2,} [a-z]{2,}/.test(one.getAttribute(name) ?? "") && !written.has(one.getAttribute(name)))
            found.push(name + ": " + one.getAttribute(name));
      return found;
    })()`);
  }

  /** What the browser has complained of. */
  complaints(): readonly string[] {
    return this.page.complaints;
  }

  /** Requests to anywhere but the console. */
  strangers(): readonly string[] {
    return this.page.requests.filter((url) => !url.startsWith(this.#url) && !/^(about|data):/.test(url));
  }

  /** Into the folder that SCREENSHOTS names, when it names one: the whole page. */
  async picture(t: Test, name: string): Promise<void> {
    const folder = process.env["SCREENSHOTS"];
    if (folder === undefined) return;
    mkdirSync(folder, { recursive: true });
    const width = this.#width;
    const height = await this.page.run<number>(
      "Math.min(4000, Math.max(innerHeight, document.documentElement.scrollHeight))",
    );
    await this.page.command("Emulation.setDeviceMetricsOverride", {
      ...{ width, height, deviceScaleFactor: 1, mobile: width < 600 },
    });
    writeFileSync(join(folder, `${name}.png`), await this.page.screenshot());
    t.pass(`picture of ${name}`);
  }
}
