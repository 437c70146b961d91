import { expect, test } from "vitest";

import { changedWords, markedPieces, paired, wordMarks } from "./marks";
import { parsePatch, type Hunk } from "./parse";

function hunk(...lines: string[]): Hunk {
  const counts = (sign: string) => lines.filter((line) => line[0] !== sign).length;
  const head = `@@ -1,${counts("+")} +1,${counts("-")} @@`;
  return parsePatch(`diff --git a/a b/a\n${[head, ...lines].join("\n")}\n`)[0]!.hunks[0]!;
}

test("the words that differ are marked on both sides", () => {
  expect(changedWords("let port = 80;", "let port = 8080;")).toEqual([[[11, 13]], [[11, 15]]]);
  expect(changedWords("  if ready {", "    if ready {")).toEqual([[[0, 2]], [[0, 4]]]);
});

test("lines that have little in common have no marks", () => {
  expect(changedWords("fn a() {}", "use std::collections::HashMap;")).toBeUndefined();
  expect(changedWords("a ".repeat(600), "b ".repeat(600))).toBeUndefined();
  expect(changedWords("a b c d ".repeat(30), "e f g h ".repeat(30))).toBeUndefined();
});

test("removed lines are paired with the added ones that follow", () => {
  const pairs = paired(hunk(" a", "-b", "-c", "+d", " e", "+f").lines);
  const texts = pairs.map(({ before, after }) => [before?.text, after?.text]);
  expect(texts).toEqual([
    ["a", "a"],
    ["b", "d"],
    ["c", undefined],
    ["e", "e"],
    [undefined, "f"],
  ]);
});

test("marks belong to the lines of a hunk", () => {
  const found = hunk("-let port = 80;", "+let port = 8080;", "+listen(port);");
  const marks = wordMarks(found);
  expect(found.lines.map((line) => marks.get(line))).toEqual([[[11, 13]], [[11, 15]], undefined]);
});

test("pieces are divided where marks begin and end", () => {
  const pieces = [{ text: "let ", syntax: "keyword" }, { text: "port = 80" }];
  const divided = markedPieces(pieces, [[2, 8]]);
  expect(divided.map(({ text, isMarked }) => [text, isMarked])).toEqual([
    ["le", false],
    ["t ", true],
    ["port", true],
    [" = 80", false],
  ]);
  expect(divided[1]?.syntax).toBe("keyword");
  expect(markedPieces(pieces, [])).toEqual(pieces);
});
