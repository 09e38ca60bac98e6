// The operator's page. Text only ever becomes text: nothing here makes HTML of a string.
import { render } from "preact";
import { readSession, session } from "./api.ts";
import { Door } from "./door.tsx";
import { t } from "./language.ts";
import { route } from "./route.ts";
import { Shell } from "./shell.tsx";
import { Loading } from "./ui/show.tsx";

/** #setup=SECRET: the link that the server prints at its first start. */
const link = (): string | undefined => /^setup=(.+)$/.exec(route.value.page)?.[1];

function Console() {
  const secret = link();
  if (secret !== undefined) return <Door link={secret} />;
  if (session.value === undefined) return <Loading />;
  return session.value === null ? <Door link={undefined} /> : <Shell />;
}

document.querySelector("noscript")?.remove();
render(<Console />, document.body);
readSession().catch(() => {
  document.body.append(t("unreachable"));
});
