// The operator's page. Text only ever becomes text: nothing here makes HTML of a string.
import { effect } from "@preact/signals";
import { render } from "preact";
import { readSession, session } from "./api.ts";
import { away, returns } from "./away.ts";
import { Door } from "./door.tsx";
import { t } from "./language.ts";
import { route } from "./route.ts";
import { Shell } from "./shell.tsx";
import { Loading } from "./ui/show.tsx";

/** #setup=SECRET: the link that the server prints at its first start. */
const link = (): string | undefined => /^setup=(.+)$/.exec(route.value.page)?.[1];

const Unreachable = () => (
  <p class="loading" role="alert">
    {t("unreachable")}
  </p>
);

function Console() {
  const secret = link();
  if (secret !== undefined) return <Door link={secret} />;
  if (session.value === undefined) return away.value === undefined ? <Loading /> : <Unreachable />;
  return session.value === null ? <Door link={undefined} /> : <Shell key={session.value.name} />;
}

document.querySelector("noscript")?.remove();
render(<Console />, document.body);
// Once it was not there, whether it is again is looked for by itself.
effect(() => {
  void returns.value;
  readSession().catch(() => {});
});
