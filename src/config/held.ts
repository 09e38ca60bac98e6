// The settings that hold while the server runs: where each came from, what its sources would change by now, and taking that over.
import { PushError } from "../core/errors.ts";
import type { Language } from "../core/language.ts";
import { mistaken } from "./chinese.ts";
import { type Change, type Config, changes, type Reading } from "./index.ts";
import {
  type KeyWords,
  type OpenKeys,
  type ShownEntry,
  type ShownSetting,
  shownEntries,
  shownSettings,
} from "./text.ts";

/** Where the settings are from. */
export interface Sources {
  /** As they were read, before they were fitted to the machine. */
  readonly config: Config;
  /** Of each setting, by name: `default`, `pushbox.toml:3`, `PUSHBOX_DATA`, `--data`. */
  readonly origins: ReadonlyMap<string, string>;
  /** Reads them again. */
  reread(): Promise<Reading>;
  /** To what this process may do. */
  fit(config: Config): Config;
  /** Gets what came of each reload, for the log. @param by whoever asked for it: `SIGHUP` */
  told(by: string, outcome: Reloaded | Error): void;
}

export interface Effective {
  readonly settings: readonly ShownSetting[];
  readonly vendors: readonly ShownEntry[];
}

interface Difference {
  readonly name: string;
  /** Of a single setting, masked where it is secret. */
  readonly before?: unknown;
  readonly after?: unknown;
  /** What makes it hold. */
  readonly takes: "reload" | "restart";
}

export interface Compared {
  readonly changes: readonly Difference[];
  readonly warnings: readonly string[];
  /** Why nothing of it can be taken over. */
  readonly problems: readonly string[];
}

export interface Reloaded extends Compared {
  readonly config: Config;
}

/** Nothing was changed, because the sources have these problems. */
export class Unfit extends PushError {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super("conflict", `nothing was changed: ${problems.join("; ")}`);
    this.problems = problems;
  }
}

interface HeldOptions {
  readonly sources: Sources;
  readonly open: OpenKeys;
  readonly words: KeyWords;
  /** Rejects, and changes nothing, when it cannot be had. */
  readonly apply: (config: Config) => Promise<void>;
}

export class HeldSettings {
  readonly #options: HeldOptions;
  #config: Config;
  #origins: ReadonlyMap<string, string>;
  /** One reload after the other. */
  #reloading: Promise<unknown> = Promise.resolve();

  constructor(options: HeldOptions) {
    this.#options = options;
    this.#config = options.sources.config;
    this.#origins = options.sources.origins;
  }

  /** @param language of what each setting is for */
  effective(language: Language): Effective {
    const { open, words } = this.#options;
    return {
      settings: shownSettings(this.#config, this.#origins, language),
      vendors: shownEntries(this.#config, open, words, language),
    };
  }

  /** What a reload would change now, and what only a restart would. Changes nothing. @param language of what is wrong */
  async compare(language: Language): Promise<Compared> {
    const reading = await this.#options.sources.reread();
    const say = (sentences: readonly string[]) => (language === "zh" ? sentences.map(mistaken) : sentences);
    const warnings = say(reading.warnings);
    if (reading.problems !== undefined) return { changes: [], warnings, problems: say(reading.problems) };
    return { ...this.#differences(changes(this.#config, reading.config), reading.config), warnings };
  }

  #differences({ applied, restart }: Change, next: Config): Pick<Compared, "changes" | "problems"> {
    const shown = (config: Config) =>
      new Map(shownSettings(config, this.#origins).map(({ name, value }) => [name, value]));
    const [before, after] = [shown(this.#config), shown(next)];
    const difference =
      (takes: Difference["takes"]) =>
      (name: string): Difference => ({
        name,
        ...(before.has(name) ? { before: before.get(name), after: after.get(name) } : {}),
        takes,
      });
    return { changes: [...applied.map(difference("reload")), ...restart.map(difference("restart"))], problems: [] };
  }

  /**
   * Takes over what can be had while running. Without a change too: the files of the certificates may be new under their old names.
   * Rejects, with nothing changed, with `Unfit`, or with what could not be had.
   */
  reload(by: string): Promise<Reloaded> {
    const { told } = this.#options.sources;
    const reloading = this.#reloading.then(() => this.#reload());
    this.#reloading = reloading.then(
      (reloaded) => told(by, reloaded),
      (error: unknown) => told(by, error instanceof Error ? error : new Error(String(error))),
    );
    return reloading;
  }

  async #reload(): Promise<Reloaded> {
    const { sources, apply } = this.#options;
    const reading = await sources.reread();
    if (reading.problems !== undefined) throw new Unfit(reading.problems);
    const change = changes(this.#config, reading.config);
    const differences = this.#differences(change, reading.config);
    await apply(sources.fit(change.config));
    this.#config = change.config;
    const origins = new Map(this.#origins);
    for (const { name, takes } of differences.changes)
      if (takes === "reload") origins.set(name, reading.origins.get(name) ?? origins.get(name) ?? "");
    this.#origins = origins;
    return { ...differences, warnings: reading.warnings, config: change.config };
  }

  /** Resolves when no reload is under way. */
  async settled(): Promise<void> {
    await this.#reloading;
  }
}
