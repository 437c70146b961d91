/** The colours of terminals: the sequences that set them are read, and all others are removed. */

/** A part of a line with one look. */
interface Span {
  text: string;
  /** Names of classes, such as `ansi-red ansi-bold`; empty for plain text. */
  look: string;
}

const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/**
 * Sequences that begin with ESC: CSI, OSC and other strings with their ends, or one more character.
 * A sequence that does not end in its line is taken out up to its last known character.
 */
const SEQUENCE =
  /\u001b(?:\[([0-?]*)[ -/]*([@-~])?|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~]?)/g;

/** Characters that show nothing, but for the tab. */
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

/** What is set at some place of a line. */
interface Look {
  colour: string;
  isBold: boolean;
  isDim: boolean;
}

const PLAIN: Look = { colour: "", isBold: false, isDim: false };

/** Divides a line by its colours. The line begins plain. */
export function spansOf(line: string): Span[] {
  const spans: Span[] = [];
  let look = PLAIN;
  let from = 0;
  const add = (text: string) => {
    const plain = text.replace(CONTROL, "");
    if (plain) spans.push({ text: plain, look: classesOf(look) });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    add(line.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === "m") look = lookAfter(look, match[1] ?? "");
  }
  add(line.slice(from));
  return spans;
}

/** A line without its colours. */
export function withoutColours(line: string): string {
  return line.includes("\u001b") ? line.replace(SEQUENCE, "").replace(CONTROL, "") : line;
}

function lookAfter(before: Look, parameters: string): Look {
  const codes = parameters.split(/[;:]/).map(Number);
  let look = before;
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const isIndexed = codes[at + 1] === 5;
      const index = codes[at + 2] ?? -1;
      if (code === 38 && isIndexed) look = { ...look, colour: COLOURS[index % 8] ?? "" };
      if (code === 38 && isIndexed && index > 15) look = { ...look, colour: "" };
      at += isIndexed ? 2 : 4;
    } else look = lookWith(look, code);
  }
  return look;
}

function lookWith(look: Look, code: number): Look {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...look, isBold: true };
  if (code === 2) return { ...look, isDim: true };
  if (code === 22) return { ...look, isBold: false, isDim: false };
  if (code === 39) return { ...look, colour: "" };
  const index = code >= 90 ? code - 90 : code - 30;
  const isColour = index >= 0 && index < 8;
  return isColour ? { ...look, colour: COLOURS[index] ?? "" } : look;
}

function classesOf({ colour, isBold, isDim }: Look): string {
  const names = [colour && `ansi-${colour}`, isBold && "ansi-bold", isDim && "ansi-dim"];
  return names.filter(Boolean).join(" ");
}
