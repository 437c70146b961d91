/** Which words of a line have changed, and how it is divided by its colours and these marks. */

import { diffWordsWithSpace } from "diff";

import type { Hunk, PatchLine } from "./parse";

/** A part of a line, from one character to another. */
type Range = readonly [start: number, end: number];

/** A part of a line in one colour. */
export interface Piece {
  text: string;
  /** Its kind in the syntax, such as `keyword`. */
  syntax?: string | undefined;
  isMarked?: boolean | undefined;
}

/** The longest line that is compared by words, in characters. */
const LINE_MAX = 1_000;
/** The most changed lines in a row that are compared by words. */
const RUN_MAX = 100;
/** Two lines with more changed words than this are different lines. */
const EDITS_MAX = 60;
/** Two lines that share less than this part of their characters are different lines. */
const SHARED_MIN = 0.4;

/** Two lines of a hunk that stand beside each other; at the end of a run one may be missing. */
export interface Pair {
  before?: PatchLine;
  after?: PatchLine;
}

/** Pairs the lines of a hunk: the first removed one with the first added one, and so on. */
export function paired(lines: readonly PatchLine[]): Pair[] {
  const pairs: Pair[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    if (line.kind === "same") {
      pairs.push({ before: line, after: line });
      at += 1;
      continue;
    }
    const removed = takeWhile(lines, at, "minus");
    const added = takeWhile(lines, at + removed.length, "plus");
    for (let row = 0; row < Math.max(removed.length, added.length); row += 1) {
      const pair: Pair = {};
      if (removed[row]) pair.before = removed[row]!;
      if (added[row]) pair.after = added[row]!;
      pairs.push(pair);
    }
    at += removed.length + added.length;
  }
  return pairs;
}

function takeWhile(lines: readonly PatchLine[], from: number, kind: string): PatchLine[] {
  let end = from;
  while (lines[end]?.kind === kind) end += 1;
  return lines.slice(from, end);
}

/** The changed words of a hunk, by line. */
export function wordMarks(hunk: Hunk): Map<PatchLine, Range[]> {
  const marks = new Map<PatchLine, Range[]>();
  let run = 0;
  for (const { before, after } of paired(hunk.lines)) {
    run = before === after ? 0 : run + 1;
    if (!before || !after || before === after || run > RUN_MAX) continue;
    const found = changedWords(before.text, after.text);
    if (!found) continue;
    marks.set(before, found[0]);
    marks.set(after, found[1]);
  }
  return marks;
}

/** The words that differ in two lines; undefined if the lines have little in common. */
export function changedWords(before: string, after: string): [Range[], Range[]] | undefined {
  if (Math.max(before.length, after.length) > LINE_MAX) return undefined;
  const parts = diffWordsWithSpace(before, after, { maxEditLength: EDITS_MAX });
  if (!parts) return undefined;
  const ranges: [Range[], Range[]] = [[], []];
  const at = [0, 0];
  let shared = 0;
  for (const { added, removed, value } of parts) {
    for (const side of [0, 1] as const) {
      if (side === 0 ? added : removed) continue;
      const start = at[side]!;
      at[side] = start + value.length;
      if (added || removed) ranges[side].push([start, start + value.length]);
    }
    if (!added && !removed) shared += value.trim().length;
  }
  const longest = Math.max(before.trim().length, after.trim().length);
  return shared >= longest * SHARED_MIN ? ranges : undefined;
}

/** Divides the pieces of a line where marks begin and end. */
export function markedPieces(pieces: readonly Piece[], marks: readonly Range[]): Piece[] {
  if (marks.length === 0) return [...pieces];
  const divided: Piece[] = [];
  let at = 0;
  for (const { text, syntax } of pieces) {
    const end = at + text.length;
    const cuts = [at, ...marks.flat().filter((cut) => cut > at && cut < end), end];
    for (let part = 0; part + 1 < cuts.length; part += 1) {
      const from = cuts[part]!;
      const to = cuts[part + 1]!;
      const isMarked = marks.some(([start, stop]) => from >= start && to <= stop);
      divided.push({ text: text.slice(from - at, to - at), syntax, isMarked });
    }
    at = end;
  }
  return divided;
}
