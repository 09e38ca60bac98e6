// Text that somebody else chose, shown to a person.

/**
 * One line of plain text: control characters (a terminal obeys them), line ends and marks that turn the reading direction round
 * are written out, `\u001b`. Everything else, of any language, stays as it is.
 */
export const printable = (text: string): string => text.replace(ACTIVE, escaped);

const ACTIVE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
