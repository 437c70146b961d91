/**
 * Reads a patch as git writes it. A patch is the work of an agent: it may be cut anywhere, and it
 * may hold anything. What cannot be read is left out, and nothing is ever thrown.
 */

import { pathsOfHeader, pathOfLine, plainPath } from "./paths";

/** A line of a hunk. */
export interface PatchLine {
  kind: "same" | "plus" | "minus";
  text: string;
  /** Its number before the change; lines that were added have none. */
  before?: number;
  /** Its number after the change; lines that were removed have none. */
  after?: number;
  /** The file ends with this line, without the end of a line. */
  isUnended?: boolean;
}

/** Lines that belong together. */
export interface Hunk {
  /** The number of its first line before and after the change. */
  before: number;
  after: number;
  /** What git found above: the function, say. */
  section: string;
  lines: PatchLine[];
}

/** What a patch says about a file. */
export interface PatchFile {
  kind: "added" | "deleted" | "renamed" | "copied" | "changed";
  /** Its path; of a deleted file the one that it had. */
  path: string;
  /** The path that it had, if that was another. */
  pathBefore?: string;
  modeBefore?: string;
  modeAfter?: string;
  isBinary: boolean;
  insertions: number;
  deletions: number;
  hunks: Hunk[];
  /** The patch ends in the middle of this file, or cannot be read further. */
  isCut: boolean;
}

const HUNK = /^@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@ ?(.*)$/s;

/** Reads the files of a patch, in its order. */
export function parsePatch(patch: string): PatchFile[] {
  const lines = patch.split("\n");
  // The end of the last line is not another line.
  if (lines.at(-1) === "") lines.pop();
  return new Reader(lines).read();
}

class Reader {
  private readonly files: PatchFile[] = [];
  private file: PatchFile | undefined;
  private at = 0;

  constructor(private readonly lines: string[]) {}

  read(): PatchFile[] {
    while (this.at < this.lines.length) {
      const line = this.lines[this.at] ?? "";
      this.at += 1;
      if (line.startsWith("diff --git ")) this.begin(pathsOfHeader(line.slice(11)));
      else if (line.startsWith("--- ")) this.readNames(line);
      else if (line.startsWith("@@ ")) this.readHunk(line);
      else if (this.file) readMore(this.file, line);
    }
    return this.files;
  }

  private begin(paths: [string, string]): PatchFile {
    const [before, path] = paths;
    const file: PatchFile = {
      kind: "changed",
      path,
      isBinary: false,
      insertions: 0,
      deletions: 0,
      hunks: [],
      isCut: false,
    };
    if (before !== path) file.pathBefore = before;
    this.files.push(file);
    this.file = file;
    return file;
  }

  /** Reads `--- a/x` and the line `+++ b/x` that must follow. */
  private readNames(line: string): void {
    const next = this.lines[this.at] ?? "";
    if (!next.startsWith("+++ ")) return;
    this.at += 1;
    const before = pathOfLine(line.slice(4), "a/");
    const after = pathOfLine(next.slice(4), "b/");
    // Patches of other programs have no line `diff --git`.
    const isNext = !this.file || this.file.hunks.length > 0;
    const file = isNext ? this.begin(["", ""]) : this.file!;
    file.path = after ?? before ?? file.path;
    if (before === undefined) file.kind = "added";
    else if (after === undefined) file.kind = "deleted";
    if (before !== undefined && after !== undefined && before !== after) file.pathBefore = before;
    else delete file.pathBefore;
  }

  private readHunk(line: string): void {
    const match = HUNK.exec(line);
    const { file } = this;
    if (!match || !file) return;
    const [, before, beforeCount = "1", after, afterCount = "1", section = ""] = match;
    const hunk: Hunk = { before: Number(before), after: Number(after), section, lines: [] };
    file.hunks.push(hunk);
    this.readLines(file, hunk, Number(beforeCount), Number(afterCount));
  }

  /** The counts of a hunk say where it ends: a removed line may look like a header. */
  private readLines(file: PatchFile, hunk: Hunk, beforeCount: number, afterCount: number): void {
    let { before, after } = hunk;
    const beforeEnd = before + beforeCount;
    const afterEnd = after + afterCount;
    while (before < beforeEnd || after < afterEnd) {
      const line = this.lines[this.at];
      const sign = line === "" ? " " : line?.[0];
      const text = line?.slice(1) ?? "";
      if (sign === "+") {
        hunk.lines.push({ kind: "plus", text, after });
        file.insertions += 1;
        after += 1;
      } else if (sign === "-") {
        hunk.lines.push({ kind: "minus", text, before });
        file.deletions += 1;
        before += 1;
      } else if (sign === " ") {
        hunk.lines.push({ kind: "same", text, before, after });
        before += 1;
        after += 1;
      } else if (sign === "\\") {
        endFile(hunk);
      } else {
        file.isCut = true;
        return;
      }
      this.at += 1;
    }
    if (this.lines[this.at]?.startsWith("\\")) {
      endFile(hunk);
      this.at += 1;
    }
  }
}

function endFile(hunk: Hunk): void {
  const last = hunk.lines.at(-1);
  if (last) last.isUnended = true;
}

/** Reads a line between the header of a file and its hunks. */
function readMore(file: PatchFile, line: string): void {
  const value = (name: string) => line.slice(name.length + 1);
  if (line.startsWith("new file mode ")) {
    file.kind = "added";
    file.modeAfter = value("new file mode");
  } else if (line.startsWith("deleted file mode ")) {
    file.kind = "deleted";
    file.modeBefore = value("deleted file mode");
  } else if (line.startsWith("old mode ")) file.modeBefore = value("old mode");
  else if (line.startsWith("new mode ")) file.modeAfter = value("new mode");
  else if (line.startsWith("rename from ")) {
    file.kind = "renamed";
    file.pathBefore = plainPath(value("rename from"));
  } else if (line.startsWith("rename to ")) file.path = plainPath(value("rename to"));
  else if (line.startsWith("copy from ")) {
    file.kind = "copied";
    file.pathBefore = plainPath(value("copy from"));
  } else if (line.startsWith("copy to ")) file.path = plainPath(value("copy to"));
  else if (line === "GIT binary patch" || line.startsWith("Binary files ")) file.isBinary = true;
}
