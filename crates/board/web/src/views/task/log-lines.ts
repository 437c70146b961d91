/** The lines of a log: how they are divided, which tell of a failure, and where a text is. */

import { withoutColours } from "./ansi";

/** Of a longer line the beginning is shown, in characters. */
export const LINE_SHOWN_MAX = 4_000;

/** The lines of a text that grows at its end. */
export class LogLines {
  private readonly lines: string[] = [];
  /** The last line, as long as it has no end. */
  private rest = "";

  /** Adds what was printed next, and returns all lines. */
  add(text: string): readonly string[] {
    const parts = (this.rest + text).split("\n");
    if (this.rest !== "") this.lines.pop();
    this.rest = parts.pop() ?? "";
    for (const part of parts) this.lines.push(overwritten(part));
    if (this.rest !== "") this.lines.push(overwritten(this.rest));
    return [...this.lines];
  }
}

/** A line of which a program has printed one part over another, as bars of progress do. */
function overwritten(line: string): string {
  const end = line.endsWith("\r") ? line.length - 1 : line.length;
  const from = line.lastIndexOf("\r", end - 1);
  return line.slice(from + 1, end);
}

const FAILS = /\b(?:errors?|panic(?:ked)?|fail(?:ed|ure|ures)?|fatal|traceback|[a-z]*exception)\b/i;
/** "0 errors" is no error. */
const FAILS_NOT = /\b(?:0|no|without) (?:errors?|failed|failures?|exceptions?)\b|\bfailed: 0\b/gi;

/** Whether a line says that something failed. It is a guess. */
export function saysFailure(line: string): boolean {
  const plain = withoutColours(line.slice(0, LINE_SHOWN_MAX));
  if (!FAILS.test(plain)) return false;
  return FAILS.test(plain.replace(FAILS_NOT, ""));
}

/** The numbers of the lines that hold a text, in any case. */
export function linesWith(lines: readonly string[], text: string): number[] {
  const wanted = text.toLowerCase();
  if (wanted === "") return [];
  const found: number[] = [];
  lines.forEach((line, index) => {
    if (withoutColours(line).toLowerCase().includes(wanted)) found.push(index);
  });
  return found;
}

/** The numbers of the lines that say that something failed. */
export function failures(lines: readonly string[]): number[] {
  const found: number[] = [];
  lines.forEach((line, index) => {
    if (saysFailure(line)) found.push(index);
  });
  return found;
}

/** The entry of sorted numbers behind `from`, or before it; at the end it begins again. */
export function nextOf(sorted: readonly number[], from: number, by: 1 | -1): number | undefined {
  if (by > 0) return sorted.find((number) => number > from) ?? sorted[0];
  return sorted.findLast((number) => number < from) ?? sorted.at(-1);
}
