/** What is shown of a hunk: its lines in pieces, coloured as soon as the colours are loaded. */

import { signal } from "@preact/signals";

import { languageOf } from "./languages";
import { markedPieces, wordMarks, type Piece } from "./marks";
import type { Hunk, PatchLine } from "./parse";

type Syntax = typeof import("./syntax");

/** Of a longer line the beginning is shown, in characters. */
const SHOWN_MAX = 2_000;

/** The colours; undefined until code is shown first. */
const syntax = signal<Syntax | undefined>(undefined);
let isAskedFor = false;

/** Loads the colours, once. Without them code is plain. */
function loadSyntax(): void {
  if (isAskedFor) return;
  isAskedFor = true;
  void import("./syntax").then(
    (loaded) => (syntax.value = loaded),
    () => undefined,
  );
}

/** The pieces of the lines of a hunk. */
export type HunkPieces = ReadonlyMap<PatchLine, Piece[]>;

const known = new WeakMap<Hunk, { syntax: Syntax | undefined; pieces: HunkPieces }>();

/** Divides the lines of a hunk. A component that calls it is shown again with the colours. */
export function piecesOf(hunk: Hunk, path: string): HunkPieces {
  const language = languageOf(path);
  if (language) loadSyntax();
  const colours = language ? syntax.value : undefined;
  const kept = known.get(hunk);
  if (kept && kept.syntax === colours) return kept.pieces;
  const pieces = divide(hunk, colours, language);
  known.set(hunk, { syntax: colours, pieces });
  return pieces;
}

function divide(hunk: Hunk, colours: Syntax | undefined, language: string | undefined): HunkPieces {
  const marks = wordMarks(hunk);
  const pieces = new Map<PatchLine, Piece[]>();
  // Each side is code by itself. What did not change is taken from the later one.
  for (const side of ["minus", "plus"] as const) {
    const lines = hunk.lines.filter(({ kind }) => kind === side || kind === "same");
    const texts = lines.map(({ text }) => text);
    const coloured = language ? colours?.colouredLines(texts, language) : undefined;
    lines.forEach((line, index) => {
      const plain: Piece[] = line.text ? [{ text: line.text }] : [];
      const own = coloured ? (coloured[index] ?? plain) : plain;
      pieces.set(line, markedPieces(own, marks.get(line) ?? []));
    });
  }
  for (const [line, parts] of pieces) {
    if (line.text.length > SHOWN_MAX) pieces.set(line, cut(parts));
  }
  return pieces;
}

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
