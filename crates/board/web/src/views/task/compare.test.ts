import { expect, test } from "vitest";

import { parsePatch } from "../../diff/parse";
import { comparisonOf } from "./compare";

const file = (path: string, added: string, at = 1) =>
  `diff --git a/${path} b/${path}\n@@ -${at} +${at},2 @@\n a\n+${added}\n`;

test("files are the same, differ, are new, or are no longer changed", () => {
  const now = parsePatch(file("a", "x", 9) + file("b", "y") + file("c", "z"));
  const before = parsePatch(file("a", "x") + file("b", "yy") + file("d", "z"));
  const { states, changed, gone } = comparisonOf(now, before);
  expect(now.map((each) => states.get(each))).toEqual(["same", "differs", "new"]);
  expect(changed).toBe(2);
  expect(gone).toEqual(["d"]);
});

test("of binary files it cannot be said that they are the same", () => {
  const patch = "diff --git a/a b/a\nBinary files a/a and b/a differ\n";
  const now = parsePatch(patch);
  expect(comparisonOf(now, parsePatch(patch)).states.get(now[0]!)).toBe("differs");
});
