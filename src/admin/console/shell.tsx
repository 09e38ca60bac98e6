// Around every page: where one can go, the search box, and who one is.
import { signal } from "@preact/signals";
import { useErrorBoundary, useLayoutEffect, useRef } from "preact/hooks";
import { leave, session, silent } from "./api.ts";
import { away } from "./away.ts";
import { moment } from "./format.ts";
import { t } from "./language.ts";
import { GROUPS, type Page, pageNamed } from "./pages/index.ts";
import { href, route } from "./route.ts";
import { Search } from "./search.tsx";
import { Switches } from "./switches.tsx";
import { askNewPassword, Dialogs } from "./ui/dialog.tsx";
import { Icon } from "./ui/icon.tsx";
import { Empty, focusPage, Tips, Trouble } from "./ui/show.tsx";
import { complain, Toasts } from "./ui/toast.tsx";

/** On a narrow screen the navigation is over the page, when it is asked for. */
const unfolded = signal(false);

const Navigation = () => (
  <nav id="navigation" class={unfolded.value ? "side open" : "side"} aria-label={t("navigation")}>
    {GROUPS.map(({ title, pages }) => (
      <div key={title ?? ""} class="group">
        {title !== undefined && <h2>{t(title)}</h2>}
        <ul>
          {pages.map(({ name, title, icon }) => (
            <li key={name}>
              <a
                href={href(name)}
                {...(route.value.page === name ? { "aria-current": "page" as const } : {})}
                onClick={() => {
                  unfolded.value = false;
                }}
              >
                <Icon name={icon} />
                {t(title)}
              </a>
            </li>
          ))}
        </ul>
      </div>
    ))}
    <p class="version">pushbox {session.value?.version}</p>
  </nav>
);

const Person = () => {
  const logout = (): void => {
    leave().catch(complain);
  };
  return (
    <div class="person">
      <Switches />
      <button type="button" class="plain who" title={t("password.change")} onClick={() => void askNewPassword()}>
        {session.value?.name}
        {session.value?.role === "viewer" && ` · ${t("viewer")}`}
      </button>
      <button type="button" onClick={logout}>
        {t("logout")}
      </button>
    </div>
  );
};

/** Processes that have not answered what the page has asked: what only they know is missing in it. */
const Silent = () => {
  const names = [...new Set(Object.values(silent.value).flat())].sort();
  return (
    <div class="silent" role="status">
      {names.length > 0 && (
        <div class="notice">
          <span class="what">{t("nodes.partial", { n: names.length, names: names.join(", ") })}</span>
        </div>
      )}
    </div>
  );
};

/** What is shown is from before. */
const Away = () => (
  <div class="silent" role="alert">
    {away.value !== undefined && (
      <div class="notice bad">
        <span class="what">{t("away", { time: moment(away.value) })}</span>
      </div>
    )}
  </div>
);

/** A page that fails leaves the others as they are. */
function Drawn({ page }: { readonly page: Page }) {
  const [error, reset] = useErrorBoundary();
  return error === undefined ? <page.draw /> : <Trouble error={error} retry={reset} />;
}

export function Shell() {
  const { page, rest } = route.value;
  const here = `${page}/${rest.join("/")}`;
  const before = useRef(here);
  // Another page begins at its top, and is told to whoever does not see it. Before anything is painted: who types at once is not disturbed.
  useLayoutEffect(() => {
    if (before.current === here) return;
    before.current = here;
    silent.value = {};
    scrollTo(0, 0);
    focusPage();
  }, [here]);
  const shown = pageNamed(page);
  return (
    <div class="shell">
      <a class="skip" href={location.hash} onClick={focusPage}>
        {t("skip")}
      </a>
      <header class="top">
        <button
          type="button"
          class="plain unfold"
          aria-label={t("navigation")}
          aria-expanded={unfolded.value}
          aria-controls="navigation"
          onClick={() => {
            unfolded.value = !unfolded.value;
          }}
        >
          <Icon name={unfolded.value ? "close" : "menu"} />
        </button>
        <a class="brand" href={href("")}>
          pushbox
        </a>
        <Search />
        <Person />
      </header>
      <Navigation />
      <main tabIndex={-1}>
        <Away />
        <Silent />
        {shown === undefined ? (
          <Empty title={t("noPage")}>
            <a href={href("")}>{t("page.overview")}</a>
          </Empty>
        ) : (
          <Drawn key={here} page={shown} />
        )}
      </main>
      <Toasts />
      <Dialogs />
      <Tips />
    </div>
  );
}
