/** How the work of a run differs from that of an earlier one, file by file. */

import type { PatchFile } from "../../diff/parse";

/** How a file stands beside an earlier run. */
export type FileState = "same" | "differs" | "new";

/** The states of the files, and what is no longer changed. */
export interface Comparison {
  states: ReadonlyMap<PatchFile, FileState>;
  /** How many files differ or are new. */
  changed: number;
  /** The paths that the earlier run had changed, and this one has not. */
  gone: string[];
}

/** Compares the files of a run with those of an earlier one. */
export function comparisonOf(
  files: readonly PatchFile[],
  before: readonly PatchFile[],
): Comparison {
  const earlier = new Map(before.map((file) => [file.path, file]));
  const states = new Map<PatchFile, FileState>();
  for (const file of files) {
    const other = earlier.get(file.path);
    earlier.delete(file.path);
    states.set(file, !other ? "new" : isSame(file, other) ? "same" : "differs");
  }
  const changed = [...states.values()].filter((state) => state !== "same").length;
  return { states, changed, gone: [...earlier.keys()] };
}

/** Whether two patches do the same to a file. Of binary files it cannot be said. */
function isSame(one: PatchFile, other: PatchFile): boolean {
  if (one.isBinary || other.isBinary || one.isCut || other.isCut) return false;
  return changesOf(one) === changesOf(other);
}

/** What is removed and added, wherever that is: the base may have moved. */
function changesOf(file: PatchFile): string {
  const lines = file.hunks.flatMap(({ lines: all }) => all.filter(({ kind }) => kind !== "same"));
  const head = [file.kind, file.pathBefore, file.modeBefore, file.modeAfter].join("\n");
  return [head, ...lines.map(({ kind, text }) => `${kind} ${text}`)].join("\n");
}
