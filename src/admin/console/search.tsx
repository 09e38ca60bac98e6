// One box for everything: what it finds is decided by what exists under that name.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { call } from "./api.ts";
import { t } from "./language.ts";
import { go, href } from "./route.ts";
import { Icon, type IconName } from "./ui/icon.tsx";
import { focusPage } from "./ui/show.tsx";
import { complain } from "./ui/toast.tsx";

interface Found {
  readonly icon: IconName;
  readonly what: string;
  readonly name: string;
  readonly to: string;
}

/** What a box is called that has its findings below it. */
const COMBOBOX = { role: "combobox", list: undefined } as const;
/** Milliseconds without a letter before it is looked for. */
const PAUSE = 200;

interface Match {
  readonly kind: "device" | "user" | "token" | "notification" | "topic";
  readonly name: string;
  readonly devices?: number;
  readonly text?: string;
  readonly count?: number;
  readonly state?: string;
}

const PAGES = {
  device: "devices",
  user: "users",
  token: "devices",
  notification: "notifications",
  topic: "topics",
} as const satisfies Readonly<Record<Match["kind"], IconName>>;

async function find(text: string, signal: AbortSignal): Promise<readonly Found[]> {
  const { found } = await call<{ found: readonly Match[] }>("search", { text }, signal);
  return found.map(({ kind, name, devices = 0, text: says, count = 0 }) => ({
    icon: PAGES[kind],
    what: t(`find.${kind}`, { n: kind === "user" ? devices : count }),
    name: says === undefined || says === "" ? name : says,
    to: href(PAGES[kind], [name]),
  }));
}

export function Search() {
  const [text, set] = useState("");
  const [found, show] = useState<readonly Found[] | undefined>(undefined);
  const [at, point] = useState(0);
  const [open, unfold] = useState(false);
  const box = useRef<HTMLInputElement>(null);
  /** Where one was, for whoever leaves the box again. */
  const before = useRef<HTMLElement | undefined>(undefined);

  useLayoutEffect(() => {
    const focus = (event: KeyboardEvent): void => {
      const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select") !== null;
      const wanted = (event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !typing);
      if (!wanted) return;
      event.preventDefault();
      if (document.activeElement instanceof HTMLElement && document.activeElement !== box.current)
        before.current = document.activeElement;
      box.current?.focus();
      box.current?.select();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);

  useEffect(() => {
    const wanted = text.trim();
    show(undefined);
    point(0);
    if (wanted === "") return;
    const control = new AbortController();
    const timer = setTimeout(() => {
      find(wanted, control.signal).then(show, (error: unknown) => {
        if (control.signal.aborted) return;
        show([]);
        complain(error);
      });
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [text]);

  const follow = (one: Found | undefined): void => {
    if (one === undefined) return;
    set("");
    unfold(false);
    go(one.to);
    // Where it is that very page that is there, nothing else would move it.
    focusPage();
  };
  const shown = open && text.trim() !== "";
  const key = (event: KeyboardEvent): void => {
    const size = found?.length ?? 0;
    if (event.key === "ArrowDown" && size > 0) point((at + 1) % size);
    else if (event.key === "ArrowUp" && size > 0) point((at + size - 1) % size);
    else if (event.key === "Enter") follow(found?.[at]);
    else if (event.key === "Escape") {
      const { current } = before;
      set("");
      if (current?.isConnected === true && current !== document.body) current.focus();
      else focusPage();
    } else return;
    event.preventDefault();
  };
  return (
    <search class="search">
      <Icon name="search" />
      <input
        ref={box}
        type="search"
        {...COMBOBOX}
        {...{ "aria-expanded": shown }}
        aria-label={t("search")}
        aria-controls="found"
        aria-autocomplete="list"
        aria-activedescendant={shown && found !== undefined && found.length > 0 ? `found-${at}` : ""}
        placeholder={t("search.what")}
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => set(event.currentTarget.value)}
        onFocus={() => unfold(true)}
        onBlur={() => {
          unfold(false);
          before.current = undefined;
        }}
        onKeyDown={key}
      />
      <span class="key">/</span>
      <div id="found" role="listbox" aria-label={t("search.found")} class={shown ? "found" : "found closed"}>
        {shown &&
          found?.map(({ icon, what, name, to }, i) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys go to the box
            <div
              key={to}
              id={`found-${i}`}
              role="option"
              tabIndex={-1}
              aria-selected={i === at}
              onMouseDown={(event) => event.preventDefault()}
              onMouseEnter={() => point(i)}
              onClick={() => follow(found[i])}
            >
              <Icon name={icon} />
              <span class="name">{name}</span>
              <span class="muted">{what}</span>
            </div>
          ))}
        {shown && (found === undefined || found.length === 0) && (
          <p class="muted" role="status">
            {t(found === undefined ? "search.looking" : "search.nothing")}
          </p>
        )}
      </div>
    </search>
  );
}
