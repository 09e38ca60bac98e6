// The languages that people are spoken to in.

export type Language = "en" | "zh";

/** A text in each of them. */
export type Wording = Readonly<Record<Language, string>>;
