/** What is shown of a hunk: its lines in pieces, by their syntax and by what has changed. */

import { languageOf } from "./languages";
import { markedPieces, wordMarks, type Piece } from "./marks";
import type { Hunk, PatchLine } from "./parse";
import { colouredLines } from "./syntax";

/** Of a longer line the beginning is shown, in characters. */
const SHOWN_MAX = 2_000;

/** The pieces of the lines of a hunk. */
export type HunkPieces = ReadonlyMap<PatchLine, Piece[]>;

const known = new WeakMap<Hunk, HunkPieces>();

/** Divides the lines of a hunk. */
export function piecesOf(hunk: Hunk, path: string): HunkPieces {
  const kept = known.get(hunk);
  if (kept) return kept;
  const pieces = divide(hunk, path);
  known.set(hunk, pieces);
  return pieces;
}

function divide(hunk: Hunk, path: string): HunkPieces {
  const language = languageOf(path);
  const marks = wordMarks(hunk);
  const pieces = new Map<PatchLine, Piece[]>();
  // Each side is code by itself. What did not change is taken from the later one.
  for (const side of ["minus", "plus"] as const) {
    const lines = hunk.lines.filter(({ kind }) => kind === side || kind === "same");
    const texts = lines.map(({ text }) => text);
    const coloured = language && colouredLines(texts, language);
    lines.forEach((line, index) => {
      const own = coloured?.[index] ?? (line.text ? [{ text: line.text }] : []);
      const marked = markedPieces(own, marks.get(line) ?? []);
      pieces.set(line, line.text.length > SHOWN_MAX ? cut(marked) : marked);
    });
  }
  return pieces;
}

/** The beginning of a long line, and how much more there is. */
function cut(pieces: readonly Piece[]): Piece[] {
  const shown: Piece[] = [];
  let rest = SHOWN_MAX;
  let left = 0;
  for (const piece of pieces) {
    if (rest > 0) shown.push({ ...piece, text: piece.text.slice(0, rest) });
    left += Math.max(0, piece.text.length - rest);
    rest = Math.max(0, rest - piece.text.length);
  }
  shown.push({ text: `… ${left.toLocaleString("en")} more characters`, syntax: "cut" });
  return shown;
}
