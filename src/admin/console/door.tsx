// Before one is in: the first password, by the link that the server printed, and logging in.
import { useState } from "preact/hooks";
import { ended, enter } from "./api.ts";
import { t } from "./language.ts";
import { go } from "./route.ts";
import { Switches } from "./switches.tsx";
import { TextField } from "./ui/form.tsx";
import { Command } from "./ui/show.tsx";
import { explain } from "./ui/toast.tsx";

/** @param link the secret of a setup link */
export function Door({ link }: { readonly link: string | undefined }) {
  const [name, setName] = useState(link === undefined ? "" : "admin");
  const [password, setPassword] = useState("");
  const [repeated, setRepeated] = useState("");
  const [error, fail] = useState("");
  const [busy, wait] = useState(false);
  const setup = link !== undefined;
  const differs = setup && repeated !== "" && repeated !== password;
  const submit = async (): Promise<void> => {
    wait(true);
    try {
      await (setup ? enter("setup", { link, name, password }) : enter("login", { name, password }));
      if (setup) go("#/");
    } catch (reason) {
      fail(explain(reason));
      wait(false);
    }
  };
  return (
    <main class="door">
      <h1>pushbox</h1>
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          if (!differs) void submit();
        }}
      >
        <h2>{t(setup ? "door.setup" : "door.login")}</h2>
        {setup && <p class="text">{t("door.setupWhy")}</p>}
        {!setup && ended.value && (
          <p class="notice" role="status">
            {t("door.ended")}
          </p>
        )}
        <TextField
          label={t("door.name")}
          autocomplete="username"
          value={name}
          onValue={setName}
          required
          focus={!setup}
        />
        <TextField
          label={t("password")}
          type="password"
          autocomplete={setup ? "new-password" : "current-password"}
          value={password}
          onValue={setPassword}
          error={error}
          required
          focus={setup}
          {...(setup ? { hint: t("door.long") } : {})}
        />
        {setup && (
          <TextField
            label={t("door.again")}
            type="password"
            autocomplete="new-password"
            value={repeated}
            onValue={setRepeated}
            error={differs ? t("door.differs") : ""}
            required
          />
        )}
        <button type="submit" class="main" disabled={busy || differs}>
          {t(setup ? "door.begin" : "door.enter")}
        </button>
        {!setup && (
          <div class="hint">
            <p>{t("door.fresh")}</p>
            <Command text="pushbox admin reset" />
          </div>
        )}
      </form>
      <div class="switches">
        <Switches />
      </div>
    </main>
  );
}
