// Fields with their label, what they are for, and what is wrong with them.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

interface Common {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly error?: string | undefined;
  readonly required?: boolean;
}

interface Around extends Common {
  readonly id: string;
  readonly children: ComponentChildren;
}

const Around = ({ id, label, hint, error, children }: Around) => (
  <div class="field">
    <label for={id}>{label}</label>
    {children}
    {error !== undefined && error !== "" && (
      <p class="wrong" id={`${id}-error`} role="alert">
        {error}
      </p>
    )}
    {hint !== undefined && (
      <p class="hint" id={`${id}-hint`}>
        {hint}
      </p>
    )}
  </div>
);

const described = (id: string, { hint, error }: Common) => ({
  "aria-describedby": [error ? `${id}-error` : "", hint === undefined ? "" : `${id}-hint`].filter(Boolean).join(" "),
  "aria-invalid": Boolean(error),
});

interface TextProps extends Common {
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly type?: "text" | "password" | "number" | "search" | "datetime-local" | "time";
  readonly placeholder?: string;
  readonly autocomplete?: string;
  /** More than one line. */
  readonly lines?: number;
  /** What is written there is not language: one width per letter. */
  readonly code?: boolean;
  readonly focus?: boolean;
  readonly min?: number;
}

export function TextField(props: TextProps) {
  const id = useId();
  const field = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  const { label, value, onValue, type = "text", placeholder, lines, code, focus, required, min } = props;
  useEffect(() => {
    if (focus === true) field.current?.focus();
  }, [focus]);
  const common = {
    id,
    value,
    ref: field,
    required: required === true,
    class: code === true ? "code" : "",
    spellcheck: code !== true && lines !== undefined,
    ...(placeholder === undefined ? {} : { placeholder }),
    ...described(id, props),
  };
  return (
    <Around id={id} label={label} hint={props.hint} error={props.error}>
      {lines === undefined ? (
        <input
          {...common}
          type={type as "text"}
          autocomplete={props.autocomplete ?? "off"}
          {...(min === undefined ? {} : { min })}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
      ) : (
        <textarea {...common} rows={lines} onInput={(event) => onValue(event.currentTarget.value)} />
      )}
    </Around>
  );
}

interface ChoiceProps<T extends string> extends Common {
  readonly value: T;
  readonly onValue: (value: T) => void;
  readonly options: readonly (readonly [value: T, label: string])[];
}

/** One of many. */
export function SelectField<T extends string>(props: ChoiceProps<T>) {
  const id = useId();
  return (
    <Around id={id} label={props.label} hint={props.hint} error={props.error}>
      <select
        id={id}
        value={props.value}
        {...described(id, props)}
        onChange={(event) => props.onValue(event.currentTarget.value as T)}
      >
        {props.options.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </Around>
  );
}

/** One of a few, all of which are seen. */
export function Choice<T extends string>({ label, value, onValue, options }: ChoiceProps<T>) {
  // One that is new each time stays in the browser's memory.
  const name = `choice ${label}`;
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      <div class="segments">
        {options.map(([option, text]) => (
          <label key={option}>
            <input
              type="radio"
              name={name}
              value={option}
              checked={option === value}
              onChange={() => onValue(option)}
            />
            <span>{text}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function CheckField(props: Common & { readonly value: boolean; readonly onValue: (value: boolean) => void }) {
  const id = useId();
  return (
    <div class="field check">
      <input
        id={id}
        type="checkbox"
        checked={props.value}
        {...described(id, props)}
        onChange={(event) => props.onValue(event.currentTarget.checked)}
      />
      <label for={id}>{props.label}</label>
      {props.hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {props.hint}
        </p>
      )}
    </div>
  );
}
