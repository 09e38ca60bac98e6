// A question that must be answered first. One at a time; Escape says no.
import { signal } from "@preact/signals";
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { admin, confirmBy } from "../api.ts";
import { t } from "../language.ts";
import { TextField } from "./form.tsx";
import { explain, toast } from "./toast.tsx";

interface Question {
  readonly title: string;
  readonly body: (answer: (value: unknown) => void) => VNode;
  readonly answer: (value: unknown) => void;
}

const question = signal<Question | undefined>(undefined);

/** @param body is given what ends the question @returns what it ended with; undefined: no */
export const ask = <T,>(
  title: string,
  body: (answer: (value: T | undefined) => void) => VNode,
): Promise<T | undefined> =>
  new Promise((resolve) => {
    question.value?.answer(undefined);
    question.value = {
      title,
      body: body as Question["body"],
      answer: (value) => {
        question.value = undefined;
        resolve(value as T | undefined);
      },
    };
  });

export function Dialogs() {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const open = question.value;
  useEffect(() => {
    if (open !== undefined) dialog.current?.showModal();
  }, [open]);
  if (open === undefined) return null;
  return (
    <dialog ref={dialog} class="question" aria-labelledby={heading} onClose={() => open.answer(undefined)}>
      <h2 id={heading}>{open.title}</h2>
      {open.body(open.answer)}
    </dialog>
  );
}

/** The last two buttons of every question. */
export const Buttons = ({
  action,
  grave,
  busy,
  onCancel,
}: {
  readonly action: string;
  readonly grave?: boolean;
  readonly busy?: boolean;
  readonly onCancel: () => void;
}) => (
  <div class="buttons">
    <button type="button" onClick={onCancel}>
      {t("cancel")}
    </button>
    <button type="submit" class={grave === true ? "grave" : "main"} disabled={busy}>
      {action}
    </button>
  </div>
);

/** Yes or no. */
export async function confirm(title: string, text: ComponentChildren, action: string, grave = false): Promise<boolean> {
  const yes = await ask<true>(title, (answer) => (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        answer(true);
      }}
    >
      <div class="text">{text}</div>
      <Buttons action={action} grave={grave} onCancel={() => answer(undefined)} />
    </form>
  ));
  return yes === true;
}

function Password({ answer }: { readonly answer: (value: true | undefined) => void }) {
  const [password, set] = useState("");
  const [error, fail] = useState("");
  const [busy, wait] = useState(false);
  const submit = async (): Promise<void> => {
    wait(true);
    try {
      await admin("confirm", { password });
      answer(true);
    } catch (reason) {
      fail(explain(reason));
      set("");
      wait(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <p class="text">{t("confirm.why")}</p>
      <TextField
        label={t("password")}
        type="password"
        autocomplete="current-password"
        value={password}
        onValue={set}
        error={error}
        required
        focus
      />
      <Buttons action={t("confirm.action")} busy={busy} onCancel={() => answer(undefined)} />
    </form>
  );
}

/** Another password for oneself. Logins elsewhere end with it. */
export async function askNewPassword(): Promise<void> {
  const changed = await ask<true>(t("password.change"), (answer) => <NewPassword answer={answer} />);
  if (changed) toast(t("password.changed"));
}

function NewPassword({ answer }: { readonly answer: (value: true | undefined) => void }) {
  const [old, setOld] = useState("");
  const [next, setNext] = useState("");
  const [error, fail] = useState("");
  const [busy, wait] = useState(false);
  const submit = async (): Promise<void> => {
    wait(true);
    try {
      await admin("password", { old, new: next });
      answer(true);
    } catch (reason) {
      fail(explain(reason));
      wait(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <TextField
        label={t("password.old")}
        type="password"
        autocomplete="current-password"
        value={old}
        onValue={setOld}
        required
        focus
      />
      <TextField
        label={t("password.new")}
        hint={t("door.long")}
        type="password"
        autocomplete="new-password"
        value={next}
        onValue={setNext}
        error={error}
        required
      />
      <Buttons action={t("save")} busy={busy} onCancel={() => answer(undefined)} />
    </form>
  );
}

confirmBy(async () => (await ask<true>(t("confirm.title"), (answer) => <Password answer={answer} />)) === true);
