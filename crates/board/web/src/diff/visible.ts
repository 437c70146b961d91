/** Text as it is, where characters could make it look like another text. */

/** Characters that turn the direction of text, that have no width, or that control a terminal. */
const HIDDEN = new RegExp(
  "[\\0-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f" +
    "\\u061c\\u200b\\u200e\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff]",
  "g",
);

/** The text with such characters named: `⟨U+202E⟩`; CR is `␍`. */
export function madeVisible(text: string): string {
  return text.replaceAll("\r", "␍").replace(HIDDEN, (character) => {
    const code = character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
    return `⟨U+${code}⟩`;
  });
}
